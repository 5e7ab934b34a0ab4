"""Saliency methods on worlds whose cause is known: do their maps find it, and for what reason?

Shape letters: F states, n cells along each axis, H W observation.
"""

from __future__ import annotations

import dataclasses
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agentlens.compute import Compute
from agentlens.envs.causes.kind import WORLDS
from agentlens.envs.causes.mosaic import CELL, DECISIONS
from agentlens.errors import InvalidArgument, UnknownName
from agentlens.metrics._pixels import to_pixels, top_pixels
from agentlens.metrics._ranks import ranks
from agentlens.metrics._recorded import bind, frames_of, joined, median_picture
from agentlens.metrics._states import States
from agentlens.policies.agent import Agent, load_agent
from agentlens.progress import Progress, silent
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.saliency.base import SaliencyMethod
from agentlens.saliency.configure import configure, method_name
from agentlens.store.recording import Episode, Recording
from agentlens.workflows.bench_agents import mosaic_agent
from agentlens.workflows.bench_memory import LaterPolicy, cue_frames
from agentlens.workflows.measure_makers import MethodMaker

METHODS = (
    "perturbation",
    "greydanus",
    "sarfa",
    "occlusion",
    "rise",
    "gradient",
    "gradient-input",
    "integrated-gradients",
    "energy",
    "random",
)
"""Measured where no others are named."""

TOP = 0.1
"""The strongest share of a map that is to cover the cause's cell."""


@dataclass(frozen=True, kw_only=True)
class Focus:
    """States by whether the map's cell is the cause's, and whether the action is the right one.

    The four counts of selective dependence classification (Pandey et al. 2022): focus true or
    false, prediction true or false. Right for the wrong place is ``focus_false_right``.
    """

    focus_true_right: int
    focus_false_right: int
    focus_true_wrong: int
    focus_false_wrong: int

    @classmethod
    def of(cls, focus: np.ndarray, right: np.ndarray) -> Focus:
        """Counts of bool [F] and bool [F]."""
        return cls(
            focus_true_right=int((focus & right).sum()),
            focus_false_right=int((~focus & right).sum()),
            focus_true_wrong=int((focus & ~right).sum()),
            focus_false_wrong=int((~focus & ~right).sum()),
        )

    @property
    def accuracy(self) -> float:
        """Share of right actions."""
        return (self.focus_true_right + self.focus_false_right) / self.states

    @property
    def states(self) -> int:
        """How many were counted."""
        return sum(dataclasses.astuple(self))

    def __str__(self) -> str:
        """The counts in the order FTPT/FFPT/FTPF/FFPF."""
        return "/".join(map(str, dataclasses.astuple(self)))


@dataclass(frozen=True, kw_only=True)
class CauseScore:
    """How well a method's maps find the cause.

    ``cell_accuracy``: share of states where the cell with the most mass is the cause's, in (0, 1).
    ``mass_share``: mean share of the mass that lies in it. ``area``: chance that a pixel of the
    cause lies above one elsewhere (AUC). ``cover``: mean share of the cause's cell within the
    strongest tenth of the map. ``focus``: counts against the action. ``forgotten``: the cell
    accuracy of the same method's maps of a policy whose weights were drawn anew.
    ``plane_accuracy``: share of states whose heaviest plane is the cause's, where the method can
    tell planes apart and the world hides the cue in one; NaN elsewhere. ``at_decision``: where
    memory alone carries the cue, the mass of the method's maps of the deciding screens over that
    of its maps of the screens with the cue; NaN elsewhere. A deciding screen that adds nothing has
    an empty map, from which the cause cannot be told: right is 0.
    """

    method: str
    cell_accuracy: float
    mass_share: float
    area: float
    cover: float
    focus: Focus
    forgotten: float
    plane_accuracy: float
    at_decision: float = math.nan


@dataclass(frozen=True, kw_only=True)
class BenchResult:
    """The scores of one world.

    ``chance``: cell accuracy of a map that knows nothing. ``later``: decisions between the screen
    that is explained and the decision that it is explained for; 0 where they are of the same step.
    """

    world: str
    states: int
    chance: float
    scores: tuple[CauseScore, ...]
    later: int = 0


