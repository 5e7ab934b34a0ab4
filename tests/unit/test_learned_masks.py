"""Learned masks on planted policies: what must stay, what must go, and what no mask may claim."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from agentlens.compute import Compute
from agentlens.drawing import caption
from agentlens.errors import InvalidArgument, UnknownName
from agentlens.saliency.base import FrameBatch, RecordingFacts
from agentlens.saliency.methods.extremal import Extremal
from agentlens.saliency.methods.fido import Fido
from agentlens.saliency.methods.lan import Lan
from agentlens.saliency.methods.meaningful_perturbation import MeaningfulPerturbation
from agentlens.saliency.optimise.explainer import learned_targets
from agentlens.saliency.optimise.fills import FillSource
from agentlens.saliency.optimise.loss import area_distance, ghost_share, total_variation
from agentlens.saliency.optimise.network import MaskNetwork, MaskNetworkSpec, build_network
from agentlens.saliency.optimise.options import LearnedMaskOptions
from agentlens.saliency.optimise.problem import MaskProblem
from agentlens.saliency.optimise.relaxation import cell_grid, over_planes, relaxed, spread
from tests import store_samples
from tests.tiny import LinearPolicy, planted_policy

SHAPE = (2, 20, 24)
PLACE = (slice(8, 12), slice(12, 16))
"""Where the planted policy looks: one cell of 4 pixels, row 2 and column 3 of the grid."""

FACTS = RecordingFacts(pictures={"median": np.zeros(SHAPE[1:], np.float32)})


def planted() -> LinearPolicy:
    """Two actions; the first is preferred by what is bright in the place, in the newest plane."""
    weights = torch.zeros(2, *SHAPE)
    weights[0, 1, PLACE[0], PLACE[1]] = 0.5
    return LinearPolicy(weights)


def frames(count: int = 2) -> FrameBatch:
    generator = torch.Generator().manual_seed(3)
    observations = torch.rand(count, *SHAPE, generator=generator) * 0.6 + 0.4
    return FrameBatch(
        observations=observations,
        actions=torch.zeros(count, dtype=torch.int64),
        states=None,
        episodes=np.zeros(count, np.int64),
        steps=np.arange(count),
    )


def heat(method: LearnedMaskOptions) -> Tensor:
    """The map of the first target and planes: [F, gy, gx]."""
    explainer = method.bind(planted(), Compute(), FACTS)
    return explainer(frames()).values[:, 0, 0]


@pytest.mark.parametrize(
    "method",
    [
        Lan(beta=0.5),
        MeaningfulPerturbation(fill="constant:0", smoothness=0.0),
        Extremal(area=1 / 30),
        Extremal(area=1 / 30, goal="destroy"),
        Fido(area=0.5),
        Fido(area=0.3, goal="destroy"),
    ],
    ids=["lan", "meaningful", "extremal", "extremal-destroy", "fido", "fido-destroy"],
)
def test_the_planted_cell_is_found_and_hardly_anything_else(method: LearnedMaskOptions) -> None:
    maps = heat(method)
    assert maps.shape == (2, 5, 6)
    for found in maps:
        assert found[2, 3] > 0.6
        assert found[2, 3] >= found.max() - 0.01  # a plateau is as good as a peak
        near = torch.zeros_like(found, dtype=torch.bool)
        near[1:4, 2:5] = True  # the mask is drawn bilinearly: neighbours may help
        assert found[~near].max() < 0.35


def test_each_plane_has_its_own_mask_and_only_the_newest_is_needed() -> None:
    explainer = Lan(beta=0.5, planes="each").bind(planted(), Compute(), FACTS)
    maps = explainer(frames()).values[:, 0]
    assert explainer.planes == ("plane 0", "plane 1")
    assert maps[:, 1, 2, 3].min() > 0.6
    assert maps[:, 0].max() < 0.2


def test_a_small_beta_keeps_more_decisions_than_a_large_one() -> None:
    kept = [heat(Lan(beta=beta)).sum() for beta in (0.02, 50.0)]
    assert kept[0] > kept[1]


def test_uniform_noise_hides_less_exactly_than_the_background() -> None:
    exact = heat(Lan(beta=0.5))
    noisy = heat(Lan(beta=0.5, fill="uniform"))
    assert noisy[:, 2, 3].mean() < exact[:, 2, 3].mean()


def test_hiding_black_by_black_says_nothing_of_a_place_that_decides() -> None:
    """A zero fill on a black ground moves no score there: every map is 0, and ranks nothing."""
    black = frames()
    observations = black.observations.clone()
    observations[..., PLACE[0], PLACE[1]] = 0  # the policy looks at what is not there
    black = dataclasses.replace(black, observations=observations)
    facts = RecordingFacts(pictures={"median": np.full(SHAPE[1:], 0.7, np.float32)})
    zero, background = (
        Lan(beta=0.5, fill=fill).bind(planted(), Compute(), facts)(black).values[:, 0, 0]
        for fill in ("constant:0", "median")
    )
    assert not zero.any()
    assert background[:, 2, 3].min() > 0.6


def test_actions_that_do_the_same_move_logits_and_not_the_merged_policy() -> None:
    """Two actions of one effect, told apart by the place: nothing that the agent does hangs on
    it."""
    weights = torch.zeros(3, *SHAPE)
    weights[0, 1, PLACE[0], PLACE[1]] = 0.5
    weights[1, 1, PLACE[0], PLACE[1]] = -0.5
    twins = LinearPolicy(weights, torch.tensor([20.0, 20.0, 0.0]))
    facts = dataclasses.replace(FACTS, action_groups=((0, 1), (2,)))
    plain, merged, logits = (
        method.bind(twins, Compute(), facts)(frames()).values[:, 0, 0]
        for method in (
            Lan(beta=0.1),
            Lan(beta=0.1, merge_actions=True),
            Lan(beta=0.1, targets=("logit_l2",)),
        )
    )
    assert plain[:, 2, 3].min() > 0.6
    assert logits[:, 2, 3].min() > 0.6
    assert merged.max() < 0.2


def test_the_share_of_ghosts_by_hand() -> None:
    assert ghost_share(torch.tensor([0.0, 0.1, 0.3, 0.5, 0.79, 0.9, 1.0, 0.2])) == 3 / 8


def test_signed_scores_say_which_way_they_go() -> None:
    bound = Extremal(goal="destroy").bind(planted(), Compute(), FACTS)
    assert bound.targets[0].meaning == "hiding this place and little else lowers logit"
    bound = Extremal().bind(planted(), Compute(), FACTS)
    assert bound.targets[0].meaning == "this place must stay, or logit_l2 rises"
    q_values = LinearPolicy(torch.zeros(2, *SHAPE), kind="q_values")
    names = [
        Extremal(goal=goal).bind(q_values, Compute(), FACTS).targets[0].name
        for goal in ("preserve", "destroy")
    ]
    assert names == ["logit_l2", "q_value"]


def test_a_named_action_is_asked_about() -> None:
    """kl does not hear of an action: a mask for one is learned from a score that does."""
    bound = Lan(action="FIRE").bind(planted(), Compute(), FACTS)
    assert bound.targets[0].name == "log_probability"
    with pytest.raises(InvalidArgument, match="plays no part"):
        Lan(action="FIRE", targets=("kl",)).bind(planted(), Compute(), FACTS)


@pytest.mark.parametrize(
    ("kind", "usual", "action", "wanted"),
    [
        ("logits", "logit_l2", "greedy", "logit_l2"),
        ("logits", "logit_l2", "NOOP", "log_probability"),
        ("q_values", "kl", "greedy", "logit_l2"),
        ("q_values", "kl", "NOOP", "q_value"),
    ],
)
def test_only_a_named_action_changes_the_usual_score(
    kind: str, usual: str, action: str, wanted: str
) -> None:
    policy = planted_policy(0, 4, 4, (1, 9, 9))
    policy.kind = kind
    assert learned_targets(policy, Lan(action=action), usual) == (wanted,)


def test_fills_do_not_depend_on_company() -> None:
    bank = np.random.default_rng(0).random((7, *SHAPE), np.float32)
    for fill in ("frames", "cells", "uniform"):
        source = FillSource(fill=fill, pictures={"frames": bank}, cells=(5, 6), seed=1)
        both = source.series(frames(2), 3)
        alone = source.series(frames(2).rows(np.array([1])), 3)
        for step in range(3):
            torch.testing.assert_close(both(step)[1:], alone(step))


def test_a_fill_of_cells_takes_each_from_one_recorded_observation() -> None:
    bank = np.arange(7, dtype=np.float32)[:, None, None, None] * np.ones((7, *SHAPE), np.float32)
    source = FillSource(fill="cells", pictures={"frames": bank}, cells=(5, 6), seed=1)
    cells = source.series(frames(1), 1)(0)[0, 0].reshape(5, 4, 6, 4)
    assert torch.equal(cells.amin((1, 3)), cells.amax((1, 3)))
    assert len(cells.unique()) > 3


def test_total_variation_and_area_by_hand() -> None:
    mask = torch.zeros(1, 1, 2, 2)
    mask[0, 0, 0] = 1  # an edge between the rows: both differences down are 1, across 0
    assert float(total_variation(mask, 1.0)) == 1
    assert float(area_distance(mask, 0.5)) == 0
    assert float(area_distance(mask, 0.25)) == 0.25


def test_relaxed_draws_are_bernoulli_draws_at_low_temperature() -> None:
    uniform = torch.linspace(0.005, 0.995, 100)
    drawn = relaxed(torch.full((100,), np.log(0.3 / 0.7)), uniform, 0.01)
    assert ((drawn < 0.01) | (drawn > 0.99)).float().mean() > 0.95
    assert float(drawn.mean()) == pytest.approx(0.3, abs=0.02)


def test_cells_cover_the_observation_and_spread_keeps_constants() -> None:
    grid = cell_grid((21, 9), 4)
    assert grid.shape == (6, 3)
    assert grid.rows[0] == pytest.approx(21 / 12 - 0.5)
    whole = spread(torch.full((1, 1, 6, 3), 0.7), (21, 9))
    torch.testing.assert_close(whole, torch.full((1, 1, 21, 9), 0.7))


def test_planes_that_no_selection_names_are_never_hidden() -> None:
    masks = over_planes(torch.ones(1, 1, 2, 2), ((1,),), 3)
    assert masks.sum((2, 3)).tolist() == [[0, 4, 0]]


def test_what_cannot_be_learned_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="'destroy' is to change"):
        MaskProblem(goal="destroy")
    with pytest.raises(UnknownName, match="did you mean"):
        Lan(fill="medien")
    with pytest.raises(InvalidArgument, match="area weight"):
        Lan(beta=-1.0)
    with pytest.raises(InvalidArgument, match="masks are learned from"):
        Lan(targets=("sarfa",)).bind(planted(), Compute(), FACTS)
    with pytest.raises(InvalidArgument, match="no memory"):
        Lan(memory=3).bind(planted(), Compute(), FACTS)
    with pytest.raises(InvalidArgument, match="serves explain, video and watch"):
        Lan(network="masks").bind(planted(), Compute(), FACTS)


def test_a_network_is_rebuilt_from_its_tensors() -> None:
    spec = MaskNetworkSpec(observation=SHAPE, state=3, selections=2, cells=(5, 6), channels=4)
    network = MaskNetwork(spec)
    again = build_network(spec, network.tensors())
    given = frames(2).observations, torch.ones(2, 3)
    assert network(*given).shape == (2, 2, 5, 6)
    assert torch.equal(again(*given), network(*given))


@pytest.mark.parametrize("verdict", ["passed", "FAILED"])
def test_the_header_of_a_video_says_how_the_network_did_on_its_gate(verdict: str) -> None:
    plain = store_samples.MAPS
    target = dataclasses.replace(plain.targets[0], meaning=f"approximate; fidelity gate {verdict}")
    options = {**plain.options, "network": "masks"}
    maps = dataclasses.replace(plain, targets=(target,), options=options)
    words = f"mask network, fidelity gate {verdict}"
    assert words in caption.method(store_samples.header(), maps)
    assert "gate" not in caption.method(store_samples.header(), plain)


def test_a_network_is_three_convolutions_of_what_differs_from_the_background() -> None:
    """Written out plainly: the difference is taken before the first, the last is a convolution."""
    spec = MaskNetworkSpec(observation=SHAPE, state=3, selections=2, cells=(7, 5), channels=4)
    network = MaskNetwork(spec)
    network.background.copy_(torch.rand(SHAPE[1:]))
    observation, state = frames(2).observations, torch.rand(2, 3)
    seen = network.inwards((observation - network.background) * 3.0).relu()
    mixed = network.whole(seen.mean((2, 3))) + network.memory(state)
    plain = network.outwards((network.around(seen) + mixed[:, :, None, None]).relu())
    plain = interpolate(plain, (7, 5), mode="bilinear", align_corners=False)
    torch.testing.assert_close(
        network(observation, state), 6 * torch.tanh(plain / 6), rtol=0, atol=1e-5
    )
