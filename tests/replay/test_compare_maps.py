"""Maps of agents that see the screen at unequal sizes, and what is refused before a game."""

from __future__ import annotations

import dataclasses
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument, MissingExtra
from agentlens.policies.agent import Agent
from agentlens.policies.weights import weights_digest
from agentlens.progress import Progress, SilentStages
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.saliency.base import METHODS, SaliencyMethod
from agentlens.saliency.configure import configure
from agentlens.saliency.methods.perturbation import Perturbation
from agentlens.spec import SCREEN_SHAPE
from agentlens.store.maps import open_maps
from agentlens.workflows.compare import compare, run_comparison
from agentlens.workflows.compare_checks import (
    check_comparable,
    check_maps,
    few_pairs,
)
from agentlens.workflows.compare_plan import ComparisonPlan, ComparisonRun
from agentlens.workflows.map_sizes import fitted_method, footprint
from agentlens.workflows.participants import Participant
from tests.rollout_agents import TinyPolicy, tiny_agent

PLAN = ComparisonPlan(map_states=2, moments=0, video_steps=0, states=0, badge_states=0)


class Stages(SilentStages):
    """Keeps the stages that have begun and the lines that were told."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.lines: list[str] = []

    def stage(self, name: str, unit: str) -> AbstractContextManager[Progress]:
        self.begun.append(name)
        return super().stage(name, unit)

    def say(self, line: str) -> None:
        self.lines.append(line)


def small_agent(folder: Path, **changes: object) -> Agent:
    """The tiny agent with another observation."""
    agent = tiny_agent(folder)
    observation = dataclasses.replace(agent.spec.observation, **changes)  # type: ignore[arg-type]
    spec = dataclasses.replace(agent.spec, name="small", observation=observation)
    return Agent(spec=spec, policy=TinyPolicy(spec), folder=folder)


@pytest.fixture(scope="module")
def unequal(tmp_path_factory: pytest.TempPathFactory) -> tuple[Participant, Participant]:
    """An agent of 84 x 84 pixels and one of 48 x 48, with two cut games each."""
    folder = tmp_path_factory.mktemp("unequal")
    first, second = (
        Participant(
            label=agent.spec.name,
            agent=agent,
            recording=record(
                agent,
                output=folder / f"r-{agent.spec.name}",
                play=Play(episodes=2, max_steps=30),
            ),
        )
        for agent in (tiny_agent(folder / "tiny"), small_agent(folder / "small", resize=(48, 48)))
    )
    return first, second


def run_of(
    participants: tuple[Participant, ...], method: SaliencyMethod, folder: Path
) -> ComparisonRun:
    folder.mkdir()
    return ComparisonRun(
        participants=participants,
        seed_twin=None,
        notes=(),
        plan=PLAN,
        method=method,
        compute=Compute(device="cpu", threads=1),
        progress=SilentStages(),
        folder=folder,
    )


@pytest.mark.parametrize("name", METHODS.names())
def test_every_method_compares_agents_of_unequal_size_or_is_refused_beforehand(
    name: str, unequal: tuple[Participant, Participant], tmp_path: Path
) -> None:
    method = configure(name)
    try:
        check_maps(unequal, method, Compute(device="cpu"))
    except (InvalidArgument, MissingExtra):
        return
    comparison = run_comparison(run_of(unequal, method, tmp_path / "report"))
    assert "maps are compared at the same places" in comparison.made["maps"]
    assert all(s.states == 2 for s in comparison.similarities)


def test_masks_of_a_given_radius_cover_the_same_part_of_the_screen(
    unequal: tuple[Participant, Participant], tmp_path: Path
) -> None:
    """Radius 3 of 84 pixels is 7.5 of 210 rows; of 48 pixels it takes 1.714."""
    method = Perturbation(radius=3.0)
    first, second = (p.spec for p in unequal)
    fitted = fitted_method(method, second, first, SCREEN_SHAPE)
    assert isinstance(fitted, Perturbation)
    assert fitted.radius == pytest.approx(3 * 48 / 84, abs=1e-3)
    sizes = [footprint(m, s, SCREEN_SHAPE) for m, s in ((method, first), (fitted, second))]
    assert sizes[0] == pytest.approx(sizes[1], rel=1e-3)
    assert sizes[0][0] == pytest.approx(7.5)
    comparison = run_comparison(run_of(unequal, method, tmp_path / "report"))
    assert "tiny 7.5 x 5.7; small 7.5 x 5.7" in comparison.made["maps"]
    radii = {
        name: open_maps(tmp_path / "report" / "maps" / name).header.options["radius"]
        for name in ("1-on-1", "1-on-2", "2-on-1", "2-on-2")
    }
    assert radii["1-on-1"] == radii["1-on-2"] == 3.0
    assert radii["2-on-1"] == radii["2-on-2"] == pytest.approx(1.714)


def test_what_cannot_be_explained_is_refused_before_a_game(tmp_path: Path) -> None:
    agent = tiny_agent(tmp_path / "tiny")
    top = small_agent(tmp_path / "top", crop=(0, 80, 0, 160))
    low = small_agent(tmp_path / "low", crop=(120, 200, 0, 160))
    for agents, method, message in (
        ([agent, agent], Perturbation(targets=("q_value",)), "q_value"),
        ([agent, agent], Perturbation(action="DOWN"), "DOWN"),
        ([agent, agent], "no-such-method", "no-such-method"),
        ([top, low], "perturbation", "see no common part of the screen"),
    ):
        stages, plan = Stages(), dataclasses.replace(PLAN, method=method)
        with pytest.raises(Exception, match=message):
            compare(agents, output=tmp_path / "report", plan=plan, progress=stages)
        assert stages.begun == []
        assert not (tmp_path / "report").exists()


def test_seeds_that_cannot_meet_are_refused_before_a_game(tmp_path: Path) -> None:
    agent = tiny_agent(tmp_path / "tiny")
    played = record("pong-ppo", output=tmp_path / "r", play=Play(seed=4, max_steps=10))
    stages = Stages()
    with pytest.raises(InvalidArgument, match="recorded with seed 4 and tiny would play with seed"):
        compare([played, agent], output=tmp_path / "report", progress=stages, force=True)
    assert stages.begun == []


def test_the_same_weights_on_other_planes_are_said_with_every_difference(tmp_path: Path) -> None:
    agent = tiny_agent(tmp_path / "tiny")
    spec, digest = agent.spec, weights_digest(agent.policy)[:16]
    greys = dataclasses.replace(spec.observation, pool="grey", grayscale="ale")
    rules = dataclasses.replace(spec.environment, max_frames=18_000)
    other = dataclasses.replace(spec, observation=greys, environment=rules)
    participants = [
        Participant(label=label, agent=dataclasses.replace(agent, spec=each), recording=None)
        for label, each in (("a", spec), ("b", other), ("c", spec))
    ]
    assert check_comparable(participants, force=False) == (
        "a and b play under different protocols: the longest game 108000 and 18000.",
        f"a and b are the same weights (SHA-256 {digest}); what differs is how they are "
        "run: the longest game 108000 and 18000; pool rgb and grey; grey cv2 and ale.",
        f"a and c are the same weights (SHA-256 {digest}), and they are run alike, so that "
        "they can differ by chance alone.",
        f"b and c are the same weights (SHA-256 {digest}); what differs is how they are "
        "run: the longest game 18000 and 108000; pool grey and rgb; grey ale and cv2.",
    )


def test_too_few_games_for_any_difference_are_said_before_they_are_played(tmp_path: Path) -> None:
    participants = [
        Participant(label=label, agent=tiny_agent(tmp_path / label), recording=None)
        for label in "abcd"
    ]
    (line,) = few_pairs(participants, ComparisonPlan(episodes=7))
    assert "which takes 8 pairs or more for the clearest of 6 differences" in line
    assert few_pairs(participants, ComparisonPlan(episodes=8)) == ()
    assert few_pairs(participants[:2], ComparisonPlan(episodes=6)) == ()
