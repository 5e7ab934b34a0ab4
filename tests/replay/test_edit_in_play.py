"""Edits in play: whole (short) games of a planted agent, paired under the same chances."""

from __future__ import annotations

import contextlib
import dataclasses
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from agentlens.cli import main
from agentlens.compute import Compute
from agentlens.envs.protocols import resolve
from agentlens.errors import AlreadyExists, Interrupted, InvalidArgument
from agentlens.layer_spec import ChainSpec, LayerSpec, NetworkSpec
from agentlens.policies.agent import Agent, load_agent
from agentlens.policies.importing import save_agent
from agentlens.policies.networks import build_policy
from agentlens.progress import SILENT_STAGES, Progress, StageReporter
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.spec import ActionSpec, AgentSpec
from agentlens.store.tables import read_table, table_exists
from agentlens.workflows.edit_games import EditedGames
from agentlens.workflows.edit_plan import EditPlan
from agentlens.workflows.edit_play import play_edits
from tests.rollout_agents import MEANINGS

GAMES = 2
NETWORK = NetworkSpec(
    chains=(
        ChainSpec(
            name="torso",
            layers=(
                LayerSpec(kind="conv", out=4, kernel=8, stride=8),
                LayerSpec(kind="relu"),
                LayerSpec(kind="flatten"),
                LayerSpec(kind="linear", out=8),
                LayerSpec(kind="relu"),
            ),
        ),
        ChainSpec(
            name="actor",
            reads="torso",
            layers=(LayerSpec(kind="linear", out=6),),
            output="logits",
        ),
    )
)


def make_agent(folder: Path, unit: int) -> Agent:
    """It goes RIGHT, by one unit alone that is always on; games end after five seconds."""
    protocol = resolve(
        "ALE/Pong-v5", preset="ale-vector", environment={"frame_skip": 4, "max_frames": 300}
    )
    spec = AgentSpec(
        name=folder.name,
        format="safetensors",
        environment=protocol.environment,
        observation=protocol.observation,
        action=ActionSpec(meanings=MEANINGS["pong"], selection="sample"),
        network=NETWORK,
    )
    policy = build_policy(NETWORK, spec.observation, spec.action, seed=3)
    torso, actor = cast(Any, policy).chains
    torso[3].weight[unit] = 0
    torso[3].bias[unit] = 2
    actor[0].weight.zero_()
    actor[0].bias.zero_()
    actor[0].weight[2, unit] = 4  # RIGHT
    save_agent(Agent(spec=spec, policy=policy), folder)
    return load_agent(folder)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("play")
    agent = make_agent(folder / "right", unit=1)
    make_agent(folder / "other", unit=5)
    record(agent, output=folder / "recording", play=Play(seed=1))
    return folder / "recording"


def play(
    recording: Path,
    plan: EditPlan,
    tmp_path: Path,
    *,
    games: int = GAMES,
    processes: int = 1,
    force: bool = False,
    progress: StageReporter = SILENT_STAGES,
) -> EditedGames:
    return play_edits(
        recording,
        ["torso.4.unit.1"],
        plan,
        games=games,
        compute=Compute(threads=processes),
        output=tmp_path / "games",
        force=force,
        progress=progress,
    )


class StopAfter:
    """Ctrl-C after so many finished games; what was reported on the way is kept."""

    def __init__(self, games: int) -> None:
        self.games, self.finished = games, 0
        self.stages: list[tuple[str, str]] = []
        self.lines: list[str] = []

    @contextlib.contextmanager
    def stage(self, name: str, unit: str) -> Iterator[Progress]:
        self.stages.append((name, unit))

        def report(done: int, total: int) -> None:
            self.finished += done > 0
            if done and self.finished == self.games:
                raise KeyboardInterrupt

        yield report

    def say(self, line: str) -> None:
        self.lines.append(line)


def actions(played: EditedGames, arm: str) -> list[int]:
    return [game.actions for game in played.of(arm)]


def test_the_only_unit_that_is_used_changes_the_games_and_no_other_does(
    recording: Path, tmp_path: Path
) -> None:
    plan = EditPlan(operation="reweigh", amount=0.0)
    played = play(recording, plan, tmp_path)
    assert read_table(played.path)[1]["plan"] == dataclasses.asdict(plan)
    untouched = actions(played, "untouched")
    assert all(a != b for a, b in zip(actions(played, "named"), untouched, strict=True))
    assert actions(played, "random") == untouched  # other units are not read
    assert played.sham_agrees
    assert played.difference("sham").low == played.difference("sham").high == 0
    assert {len(played.of(arm)) for arm in played.arms} == {GAMES}


def test_the_mean_of_a_unit_that_never_changes_costs_nothing(
    recording: Path, tmp_path: Path
) -> None:
    played = play(recording, EditPlan(), tmp_path)
    assert actions(played, "named") == actions(played, "untouched")


