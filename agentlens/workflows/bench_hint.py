"""A cause put in by hand: an agent cloned with a hint that gives the right action away.

A small network learns from a recording what its agent prefers, once with a patch painted on the
newest plane whose place tells that action, once without. If the first plays by the hint, taking it
away costs it the game; then a map that does not show the hint is wrong.

Shape letters: B batch, F frames, K planes, H W observation, A actions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from agentlens.comparison.statistics import Interval, bootstrap, mean, of_values
from agentlens.compute import Compute
from agentlens.counts import check_count
from agentlens.errors import InvalidArgument
from agentlens.metrics._pixels import to_pixels
from agentlens.metrics._recorded import frames_of, joined, median_picture, part
from agentlens.metrics._states import kl
from agentlens.policies.agent import Agent, recorded_agent
from agentlens.policies.base import Policy, PolicyOutput
from agentlens.progress import Progress, silent
from agentlens.rollout.play import Play
from agentlens.rollout.returns import play_returns
from agentlens.saliency.base import FrameBatch, SaliencyMethod
from agentlens.saliency.configure import configure, method_name
from agentlens.saliency.engine.settings import torch_threads
from agentlens.store.recording import Recording, open_recording
from agentlens.workflows.measure_makers import MethodMaker

NEAR_PX = 5.0
"""A map's peak may lie so far from the hint, observation pixels."""
DECISIVE_KL = 0.1
"""A frame counts where taking the hint away moves the policy by more, nats."""
_SIZE, _STEP, _MARGIN = 4, 8, 3


@dataclass(frozen=True, kw_only=True)
class HintPlan:
    """How the clones learn and how often they play.

    Raises:
        InvalidArgument: a number out of range.
    """

    updates: int = 600
    """Steps of Adam for each clone."""
    batch: int = 64
    """Observations in each."""
    games: int = 4
    """Whole games played by each clone for its return; 0 for none."""
    frames: int = 100
    """Frames explained."""
    seed: int = 0
    """Of weights, batches and games."""

    def __post_init__(self) -> None:
        for name, least in {"updates": 1, "batch": 1, "games": 0, "frames": 1, "seed": 0}.items():
            check_count(name, getattr(self, name), least)


@dataclass(frozen=True, kw_only=True)
class HintScore:
    """One method. ``near``: share of decisive frames whose peak is within 5 px of the hint.
    ``control``: the same of the clone that never saw a hint, on the same pictures."""

    method: str
    near: float
    control: float


@dataclass(frozen=True, kw_only=True)
class HintResult:
    """What the clones do and what maps say of them.

    ``returns``: by "hint", "hint taken away" and "never a hint"; empty where none was played.
    ``agreement``: share of held-out frames where the clone does what its teacher prefers, under
    the same names. ``decisive``: frames that count.
    """

    agent: str
    returns: dict[str, Interval]
    agreement: dict[str, float]
    frames: int
    decisive: int
    scores: tuple[HintScore, ...]


METHODS = ("perturbation", "greydanus", "occlusion", "gradient-input", "energy", "random")
"""Measured where no others are named."""

WITH, TAKEN, NEVER = "hint", "hint taken away", "never a hint"


@dataclass(frozen=True, kw_only=True, eq=False)
class Hint:
    """Where the hint is painted: a square near the lower edge whose column tells the action.

    ``shape``: (H, W). ``brightness``: by action, what stands out there: 0 or 1.
    """

    shape: tuple[int, int]
    brightness: np.ndarray

    @classmethod
    def over(cls, median: np.ndarray, actions: int) -> Hint:
        """The hint for a game whose planes look like ``median``, float32 [H, W], in [0, 1].

        Raises:
            InvalidArgument: colour, or an observation too narrow for one place an action.
        """
        if median.ndim != 2:
            raise InvalidArgument("a hint is painted in grey, and this agent sees colour.")
        height, width = median.shape
        if _MARGIN + _STEP * actions > width:
            raise InvalidArgument(
                f"{actions} actions: an observation of {width} columns has no place for each."
            )
        blank = cls(shape=(height, width), brightness=np.zeros(actions))
        dark = [median[blank.place(action)].mean() < 0.5 for action in range(actions)]
        return cls(shape=(height, width), brightness=np.array(dark, np.float32))

    def place(self, action: int) -> tuple[slice, slice]:
        """Rows and columns of an action's square."""
        row, column = self.shape[0] - _MARGIN - _SIZE, _MARGIN + _STEP * action
        return slice(row, row + _SIZE), slice(column, column + _SIZE)

    def paint(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Observations [B, K, H, W] with the hint of each action [B] on the newest plane."""
        painted = observations.clone()
        for row, action in enumerate(actions.tolist()):
            rows, columns = self.place(action)
            painted[row, -1, rows, columns] = float(self.brightness[action])
        return painted

    def distance(self, action: int) -> np.ndarray:
        """Of every pixel to an action's square: float64 [H, W]."""
        rows, columns = self.place(action)
        grid = np.mgrid[: self.shape[0], : self.shape[1]]
        down = np.maximum(np.maximum(rows.start - grid[0], grid[0] - rows.stop + 1), 0)
        across = np.maximum(np.maximum(columns.start - grid[1], grid[1] - columns.stop + 1), 0)
        return np.asarray(np.hypot(down, across))


class Clone(Policy):
    """A small network that imitates an agent: two convolutions and two linear layers."""

    def __init__(self, teacher: Policy, seed: int) -> None:
        super().__init__()
        self.observation_shape, self.action_meanings = (
            teacher.observation_shape,
            teacher.action_meanings,
        )
        self.state_size, self.kind, self.has_value = 0, "logits", False
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            first = nn.Conv2d(teacher.observation_shape[0], 16, 8, 4)
            second = nn.Conv2d(16, 32, 4, 2)
            self.features = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.Flatten())
            blank = torch.zeros(1, *teacher.observation_shape)
            with torch.inference_mode():
                width = self.features(blank).shape[1]
            self.hidden = nn.Linear(width, 128)
            self.actor = nn.Linear(128, len(teacher.action_meanings))

    def forward(self, observation: Tensor, state: Tensor | None = None) -> PolicyOutput:
        """Evaluate a batch; see ``Policy``."""
        hidden = torch.relu(self.hidden(self.features(observation)))
        return PolicyOutput(preferences=self.actor(hidden), kind="logits")


