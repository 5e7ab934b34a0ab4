"""Every metric the registry lists: its words, its shape, its direction on a planted cause."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agentlens.metrics import METRICS, Metric, Sample, States
from agentlens.policies.base import Policy, PolicyOutput
from agentlens.saliency.base import FrameBatch
from agentlens.spec import GridSpec

SIZE, CELL = 28, 4
"""Observation, and the square that decides: rows and columns 12 to 16."""
CAUSE = (slice(12, 16), slice(12, 16))
GRID = GridSpec(
    rows=tuple(float(CELL // 2 + CELL * i) for i in range(SIZE // CELL)),
    columns=tuple(float(CELL // 2 + CELL * i) for i in range(SIZE // CELL)),
    observation=(SIZE, SIZE),
)
PLACE = (3, 3)
"""The cause's cell on the grid."""


class Planted(Policy):
    """Prefers the first action where a known square is bright, the second where it is dark."""

    def __init__(self) -> None:
        super().__init__()
        self.observation_shape = (2, SIZE, SIZE)
        self.action_meanings = ("BRIGHT", "DARK")
        self.state_size, self.has_value = 0, False
        self.kind = "logits"
        self.actor = nn.Linear(1, 2)
        with torch.no_grad():
            self.actor.weight.copy_(torch.tensor([[8.0], [-8.0]]))
            self.actor.bias.copy_(torch.tensor([-4.0, 4.0]))
        self.requires_grad_(False)
        self.eval()

    def forward(self, observation: Tensor, state: Tensor | None = None) -> PolicyOutput:
        square = observation[:, :, CAUSE[0], CAUSE[1]].mean((1, 2, 3))[:, None]
        return PolicyOutput(preferences=self.actor(square), kind="logits")


def _frames(count: int = 8) -> FrameBatch:
    generator = torch.Generator().manual_seed(3)
    observations = 0.5 + 0.1 * torch.rand(count, 2, SIZE, SIZE, generator=generator)
    bright = (torch.arange(count) % 2).float()[:, None, None, None]
    observations[:, :, CAUSE[0], CAUSE[1]] = bright * 0.6 + 0.2
    return FrameBatch(
        observations=observations,
        actions=(1 - torch.arange(count) % 2),
        states=None,
        episodes=np.zeros(count, np.int64),
        steps=np.arange(count),
    )


class _CellErasing:
    """The exact map: the probability that erasing each cell takes from the preferred action."""

    def __init__(self, roll: int = 0) -> None:
        self._roll = roll

    def __call__(
        self, policy: Policy, frames: FrameBatch, *, median: np.ndarray, action: int | None = None
    ) -> np.ndarray:
        base = policy(frames.observations).preferences.log_softmax(-1)
        maps = np.zeros((len(frames), *GRID.shape))
        for row in range(GRID.shape[0]):
            for column in range(GRID.shape[1]):
                erased = frames.observations.clone()
                part = (
                    slice(row * CELL, row * CELL + CELL),
                    slice(column * CELL, column * CELL + CELL),
                )
                erased[:, :, part[0], part[1]] = torch.from_numpy(median)[part]
                moved = policy(erased).preferences.log_softmax(-1)
                chosen = base.argmax(-1) if action is None else torch.full((len(frames),), action)
                gap = (base - moved).gather(1, chosen[:, None])[:, 0]
                maps[:, row, column] = gap.clamp(min=0).double().numpy()
        return np.roll(maps, self._roll, axis=(1, 2))


class _Noise:
    """A map that has nothing to do with anything, drawn anew each time."""

    def __init__(self) -> None:
        self._generator = np.random.default_rng(1)

    def __call__(
        self, policy: Policy, frames: FrameBatch, *, median: np.ndarray, action: int | None = None
    ) -> np.ndarray:
        return self._generator.random((len(frames), *GRID.shape))


def _sample(make: object) -> Sample:
    policy, frames = Planted(), _frames()
    median = np.full((SIZE, SIZE), 0.5, np.float32)
    states = States(policy=policy, frames=frames, median=median, explained=frames.actions.numpy())
    maps = make(policy, frames, median=median)  # type: ignore[operator]
    return Sample(states=states, maps=maps, grid=GRID, make=make)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", METRICS.names())
def test_metric_says_what_it_is(name: str) -> None:
    cls = METRICS.load(name)
    assert issubclass(cls, Metric)
    assert dataclasses.is_dataclass(cls)
    for text in (cls.summary, cls.unit, cls.paper, cls.weakness, cls.__doc__):
        assert text
    assert "Notes:" in str(cls.__doc__)
    assert "References:" in str(cls.__doc__)
    assert cls.better in ("higher", "lower", "neither")


@pytest.mark.parametrize("name", METRICS.names())
def test_metric_gives_a_number_a_state_and_changes_nothing(name: str) -> None:
    metric, sample = METRICS.load(name)(), _sample(_CellErasing())
    before = sample.states.frames.observations.clone()
    first, again = metric(sample), metric(sample)
    rows = metric.rows(len(sample))
    assert first.shape == rows.shape
    assert first.dtype == np.float64
    np.testing.assert_array_equal(first, again)
    assert torch.equal(before, sample.states.frames.observations)


# Noise follows neither input nor weights, nor asks about an action: these do not fault it.
BLIND_TO_NOISE = ("cascade", "edge-correlation", "energy-correlation", "randomisation")


@pytest.mark.parametrize("name", sorted({*METRICS.names()} - {*BLIND_TO_NOISE, "separability"}))
def test_the_planted_cause_is_judged_better_than_noise(name: str) -> None:
    metric = METRICS.load(name)()
    right, noise = (np.nanmean(metric(_sample(make))) for make in (_CellErasing(), _Noise()))
    if metric.better == "higher":
        assert right > noise
    if metric.better == "lower":
        assert right < noise


def test_the_planted_map_peaks_on_the_cause() -> None:
    maps = _sample(_CellErasing()).maps
    peaks = [np.unravel_index(m.argmax(), m.shape) for m in maps]
    assert set(peaks) == {PLACE}


def test_exact_twins_give_the_same_map_and_a_random_map_fails() -> None:
    for name in ("input-invariance", "logit-shift"):
        metric = METRICS.load(name)()
        np.testing.assert_allclose(metric(_sample(_CellErasing())), 1.0)
        assert np.nanmean(metric(_sample(_Noise()))) < 0.5


def test_a_map_rolled_by_half_the_screen_fails_its_causal_test() -> None:
    rolled = _sample(_CellErasing(roll=GRID.shape[0] // 2))
    right = _sample(_CellErasing())
    assert METRICS.load("causal-rank")()(right).mean() > 0.3
    assert METRICS.load("causal-rank")()(rolled).mean() < 0.1
    assert METRICS.load("top-region")()(right).min() > 0.5
    assert METRICS.load("top-region")()(rolled).mean() < 0.0
