"""Why not another action: what is refused, and an answer that hiding confirms."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument, UnknownName
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.store.recording import Recording
from agentlens.workflows.bench_agents import mosaic_agent
from agentlens.workflows.whynot import whynot

CELL = 20


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """A mosaic, whose cause is known."""
    folder = tmp_path_factory.mktemp("whynot") / "r"
    return record(mosaic_agent("Mosaic16-v0"), output=folder, play=Play(max_steps=30))


def test_the_known_cause_speaks_for_the_action_and_hiding_it_takes_it_away(
    recording: Recording, tmp_path: Path
) -> None:
    episode = recording.episodes[0]
    meanings = recording.header.agent.action.meanings
    taken = int(episode.actions[7])
    other = meanings[(taken + 1) % 4]
    answer = whynot(recording, other, step=7, compute=Compute(threads=1), output=tmp_path / "maps")
    assert (answer.taken, answer.other) == (meanings[taken], other)
    assert answer.odds[0] > 0.9
    place = answer.pro[0]
    cell = int(place.row // CELL) * 4 + int(place.column // CELL)
    assert cell == episode.fingerprints[7, 0]
    assert place.effect > 1.0
    assert place.odds_hidden[0] < answer.odds[0]
    assert "speaks the place at row" in answer.sentence
    assert json.loads(json.dumps(answer.as_json()))["taken"] == answer.taken


def test_questions_without_an_answer_are_refused(recording: Recording) -> None:
    meanings = recording.header.agent.action.meanings
    taken = meanings[int(recording.episodes[0].actions[7])]
    with pytest.raises(InvalidArgument, match="is what it took"):
        whynot(recording, taken, step=7)
    with pytest.raises(UnknownName, match="UP"):
        whynot(recording, "UPP", step=7)
    with pytest.raises(InvalidArgument, match="steps 0 to 29"):
        whynot(recording, "UP", step=30)
    with pytest.raises(InvalidArgument, match="episode 4"):
        whynot(recording, "UP", step=0, episode=4)
