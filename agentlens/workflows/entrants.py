"""Who is compared: agents, checkpoints or recordings, and whether they can be compared at all."""

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

Comparable = Agent | Recording | str | Path


@dataclass(frozen=True, kw_only=True, eq=False)
class Entrant:
    """One agent of a comparison: ``label`` is unlike all others; ``recording`` if it has played."""

    label: str
    agent: Agent
    recording: Recording | None

    @property
    def spec(self) -> AgentSpec:
        """The agent as it played, or as it will."""
        return self.recording.header.agent if self.recording is not None else self.agent.spec


def enter(
    given: Sequence[Comparable],
    *,
    env: str | None = None,
    format: str | None = None,
    preset: str | None = None,
    trust_code: bool = False,
    floor: Comparable | None = None,
) -> tuple[Entrant, ...]:
    """Load everyone who is to be compared.

    Args:
        given: two or more agents, recordings, names, agent folders, recording folders or
            checkpoints.
        env, format, preset: for checkpoints and the random agent, as ``load_agent``.
        trust_code: as ``load_agent``.
        floor: one more, who comes last and is no party of the comparison.

    Raises:
        InvalidArgument: fewer than two, a folder that is neither agent nor recording, a recording
            without a finished episode, or a revisit.
        UnknownName, CheckpointError, Corrupt: as ``load_agent`` and ``open_recording``.
    """
    if isinstance(given, str | Path) or len(given) < 2:
        count = 1 if isinstance(given, str | Path) else len(given)
        raise InvalidArgument(
            f"{count} agent{'s' if count != 1 else ''} to compare: expected two or more, such as "
            "`agentlens compare pong-ppo pong-ppo-early`."
        )
    entrants: list[Entrant] = []
    for one in [*given, floor] if floor is not None else given:
        if isinstance(one, Agent):
            agent, recording = one, None
        else:
            recording = _recording(one)
            agent = (
                load_agent(recording.folder / "agent", trust_code=trust_code)
                if recording is not None
                else _agent(one, env, format, preset, trust_code)
            )
        name = recording.header.agent.name if recording is not None else agent.spec.name
        label = _unlike(name, [e.label for e in entrants])
        entrants.append(Entrant(label=label, agent=agent, recording=recording))
    return tuple(entrants)


def check_comparable(entrants: Sequence[Entrant], *, force: bool) -> tuple[str, ...]:
    """Refuse what cannot be compared; say what differs where it may be.

    Args:
        entrants: two or more.
        force: compare agents whose protocols differ all the same.

    Returns:
        Notes for the report, a sentence each.

    Raises:
        InvalidArgument: different games or, without ``force``, different protocols.
    """
    first = entrants[0]
    notes = []
    for other in entrants[1:]:
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
    found = sorted(glob.glob(pattern, recursive=True), key=_natural)
    if not found:
        raise InvalidArgument(f"no file matches {pattern!r}; quote the pattern for the shell.")
    return tuple(found)


def same_cadence(one: AgentSpec, two: AgentSpec) -> bool:
    """Whether decisions of one agent can be asked of the other: the same frame skip."""
    return one.environment.frame_skip == two.environment.frame_skip


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


def _agent(
    given: Recording | str | Path,
    env: str | None,
    format: str | None,
    preset: str | None,
    trust_code: bool,
) -> Agent:
    assert not isinstance(given, Recording)
    if Path(given).is_file():
        return load_agent(given, format=format, env=env, preset=preset, trust_code=trust_code)
    if str(given) == RANDOM:
        return load_agent(given, env=env, preset=preset)
    return load_agent(given, trust_code=trust_code)


def _natural(name: str) -> list[tuple[str, int]]:
    """Sort key in which numbers count as numbers."""
    return [(text, int(part or -1)) for text, part in re.findall(r"([^0-9]*)([0-9]*)", name)]


def _unlike(name: str, taken: Sequence[str]) -> str:
    label, number = name, 1
    while label in taken:
        number += 1
        label = f"{name} #{number}"
    return label


def _differences(one: AgentSpec, two: AgentSpec) -> list[str]:
    ours, theirs = one.environment, two.environment
    found = [
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
    mine, other = set(one.action.meanings), set(two.action.meanings)
    if mine != other:
        found.append(f"{len(mine)} actions and {len(other)}")
    return found


def _lesser_differences(one: AgentSpec, two: AgentSpec) -> list[str]:
    ours, theirs = one.environment, two.environment
    pairs = (
        ("the start of an episode", ours.start, theirs.start),
        ("what happens after a lost life", ours.after_life_loss, theirs.after_life_loss),
        ("the longest game", ours.max_frames, theirs.max_frames),
        ("how actions are chosen", one.action.selection, two.action.selection),
    )
    return [f"{name} differs" for name, mine, other in pairs if mine != other]
