"""The named units that fire at a step: of those that ``dissect`` named, the few that are strong.

Shape letters: T steps, N units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from agentlens.errors import Corrupt, InvalidArgument
from agentlens.network.places import Place, find_place
from agentlens.network.taps import tap
from agentlens.policies.base import Policy
from agentlens.store.recording import Episode, Recording
from agentlens.store.tables import read_table
from agentlens.words.description import Description
from agentlens.workflows.dissect import TABLE

UNITS = "units"
"""Name of the table beside the sentences."""

QUANTILE = 0.95
"""A unit fires where it gives more than at this share of the recording's steps."""

NAMED_OF_A_CONCEPT = 2
"""Units of a place that are watched for each concept: those with the largest excess over both
controls, of those that are larger where the concept holds."""

TOLD = 3
"""Units that a sentence names."""

_SAMPLED = 300


@dataclass(frozen=True, kw_only=True, eq=False)
class NamedUnits:
    """N watched units of a policy.

    ``names``, ``concepts``: of each. ``limits``, ``spans``: float32 [N], the value above which it
    fires, and how far above that its largest lies. ``excess``: float64 [N].
    """

    policy: Policy
    places: tuple[Place, ...]
    columns: tuple[tuple[str, int], ...]
    names: tuple[str, ...]
    concepts: tuple[str, ...]
    excess: np.ndarray
    limits: np.ndarray
    spans: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class Firing:
    """What fires at T steps of an episode.

    ``values``: float32 [T, N]. ``fires``: bool [T, N]. ``strength``: float32 [T, N], 0 at the
    limit and 1 at the largest value of the recording's sampled steps.
    """

    episode: int
    steps: np.ndarray
    values: np.ndarray
    fires: np.ndarray
    strength: np.ndarray


def read_named_units(recording: Recording, policy: Policy) -> NamedUnits:
    """The best named units of every dissected place, with the limits above which they fire.

    Raises:
        Corrupt: the recording was not dissected.
        InvalidArgument: the table is of another recording, or no unit is above both controls.

    Notes:
        300 steps of the recording are read for the limits.
    """
    if not (recording.folder / f"{TABLE}.parquet").is_file():
        raise Corrupt(f"{recording.folder}: not dissected yet; run agentlens dissect on it.")
    table, about = read_table(recording.folder / TABLE)
    if about.get("recording") != recording.header.identity:
        raise InvalidArgument(f"{recording.folder / TABLE}: is of another recording; dissect anew.")
    if "rises" not in table:
        raise Corrupt(f"{recording.folder / TABLE}: is of an older version; dissect anew.")
    standing = (table["excess"] > 0) & table["rises"].astype(np.bool_)
    rows: list[int] = []
    pairs = zip(table["place"].tolist(), table["concept"].tolist(), strict=True)
    for name, concept in dict.fromkeys(pairs):
        among = (table["place"] == name) & (table["concept"] == concept) & standing
        within = np.flatnonzero(among)
        best = np.argsort(-table["excess"][within], kind="stable")[:NAMED_OF_A_CONCEPT]
        rows += within[best].tolist()
    if not rows:
        raise InvalidArgument(
            "no unit has more than both controls where its concept holds: there is none to name."
        )
    columns = tuple((str(table["place"][row]), int(table["unit"][row])) for row in rows)
    places = tuple(find_place(policy, name) for name in dict.fromkeys(n for n, _ in columns))
    sampled = np.concatenate(
        [_values(policy, places, columns, episode, steps) for episode, steps in _spread(recording)]
    )
    limits = np.quantile(sampled, QUANTILE, axis=0)
    return NamedUnits(
        policy=policy,
        places=places,
        columns=columns,
        names=tuple(f"{place}.unit.{unit}" for place, unit in columns),
        concepts=tuple(str(table["concept"][row]) for row in rows),
        excess=np.asarray(table["excess"][rows], np.float64),
        limits=limits,
        spans=np.maximum(sampled.max(0) - limits, 1e-12),
    )


def firing(named: NamedUnits, episode: Episode, steps: np.ndarray) -> Firing:
    """Which of the units fire at steps of an episode (numbers within it): of spatial places the
    largest value counts."""
    values = _values(named.policy, named.places, named.columns, episode, steps)
    return Firing(
        episode=episode.index,
        steps=steps,
        values=values,
        fires=values > named.limits,
        strength=(values - named.limits) / named.spans,
    )


def with_units(named: NamedUnits, part: Description, fired: Firing) -> Description:
    """The description with the strongest firing units at the end of its sentences.

    A concept is told once, with the unit that is strongest.
    """
    lines = []
    for row, line in enumerate(part.sentences):
        told: dict[str, str] = {}
        for unit in np.argsort(-fired.strength[row], kind="stable"):
            if fired.fires[row, unit] and len(told) < TOLD:
                told.setdefault(named.concepts[unit], named.names[unit])
        words = ", ".join(f"{concept} ({name})" for concept, name in told.items())
        lines.append(f"{line} Units for {words} fire." if told else line)
    return replace(part, sentences=tuple(lines))


def unit_columns(named: NamedUnits, parts: Sequence[Firing]) -> dict[str, np.ndarray]:
    """One row a step and firing unit."""
    rows = [np.argwhere(part.fires) for part in parts]
    units = np.concatenate([row[:, 1] for row in rows])

    def joined(name: str) -> np.ndarray:
        pairs = zip(parts, rows, strict=True)
        return np.concatenate([getattr(part, name)[row[:, 0], row[:, 1]] for part, row in pairs])

    return {
        "episode": np.concatenate(
            [np.full(len(row), part.episode) for part, row in zip(parts, rows, strict=True)]
        ),
        "step": np.concatenate(
            [part.steps[row[:, 0]] for part, row in zip(parts, rows, strict=True)]
        ),
        "unit": np.array(named.names)[units],
        "stands_for": np.array(named.concepts)[units],
        "excess": named.excess[units],
        "value": joined("values"),
        "strength": joined("strength"),
    }


def _spread(recording: Recording) -> list[tuple[Episode, np.ndarray]]:
    """Steps evenly spread over all episodes, at most 300."""
    total = sum(len(episode) for episode in recording.episodes)
    every = -(-total // _SAMPLED)
    return [(e, np.arange(0, len(e), every)) for e in recording.episodes if len(e)]


def _values(
    policy: Policy,
    places: Sequence[Place],
    columns: Sequence[tuple[str, int]],
    episode: Episode,
    steps: np.ndarray,
) -> np.ndarray:
    """What units give at steps: float32 [T, N]."""
    first = int(episode.steps[0])
    rows = np.asarray(steps) - first
    observations = np.concatenate([episode.observations[int(r) : int(r) + 1] for r in rows])
    states = None if episode.states is None else np.asarray(episode.states)[rows]
    given = tap(policy, places, observations, states, pooled=True)
    return np.stack([given[name][:, unit] for name, unit in columns], 1).astype(np.float32)
