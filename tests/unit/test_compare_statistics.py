"""Intervals and tests: hand values, SciPy as the oracle, and measured coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from agentlens.comparison.statistics import (
    bootstrap,
    correlation_sums,
    holm,
    improvement,
    interquartile_mean,
    mean,
    median,
    of_correlation,
    of_means,
    of_values,
    pairs_needed,
    student_quantile,
)
from agentlens.errors import InvalidArgument, NotFinite


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 7, 9, 10, 29, 100])
@pytest.mark.parametrize("probability", [1e-6, 0.001, 0.025, 0.3, 0.5, 0.975])
def test_student_quantile_is_scipys(degrees: int, probability: float) -> None:
    got = student_quantile(probability, degrees)
    assert got == pytest.approx(stats.t.ppf(probability, degrees), rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("figure", [mean, median, interquartile_mean])
@pytest.mark.parametrize("units", [6, 10, 23])
def test_plain_bca_is_scipys(figure, units: int) -> None:
    values = np.random.default_rng(units).exponential(size=units)
    ours = bootstrap(of_values(values, figure), units, np.random.default_rng(5), resamples=2000)
    theirs = stats.bootstrap(
        (values,),
        lambda v, axis: figure(np.moveaxis(v, axis, -1)),
        n_resamples=2000,
        method="BCa",
        vectorized=True,
        random_state=np.random.default_rng(5),
        axis=0,
    )
    low, high = ours.bounds(0.95)
    assert low == pytest.approx(theirs.confidence_interval.low, rel=1e-9)
    assert high == pytest.approx(theirs.confidence_interval.high, rel=1e-9)


@pytest.mark.parametrize(
    ("draw", "truth", "expected"),
    [
        (lambda g: g.normal(size=10), 0.0, 0.94),
        (lambda g: g.exponential(size=10), 1.0, 0.92),
        (lambda g: g.lognormal(size=10), math.exp(0.5), 0.885),
    ],
    ids=["normal", "skewed", "very skewed"],
)
def test_coverage_with_ten_units_is_what_the_page_says(draw, truth, expected) -> None:
    generator, repetitions, held, plain = np.random.default_rng(0), 2000, 0, 0
    for _ in range(repetitions):
        figure = bootstrap(of_values(draw(generator), mean), 10, generator, resamples=600)
        held += figure.interval().holds(truth)
        low, high = figure.bounds(0.95)
        plain += low <= truth <= high
    tolerance = 4 * math.sqrt(expected * (1 - expected) / repetitions)
    assert abs(held / repetitions - expected) < tolerance
    assert held - plain > 0.02 * repetitions


def test_an_interval_and_its_p_value_never_contradict_each_other() -> None:
    generator = np.random.default_rng(3)
    for shift in np.linspace(-1.5, 1.5, 21):
        values = generator.normal(size=8) + shift
        figure = bootstrap(of_values(values, mean), 8, generator, resamples=1000)
        assert figure.interval(0.95).holds(0.0) == (figure.p_value() > 0.05)
        assert figure.interval(1 - figure.p_value() - 0.002).holds(0.0) is False


def test_p_value_of_nothing_but_zeros_is_one_and_never_below_its_resolution() -> None:
    generator = np.random.default_rng(3)
    zeros = bootstrap(of_values(np.zeros(10), mean), 10, generator, resamples=500)
    far = bootstrap(of_values(np.arange(100, 110.0), mean), 10, generator, resamples=500)
    assert zeros.p_value() == 1.0
    assert (zeros.interval().low, zeros.interval().high) == (0.0, 0.0)
    assert far.p_value() >= 2 / 501


def test_one_unit_has_no_interval_and_rules_nothing_out() -> None:
    interval = bootstrap(of_values(np.array([7.0]), mean), 1, np.random.default_rng(0)).interval()
    assert interval.estimate == 7.0
    assert math.isnan(interval.low)
    assert interval.holds(0.0)


def test_the_same_generator_gives_the_same_interval() -> None:
    values = np.random.default_rng(0).normal(size=9)
    first, second = (
        bootstrap(of_values(values, mean), 9, np.random.default_rng(1)).interval() for _ in "ab"
    )
    assert first == second


def test_figures_by_hand() -> None:
    values = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 700.0])
    assert mean(values) == 90.125
    assert median(values) == 3.5
    assert interquartile_mean(values) == 3.5  # (2 + 3 + 4 + 5) / 4
    assert interquartile_mean(values) == stats.trim_mean(values, 0.25)


def test_probability_of_improvement_is_over_all_pairs_and_ties_count_half() -> None:
    assert improvement(np.ones(2), np.ones(2)).estimate == 0.5
    assert improvement(np.array([2.0, 5.0]), np.array([1.0, 3.0])).estimate == 0.75
    first, second = np.random.default_rng(0).integers(0, 9, size=(2, 12)).astype(float)
    wins = stats.mannwhitneyu(first, second).statistic
    assert improvement(first, second).estimate == wins / 144


def test_the_interval_of_an_improvement_solves_its_equation_and_mirrors_itself() -> None:
    first, second = np.random.default_rng(1).normal(size=(2, 9))
    figure, mirror = improvement(first, second), improvement(second, first)
    for end in (figure.low, figure.high):
        spread = 1 + 8 * ((1 - end) / (2 - end) + end / (1 + end))
        assert (end - figure.estimate) ** 2 == pytest.approx(
            stats.norm.ppf(0.975) ** 2 * end * (1 - end) * spread / 81
        )
    assert (mirror.low, mirror.high) == pytest.approx((1 - figure.high, 1 - figure.low))


@pytest.mark.parametrize("pairs", [2, 5, 10, 100])
def test_full_separation_has_an_interval_with_width(pairs: int) -> None:
    figure = improvement(np.arange(pairs) + 1000.0, np.arange(pairs) * 1.0)
    assert (figure.estimate, figure.high) == (1.0, 1.0)
    assert 0.0 < figure.low < 0.99
    assert math.isnan(improvement(np.ones(1), np.zeros(1)).low)


@pytest.mark.parametrize(
    ("shift", "spread", "truth"),
    [
        (0.0, 1.0, 0.5),
        (0.7416, 1.0, 0.7),
        (1.8124, 1.0, 0.9),
        (2.6599, 1.0, 0.97),
        (4.0, 3.0, 0.897),
    ],
)
@pytest.mark.parametrize("pairs", [5, 10, 20])
def test_coverage_of_an_improvement_is_near_its_level(
    shift: float, spread: float, truth: float, pairs: int
) -> None:
    """Normal returns of either agent; at a true 97 % with ten pairs a bootstrap covers 69 %."""
    generator, held = np.random.default_rng(pairs), 0
    for _ in range(600):
        first, second = generator.normal(size=(2, pairs))
        held += improvement(first + shift, spread * second).holds(truth)
    assert 0.905 < held / 600 <= 0.995


@pytest.mark.parametrize("differences", [1, 2, 3, 6, 15, 45])
def test_the_pairs_needed_are_those_that_holm_leaves_something_to_tell(differences: int) -> None:
    pairs = pairs_needed(differences)
    for n, clear in ((pairs, True), (pairs - 1, False)):
        adjusted = holm([2.0 ** (1 - n)] + [1.0] * (differences - 1))
        assert (adjusted[0] <= 0.05) == clear


def test_states_are_resampled_by_episode() -> None:
    """Two episodes that disagree: the interval must span both, however many states they have."""
    statistic = of_means(np.array([0.0, 1000.0]), np.array([1000, 1000]))
    figure = bootstrap(statistic, 2, np.random.default_rng(0))
    assert figure.estimate == 0.5
    assert figure.bounds(0.95) == (0.0, 1.0)
    assert statistic(np.array([[0, 0], [1, 1], [0, 1]])).tolist() == [0.0, 1.0, 0.5]


def test_correlation_from_sums_is_numpys() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(2, 40))
    moments = np.stack([correlation_sums(x[i : i + 10], y[i : i + 10]) for i in range(0, 40, 10)])
    assert of_correlation(moments)(np.arange(4)[None])[0] == pytest.approx(np.corrcoef(x, y)[0, 1])
    constant = np.stack([correlation_sums(np.ones(5), y[:5])])
    assert math.isnan(of_correlation(constant)(np.zeros((1, 1), int))[0])


def test_holm_by_hand_and_its_order() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([0.5, 0.9]) == pytest.approx((1.0, 1.0))
    assert holm([0.02]) == (0.02,)
    assert holm([]) == ()


def test_bad_input_is_refused() -> None:
    with pytest.raises(NotFinite, match="values holds nan"):
        of_values(np.array([1.0, np.nan]), mean)
    with pytest.raises(InvalidArgument, match="no units"):
        bootstrap(of_values(np.array([]), mean), 0, np.random.default_rng(0))
    with pytest.raises(InvalidArgument, match="0 < probability < 1"):
        student_quantile(0.0, 5)
