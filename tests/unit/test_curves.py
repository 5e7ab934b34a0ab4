"""Memory and order curves, by hand, and what a recording hands over for them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.policies.base import Policy, PolicyOutput
from agentlens.saliency.base import FrameBatch, RecordingFacts
from agentlens.saliency.frames import _with_past
from agentlens.saliency.methods.memory import Memory
from agentlens.saliency.methods.temporal import Temporal
from tests.tiny import LinearPolicy

FACTS = RecordingFacts()

ONE = Compute(threads=1)


class Summing(Policy):
    """Remembers the sum of all pixels seen; the critic says it, this step's included."""

    def __init__(self) -> None:
        super().__init__()
        self.observation_shape, self.action_meanings = (1, 1, 1), ("NOOP", "FIRE")
        self.kind, self.has_value, self.state_size = "logits", True, 1
        self.register_buffer("still", torch.zeros(2))

    def forward(self, observation: Tensor, state: Tensor | None = None) -> PolicyOutput:
        assert state is not None
        after = state + observation.flatten(1)
        return PolicyOutput(self.still.expand(len(after), 2), "logits", after[:, 0], after)


class Played:
    """An episode of single pixels and the sums before each step."""

    def __init__(self, pixels: list[float], resets: tuple[int, ...] = (0,)) -> None:
        sums, total = [], 0.0
        for step, pixel in enumerate(pixels):
            total = 0.0 if step in resets else total
            sums.append([total])
            total += pixel
        self.observations = np.array(pixels, np.float32).reshape(-1, 1, 1, 1)
        self.states = np.array(sums, np.float32)
        self.state_resets = np.isin(np.arange(len(pixels)), resets)

    def __len__(self) -> int:
        return len(self.states)


def frames_of(episode: Played, steps: list[int], past: int) -> FrameBatch:
    at = np.array(steps)
    frames = FrameBatch(
        observations=torch.from_numpy(episode.observations[at]),
        actions=torch.zeros(len(at), dtype=torch.int64),
        states=torch.from_numpy(episode.states[at]),
        episodes=np.zeros(len(at), np.int64),
        steps=at,
    )
    return _with_past(frames, episode, past)


def test_hiding_the_last_frames_takes_their_sum_away() -> None:
    method = Memory(last=4, reference="constant:0", targets=("value",))
    explainer = method.bind(Summing(), ONE, FACTS)
    assert explainer.planes == ("memory", "input", "last 2", "last 3", "last 4")
    assert explainer.forward_passes == 1 + 1 + 1 + 2 + 3 + 4
    frames = frames_of(Played([1, 2, 4, 8, 16]), [4, 1, 0], method.past_steps)
    maps = explainer(frames).values[:, 0, :, 0, 0]
    assert maps[0].tolist() == [15, 16, 24, 28, 30]
    # the episode begins one step before: there is no more to hide
    assert maps[1].tolist() == [1, 2, 3, 3, 3]
    assert maps[2].tolist() == [0, 1, 1, 1, 1]


def test_nothing_before_a_reset_of_the_state_can_matter() -> None:
    method = Memory(last=4, reference="constant:0", targets=("value",))
    frames = frames_of(Played([1, 2, 4, 8, 16], resets=(0, 3)), [4], method.past_steps)
    assert frames.past_counts.tolist() == [1]
    maps = method.bind(Summing(), ONE, FACTS)(frames).values[0, 0, :, 0, 0]
    assert maps.tolist() == [8, 16, 24, 24, 24]


def test_the_short_curve_is_the_beginning_of_the_long_one() -> None:
    episode = Played([1, 2, 4, 8, 16])
    short = Memory(reference="constant:0", targets=("value",))
    assert short.past_steps == 0
    maps = short.bind(Summing(), ONE, FACTS)(frames_of(episode, [4], 0)).values[0, 0, :, 0, 0]
    assert maps.tolist() == [15, 16]


@pytest.mark.parametrize(
    "options", [{"last": 0}, {"last": 101}, {"last": 2, "reference": "previous"}]
)
def test_impossible_memory_curves_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(InvalidArgument, match=r"last"):
        Memory(**options)


def test_swapping_two_frames_by_hand() -> None:
    value = torch.tensor([1.0, 10.0, 100.0]).reshape(3, 1, 1)
    policy = LinearPolicy(torch.zeros(2, 3, 1, 1), None, value)
    frames = FrameBatch(
        observations=torch.tensor([1.0, 2.0, 4.0]).reshape(1, 3, 1, 1),
        actions=torch.tensor([0]),
        states=None,
        episodes=np.array([0]),
        steps=np.array([0]),
    )
    explainer = Temporal(change="swap", targets=("value",)).bind(policy, ONE, FACTS)
    assert explainer.planes == ("planes 0 and 1", "planes 1 and 2")
    assert explainer.forward_passes == 3
    # 421 before; 412 with the older two swapped, 241 with the newer two
    assert explainer(frames).values[0, 0, :, 0, 0].tolist() == [421 - 412, 421 - 241]


def test_a_swap_needs_no_reference_and_has_no_control() -> None:
    with pytest.raises(InvalidArgument, match="no reference"):
        Temporal(change="swap", reference="median")
    with pytest.raises(InvalidArgument, match="expected"):
        Temporal(change="turn")
    with pytest.raises(InvalidArgument, match="control"):
        Temporal(change="swap", targets=("energy",)).bind(
            LinearPolicy(torch.zeros(2, 3, 1, 1)), ONE, FACTS
        )
