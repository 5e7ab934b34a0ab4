"""Did a map change? One small map a method, from a policy and an observation that never change.

After looking at the change, write them anew with ``AGENTLENS_WRITE_GOLDEN=1 pytest tests/golden``.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from agentlens.compute import Compute
from agentlens.saliency.base import METHODS, FrameBatch, RecordingFacts
from tests.erasable import RectangleFrames
from tests.planted import SmallPolicy

FOLDER = Path(__file__).resolve().parent / "saliency"
SHAPE = (2, 16, 18)
FACTS = RecordingFacts(
    pictures={
        "median": np.full(SHAPE[1:], 0.25, np.float32),
        "mean": np.full(SHAPE[1:], 0.5, np.float32),
        "frames": np.random.default_rng(13).random((5, *SHAPE), np.float32),
    }
)
OPTIONS = {
    "stride": 5,
    "radius": 2.5,
    "masks": 30,
    "cells": 3,
    "steps": 8,
    "samples": 4,
    "segments": 9,
}


def policy(recurrent: bool) -> SmallPolicy:
    """A policy whose weights come from NumPy, whose streams do not change between versions."""
    generator = np.random.default_rng(11)
    chain = [nn.Conv2d(SHAPE[0], 3, 4, 2), nn.Conv2d(3, 4, 3, 2)]
    found = SmallPolicy(chain, nn.ELU(), SHAPE, recurrent=recurrent)
    for parameter in found.parameters():
        drawn = generator.standard_normal(parameter.shape) * 0.4
        parameter.data = torch.from_numpy(drawn.astype(np.float32))
    return found


def made(name: str) -> np.ndarray:
    """The map of one method: float32 [T, P, gy, gx]."""
    generator = np.random.default_rng(12)
    observation = generator.random((1, *SHAPE), np.float32)
    state = torch.from_numpy(generator.random((1, 8), np.float32)) if name == "memory" else None
    frames = FrameBatch(
        observations=torch.from_numpy(observation),
        actions=torch.tensor([1]),
        states=state,
        episodes=np.array([0]),
        steps=np.array([3]),
        objects=RectangleFrames(torch.from_numpy(observation), {"ball": (2, 6, 3, 7)}),
    )
    cls = METHODS.load(name)
    method = cls(**{k: v for k, v in OPTIONS.items() if k in cls.__dataclass_fields__})
    maps = method.bind(policy(name == "memory"), Compute(threads=1), FACTS)(frames)
    return maps.values[0].numpy()


@pytest.mark.parametrize("name", METHODS.names())
def test_the_map_is_what_it_was(name: str) -> None:
    path = FOLDER / f"{name}.npy"
    if os.environ.get("AGENTLENS_WRITE_GOLDEN"):
        np.save(path, made(name))
    expected, found = np.load(path), made(name)
    assert found.shape == expected.shape
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-5 * np.abs(other).max() + 1e-9)


def test_every_golden_map_belongs_to_a_method() -> None:
    assert {path.stem for path in FOLDER.glob("*.npy")} == set(METHODS.names())
