"""Figures of returns, and how sure one can be of them: bootstrap intervals in NumPy.

A bootstrap resamples *units* (pairs of episodes with one seed, or whole episodes) and never the
correlated states within them. A statistic is a function of unit indices, so that paired and
clustered figures need no code of their own.

Shape letters: R resamples, n units.

References:
    Efron 1987, "Better bootstrap confidence intervals" (BCa: equations 2.3 and 6.6).
    Hesterberg 2015, "What teachers should know about the bootstrap", section 5.2 (the widening
    for few units). Agarwal et al. 2021, "Deep RL at the edge of the statistical precipice"
    (interquartile mean, probability of improvement). Holm 1979.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from agentlens.arrays import check_finite, check_shape
from agentlens.errors import InvalidArgument

LEVEL = 0.95
RESAMPLES = 10_000
SEED = 0
"""Of the resamples: every figure draws the same ones, so that none depends on which others are
made."""
Statistic = Callable[[np.ndarray], np.ndarray]
"""From unit indices int [R, m] to one figure a resample, float [R]."""

_NORMAL = NormalDist()


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A figure with its confidence interval.

    ``units``: how many independent units it rests on. With fewer than two units there is no
    interval and ``low`` and ``high`` are NaN.
    """

    estimate: float
    low: float
    high: float
    level: float
    units: int

    def holds(self, value: float) -> bool:
        """Whether ``value`` cannot be ruled out; always so where there is no interval."""
        return not (self.low > value or self.high < value)


@dataclass(frozen=True, kw_only=True, eq=False)
class Bootstrap:
    """A figure's bootstrap distribution: ``draws`` float64 [R], sorted; the two BCa constants."""

    estimate: float
    draws: np.ndarray
    bias: float
    acceleration: float
    units: int

    def bounds(self, level: float) -> tuple[float, float]:
        """The plain BCa interval (Efron 1987), without widening for few units."""
        z = _NORMAL.inv_cdf(0.5 + level / 2)
        return self._quantile(-z), self._quantile(z)

    def interval(self, level: float = LEVEL) -> Interval:
        """The BCa interval with Student quantiles and sqrt(n / (n - 1)) in place of normal ones.

        Measured coverage of a 95 % interval with ten units, without and with the widening:
        normal 90 and 94 %, exponential 87 and 92 %, lognormal 83 and 88 %.
        """
        low, high = self._widened(level)
        return Interval(estimate=self.estimate, low=low, high=high, level=level, units=self.units)

    def p_value(self, null: float = 0.0) -> float:
        """One minus the level at which the interval first holds ``null``; at least 2 / (R + 1).

        So an interval of level 1 - p and the p-value never contradict each other.
        """
        least = 2.0 / (len(self.draws) + 1)
        if self.units < 2 or (self.draws[0] == self.draws[-1] == null):
            return 1.0
        inside, outside = 0.0, 1.0  # of p: at 0 the interval is widest
        for _ in range(50):
            middle = (inside + outside) / 2
            low, high = self._widened(1.0 - middle)
            inside, outside = (middle, outside) if low <= null <= high else (inside, middle)
        return float(max(least, inside))

    def _widened(self, level: float) -> tuple[float, float]:
        if self.units < 2:
            return math.nan, math.nan
        tail = 0.5 - level / 2
        spread = math.sqrt(self.units / (self.units - 1))
        z = -spread * student_quantile(max(tail, 1e-9), self.units - 1)
        return self._quantile(-z), self._quantile(z)

    def _quantile(self, z: float) -> float:
        shifted = self.bias + z
        shrink = 1.0 - self.acceleration * shifted
        if shrink <= 0:
            return float(self.draws[0 if shifted < 0 else -1])
        return float(np.quantile(self.draws, _NORMAL.cdf(self.bias + shifted / shrink)))


