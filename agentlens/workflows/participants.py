"""Which agents are compared: loaded from whatever names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agentlens.errors import InvalidArgument
from agentlens.policies.agent import Agent, load_agent
from agentlens.policies.catalogue import RANDOM
from agentlens.policies.run_folders import checkpoint_path
from agentlens.spec import AgentSpec
from agentlens.store.recording import Recording, open_recording

AgentLike = Agent | Recording | str | Path


@dataclass(frozen=True, kw_only=True)
class CheckpointOptions:
    """What a checkpoint file cannot say of itself; see ``load_agent``."""

    env: str | None = None
    """Environment id such as ALE/Pong-v5; also for the random agent."""
    format: str | None = None
    """Format; found out if not given."""
    preset: str | None = None
    """Preprocessing; also for the random agent."""
    trust_code: bool = False
    """Allow an import string (module:Class) to run its code."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Participant:
    """One agent of a comparison: ``label`` is unlike all others; ``recording`` if it has played."""

    label: str
    agent: Agent
    recording: Recording | None

    @property
    def spec(self) -> AgentSpec:
        """The agent as it played, or as it will."""
        return self.recording.header.agent if self.recording is not None else self.agent.spec


def load_participants(
    agents: Sequence[AgentLike],
    checkpoints: CheckpointOptions = CheckpointOptions(),
    *,
    seed_twin: AgentLike | None = None,
) -> tuple[Participant, ...]:
    """Load every agent that is to be compared.

    Args:
        agents: two or more agents, recordings, names, agent folders, recording folders or
            checkpoints.
        checkpoints: how checkpoint files are read.
        seed_twin: one more, which comes last and is no party of the comparison.

    Raises:
        InvalidArgument: fewer than two, a folder that is neither agent nor recording, a recording
            without a finished episode, or a revisit.
        UnknownName, CheckpointError, Corrupt: as ``load_agent`` and ``open_recording``.
    """
    if isinstance(agents, str | Path) or len(agents) < 2:
        count = 1 if isinstance(agents, str | Path) else len(agents)
        raise InvalidArgument(
            f"{count} agent{'s' if count != 1 else ''} to compare: expected two or more, such as "
            "`agentlens compare pong-ppo pong-ppo-early`."
        )
    participants: list[Participant] = []
    for given in [*agents, seed_twin] if seed_twin is not None else agents:
        recording = None if isinstance(given, Agent) else _recording(given)
        agent = _agent(given, recording, checkpoints)
        name = recording.header.agent.name if recording is not None else agent.spec.name
        label = _unlike(name, [p.label for p in participants])
        participants.append(Participant(label=label, agent=agent, recording=recording))
    return tuple(participants)


def _recording(given: Recording | str | Path) -> Recording | None:
    recording: Recording | None
    if isinstance(given, Recording):
        recording = given
    elif (Path(given) / "recording.json").is_file():
        recording = open_recording(given)
    else:
        place = checkpoint_path(Path(given))
        if place.is_dir() and not (place / "agent.toml").is_file():
            raise InvalidArgument(
                f"{given}: neither a recording (no recording.json) nor an agent (no agent.toml, no "
                "model of a training run)."
            )
        return None
    if recording.header.player:
        raise InvalidArgument(
            f"{recording.folder} is a revisit of {recording.header.player}'s play, not "
            f"{recording.header.agent.name}'s own: give the recording of its own play."
        )
    if not any(e.complete and len(e) for e in recording.episodes):
        raise InvalidArgument(
            f"{recording.folder} holds no finished episode: record at least one whole game, or "
            "finish it with `agentlens record --resume`."
        )
    return recording


def _agent(given: AgentLike, recording: Recording | None, options: CheckpointOptions) -> Agent:
    if isinstance(given, Agent):
        return given
    if recording is not None:
        return load_agent(recording.folder / "agent", trust_code=options.trust_code)
    assert not isinstance(given, Recording)
    if checkpoint_path(Path(given)).is_file():
        return load_agent(
            given,
            format=options.format,
            env=options.env,
            preset=options.preset,
            trust_code=options.trust_code,
        )
    if str(given) == RANDOM:
        return load_agent(given, env=options.env, preset=options.preset)
    return load_agent(given, trust_code=options.trust_code)


def _unlike(name: str, taken: Sequence[str]) -> str:
    label, number = name, 1
    while label in taken:
        number += 1
        label = f"{name} #{number}"
    return label
