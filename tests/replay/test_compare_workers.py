"""A comparison that several processes share gives what one process gives."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from agentlens.compute import Compute
from agentlens.policies.agent import Agent, load_agent
from agentlens.policies.importing import save_agent
from agentlens.workflows.compare import compare
from agentlens.workflows.compare_plan import ComparisonPlan
from agentlens.workflows.compare_workers import comparing_workers
from agentlens.workflows.participants import load_participants
from agentlens.workflows.sent_agents import can_be_sent
from agentlens.workflows.workers import Workers

PLAN = ComparisonPlan(
    episodes=2, states=60, map_states=4, moments=1, video_steps=0, layer_steps=8, badge_states=0
)


def brief(name: str, folder: Path) -> Path:
    """A shipped agent whose games are cut after 40 decisions."""
    agent = load_agent(name)
    world = dataclasses.replace(agent.spec.environment, max_frames=160)
    spec = dataclasses.replace(agent.spec, environment=world)
    return save_agent(dataclasses.replace(agent, spec=spec), folder / name)


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("agents")
    return [brief(name, folder) for name in ("pong-ppo", "pong-ppo-early")]


def contents(report: Path) -> dict[str, bytes]:
    """Every table's rows (the first line says when it was made), and what maps and plays hold."""
    files = {
        str(path.relative_to(report)): path.read_bytes()
        for pattern in ("maps/*/values.f32", "recordings/*/episodes/*")
        for path in report.glob(pattern)
    }
    for table in report.glob("tables/*.csv"):
        files[table.name] = table.read_bytes().partition(b"\n")[2]
    return files


def test_two_processes_give_the_tables_maps_and_recordings_of_one(
    agents: list[Path], tmp_path: Path
) -> None:
    shared, alone = (
        contents(
            compare(
                agents,
                output=tmp_path / str(threads),
                plan=PLAN,
                compute=Compute(device="cpu", threads=threads),
            ).folder
        )
        for threads in (2, 1)
    )
    assert {"layers.csv", "similarity.csv", "maps/2-on-1/values.f32"} <= set(alone)
    assert shared == alone


def test_processes_are_started_where_they_can_help(agents: list[Path], tmp_path: Path) -> None:
    compute = Compute(device="cpu", threads=2)
    with comparing_workers(load_participants(agents), compute) as workers:
        assert isinstance(workers, Workers)
    with comparing_workers(load_participants(agents), Compute(device="cpu", threads=1)) as workers:
        assert workers is None
    (first, _) = load_participants(agents)
    changed = dataclasses.replace(first.agent.spec, name="other")
    other = dataclasses.replace(first, agent=Agent(spec=changed, policy=first.agent.policy))
    with comparing_workers([first, other], compute) as workers:
        assert workers is None


def test_an_agent_that_was_changed_in_memory_is_not_sent(agents: list[Path]) -> None:
    agent = load_agent(agents[0])
    assert can_be_sent(agent)
    spec = dataclasses.replace(agent.spec, name="changed")
    assert not can_be_sent(dataclasses.replace(agent, spec=spec))
    edited = agent.to("cpu")
    next(iter(edited.policy.parameters())).data += 1
    assert not can_be_sent(edited)
    assert not can_be_sent(dataclasses.replace(agent, folder=None))
