"""Published signs of the measures, on a shipped agent and a few states.

Sources: Adebayo et al. 2018 and Huber et al. 2022 (maps of all logits hardly change when the output
layer is drawn anew, those of the chosen action do; insertion on noise ranks a random map with the
rest); Kindermans et al. 2017 (methods with a fixed reference move under a constant shift of the
input); Atrey et al. 2020 (a map is to be held against erasing what it shows).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agentlens.badges import Figure, judge
from agentlens.compute import Compute
from agentlens.metrics import METRICS, Metric, Sample, States
from agentlens.metrics._recorded import frames_of, median_picture
from agentlens.metrics.input_invariance import InputInvariance
from agentlens.metrics.insertion import Insertion
from agentlens.metrics.logit_shift import LogitShift
from agentlens.policies.agent import load_agent
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.saliency.base import METHODS, SaliencyMethod
from agentlens.saliency.methods.gradient_input import GradientInput
from agentlens.saliency.methods.occlusion import Occlusion
from agentlens.saliency.methods.perturbation import Perturbation
from agentlens.workflows.measure_makers import MethodMaker

STRIDE = 8


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> States:
    """Five states of a rally."""
    folder: Path = tmp_path_factory.mktemp("paper") / "r"
    recording = record("pong-ppo", output=folder, play=Play(max_steps=120, seed=1))
    frames = frames_of(recording.episodes[0], [60, 72, 84, 96, 108])
    return States(
        policy=load_agent("pong-ppo").policy,
        frames=frames,
        median=median_picture(recording),
        explained=frames.actions.numpy(),
    )


def sample(states: States, method: SaliencyMethod, roll: bool = False) -> Sample:
    """A method's maps, rolled by half the screen if wanted."""
    maker = MethodMaker(method=method, compute=Compute(threads=1))
    maps = maker(states.policy, states.frames, median=states.median)
    assert maps is not None
    if roll:
        maps = np.roll(maps, (maps.shape[1] // 2, maps.shape[2] // 2), axis=(1, 2))
    grid = maker.grid(states.policy, states.median)
    return Sample(states=states, maps=maps, grid=grid, make=maker)


def value(name: str, measured: Sample) -> float:
    """The mean of a metric."""
    metric: Metric = METRICS.load(name)()
    return float(np.nanmean(metric(measured)))


def test_maps_of_all_logits_hardly_change_without_the_output_layer(states: States) -> None:
    logits = sample(states, Perturbation(targets=("logit_l2",), stride=STRIDE, reference="blur"))
    assert value("randomisation", logits) > 0.7


def test_maps_of_the_chosen_action_change_without_the_output_layer(states: States) -> None:
    chosen = sample(states, METHODS.load("sarfa")())
    assert abs(value("randomisation", chosen)) < 0.35


def test_the_energy_of_the_input_goes_along_with_published_maps_and_not_with_ours(
    states: States,
) -> None:
    # Published: .5 to .98 with Greydanus maps; .58 over 40 states of this agent (docs/trust.md).
    published, ours = (
        value("energy-correlation", sample(states, METHODS.load(name)()))
        for name in ("greydanus", "perturbation")
    )
    assert published > 0.3
    assert published > ours + 0.2


def test_insertion_on_noise_ranks_a_random_map_with_the_rest(states: States) -> None:
    gaps = {}
    for fill in ("median", "noise"):
        metric = Insertion(fill=fill)
        ours, random = (
            metric(sample(states, METHODS.load(name)())) for name in ("perturbation", "random")
        )
        gaps[fill] = float((ours - random).mean())
    assert gaps["noise"] < gaps["median"]
    assert gaps["noise"] < 0.05


def test_the_reference_decides_input_invariance(states: States) -> None:
    # Pong's ground is grey (.34), not black as in the published setting: the twin sees it black.
    darker = InputInvariance(shift=-0.34)
    blurred = Occlusion(reference="blur", size=8, stride=STRIDE)
    black = Occlusion(reference="constant:0", size=8, stride=STRIDE)
    assert darker(sample(states, blurred)).min() > 0.99
    assert darker(sample(states, black)).mean() < 0.3
    assert darker(sample(states, GradientInput())).mean() < 0.9


def test_squared_logits_see_shifts_that_the_policy_cannot(states: States) -> None:
    shifted = LogitShift(factor=200.0)
    raw, policy_space = (
        Perturbation(targets=(target,), stride=STRIDE, reference="constant:0")
        for target in ("logit_l2", "kl")
    )
    assert shifted(sample(states, policy_space)).mean() > 0.99
    assert shifted(sample(states, raw)).mean() < 0.9


def test_a_rolled_map_fails_its_causal_and_energy_badges(states: States) -> None:
    energy = value("causal-rank", sample(states, METHODS.load("energy")()))
    verdicts = []
    for roll in (False, True):
        maps = sample(states, Perturbation(stride=STRIDE), roll=roll)
        rank, top = value("causal-rank", maps), METRICS.load("top-region")()(maps)
        spread = 2 * float(top.std()) / len(top) ** 0.5
        gain = rank - energy
        figures = {
            "causal-rank": Figure(estimate=rank),
            "top-region": Figure(
                estimate=float(top.mean()), low=top.mean() - spread, high=top.mean() + spread
            ),
            "causal-rank over energy": Figure(estimate=gain, low=gain, high=gain),
        }
        badges = judge(figures)
        verdicts.append((badges.causal.verdict, badges.energy.verdict))
    assert verdicts[0][0] in ("pass", "weak")
    assert verdicts[1] == ("fail", "fail")