def bootstrap(
    statistic: Statistic,
    units: int,
    generator: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
) -> Bootstrap:
    """Resample units with replacement and prepare BCa intervals.

    Args:
        statistic: see ``Statistic``; draws where it is NaN (no spread left) are left out.
        units: n, one or more.
        generator: the only source of randomness.
        resamples: R.

    Raises:
        InvalidArgument: no unit, or a statistic without a value on the units themselves.

    Notes:
        R + n + 1 evaluations of the statistic in one call each of [R, n], [n, n - 1], [1, n].
    """
    if units < 1:
        raise InvalidArgument("a bootstrap of no units: expected one or more.")
    everything = np.arange(units)
    estimate = float(statistic(everything[None])[0])
    if not math.isfinite(estimate):
        raise InvalidArgument(f"the figure is {estimate} on the data itself; nothing to resample.")
    draws = np.sort(statistic(generator.integers(0, units, size=(resamples, units))))
    draws = draws[np.isfinite(draws)]
    if units < 2 or len(draws) < resamples / 2:
        return Bootstrap(
            estimate=estimate, draws=np.array([estimate]), bias=0.0, acceleration=0.0, units=1
        )
    below = (np.mean(draws < estimate) + np.mean(draws <= estimate)) / 2
    edge = 0.5 / len(draws)
    left_out = statistic(np.array([np.delete(everything, i) for i in everything]))
    return Bootstrap(
        estimate=estimate,
        draws=draws,
        bias=_NORMAL.inv_cdf(float(np.clip(below, edge, 1 - edge))),
        acceleration=_acceleration(left_out[np.isfinite(left_out)]),
        units=units,
    )


def _acceleration(left_out: np.ndarray) -> float:
    deviations = left_out.mean() - left_out if len(left_out) else np.zeros(1)
    spread = float(np.sum(deviations**2))
    if spread <= 1e-300:
        return 0.0
    return float(np.sum(deviations**3) / (6.0 * spread**1.5))


def resampling() -> np.random.Generator:
    """A fresh generator of the seed that all figures of a comparison resample with."""
    return np.random.default_rng(SEED)


def of_values(values: np.ndarray, figure: Callable[[np.ndarray], np.ndarray]) -> Statistic:
    """A statistic of one number a unit.

    Args:
        values: float [n].
        figure: from float [R, m] to float [R]: ``mean``, ``median``, ``interquartile_mean``.
    """
    check_shape("values", values, (None,))
    check_finite("values", values)
    return lambda units: figure(values[units])


def of_means(sums: np.ndarray, counts: np.ndarray) -> Statistic:
    """A statistic of states clustered in episodes: the mean over all states of the episodes drawn.

    Args:
        sums: float [n], the sum over each episode's states.
        counts: int [n], how many states each has.
    """
    check_shape("counts", counts, (len(sums),))

    def ratio(units: np.ndarray) -> np.ndarray:
        total = counts[units].sum(axis=-1)
        means: np.ndarray = np.divide(
            sums[units].sum(axis=-1), total, out=np.full(len(units), np.nan), where=total > 0
        )
        return means

    return ratio


def of_correlation(moments: np.ndarray) -> Statistic:
    """Pearson correlation over all states of the episodes drawn.

    Args:
        moments: float [n, 6], each episode's sums of 1, x, y, x^2, y^2, xy (``correlation_sums``).
    """
    check_shape("moments", moments, (None, 6))

    def correlation(units: np.ndarray) -> np.ndarray:
        n, x, y, xx, yy, xy = np.moveaxis(moments[units].sum(axis=-2), -1, 0)
        spread = (n * xx - x * x) * (n * yy - y * y)
        with np.errstate(invalid="ignore", divide="ignore"):
            value: np.ndarray = (n * xy - x * y) / np.sqrt(np.maximum(spread, 0.0))
        return np.where(spread > 0, value, np.nan)

    return correlation


