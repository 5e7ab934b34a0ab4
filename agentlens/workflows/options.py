"""The choices of a whole job as plain dataclasses: what the Python API and the flags share.

Nothing heavy is imported here, so ``--help`` can list every field with its note and default.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from agentlens.errors import InvalidArgument

Name = Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")]
Number = Annotated[float | None, tyro.conf.arg(metavar="NUMBER", help_behavior_hint="")]
Whole = Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="")]
Location = Annotated[Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="")]
"""Optional values: their notes say what holds when they are not given."""


@dataclass(frozen=True, kw_only=True)
class PlayOptions:
    """How the episodes are played."""

    seed: int = 0
    """Seed of the recording; each episode depends on it and on its own index alone."""
    selection: Annotated[
        Literal["sample", "greedy", "epsilon"] | None,
        tyro.conf.arg(metavar="{sample,greedy,epsilon}", help_behavior_hint=""),
    ] = None
    """How actions are chosen; the agent's own way if not given."""
    deterministic: bool = False
    """The same as --selection greedy."""
    epsilon: Number = None
    """Share of random actions with --selection epsilon."""

    @property
    def chosen(self) -> Literal["sample", "greedy", "epsilon"] | None:
        """The selection, with ``deterministic`` taken into account."""
        return "greedy" if self.deterministic else self.selection


@dataclass(frozen=True, kw_only=True)
class GameOptions(PlayOptions):
    """How one game is played."""

    max_steps: int = 0
    """Decisions after which the game is cut (900 at frame skip 4 is a minute); 0 for all of it."""


A_MINUTE = GameOptions(max_steps=900)
"""One game, cut after a minute at a frame skip of 4."""


@dataclass(frozen=True, kw_only=True)
class MapOptions:
    """Which saliency maps, and how they are computed."""

    method: str = "perturbation"
    """Saliency method; `agentlens methods` lists them."""
    targets: Annotated[
        tuple[str, ...] | None, tyro.conf.arg(metavar="NAME ...", help_behavior_hint="")
    ] = None
    """Scores such as kl, log_probability, value_l2; the method's own choice if not given."""
    planes: Annotated[
        Literal["all", "newest", "each"] | None,
        tyro.conf.arg(metavar="{all,newest,each}", help_behavior_hint=""),
    ] = None
    """One mask over the whole stack (the default), over the newest plane, or a map for each
    plane."""
    radius: Number = None
    """Gaussian mask radius (sigma), in observation pixels; 5 if not given."""
    stride: Whole = None
    """Distance between mask centres, in observation pixels; 5 if not given."""
    grid: Annotated[
        Literal["centred", "published"] | None,
        tyro.conf.arg(metavar="{centred,published}", help_behavior_hint=""),
    ] = None
    """Mask centres in the middle of their cells, or at multiples of the stride as published."""
    reference: Name = None
    """What fills the masked part: blur (the default), median, mean, previous, noise, constant:0."""
    action: Name = None
    """The explained action: taken (the default), greedy or a name such as RIGHT."""
    contrast: Name = None
    """Explain the action against this one (for the score contrast)."""
    as_published: bool = False
    """Draw greydanus where the authors' code draws it, for comparison."""
    preview: bool = False
    """Coarse maps at a quarter of the cost: twice the stride."""
    option: Annotated[
        tuple[str, ...] | None, tyro.conf.arg(metavar="NAME=VALUE ...", help_behavior_hint="")
    ] = None
    """Other options of the method, such as last=8 for memory or radius=3,5 for perturbation."""
    merge_actions: bool = False
    """Treat actions that do the same in this game as one."""
    engine: Literal["auto", "reference", "batched", "incremental"] = "auto"
    """How the maps are computed; all give the same numbers."""
    memory_gb: float = 1.0
    """Memory that the engine may use beyond the model, in GB."""

    @property
    def extra(self) -> dict[str, object]:
        """Options of single methods that were asked for, by name.

        Raises:
            InvalidArgument: one that is not written NAME=VALUE.
        """
        flags = {"as_published": self.as_published, "preview": self.preview}
        given = dict(map(_read_option, self.option or ()))
        return {**given, **{name: True for name, wanted in flags.items() if wanted}}


def _read_option(text: str) -> tuple[str, object]:
    """Name and value of "last=8": a number, true, false, several by commas, else a word."""
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise InvalidArgument(f"option {text!r}: expected NAME=VALUE, such as last=8.")
    if value in ("true", "false"):
        return name, value == "true"
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, tuple(value.split(",")) if "," in value else value
