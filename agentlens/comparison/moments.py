"""Where two agents differ most, and as many states at random to hold against them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from agentlens.arrays import check_shape
from agentlens.comparison.behaviour import state_measures
from agentlens.comparison.outputs import Outputs, SharedStates
from agentlens.comparison.statistics import resampling

Kind = Literal["policy", "value", "maps", "random"]

MEANINGS: dict[Kind, str] = {
    "policy": "the agents' action probabilities differ most (KL where it is defined, else total "
    "variation or the greedy action)",
    "value": "the values, each in standard deviations from its agent's own mean, differ most",
    "maps": "the saliency maps have most of their mass in different places",
    "random": "drawn at random, to hold against the others",
}
StepsByEpisode = Mapping[int, Sequence[int]]
"""Step numbers by episode."""
APART = 20
"""Decisions between two moments of one kind in one episode, so that no event is shown twice."""


_NAMES = {
    "kl_first_second": "KL, first to second, nats:",
    "kl_second_first": "KL, second to first, nats:",
    "total_variation": "total variation",
    "greedy_agreement": "another greedy action:",
}


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One state worth a look: ``amount`` is what ``measure`` says there; 0 for a random one.

    ``first_choice``, ``second_choice``: each agent's greedy action there, with its probability
    where it has one ("RIGHT 71 %").
    """

    first: str
    second: str
    states_of: str
    kind: Kind
    measure: str
    amount: float
    episode: int
    step: int
    first_choice: str
    second_choice: str


def output_moments(shared: SharedStates, count: int) -> tuple[Moment, ...]:
    """The ``count`` states each with the largest policy and value difference, and at random.

    A state is told once: where values differ, it is none near one where policies do.

    Args:
        shared: both agents' outputs.
        count: of each kind; fewer where there are not as many states apart from each other.
    """
    measures = state_measures(shared)
    name = next(n for n in _NAMES if n in measures)
    policy = measures[name] if name != "greedy_agreement" else 1.0 - measures[name]
    moments = _pick(shared, "policy", _NAMES[name], policy, count)
    first, second = shared.first_outputs.values, shared.second_outputs.values
    if first is not None and second is not None:
        gap = np.abs(_standardised(first) - _standardised(second))
        moments += _pick(shared, "value", "standardised value difference", gap, count, moments)
    drawn = resampling().permutation(len(shared.steps)).astype(np.float64) + 1.0
    return moments + tuple(
        _moment(shared, "random", "drawn at random", i, 0.0)
        for i in largest(drawn, shared.episodes, shared.steps, count)
    )


def map_moments(
    shared: SharedStates,
    places: np.ndarray,
    distance: np.ndarray,
    count: int,
    told: Sequence[Moment] = (),
) -> tuple[Moment, ...]:
    """The ``count`` explained states with the largest distance between the maps.

    Args:
        shared: both agents' outputs.
        places: int [M], rows of ``shared`` that are explained.
        distance: float [M], ``similarity.map_distance`` there; NaN is left out.
        count: as in ``output_moments``.
        told: moments of other kinds; those of the same two agents and states are not told again,
            but for random ones.
    """
    check_shape("distance", distance, (len(places),))
    amounts = np.zeros(len(shared.steps))
    amounts[places] = np.nan_to_num(distance)
    ours = (shared.first, shared.second, shared.states_of)
    told = [m for m in told if (m.first, m.second, m.states_of) == ours and m.kind != "random"]
    return _pick(shared, "maps", "map distance", amounts, count, told)


def largest(
    amounts: np.ndarray,
    episodes: np.ndarray,
    steps: np.ndarray,
    count: int,
    apart: int = APART,
    told: Sequence[tuple[int, int]] = (),
) -> tuple[int, ...]:
    """Indices of the largest positive amounts, none within ``apart`` steps of a larger one.

    Args:
        amounts: float [T]; equal ones in order.
        episodes, steps: int [T], which state.
        count: how many at most.
        told: (episode, step) of states that are shown already; none within ``apart`` of them.
    """
    chosen: list[int] = []
    for i in np.argsort(-amounts, kind="stable"):
        if len(chosen) == count or not amounts[i] > 0:
            break
        places = [*told, *((episodes[j], steps[j]) for j in chosen)]
        near = any(e == episodes[i] and abs(s - steps[i]) < apart for e, s in places)
        if not near:
            chosen.append(int(i))
    return tuple(chosen)


def spread_states(episodes: np.ndarray, count: int) -> np.ndarray:
    """Evenly spread places among all states: int [count] or fewer, sorted, none twice.

    Args:
        episodes: int [T], the episode of each state; every episode gets its share.
        count: how many.
    """
    return np.unique(np.linspace(0, len(episodes) - 1, min(count, len(episodes))).astype(np.int64))


def _pick(
    shared: SharedStates,
    kind: Kind,
    measure: str,
    amounts: np.ndarray,
    count: int,
    told: Sequence[Moment] = (),
) -> tuple[Moment, ...]:
    places = [(moment.episode, moment.step) for moment in told]
    return tuple(
        _moment(shared, kind, measure, i, float(amounts[i]))
        for i in largest(amounts, shared.episodes, shared.steps, count, told=places)
    )


def _moment(shared: SharedStates, kind: Kind, measure: str, i: int, amount: float) -> Moment:
    return Moment(
        first=shared.first,
        second=shared.second,
        states_of=shared.states_of,
        kind=kind,
        measure=measure,
        amount=amount,
        episode=int(shared.episodes[i]),
        step=int(shared.steps[i]),
        first_choice=_choice(shared, shared.first_outputs, i),
        second_choice=_choice(shared, shared.second_outputs, i),
    )


def _choice(shared: SharedStates, outputs: Outputs, i: int) -> str:
    """An agent's greedy action: of actions that do the same the first name."""
    greedy = int(outputs.greedy[i])
    name = shared.actions.names[greedy].partition(" = ")[0]
    if outputs.probabilities is None:
        return name
    return f"{name} {100 * float(outputs.probabilities[i, greedy]):.0f} %"


def _standardised(values: np.ndarray) -> np.ndarray:
    spread = float(values.std())
    result: np.ndarray = (values - values.mean()) / (spread if spread > 0 else 1.0)
    return result


def steps_by_episode(moments: Sequence[Moment]) -> dict[int, list[int]]:
    """Steps of the moments by episode, sorted, none twice."""
    steps: dict[int, set[int]] = {}
    for moment in moments:
        steps.setdefault(moment.episode, set()).add(moment.step)
    return {episode: sorted(numbers) for episode, numbers in sorted(steps.items())}
