"""Units of the shipped Pong agent: those that carry the ball, and masks of other steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agentlens.cli import main
from agentlens.compute import Compute
from agentlens.errors import InvalidArgument, UnknownName
from agentlens.network.dissect import mask_iou
from agentlens.network.places import find_place
from agentlens.policies.agent import load_agent
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.workflows.dissect import MOST_STEPS
from agentlens.workflows.edit import edit_units
from agentlens.workflows.edit_choice import UnitChoice, best_units
from agentlens.workflows.inside import look_inside

ONE = Compute(threads=1)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One to choose on and one to measure on."""
    folder, agent = tmp_path_factory.mktemp("pong"), load_agent("pong-ppo")
    for seed in (0, 77):
        record(agent, output=folder / str(seed), play=Play(seed=seed, max_steps=400))
    return folder / "0", folder / "77"


def test_five_units_that_jointly_carry_the_ball_move_the_policy_more_than_random_ones(
    recordings: tuple[Path, Path], tmp_path: Path
) -> None:
    chosen_on, measured_on = recordings
    units = best_units(chosen_on, UnitChoice(concept="ball", by="jointly"))
    assert len(set(units.named)) == len(set(units.beside)) == 5
    assert not set(units.named) & set(units.beside)
    assert len({name.rpartition(".unit.")[0] for name in (*units.named, *units.beside)}) == 1
    assert units.carried is not None
    carried, erased = units.carried
    assert 0.2 * erased < carried < erased
    result = edit_units(measured_on, units, compute=ONE, output=tmp_path / "edit")
    assert result.beaten("random") >= 0.9
    assert result.of("sham")[0].kl == 0


def test_what_has_no_such_units_is_refused(recordings: tuple[Path, Path]) -> None:
    with pytest.raises(UnknownName, match="unknown object 'bat'"):
        best_units(recordings[0], UnitChoice(concept="bat", by="jointly"))
    with pytest.raises(InvalidArgument, match=r"at most half .* torso\.1"):
        best_units(
            recordings[0], UnitChoice(concept="ball", by="jointly", place="torso.1", count=20)
        )


def test_masks_of_other_steps_show_nothing_that_moves(recordings: tuple[Path, Path]) -> None:
    inside = look_inside(recordings[0], compute=ONE, most=MOST_STEPS)
    steps, policy = inside.steps, inside.agent.policy
    names = list(steps.masks)
    masks = np.stack([steps.masks[name] for name in names], 1)
    shuffled = masks[np.random.default_rng(4).permutation(len(masks))]
    moving = [names.index(name) for name in ("ball", "own paddle", "opponent")]
    for name in ("torso.1", "torso.3", "torso.5"):
        place = find_place(policy, name)
        own, twin = (inside.layer(place, untrained=untrained) for untrained in (False, True))
        limit = np.quantile(mask_iou(twin, masks, centres=place.centres), 0.99)
        # the score stands still: its masks of other steps are its masks
        scores = mask_iou(own, shuffled, centres=place.centres)
        assert scores[:, moving].max() < limit


def test_units_are_not_chosen_on_another_agents_games(
    recordings: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    early = load_agent("pong-ppo-early")
    record(early, output=tmp_path / "early", play=Play(seed=0, max_steps=60))
    asked = ("--best", "ball", "--by", "jointly", "--chosen-on", str(tmp_path / "early"))
    assert main(["edit", str(recordings[1]), *asked]) == 1
    assert "units of one agent say nothing of another's" in capsys.readouterr().err
