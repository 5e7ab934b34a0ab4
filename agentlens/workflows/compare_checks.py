"""Whether agents can be compared at all: whatever can be refused is refused before a game."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from agentlens.comparison.words import few_pairs_note
from agentlens.compute import Compute
from agentlens.envs.atari.objects import OBJECTS
from agentlens.errors import InvalidArgument
from agentlens.policies.weights import weights_digest
from agentlens.saliency.base import SaliencyMethod
from agentlens.spec import SCREEN_SHAPE, AgentSpec
from agentlens.workflows.compare_plan import ComparisonPlan
from agentlens.workflows.making_maps import check_method
from agentlens.workflows.map_sizes import fitted_method
from agentlens.workflows.participants import Participant
from agentlens.workflows.revisits import pairs_of

_PLAIN_NAMES = {
    "start": "the start of an episode",
    "after_life_loss": "what happens after a lost life",
    "max_frames": "the longest game",
    "selection": "how actions are chosen",
    "grayscale": "grey",
}
_SERIOUS = ("frame_skip", "repeat_action_probability")
_WORDLESS = ("id", "meanings", "reason", "full_action_space", "terminal_on_life_loss")
"""Fields whose difference shows elsewhere, or changes nothing of how an agent plays here."""


def check_comparable(participants: Sequence[Participant], *, force: bool) -> tuple[str, ...]:
    """Refuse agents that cannot be compared; say what differs where they may be.

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
        serious = _serious_differences(first.spec, other.spec)
        if serious and not force:
            raise InvalidArgument(
                f"{first.label} and {other.label} play under different protocols "
                f"({'; '.join(serious)}): their returns do not measure the same thing. "
                "--force compares them all the same and shows this."
            )
        lesser = [*_differing(first.spec.environment, other.spec.environment, skip=_SERIOUS)]
        lesser += _differing(first.spec.action, other.spec.action)
        if differences := [*serious, *lesser]:
            notes.append(
                f"{first.label} and {other.label} play under different protocols: "
                f"{'; '.join(differences)}."
            )
    return (*notes, *_same_weights(participants))


def check_seeds(participants: Sequence[Participant], plan: ComparisonPlan) -> None:
    """Refuse games that would share no seed.

    Raises:
        InvalidArgument: a recording's seed is not that of the games still to be played, or two
            recordings have no start in common.
    """
    recorded = [(p, p.recording) for p in participants if p.recording is not None]
    fresh = [p for p in participants if p.recording is None]
    for participant, recording in recorded:
        if fresh and recording.header.seed != plan.seed:
            raise InvalidArgument(
                f"{participant.label} was recorded with seed {recording.header.seed} and "
                f"{fresh[0].label} would play with seed {plan.seed}: they share no seed; give "
                f"--seed {recording.header.seed}."
            )
    for i, j in pairs_of(len(participants)):
        first, second = (_starts(participants[k]) for k in (i, j))
        if first is not None and second is not None and not first & second:
            raise InvalidArgument(
                f"{participants[i].label} and {participants[j].label} share no seed: record both "
                "with the same --seed."
            )


def check_maps(
    participants: Sequence[Participant], method: SaliencyMethod, compute: Compute
) -> None:
    """Refuse a method that cannot explain one of the agents, and views without overlap.

    Raises:
        UnknownName, InvalidArgument, MissingExtra: as ``check_method``; or two agents that see no
            common part of the screen.
    """
    first = participants[0]
    for participant in participants:
        fitted = fitted_method(method, participant.spec, first.spec, SCREEN_SHAPE)
        check_method(fitted, participant.agent, compute)
    for upper, lower in itertools.combinations(participants, 2):
        top, bottom, left, right = upper.spec.observation.screen_rectangle()
        above, below, before, behind = lower.spec.observation.screen_rectangle()
        if min(bottom, below) <= max(top, above) or min(right, behind) <= max(left, before):
            raise InvalidArgument(
                f"{upper.label} and {lower.label} see no common part of the screen (rows and "
                f"columns {top} to {bottom}, {left} to {right}, and {above} to {below}, {before} "
                f"to {behind}): their maps cannot be compared; --map-states 0 leaves them out."
            )


