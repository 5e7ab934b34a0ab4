"""Engines and scores on public agents: exactness against float64, and the literature's signs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from agentlens.compute import Compute
from agentlens.policies.agent import load_agent
from agentlens.policies.base import Policy
from agentlens.saliency.base import FrameBatch, RecordingFacts
from agentlens.saliency.engine.base import MaskedPlanes, PerturbedOutputs
from agentlens.saliency.engine.batched import BatchedEngine
from agentlens.saliency.engine.incremental import build as build_incremental
from agentlens.saliency.engine.reference import ReferenceEngine
from agentlens.saliency.masks import gaussian_masks
from agentlens.saliency.methods.greydanus import Greydanus
from agentlens.saliency.methods.perturbation import Perturbation as PerturbationMethod
from agentlens.saliency.question import Question, score_change
from agentlens.saliency.references import blur

FACTS = RecordingFacts()

pytestmark = pytest.mark.policies
RECIPES = Path(__file__).resolve().parent.parent / "recipes"
SCORES = ("kl", "log_probability", "sarfa", "value_l2")
Case = tuple[Policy, Tensor, Tensor | None, Tensor]


def baby_pong(folder: Path) -> Case:
    """Recurrent, one frame: policy, observations, states, actions of two steps."""
    rollout = np.load(folder / "baby-a3c/pong/rollout.npz")
    agent = load_agent(folder / "baby-a3c/pong/model.80.tar", format="baby-a3c", env="ALE/Pong-v5")
    steps = [30, 151]
    return (
        agent.policy,
        torch.from_numpy(rollout["obs"][steps]),
        torch.from_numpy(rollout["hidden"][steps]),
        torch.from_numpy(rollout["action"][steps].astype(np.int64)),
    )


def stacked(policy: Policy, planes: np.ndarray, actions: np.ndarray) -> Case:
    steps = [20, 140]
    stacks = np.stack([planes[t : t + 4] for t in steps]).astype(np.float32) / np.float32(255)
    return policy, torch.from_numpy(stacks), None, torch.from_numpy(actions[steps].astype(np.int64))


def nature_pong(folder: Path) -> Case:
    """Four frames, the Nature network."""
    rollout = np.load(folder / "pong-nature/late/rollout.npz")
    agent = load_agent(folder / "pong-nature/late/model.zip", env="ALE/Pong-v5")
    return stacked(agent.policy, rollout["planes"], rollout["action"])


def async_breakout(folder: Path) -> Case:
    """Four frames, the smaller network of A3C."""
    source = folder / "async-rl-breakout-ff"
    rollout = np.load(source / "rollout.npz")
    recipe = RECIPES / "async-rl-breakout.toml"
    agent = load_agent(source / "a3c_ff_80M.pt", manifest=recipe)
    return stacked(agent.policy, rollout["frames"], rollout["action"])


CASES = (baby_pong, nature_pong, async_breakout)


@pytest.mark.parametrize("case", CASES)
def test_engines_give_the_maps_of_the_float64_oracle(
    policies_folder: Path, case: Callable[[Path], Case]
) -> None:
    policy, observations, states, actions = case(policies_folder)
    stack, *size = policy.observation_shape
    masks = torch.from_numpy(gaussian_masks((size[0], size[1]), 5.0, 14).masks)
    perturbation = MaskedPlanes(masks=masks, selections=(tuple(range(stack)), (stack - 1,)))
    references = blur(observations, 3.0)

    def maps(outputs: PerturbedOutputs) -> Tensor:
        question = Question(policy=policy)
        found = [
            score_change(n, question, outputs.base, outputs.perturbed, actions) for n in SCORES
        ]
        return torch.stack(found, 1).float().double()

    single = maps(ReferenceEngine(policy, perturbation)(observations, references, states))
    engines = {rows: BatchedEngine(policy, perturbation, rows=rows) for rows in (2, 8, 64, 300)} | {
        "incremental": build_incremental(policy, perturbation, memory_bytes=1 << 28, threads=1)
    }
    found = {
        name: maps(engine(observations, references, states)) for name, engine in engines.items()
    }
    exact = maps(ReferenceEngine(policy.double(), perturbation)(observations, references, states))
    highest = exact.abs().amax((2, 3), keepdim=True)
    noise = (single - exact).abs().amax((2, 3), keepdim=True)
    for name, values in found.items():
        apart = (values - exact).abs()
        worst = (apart / (1e-5 * highest + 2 * noise)).amax((0, 2, 3)).tolist()
        assert max(worst) <= 1, (name, dict(zip(SCORES, worst, strict=True)))


def ranks(values: Tensor) -> Tensor:
    return values.flatten().argsort().argsort().double()


def test_greydanus_hardly_notices_a_random_output_layer_and_the_chosen_action_does(
    policies_folder: Path,
) -> None:
    """The first step of the cascade of Huber et al. 2022 (chosen action near 0, all outputs
    high)."""
    policy, observations, states, actions = baby_pong(policies_folder)
    shaken, *_ = baby_pong(policies_folder)
    (head,) = [
        m for m in shaken.modules() if isinstance(m, torch.nn.Linear) and m.out_features == 6
    ]
    generator = torch.Generator().manual_seed(0)
    head.weight.copy_(torch.randn(head.weight.shape, generator=generator) * head.weight.std())
    frames = FrameBatch(
        observations=observations,
        actions=actions,
        states=states,
        episodes=np.zeros(2, np.int64),
        steps=np.arange(2),
    )
    similar = {}
    for name, method in (
        ("greydanus", Greydanus()),
        ("chosen", PerturbationMethod(targets=("log_probability",), reference="blur")),
    ):
        one = method.bind(policy, Compute(), FACTS)(frames).values[:, 0]
        other = method.bind(shaken, Compute(), FACTS)(frames).values[:, 0]
        similar[name] = float(
            np.mean(
                [np.corrcoef(ranks(a), ranks(b))[0, 1] for a, b in zip(one, other, strict=True)]
            )
        )
    assert similar["greydanus"] > 0.6
    assert abs(similar["chosen"]) < 0.5
    assert similar["greydanus"] - abs(similar["chosen"]) > 0.3


def test_the_memory_of_another_step_gives_another_map(policies_folder: Path) -> None:
    """Scoring a frame with the memory of the step before, as published code does, is far off."""
    rollout = np.load(policies_folder / "baby-a3c/pong/rollout.npz")
    policy, observations, states, actions = baby_pong(policies_folder)
    frames = FrameBatch(
        observations=observations,
        actions=actions,
        states=states,
        episodes=np.zeros(2, np.int64),
        steps=np.arange(2),
    )
    stale = dataclasses.replace(frames, states=torch.from_numpy(rollout["hidden"][[29, 150]]))
    explainer = Greydanus().bind(policy, Compute(), FACTS)
    right, wrong = explainer(frames).values[:, 0], explainer(stale).values[:, 0]
    assert ((right - wrong).norm() / right.norm()).item() > 0.05
