"""LAN on translated digits: the mask is a blob on the digit.

Grimm et al. 2017 show it on MNIST digits that are moved over a larger canvas. No number of theirs
can be held against ours, so digits of seven segments stand for MNIST, and what is held is the kind
of picture: what must stay lies on the digit, wherever that is.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from agentlens.compute import Compute
from agentlens.metrics._pixels import to_pixels
from agentlens.policies.base import Policy, PolicyOutput
from agentlens.saliency.base import FrameBatch, RecordingFacts
from agentlens.saliency.methods.lan import Lan

CANVAS, TALL, WIDE, THICK = 28, 12, 8, 2
LIT = ("abcdef", "bc", "abdeg", "abcdg", "bcfg", "acdfg", "acdefg", "abc", "abcdefg", "abcdfg")
"""Segments of each digit: a on top, then clockwise, g in the middle."""

HALF = TALL // 2
SEGMENTS = {
    "a": (slice(0, THICK), slice(0, WIDE)),
    "b": (slice(0, HALF), slice(WIDE - THICK, WIDE)),
    "c": (slice(HALF, TALL), slice(WIDE - THICK, WIDE)),
    "d": (slice(TALL - THICK, TALL), slice(0, WIDE)),
    "e": (slice(HALF, TALL), slice(0, THICK)),
    "f": (slice(0, HALF), slice(0, THICK)),
    "g": (slice(HALF - 1, HALF + 1), slice(0, WIDE)),
}


class Classifier(Policy):
    """Ten logits of a canvas; the digit may be anywhere."""

    observation_shape = (1, CANVAS, CANVAS)
    action_meanings = tuple(f"DIGIT{number}" for number in range(10))
    kind, has_value, state_size = "logits", False, 0

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 5, stride=2),
            nn.ReLU(),
            nn.Conv2d(16, 48, 5),
            nn.ReLU(),
            nn.AdaptiveMaxPool2d(1),
            nn.Flatten(),
            nn.Linear(48, 10),
        )

    def forward(self, observation: Tensor, state: Tensor | None = None) -> PolicyOutput:
        return PolicyOutput(self.layers(observation), "logits", None, None)


def digits(count: int, seed: int) -> tuple[Tensor, Tensor, np.ndarray]:
    """Canvases [n, 1, H, W] in [0, 1], their digits, and the box of each: bool [n, H, W]."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 10, count)
    canvases, boxes = np.zeros((2, count, CANVAS, CANVAS), np.float32)
    for canvas, box, label in zip(canvases, boxes, labels, strict=True):
        top, left = generator.integers(0, (CANVAS - TALL + 1, CANVAS - WIDE + 1))
        place = np.s_[top : top + TALL, left : left + WIDE]
        box[place] = 1
        for segment in LIT[label]:
            canvas[place][SEGMENTS[segment]] = 1
    return torch.from_numpy(canvases[:, None]), torch.from_numpy(labels), boxes.astype(bool)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    torch.manual_seed(0)
    policy = Classifier()
    optimiser = torch.optim.Adam(policy.parameters(), lr=6e-3)
    for step in range(160):
        pictures, labels, _ = digits(64, 1000 + step)
        loss = cross_entropy(policy(pictures).preferences, labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return policy.eval().requires_grad_(False)


def test_the_mask_is_a_blob_on_the_digit(classifier: Classifier) -> None:
    pictures, labels, boxes = digits(32, 1)
    assert (classifier(pictures).preferences.argmax(1) == labels).float().mean() > 0.95
    facts = RecordingFacts(pictures={"median": np.zeros((CANVAS, CANVAS), np.float32)})
    explainer = Lan(cell_px=2).bind(classifier, Compute(threads=1), facts)
    frames = FrameBatch(
        observations=pictures,
        actions=labels,
        states=None,
        episodes=np.zeros(len(labels), np.int64),
        steps=np.arange(len(labels)),
    )
    maps = to_pixels(explainer(frames).values[:, 0, 0].double().numpy(), explainer.grid)
    on_digit = (maps * boxes).sum((1, 2)) / maps.sum((1, 2))
    times = on_digit / boxes.mean((1, 2))
    assert times.mean() > 4
    assert times.min() > 2
    assert maps.mean() < 0.2  # a blob, and not the whole canvas