def check_objects(spec: AgentSpec) -> None:
    """Refuse to describe a game of whose objects nothing is known.

    Raises:
        InvalidArgument: names the games that are known.
    """
    game = spec.environment.game
    known = [name.replace("-", "_") for name in OBJECTS.names()]
    if game not in known:
        raise InvalidArgument(
            f"nothing is known of the objects of {game}: --word-steps is for {', '.join(known)}."
        )


def few_pairs(participants: Sequence[Participant], plan: ComparisonPlan) -> tuple[str, ...]:
    """A line where so few games cannot tell any difference, however they end."""
    counts = [
        plan.episodes if p.recording is None else sum(e.complete for e in p.recording.episodes)
        for p in participants
    ]
    note = few_pairs_note(min(counts), len(pairs_of(len(participants))))
    return (f"At most {note}",) if note else ()


def same_cadence(first: AgentSpec, second: AgentSpec) -> bool:
    """Whether decisions of one agent can be asked of the other: the same frame skip."""
    return first.environment.frame_skip == second.environment.frame_skip


def _same_weights(participants: Sequence[Participant]) -> Iterator[str]:
    """That two agents are one network, and everything that differs in what they are fed."""
    digests = {p.label: weights_digest(p.agent.policy) for p in participants}
    for first, second in itertools.combinations(participants, 2):
        if not digests[first.label] or digests[first.label] != digests[second.label]:
            continue
        differences = [
            difference
            for part in ("environment", "observation", "action")
            for difference in _differing(getattr(first.spec, part), getattr(second.spec, part))
        ]
        told = (
            f"; what differs is how they are run: {'; '.join(differences)}"
            if differences
            else ", and they are run alike, so that they can differ by chance alone"
        )
        yield (
            f"{first.label} and {second.label} are the same weights "
            f"(SHA-256 {digests[first.label][:16]}){told}."
        )


def _starts(participant: Participant) -> set[tuple[int, ...]] | None:
    if participant.recording is None:
        return None
    return {e.seed_words for e in participant.recording.episodes if e.complete and len(e)}


def _serious_differences(first: AgentSpec, second: AgentSpec) -> list[str]:
    """Of what makes returns of one game another measure."""
    ours, theirs = first.environment, second.environment
    pairs = (
        ("frame skip", ours.frame_skip_text, theirs.frame_skip_text),
        (
            "sticky actions",
            f"{ours.repeat_action_probability:g}",
            f"{theirs.repeat_action_probability:g}",
        ),
    )
    differences = [f"{name} {mine} and {other}" for name, mine, other in pairs if mine != other]
    mine, other = set(first.action.meanings), set(second.action.meanings)
    if mine != other:
        differences.append(f"{len(mine)} actions and {len(other)}")
    return differences


def _differing(first: Any, second: Any, *, skip: Sequence[str] = ()) -> list[str]:
    """Every field of a description that differs, with both values where they are short."""
    differences = []
    for field in dataclasses.fields(first):
        mine, other = getattr(first, field.name), getattr(second, field.name)
        if mine == other or field.name in (*_WORDLESS, *skip):
            continue
        name = _PLAIN_NAMES.get(field.name, field.name.replace("_", " "))
        values = [_short(value) for value in (mine, other)]
        differences.append(f"{name} {' and '.join(values)}" if all(values) else f"{name} differs")
    return differences


def _short(value: Any) -> str:
    """A value as a few letters; "" for what takes more."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "on", False: "off"}[value]
    if isinstance(value, float | int):
        return f"{value:g}"
    if isinstance(value, tuple) and value and all(isinstance(v, float | int) for v in value):
        return " x ".join(f"{v:g}" for v in value)
    return value if isinstance(value, str) else ""