def correlation_sums(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The six sums of ``of_correlation`` for one episode: float [6]."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    return np.array([len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y])


def improvement(first: np.ndarray, second: np.ndarray, *, level: float = LEVEL) -> Interval:
    """Probability that an episode of the first agent returns more than one of the second.

    Over all pairs of an episode of each; ties count half. The interval is a score interval, which
    knows the edge: at full separation it has one end at the edge and the other inside.

    Args:
        first, second: float [n], the returns of both agents on the same seeds.
        level: of the interval; a single pair has none.

    References:
        Newcombe 2006, "Confidence intervals for an effect size measure based on the Mann-Whitney
        statistic", part 2, method 5, with the variance of Hanley and McNeil 1982. It takes the
        agents' returns as independent; returns on the same seeds that rise together make it wider
        than need be. Measured coverage with ten pairs: 93 to 99 %.

    Example:
        >>> full = improvement(np.arange(10.0) + 10, np.arange(10.0))
        >>> full.estimate, round(full.low, 2), full.high
        (1.0, 0.8, 1.0)
    """
    check_shape("second", second, (len(first),))
    wins = (first[:, None] > second[None, :]) + 0.5 * (first[:, None] == second[None, :])
    share, units = float(wins.mean()), len(first)
    low = high = math.nan
    if units > 1:
        z = _NORMAL.inv_cdf(0.5 + level / 2)
        low, high = (_score_end(share, edge, z, units) for edge in (0.0, 1.0))
    return Interval(estimate=share, low=low, high=high, level=level, units=units)


def _score_end(share: float, edge: float, z: float, units: int) -> float:
    """The probability between ``share`` and ``edge`` that is just ``z`` deviations away."""
    near, far = share, edge
    for _ in range(60):
        p = (near + far) / 2
        spread = 1 + (units - 1) * ((1 - p) / (2 - p) + p / (1 + p))
        inside = (p - share) ** 2 <= z * z * p * (1 - p) * spread / units**2
        near, far = (p, far) if inside else (near, p)
    return far if share != edge else edge


def mean(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis."""
    result: np.ndarray = np.mean(values, axis=-1)
    return result


def median(values: np.ndarray) -> np.ndarray:
    """Median over the last axis."""
    result: np.ndarray = np.median(values, axis=-1)
    return result


def interquartile_mean(values: np.ndarray) -> np.ndarray:
    """Mean of what is left when a quarter of the values, rounded down, is cut off at each end.

    Example:
        >>> float(interquartile_mean(np.array([-100.0, 1.0, 2.0, 900.0])))
        1.5
    """
    cut = values.shape[-1] // 4
    kept = np.sort(values, axis=-1)[..., cut : values.shape[-1] - cut]
    result: np.ndarray = kept.mean(axis=-1)
    return result


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's step-down adjustment: the k-th smallest of m is multiplied by m - k + 1, made
    monotone.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        (0.03, 0.06, 0.06)
    """
    order = np.argsort(np.asarray(p_values, dtype=np.float64), kind="stable")
    adjusted = np.empty(len(order))
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(order) - rank) * p_values[index]))
        adjusted[index] = running
    return tuple(float(p) for p in adjusted)


def pairs_needed(differences: int, level: float = LEVEL) -> int:
    """The fewest pairs of episodes with which the clearest of some differences can be told.

    A p-value is never below 2 / 2^n, the chance that n fair coins fall alike, and Holm's method
    multiplies the smallest of m by m.

    Example:
        >>> pairs_needed(1), pairs_needed(6)
        (6, 8)
    """
    return 1 + math.ceil(math.log2(max(differences, 1) / (1 - level)) - 1e-9)


def student_quantile(probability: float, degrees: int) -> float:
    """Quantile of Student's t distribution, to 1e-9 of its value.

    Args:
        probability: strictly between 0 and 1.
        degrees: degrees of freedom, 1 or more.
    """
    if not 0.0 < probability < 1.0 or degrees < 1:
        raise InvalidArgument(
            f"Student quantile at {probability} with {degrees} degrees of freedom: expected "
            "0 < probability < 1 and 1 or more degrees."
        )
    if probability > 0.5:
        return -student_quantile(1.0 - probability, degrees)
    angle_low, angle_high = 0.0, math.pi / 2  # of arctan(|t| / sqrt(degrees))
    for _ in range(60):
        angle = (angle_low + angle_high) / 2
        tail = (1.0 - _central_probability(angle, degrees)) / 2
        angle_low, angle_high = (angle, angle_high) if tail > probability else (angle_low, angle)
    return -math.sqrt(degrees) * math.tan(angle_low)


def _central_probability(angle: float, degrees: int) -> float:
    """P(|T| <= sqrt(degrees) tan(angle)): the finite series for whole degrees of freedom."""
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = degrees % 2
    if degrees == 1:
        return 2 * angle / math.pi
    term = total = cosine if odd else 1.0
    for k in range(3 if odd else 2, degrees - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
