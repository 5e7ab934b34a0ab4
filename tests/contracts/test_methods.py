"""What every saliency method promises."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.policies.base import Policy
from agentlens.saliency.base import METHODS, FrameBatch, RecordingFacts, SaliencyMethod
from tests.erasable import RectangleFrames
from tests.planted import SmallPolicy
from tests.tiny import LinearPolicy

SHAPE = (3, 18, 20)
FACTS = RecordingFacts(
    pictures={
        "median": np.full(SHAPE[1:], 0.25, np.float32),
        "mean": np.full(SHAPE[1:], 0.5, np.float32),
        "frames": np.random.default_rng(2).random((5, *SHAPE), np.float32),
    }
)
SMALL = {
    "masks": 40,
    "samples": 3,
    "stride": 4,
    "radius": 2.0,
    "steps": 5,
    "size": 4,
    "cells": 3,
    "segments": 12,
}
CONTROLS = ("energy", "random", "spectral")  # they do not ask the policy


def configured(name: str, **options: object) -> SaliencyMethod:
    """The method with small sizes, so that tests are quick."""
    cls = METHODS.load(name)
    fields = {field.name for field in dataclasses.fields(cls)}
    return cls(**{k: v for k, v in {**SMALL, **options}.items() if k in fields})


def convolutional(name: str, shape: tuple[int, int, int] = SHAPE) -> SmallPolicy:
    """A small policy, recurrent where the method needs a memory."""
    torch.manual_seed(3)
    chain = [nn.Conv2d(shape[0], 4, 4, 2), nn.Conv2d(4, 8, 3, 1, 1)]
    return SmallPolicy(chain, nn.ReLU(), shape, recurrent=name == "memory")


def batch(policy: Policy, count: int = 3) -> FrameBatch:
    generator = torch.Generator().manual_seed(7)
    observations = torch.rand(count, *policy.observation_shape, generator=generator)
    states = None
    if policy.state_size:
        states = torch.rand(count, policy.state_size, generator=generator)
    return FrameBatch(
        observations=observations,
        actions=torch.arange(count) % len(policy.action_meanings),
        states=states,
        episodes=np.zeros(count, np.int64),
        steps=np.arange(count) + 5,
        previous=torch.rand(count, *policy.observation_shape, generator=generator),
        objects=RectangleFrames(observations, {"ball": (2, 6, 3, 7), "bat": (9, 15, 10, 14)}),
    )


def cut(frames: FrameBatch, at: slice) -> FrameBatch:
    changes = {
        f.name: None if getattr(frames, f.name) is None else getattr(frames, f.name)[at]
        for f in dataclasses.fields(frames)
    }
    return dataclasses.replace(frames, **changes)


@pytest.mark.parametrize("name", METHODS.names())
def test_maps_have_the_declared_shape_and_are_the_same_in_any_company(name: str) -> None:
    policy = convolutional(name)
    explainer = configured(name).bind(policy, Compute(threads=1), FACTS)
    frames = batch(policy)
    before = frames.observations.clone()
    maps = explainer(frames)
    shape = (3, len(explainer.targets), len(explainer.planes), *explainer.grid.shape)
    assert tuple(maps.values.shape) == shape
    assert maps.values.dtype == torch.float32
    assert torch.isfinite(maps.values).all()
    assert maps.values.abs().max() > 0
    assert maps.explained_actions.tolist() == frames.actions.tolist()
    assert torch.equal(frames.observations, before)
    assert torch.equal(explainer(frames).values, maps.values)
    for index in range(3):
        alone = explainer(cut(frames, slice(index, index + 1)))
        assert torch.equal(alone.values[0], maps.values[index])
    for info, values in zip(explainer.targets, maps.values.unbind(1), strict=True):
        assert info.unit
        assert info.meaning
        if not info.signed:
            assert values.min() >= 0, info.name
    assert explainer.grid.observation == SHAPE[1:]
    assert METHODS.load(name).has_places == (explainer.grid.shape != (1, 1))
    assert all(-0.5 <= row <= SHAPE[1] - 0.5 for row in explainer.grid.rows)


@pytest.mark.parametrize("name", METHODS.names())
def test_a_policy_that_looks_at_nothing_has_a_map_of_zeros(name: str) -> None:
    policy = convolutional(name)
    for head in (policy.actor, policy.critic):
        head.weight.data.zero_()
    explainer = configured(name).bind(policy, Compute(threads=1), FACTS)
    maps = explainer(batch(policy)).values
    for info, values in zip(explainer.targets, maps.unbind(1), strict=True):
        if info.name not in CONTROLS:
            assert (values == 0).all(), info.name


@pytest.mark.parametrize("name", METHODS.names())
def test_q_networks_are_explained_or_refused_with_a_reason(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(4, *SHAPE, generator=generator)
    policy = LinearPolicy(weights, kind="q_values", memory=torch.ones(4))
    if name in ("sarfa", "grad-cam", "guided-backprop", "deeplift", "spectral"):
        with pytest.raises(InvalidArgument, match="use"):
            configured(name).bind(policy, Compute(threads=1), FACTS)
        return
    explainer = configured(name).bind(policy, Compute(threads=1), FACTS)
    assert torch.isfinite(explainer(batch(policy)).values).all()


WITH_ACTION = [
    name
    for name in METHODS.names()
    if "action" in {field.name for field in dataclasses.fields(METHODS.load(name))}
]


@pytest.mark.parametrize("name", WITH_ACTION)
def test_a_named_and_a_greedy_action_are_explained(name: str) -> None:
    policy = convolutional(name)
    frames = batch(policy)
    named = configured(name, action="A1").bind(policy, Compute(threads=1), FACTS)(frames)
    assert named.explained_actions.tolist() == [1, 1, 1]
    greedy = configured(name, action="greedy").bind(policy, Compute(threads=1), FACTS)(frames)
    expected = policy(frames.observations, frames.states).preferences.argmax(-1)
    assert greedy.explained_actions.tolist() == expected.tolist()


@pytest.mark.parametrize("name", METHODS.names())
def test_every_method_says_what_it_is(name: str) -> None:
    cls = METHODS.load(name)
    assert issubclass(cls, SaliencyMethod)
    assert cls.summary
    assert cls.paper
    assert cls.weakness
    assert "Notes:" in cls.__doc__
    with pytest.raises(dataclasses.FrozenInstanceError):
        cls().x = 1


def test_options_are_listed_without_torch() -> None:
    code = (
        "import sys; from agentlens.saliency.base import METHODS; "
        "[METHODS.load(n)() for n in METHODS.names()]; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_curves_refuse_agents_without_what_they_compare() -> None:
    policy = convolutional("temporal", (1, 18, 20))
    with pytest.raises(InvalidArgument, match="memory"):
        configured("temporal").bind(policy, Compute(), FACTS)
    with pytest.raises(InvalidArgument, match="temporal"):
        configured("memory").bind(policy, Compute(), FACTS)
