"""Which agents are compared, and whether they can be compared at all."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agentlens.errors import InvalidArgument
from agentlens.policies.agent import RANDOM, Agent, load_agent
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


def check_comparable(participants: Sequence[Participant], *, force: bool) -> tuple[str, ...]:
    """Refuse what cannot be compared; say what differs where it may be.

    Args:
        participants: two or more.
        force: compare agents whose protocols differ all the same.

    Returns:
        Notes for the report, a sentence each.

    Raises:
        InvalidArgument: different games or, without ``force``, different protocols.
    """
    first = participants[0]
    notes = []
    for other in participants[1:]:
        if other.spec.environment.game != first.spec.environment.game:
            raise InvalidArgument(
                f"{first.label} plays {first.spec.environment.game} and {other.label} plays "
                f"{other.spec.environment.game}: only agents of one game can be compared."
            )
        serious = _differences(first.spec, other.spec)
        if serious and not force:
            raise InvalidArgument(
                f"{first.label} and {other.label} play under different protocols "
                f"({'; '.join(serious)}): their returns do not measure the same thing. "
                "--force compares them all the same and shows this."
            )
        differences = [*serious, *_lesser_differences(first.spec, other.spec)]
        if differences:
            notes.append(
                f"{first.label} and {other.label} play under different protocols: "
                f"{'; '.join(differences)}."
            )
    return tuple(notes)


def numbered_files(pattern: str | None) -> tuple[str, ...]:
    """The files of a pattern in the order of the numbers in their names (2 before 10).

    Raises:
        InvalidArgument: no file matches.
    """
    if pattern is None:
        return ()
    files = sorted(glob.glob(pattern, recursive=True), key=_natural)
    if not files:
        raise InvalidArgument(f"no file matches {pattern!r}; quote the pattern for the shell.")
    return tuple(files)


def same_cadence(first: AgentSpec, second: AgentSpec) -> bool:
    """Whether decisions of one agent can be asked of the other: the same frame skip."""
    return first.environment.frame_skip == second.environment.frame_skip


def _recording(given: Recording | str | Path) -> Recording | None:
    recording: Recording | None
    if isinstance(given, Recording):
        recording = given
    elif (Path(given) / "recording.json").is_file():
        recording = open_recording(given)
    else:
        if Path(given).is_dir() and not (Path(given) / "agent.toml").is_file():
            raise InvalidArgument(
                f"{given}: neither a recording (no recording.json) nor an agent (no agent.toml)."
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
    if Path(given).is_file():
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


def _natural(name: str) -> list[tuple[str, int]]:
    """Sort key in which numbers count as numbers."""
    return [(text, int(part or -1)) for text, part in re.findall(r"([^0-9]*)([0-9]*)", name)]


def _unlike(name: str, taken: Sequence[str]) -> str:
    label, number = name, 1
    while label in taken:
        number += 1
        label = f"{name} #{number}"
    return label


def _differences(first: AgentSpec, second: AgentSpec) -> list[str]:
    ours, theirs = first.environment, second.environment
    differences = [
        f"{name} {mine} and {other}"
        for name, mine, other in (
            ("frame skip", ours.frame_skip_text, theirs.frame_skip_text),
            (
                "sticky actions",
                f"{ours.repeat_action_probability:g}",
                f"{theirs.repeat_action_probability:g}",
            ),
        )
        if mine != other
    ]
    mine, other = set(first.action.meanings), set(second.action.meanings)
    if mine != other:
        differences.append(f"{len(mine)} actions and {len(other)}")
    return differences


def _lesser_differences(first: AgentSpec, second: AgentSpec) -> list[str]:
    ours, theirs = first.environment, second.environment
    pairs = (
        ("the start of an episode", ours.start, theirs.start),
        ("what happens after a lost life", ours.after_life_loss, theirs.after_life_loss),
        ("the longest game", ours.max_frames, theirs.max_frames),
        ("how actions are chosen", first.action.selection, second.action.selection),
    )
    return [f"{name} differs" for name, mine, other in pairs if mine != other]
