"""What agents return, and whether two differ on the same seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from agentlens.comparison.statistics import (
    LEVEL,
    Interval,
    bootstrap,
    holm,
    improvement,
    interquartile_mean,
    mean,
    median,
    of_values,
    resampling,
)
from agentlens.errors import InvalidArgument
from agentlens.store.recording import Recording

Verdict = Literal["higher", "lower", "cannot tell", "equal"]


@dataclass(frozen=True, kw_only=True)
class Played:
    """The finished episodes of one agent.

    ``starts``: the seed words of each, equal for episodes that begin alike; ``returns``: raw
    rewards summed; ``steps``: decisions; ``fingerprints``: equal for equal games
    (``Episode.content``); ``ends``: why each ended.
    """

    agent: str
    indices: tuple[int, ...]
    starts: tuple[tuple[int, ...], ...]
    returns: tuple[float, ...]
    steps: tuple[int, ...]
    ends: tuple[str, ...]
    fingerprints: tuple[str, ...]

    @property
    def distinct(self) -> int:
        """How many episodes differ from all before them."""
        return len(set(self.fingerprints))


@dataclass(frozen=True, kw_only=True)
class ReturnFigures:
    """An agent's returns as three figures, each with its interval over episodes."""

    agent: str
    episodes: int
    distinct: int
    mean: Interval
    median: Interval
    interquartile_mean: Interval
    least: float
    most: float
    steps: float


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """Return of ``first`` minus return of ``second`` on the same seeds.

    ``pairs``: seeds that both finished; ``distinct_pairs``: those left when pairs equal in both
    episodes are counted once (the interval rests on these). ``improvement``: the probability that
    an episode of ``first`` returns more. ``p_value``: see ``Bootstrap.p_value``, but not below
    2 / 2^n, the chance that n fair coins all fall alike; ``p_holm``: the same corrected for all
    differences of the comparison. ``verdict``: of ``first``; "cannot tell" when the corrected
    interval holds 0 or so few pairs could not tell anything, "equal" when every pair is.
    """

    first: str
    second: str
    pairs: int
    distinct_pairs: int
    difference: Interval
    improvement: Interval
    p_value: float
    p_holm: float
    verdict: Verdict


def played(recording: Recording, agent: str) -> Played:
    """Collect the finished episodes of a recording.

    Args:
        recording: an opened recording.
        agent: the name it is shown under.

    Raises:
        InvalidArgument: no episode is finished.
    """
    finished = [e for e in recording.episodes if e.complete and len(e)]
    if not finished:
        raise InvalidArgument(
            f"{recording.folder} holds no finished episode: record at least one whole game, "
            "or finish it with `agentlens record --resume`."
        )
    return Played(
        agent=agent,
        indices=tuple(e.index for e in finished),
        starts=tuple(e.seed_words for e in finished),
        returns=tuple(float(e.raw_return) for e in finished),
        steps=tuple(len(e) for e in finished),
        ends=tuple(e.end for e in finished),
        fingerprints=tuple(e.content for e in finished),
    )


def return_figures(games: Played) -> ReturnFigures:
    """Mean, median and interquartile mean over distinct episodes, with intervals."""
    firsts = sorted({f: i for i, f in reversed(list(enumerate(games.fingerprints)))}.values())
    returns = np.array(games.returns, np.float64)[firsts]
    intervals = [
        bootstrap(of_values(returns, figure), len(returns), resampling()).interval()
        for figure in (mean, median, interquartile_mean)
    ]
    return ReturnFigures(
        agent=games.agent,
        episodes=len(games.returns),
        distinct=games.distinct,
        mean=intervals[0],
        median=intervals[1],
        interquartile_mean=intervals[2],
        least=float(returns.min()),
        most=float(returns.max()),
        steps=float(np.mean(games.steps)),
    )


def paired_difference(first: Played, second: Played) -> PairedDifference:
    """Compare two agents on the seeds that both finished.

    Raises:
        InvalidArgument: they share no seed.
    """
    where = {start: i for i, start in enumerate(second.starts)}
    both = [(i, where[start]) for i, start in enumerate(first.starts) if start in where]
    if not both:
        raise InvalidArgument(
            f"{first.agent} and {second.agent} share no seed: record both with the same --seed."
        )
    kinds = {(first.fingerprints[i], second.fingerprints[j]): (i, j) for i, j in reversed(both)}
    distinct = sorted(kinds.values())
    ours = np.array([first.returns[i] for i, _ in distinct])
    theirs = np.array([second.returns[j] for _, j in distinct])
    units = len(distinct)
    difference = bootstrap(of_values(ours - theirs, mean), units, resampling())
    p_value = max(difference.p_value(), 2.0 ** (1 - units))
    return PairedDifference(
        first=first.agent,
        second=second.agent,
        pairs=len(both),
        distinct_pairs=units,
        difference=difference.interval(),
        improvement=improvement(ours, theirs),
        p_value=p_value,
        p_holm=p_value,
        verdict=_verdict(ours - theirs, difference.estimate, p_value),
    )


def corrected(differences: Sequence[PairedDifference]) -> tuple[PairedDifference, ...]:
    """Holm's correction over all differences of a comparison; verdicts follow it."""
    adjusted = holm([d.p_value for d in differences])
    return tuple(
        replace(
            d,
            p_holm=p,
            verdict=d.verdict if d.verdict == "equal" or p <= 1 - LEVEL + 1e-12 else "cannot tell",
        )
        for d, p in zip(differences, adjusted, strict=True)
    )


def _verdict(differences: np.ndarray, estimate: float, p_value: float) -> Verdict:
    if not differences.any():
        return "equal"
    if p_value > 1 - LEVEL:
        return "cannot tell"
    return "higher" if estimate > 0 else "lower"
