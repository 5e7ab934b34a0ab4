"""Which scores are asked for: read from text, chosen by default, refused where impossible.

No torch here: a command line knows what it may ask before anything is loaded.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentlens.errors import InvalidArgument, UnknownName
from agentlens.saliency.targets import LINEAR_TARGETS, SCORES, TARGETS
from agentlens.spec import TargetInfo

if TYPE_CHECKING:
    from agentlens.saliency.options import AskedOptions

_INTERACTION = " interaction"
"""What follows a score's name where its joint effect less its single effects is meant."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A score by name; with ``interaction`` its joint effect over all frames of the stack less the
    sum of its single ones."""

    score: str
    interaction: bool = False

    def __str__(self) -> str:
        """As it is written: "value", "value interaction"."""
        return self.score + (_INTERACTION if self.interaction else "")


def parse_target(text: str) -> Target:
    """Read "value" or "value interaction"; whether there is such a score is checked later."""
    return Target(score=text.removesuffix(_INTERACTION), interaction=text.endswith(_INTERACTION))


def wanted_targets(asked: AskedOptions, defaults: Sequence[str]) -> tuple[Target, ...]:
    """The targets that are asked for by name, or the defaults, whose first is the actor's.

    Where an action is asked for, an actor's default that ignores it gives way to
    ``log_probability``; where one to compare it with, to ``contrast``.

    Raises:
        InvalidArgument: an action is named, or one to compare it with, and nothing that is asked
            for depends on it.
    """
    if asked.targets is None:
        first, *rest = defaults
        if asked.contrast is not None:
            first = "contrast"
        elif asked.action != "taken" and not TARGETS[first].of_action:
            first = "log_probability"
        return tuple(map(parse_target, (first, *rest)))
    targets = tuple(map(parse_target, asked.targets))
    scores = [target.score for target in targets]
    if asked.contrast is not None and "contrast" not in scores:
        raise InvalidArgument(
            f"contrast {asked.contrast} plays no part in {', '.join(scores)}: the target contrast "
            "alone compares with it."
        )
    known = [TARGETS[score] for score in scores if score in TARGETS]
    named = asked.action not in ("taken", "greedy")
    if named and len(known) == len(scores) and not any(info.of_action for info in known):
        raise InvalidArgument(
            f"action {asked.action} plays no part in {', '.join(scores)}: ask for "
            f"{_ACTOR_ADVICE}, or leave it out."
        )
    return targets


_ACTOR_ADVICE = "log_probability or contrast (gap, q_value or advantage for Q-values)"


def interaction_info(info: TargetInfo) -> TargetInfo:
    """The description of a linear score's interaction between the frames of the stack."""
    return dataclasses.replace(
        info,
        name=str(Target(score=info.name, interaction=True)),
        signed=True,
        display="identity",
        meaning=(
            "what hiding this place in all frames of the stack at once does beyond the sum of "
            "hiding it in each; one map, the same on every plane"
        ),
    )


def check_interactions(
    names: Sequence[str], kind: str, stack: int, planes: str, merged: bool
) -> None:
    """Refuse interactions that would mix up the score's own curvature with the policy's.

    Args:
        names: scores by name, without the word "interaction".
        kind: "logits" or "q_values".
        stack: frames that the policy sees.
        planes: "all", "newest" or "each".
        merged: whether actions that do the same are merged.

    Raises:
        InvalidArgument: the score is not linear in the outputs, or single effects are missing.
    """
    if len(set(names)) != len(names):
        raise InvalidArgument(f"interactions named twice: {', '.join(names)}.")
    for name in names:
        target = str(Target(score=name, interaction=True))
        if name not in LINEAR_TARGETS or (name == "value" and kind == "q_values"):
            raise InvalidArgument(
                f"target {target!r}: {name} is not linear in the policy's outputs, so joint less "
                f"single effects would say nothing; use {', '.join(sorted(LINEAR_TARGETS))}."
            )
        if merged and name != "value":
            raise InvalidArgument(
                f"target {target!r}: merging actions is not linear; leave merge_actions off."
            )
        if planes != "each" or stack == 1:
            raise InvalidArgument(
                f"target {target!r} compares the frames of a stack: it needs planes 'each' and an "
                f"agent that sees several frames (planes {planes!r}, {stack} frames)."
            )


def check_targets(
    names: Sequence[str], kind: str, has_value: bool, temperature: float | None
) -> tuple[TargetInfo, ...]:
    """The descriptions of these scores, once it is clear that the policy can give them.

    Raises:
        UnknownName: no such score.
        InvalidArgument: none at all, one twice, or one that this policy's outputs do not allow.
    """
    if not names:
        raise InvalidArgument("targets are empty: name at least one score.")
    if len(set(names)) != len(names):
        raise InvalidArgument(f"targets name a score twice: {', '.join(names)}.")
    if temperature is not None and not temperature > 0:
        raise InvalidArgument(f"temperature {temperature}: expected a positive number.")
    for name in names:
        if name not in TARGETS:
            possible = ", ".join(_possible(kind, has_value))
            raise UnknownName("target", name, TARGETS, f"This agent has {possible}.")
        needs = SCORES[name].needs
        if needs == "nothing" and name != "energy":
            raise InvalidArgument(
                f"target {name!r} is what the method {name} gives, and no score of a policy: "
                f"explain with method {name}."
            )
        if needs == "softmax" and kind == "q_values" and temperature is None:
            raise InvalidArgument(
                f"target {name!r} needs action probabilities and this agent has Q-values: "
                "give a temperature for their softmax, or use gap, q_value or advantage."
            )
        if needs == "q_values" and kind != "q_values":
            raise InvalidArgument(
                f"target {name!r} needs Q-values and this agent has logits: "
                "use kl, log_probability or contrast."
            )
        if needs == "logits" and kind == "q_values":
            raise InvalidArgument(
                f"target {name!r} needs logits and this agent has Q-values: use q_value."
            )
        if needs == "value" and kind != "q_values" and not has_value:
            raise InvalidArgument(f"target {name!r} needs a critic and this agent has none.")
    return tuple(_of_this_policy(TARGETS[name], kind) for name in names)


def _possible(kind: str, has_value: bool) -> list[str]:
    """The scores that a policy can give without a temperature."""
    if kind == "q_values":
        possible = {"q_values", "value", "outputs"}
    else:
        possible = {"softmax", "logits", "outputs", *(("value",) if has_value else ())}
    return sorted({"energy", *(name for name, s in SCORES.items() if s.needs in possible)})


def _of_this_policy(info: TargetInfo, kind: str) -> TargetInfo:
    """A contrast of Q-values is in their unit."""
    if info.name == "contrast" and kind == "q_values":
        return dataclasses.replace(info, unit="Q", role="q")
    return info