def bench_causes(
    methods: Sequence[str | SaliencyMethod] = METHODS,
    *,
    world: str = "Mosaic16-v0",
    agent: Agent | Path | str | None = None,
    states: int = 40,
    compute: Compute = Compute(),
    progress: Progress = silent,
) -> BenchResult:
    """Score methods on a world whose cause is known.

    An agent is recorded in it, and every method explains the same states; the world says which
    cell was the cause. Where the cue is in no frame that the deciding agent sees, what is explained
    is the screen with the cue, for the decision that it leads to (see ``LaterPolicy``); beside it
    stands what the method says of the deciding screen, which adds nothing.

    Args:
        methods: names, or configured methods.
        world: an id of ``envs.causes``.
        agent: one that plays such a world, or its folder: its own world then counts. If not given,
            the one of ``world`` whose weights follow from the glyphs.
        states: states explained, of as many episodes as that takes.
        compute: threads and engine.
        progress: called with methods finished and to score.

    Raises:
        UnknownName: no such world or method.
        InvalidArgument: no state or no method, or an agent without memory where the world asks for
            one.

    Notes:
        Seconds a method; twice the method's own cost a state, for the policy that forgot.
    """
    if states < 1 or not methods:
        raise InvalidArgument(f"{states} states, {len(methods)} methods: expected 1 or more.")
    if agent is not None:
        agent = load_agent(agent) if isinstance(agent, Path | str) else agent
        world = agent.spec.environment.id
    if world not in WORLDS:
        raise UnknownName("world whose cause is known", world, WORLDS)
    agent = mosaic_agent(world) if agent is None else agent
    configured = [configure(method) for method in methods]
    with tempfile.TemporaryDirectory(prefix="agentlens-") as folder:
        asked = _Asked.of(agent, world, states, Path(folder) / "recording")
    scores = []
    for done, method in enumerate(configured):
        progress(done, len(configured))
        scores.append(_score(method, asked, compute))
    return BenchResult(
        world=world,
        states=len(asked.states),
        chance=1 / asked.truth.cells**2,
        scores=tuple(scores),
        later=asked.later,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Asked:
    """What methods are asked about.

    ``states``: with the screens that show the cue. ``deciding``: the same decisions with the
    screens on show when they are made, where these are others; ``None`` elsewhere.
    """

    states: States
    deciding: States | None
    truth: _Truth
    later: int

    @classmethod
    def of(cls, agent: Agent, world: str, states: int, folder: Path) -> _Asked:
        delay = WORLDS[world].get("delay", 0)
        later = delay if "stack" in WORLDS[world] else 0
        policy = LaterPolicy(agent.policy, later) if later else agent.policy
        play = Play(episodes=math.ceil(states / (DECISIONS - delay)), n_envs=1)
        recording = record(agent, output=folder, play=play)
        chosen = _chosen(recording, states, delay)
        frames = joined([frames_of(*choice) for choice in chosen])
        deciding = States(
            policy=agent.policy,
            frames=frames,
            median=median_picture(recording),
            explained=frames.actions.numpy(),
        )
        truth = _Truth.of(world, chosen)
        if not later:
            return cls(states=deciding, deciding=None, truth=truth, later=0)
        cues = joined([cue_frames(*choice, later) for choice in chosen])
        shown = dataclasses.replace(deciding, policy=policy, frames=cues)
        return cls(states=shown, deciding=deciding, truth=truth, later=later)


def _chosen(recording: Recording, states: int, first: int) -> list[tuple[Episode, np.ndarray]]:
    """As many decisions as asked, evenly over the episodes and none before ``first``."""
    lengths = [len(episode) - first for episode in recording.episodes]
    places = np.linspace(0, sum(lengths) - 1, states).round().astype(int)
    starts = np.cumsum([0, *lengths])
    return [
        (episode, first + places[(places >= start) & (places < end)] - start)
        for episode, start, end in zip(recording.episodes, starts[:-1], starts[1:], strict=True)
    ]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Truth:
    """What the world says: n, the cause's cell int [F], whether the action was right bool [F], how
    many planes back the cue is, 0 where it is in none."""

    cells: int
    cause: np.ndarray
    right: np.ndarray
    delay: int

    @classmethod
    def of(cls, world: str, chosen: Sequence[tuple[Episode, np.ndarray]]) -> _Truth:
        told = np.concatenate([episode.fingerprints[steps] for episode, steps in chosen])
        actions = np.concatenate([episode.actions[steps] for episode, steps in chosen])
        return cls(
            cells=WORLDS[world]["cells"],
            cause=told[:, 0].astype(int),
            right=told[:, 1] == actions,
            delay=0 if "stack" in WORLDS[world] else WORLDS[world].get("delay", 0),
        )


def _score(method: SaliencyMethod, asked: _Asked, compute: Compute) -> CauseScore:
    states, truth = asked.states, asked.truth
    maker = MethodMaker(method=method, compute=compute)
    mass, pixels = _cells(maker, states, truth.cells)
    rows = np.arange(len(states))
    focus = mass.argmax(1) == truth.cause
    forgotten, _ = _cells(dataclasses.replace(maker, seed=1), states, truth.cells)
    inside = _inside(truth)
    total = mass.sum(1)
    share = np.divide(mass[rows, truth.cause], total, out=np.zeros(len(states)), where=total > 0)
    return CauseScore(
        method=method_name(method),
        cell_accuracy=float(focus.mean()),
        mass_share=float(share.mean()),
        area=float(_area(pixels, inside).mean()),
        cover=float(_cover(pixels, inside).mean()),
        focus=Focus.of(focus, truth.right),
        forgotten=float((forgotten.argmax(1) == truth.cause).mean()),
        plane_accuracy=_plane_accuracy(method, states, truth, compute),
        at_decision=_at_decision(maker, asked),
    )


def _at_decision(maker: MethodMaker, asked: _Asked) -> float:
    """Mass of the deciding screens' maps over that of the maps of the screens with the cue."""
    if asked.deciding is None:
        return math.nan
    masses = []
    for states in (asked.deciding, asked.states):
        maps = maker(states.policy, states.frames, median=states.median)
        assert maps is not None  # no action was named
        masses.append(float(maps.sum()))
    return masses[0] / masses[1] if masses[1] > 0 else math.nan


def _cells(maker: MethodMaker, states: States, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Mass of every cell, float64 [F, n * n], and the maps on pixels, [F, H, W].

    Equal masses are told apart by noise far below them, so that a flat map names no cell.
    """
    maps = maker(states.policy, states.frames, median=states.median)
    assert maps is not None  # no action was named
    pixels = to_pixels(maps, maker.grid(states.policy, states.median))
    parts = pixels.reshape(len(pixels), cells, CELL, cells, CELL).sum((2, 4))
    mass = parts.reshape(len(pixels), -1)
    ties = np.random.default_rng(0).random(mass.shape) * 1e-9 * max(mass.max(), 1e-12)
    return mass + ties, pixels


def _inside(truth: _Truth) -> np.ndarray:
    """The cause's pixels: bool [F, H, W]."""
    side = np.arange(truth.cells * CELL) // CELL
    row, column = np.divmod(truth.cause, truth.cells)
    down, across = side == row[:, None], side == column[:, None]
    return np.asarray(down[:, :, None] & across[:, None, :])


def _area(pixels: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of each map, by ranks: float64 [F]."""
    flat, chosen = ranks(pixels.reshape(len(pixels), -1)), inside.reshape(len(inside), -1)
    count, others = chosen.sum(1), (~chosen).sum(1)
    above = (flat * chosen).sum(1) - count * (count - 1) / 2
    area: np.ndarray = above / (count * others)
    return area


def _cover(pixels: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The share of each cause's cell within the strongest tenth of its map: float64 [F]."""
    strongest = top_pixels(pixels, TOP)
    cover: np.ndarray = (strongest * inside).sum((1, 2)) / inside.sum((1, 2))
    return cover


def _plane_accuracy(method: Any, states: States, truth: _Truth, compute: Compute) -> float:
    """Share of states whose heaviest plane is the one with the cue."""
    if not truth.delay or not hasattr(method, "planes"):
        return float("nan")
    each = dataclasses.replace(method, planes="each")
    explainer = bind(each, states.policy, states.median, compute)
    mass = explainer(states.frames).values[:, 0].abs().sum((2, 3)).double().numpy()
    return float((mass.argmax(1) == mass.shape[1] - 1 - truth.delay).mean())