class HintedPlay(Policy):
    """A clone in play: the teacher is asked first, and its answer is painted on what the clone
    sees."""

    def __init__(self, teacher: Policy, clone: Clone, hint: Hint) -> None:
        super().__init__()
        self.teacher, self.clone, self._hint = teacher, clone, hint
        self.observation_shape = clone.observation_shape
        self.action_meanings = clone.action_meanings
        self.state_size, self.kind, self.has_value = 0, "logits", False
        self.eval()

    def forward(self, observation: Tensor, state: Tensor | None = None) -> PolicyOutput:
        """Evaluate a batch; see ``Policy``."""
        preferred = self.teacher(observation).preferences.argmax(-1)
        output: PolicyOutput = self.clone(self._hint.paint(observation, preferred))
        return output


def bench_hint(
    recording: Recording | Path | str,
    methods: Sequence[str | SaliencyMethod] = METHODS,
    plan: HintPlan = HintPlan(),
    *,
    compute: Compute = Compute(),
    progress: Progress = silent,
) -> HintResult:
    """Clone a recorded agent with a hint, and tell whether maps find it.

    Args:
        recording: of an agent without memory, or its folder; its last tenth is held out.
        methods: names, or configured methods.
        plan: how the clones learn and play.
        compute: threads and engine.
        progress: called with parts of the work done and to do.

    Raises:
        InvalidArgument: an agent with a memory, or a recording of fewer than 20 steps.

    Notes:
        Both clones learn in about 20 seconds each on a core; a game of Pong takes 5.
    """
    recording = open_recording(recording)
    agent = recorded_agent(recording)
    if agent.policy.state_size:
        raise InvalidArgument(f"{agent.spec.name} has a memory: a clone without one cannot follow.")
    configured = [configure(method) for method in methods]
    with torch_threads(compute.threads):
        lesson = _Lesson.of(recording, agent, plan)
        progress(0, 2 + len(configured))
        clones = {name: lesson.clone(name == WITH) for name in (WITH, NEVER)}
        progress(1, 2 + len(configured))
        returns = _returns(agent, clones, lesson.hint, plan) if plan.games else {}
        decisive = lesson.decisive(clones[WITH])
        scores = []
        for done, method in enumerate(configured):
            progress(2 + done, 2 + len(configured))
            maker = MethodMaker(method=method, compute=compute)
            near = [lesson.near(maker, clones[name], decisive) for name in (WITH, NEVER)]
            score = HintScore(method=method_name(method), near=near[0], control=near[1])
            scores.append(score)
    return HintResult(
        agent=agent.spec.name,
        returns=returns,
        agreement=lesson.agreement(clones),
        frames=len(lesson.test),
        decisive=len(decisive),
        scores=tuple(scores),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Lesson:
    """What is learned from, and what is held out. ``wanted``: the teacher's choices, int64 [B]."""

    teacher: Policy
    plan: HintPlan
    hint: Hint
    median: np.ndarray
    observations: Tensor
    wanted: Tensor
    test: FrameBatch
    test_wanted: Tensor

    @classmethod
    def of(cls, recording: Recording, agent: Agent, plan: HintPlan) -> _Lesson:
        total = sum(map(len, recording.episodes))
        if total < 20:
            raise InvalidArgument(f"{total} steps: a clone needs 20 or more to learn from.")
        most = plan.updates * plan.batch
        whole = _spread(recording, 0, total * 9 // 10, min(most, 3_000))
        test = _spread(recording, total * 9 // 10, total, plan.frames)
        median = median_picture(recording)
        actions = len(agent.policy.action_meanings)
        return cls(
            teacher=agent.policy,
            plan=plan,
            hint=Hint.over(median, actions),
            median=median,
            observations=whole.observations,
            wanted=_preferred(agent.policy, whole.observations),
            test=test,
            test_wanted=_preferred(agent.policy, test.observations),
        )

    def clone(self, hinted: bool) -> Clone:
        """A clone that learned with or without the hint."""
        clone = Clone(self.teacher, self.plan.seed)
        optimiser = torch.optim.Adam(clone.parameters(), lr=1e-3)
        generator = torch.Generator().manual_seed(self.plan.seed)
        for _ in range(self.plan.updates):
            rows = torch.randint(len(self.wanted), (self.plan.batch,), generator=generator)
            observations, wanted = self.observations[rows], self.wanted[rows]
            if hinted:
                observations = self.hint.paint(observations, wanted)
            logits = clone(observations).preferences
            loss: Tensor = nn.functional.cross_entropy(logits, wanted)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
        clone.requires_grad_(False).eval()
        return clone

    @property
    def painted(self) -> Tensor:
        """The held-out observations with their hints."""
        return self.hint.paint(self.test.observations, self.test_wanted)

    def agreement(self, clones: dict[str, Clone]) -> dict[str, float]:
        """Shares of held-out frames where a clone does what the teacher prefers."""
        seen = {
            WITH: (clones[WITH], self.painted),
            TAKEN: (clones[WITH], self.test.observations),
            NEVER: (clones[NEVER], self.test.observations),
        }
        return {
            name: float((_preferred(clone, pictures) == self.test_wanted).double().mean())
            for name, (clone, pictures) in seen.items()
        }

    def decisive(self, clone: Clone) -> np.ndarray:
        """Held-out frames where taking the hint away moves the clone: int64."""
        shown, taken = (
            clone(pictures).preferences.double().numpy()
            for pictures in (self.painted, self.test.observations)
        )
        return np.flatnonzero(kl(shown, taken) > DECISIVE_KL)

    def near(self, maker: MethodMaker, clone: Clone, rows: np.ndarray) -> float:
        """Share of frames whose peak lies within 5 px of the hint; NaN of none."""
        if not len(rows):
            return float("nan")
        frames = part(dataclasses.replace(self.test, observations=self.painted), rows)
        maps = maker(clone, frames, median=self.median)
        assert maps is not None  # no action was named
        pixels = to_pixels(maps, maker.grid(clone, self.median)).reshape(len(rows), -1)
        gaps = [
            self.hint.distance(int(self.test_wanted[row])).ravel()[peak]
            for row, peak in zip(rows, pixels.argmax(1), strict=True)
        ]
        return float(np.mean(np.array(gaps) <= NEAR_PX))


def _returns(
    agent: Agent, clones: dict[str, Clone], hint: Hint, plan: HintPlan
) -> dict[str, Interval]:
    """Whole games of the same seed, greedily."""
    policies: dict[str, Policy] = {
        WITH: HintedPlay(agent.policy, clones[WITH], hint),
        TAKEN: clones[WITH],
        NEVER: clones[NEVER],
    }
    reason = "a clone of what another agent prefers"
    action = dataclasses.replace(agent.spec.action, selection="greedy", reason=reason)
    spec = dataclasses.replace(agent.spec, action=action)
    play = Play(episodes=plan.games, seed=plan.seed, stuck_after=500)
    results = {}
    for name, policy in policies.items():
        games = play_returns(Agent(spec=spec, policy=policy), play)
        values = np.array([game.raw_return for game in games])
        draw = np.random.default_rng(0)
        results[name] = bootstrap(of_values(values, mean), len(values), draw).interval()
    return results


@torch.inference_mode()
def _preferred(policy: Policy, observations: Tensor) -> Tensor:
    """The preferred action of each observation: int64 [B]."""
    chunks = [policy(chunk).preferences.argmax(-1) for chunk in torch.split(observations, 256)]
    return torch.cat(chunks)


def _spread(recording: Recording, start: int, stop: int, most: int) -> FrameBatch:
    """Steps evenly spread between two of a recording's steps, counted over its episodes."""
    places = np.unique(np.linspace(start, stop - 1, min(most, stop - start)).astype(int))
    batches, first = [], 0
    for episode in recording.episodes:
        own = places[(places >= first) & (places < first + len(episode))] - first
        first += len(episode)
        if len(own):
            batches.append(frames_of(episode, own))
    return joined(batches)