def test_another_agents_unit_is_put_in_while_it_plays(recording: Path, tmp_path: Path) -> None:
    donor = str(recording.parent / "other")  # its unit 1 says nothing of the kind
    played = play(recording, EditPlan(operation="patch", donor=donor), tmp_path)
    assert actions(played, "named") != actions(played, "untouched")
    assert actions(played, "random") == actions(played, "untouched")
    assert played.sham_agrees


HALVED = EditPlan(operation="reweigh", amount=0.5)


@pytest.fixture(scope="module")
def uninterrupted(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> EditedGames:
    return play(recording, HALVED, tmp_path_factory.mktemp("whole"), games=3)


@pytest.mark.parametrize("games", [1, 4, 14])
def test_a_stopped_run_goes_on_and_ends_as_one_that_was_not_stopped(
    recording: Path, uninterrupted: EditedGames, tmp_path: Path, games: int
) -> None:
    stop = StopAfter(games)
    with pytest.raises(Interrupted, match=f"{games} finished games .* goes on from there"):
        play(recording, HALVED, tmp_path, games=3, progress=stop)
    assert not table_exists(tmp_path / "games")
    columns, about = read_table(tmp_path / "games-unfinished")
    assert about["unfinished"] is True
    assert len(columns["game"]) == games
    rest = StopAfter(0)
    resumed = play(recording, HALVED, tmp_path, games=3, progress=rest)
    assert rest.finished == len(resumed.games) - games  # none is played again
    assert f"{games} games of the run that was stopped are kept" in rest.lines[0]
    assert resumed.games == uninterrupted.games
    whole, again = read_table(uninterrupted.path), read_table(resumed.path)
    assert {name: column.tolist() for name, column in again[0].items()} == {
        name: column.tolist() for name, column in whole[0].items()
    }
    assert sorted(file.name for file in tmp_path.iterdir()) == ["games.csv", "games.parquet"]


def test_a_killed_run_goes_on(recording: Path, uninterrupted: EditedGames, tmp_path: Path) -> None:
    units = ("--units", "torso.4.unit.1", "--operation", "reweigh", "--amount", "0.5")
    small = ("--games", "3", "--threads", "2", "--output", str(tmp_path / "games"))
    command = (sys.executable, "-m", "agentlens", "edit", str(recording), *units, *small)
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not table_exists(tmp_path / "games-unfinished") and time.monotonic() < deadline:
        time.sleep(0.01)
    running.kill()
    running.wait()
    kept = read_table(tmp_path / "games-unfinished")[0]["game"]
    assert 0 < len(kept) < len(uninterrupted.games)
    resumed = play(recording, HALVED, tmp_path, games=3)
    assert resumed.games == uninterrupted.games


def test_games_do_not_depend_on_how_many_processes_play(
    recording: Path, uninterrupted: EditedGames, tmp_path: Path
) -> None:
    told = StopAfter(0)
    played = play(recording, HALVED, tmp_path, games=3, processes=2, progress=told)
    assert played.games == uninterrupted.games
    assert told.lines == ["15 games to play, in 2 processes."]
    assert told.stages == [
        (f"{arm}, arm {place} of 5", "games")
        for place, arm in enumerate(("untouched", "named", "random", "wrong layer", "sham"), 1)
    ]


def test_unfinished_games_of_another_question_are_refused(
    recording: Path, uninterrupted: EditedGames, tmp_path: Path
) -> None:
    with pytest.raises(Interrupted):
        play(recording, EditPlan(), tmp_path, games=2, progress=StopAfter(1))
    with pytest.raises(
        AlreadyExists, match=r"holds 1 games .* \(other plan, values and draws, games\)"
    ):
        play(recording, HALVED, tmp_path, games=3)
    assert table_exists(tmp_path / "games-unfinished")
    afresh = play(recording, HALVED, tmp_path, games=3, force=True)
    assert afresh.games == uninterrupted.games
    assert not table_exists(tmp_path / "games-unfinished")


def test_the_command_plays_and_tells(
    recording: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    units = ("--units", "torso.4.unit.1", "--operation", "reweigh", "--amount", "0")
    small = ("--games", "2", "--threads", "1", "--output", str(tmp_path / "games"))
    assert main(["edit", str(recording), *units, *small]) == 0
    text = capsys.readouterr().out
    assert "named less this" in text
    assert "are the untouched ones, action for action" in text
    assert (tmp_path / "games.csv").is_file()


def test_what_cannot_be_played_is_refused_first(recording: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="2 or more"):
        play_edits(recording, ["torso.4.unit.1"], games=1)
    with pytest.raises(InvalidArgument, match="one of them"):
        EditPlan(operation="patch")
    with pytest.raises(InvalidArgument, match="one of them"):
        EditPlan(operation="reweigh")
    with pytest.raises(InvalidArgument, match="sees other observations"):
        play(recording, EditPlan(operation="patch", donor="pong-recurrent"), tmp_path)
