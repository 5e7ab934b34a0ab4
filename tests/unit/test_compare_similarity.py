"""How alike maps are: SciPy and hand values as oracles, one grid for different observations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from agentlens.comparison.mass import map_distance, mass_shift
from agentlens.comparison.ranks import spearman, top_overlap
from agentlens.comparison.screen_maps import (
    ScreenGrid,
    ScreenMaps,
    SharedMaps,
    aligned_maps,
    resample,
    to_screen_maps,
)
from agentlens.comparison.similarity import Similarity, similarity
from agentlens.comparison.statistics import Interval
from agentlens.errors import InvalidArgument
from agentlens.spec import ObservationSpec
from agentlens.store.maps import MapSet
from tests.compare_samples import AGENT, maps

GENERATOR = np.random.default_rng(0)
OBSERVATION = AGENT.observation


def shared(first: np.ndarray, second: np.ndarray, energy: np.ndarray | None = None) -> SharedMaps:
    ours, theirs = (on_screen(maps(m, energy=energy)) for m in (first, second))
    return aligned_maps(ours, theirs, labels=("A", "B"), states_of="A", role="actor")


def on_screen(maps: MapSet, observation: ObservationSpec = OBSERVATION) -> ScreenMaps:
    placed = to_screen_maps(maps, "actor", observation)
    assert placed is not None
    return placed


def figure(of: Similarity, name: str) -> Interval:
    interval = of.figures[name]
    assert interval is not None
    return interval


def test_spearman_is_scipys_with_ties_too() -> None:
    one, two = GENERATOR.integers(0, 6, size=(2, 7, 40)).astype(float)
    expected = [stats.spearmanr(a, b).statistic for a, b in zip(one, two, strict=True)]
    assert spearman(one, two) == pytest.approx(expected)


def test_partial_spearman_is_the_formula_for_one_control() -> None:
    one, two, energy = GENERATOR.normal(size=(3, 5, 60))
    two, one = two + energy, one + energy
    xy, xz, yz = spearman(one, two), spearman(one, energy), spearman(two, energy)
    expected = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    assert spearman(one, two, energy) == pytest.approx(expected)
    assert spearman(one, two, energy, energy * 3) == pytest.approx(expected)


def test_maps_that_only_follow_the_input_are_alike_until_energy_is_partialled_out() -> None:
    energy = GENERATOR.exponential(size=(60, 6, 6))
    first, second = (energy + 0.3 * GENERATOR.exponential(size=energy.shape) for _ in "ab")
    alike = similarity(shared(first, second, energy))
    assert figure(alike, "spearman").estimate > 0.7
    assert abs(figure(alike, "spearman_partial").estimate) < 0.1
    assert figure(alike, "first_energy").estimate > 0.8
    assert abs(figure(alike, "elsewhere").estimate) < 0.1


def test_a_map_is_like_itself_and_a_constant_one_is_left_out() -> None:
    values = GENERATOR.exponential(size=(4, 5, 5))
    values[2] = 0.0
    alike = similarity(shared(values, values))
    assert (alike.states, alike.undefined) == (4, 1)
    assert figure(alike, "spearman").estimate == pytest.approx(1.0)
    assert figure(alike, "top_overlap").estimate == 1.0
    assert alike.figures["spearman_partial"] is None
    distances = map_distance(shared(values, values))
    assert np.isnan(distances[2])
    assert distances[0] == 0.0
    assert np.array_equal(mass_shift(shared(values, values)), np.zeros((5, 5)))


def test_nothing_but_constant_maps_has_no_similarity() -> None:
    alike = similarity(shared(*np.zeros((2, 3, 4, 4))))
    assert alike.figures["spearman"] is None
    assert alike.undefined == 3


def test_top_overlap_by_hand() -> None:
    one, two = np.zeros((1, 40)), np.zeros((1, 40))
    one[0, [3, 9]] = two[0, [9, 30]] = 1.0
    assert top_overlap(one, two).tolist() == [0.5]


def test_mass_moves_from_left_to_right() -> None:
    first, second = np.zeros((1, 2, 2)), np.zeros((1, 2, 2))
    first[0, :, 1] = 7.0
    second[0, :, 0] = 1.0
    assert mass_shift(shared(first, second)).tolist() == [[-0.5, 0.5], [-0.5, 0.5]]
    assert map_distance(shared(first, second)).tolist() == [1.0]


def test_signed_maps_count_by_magnitude() -> None:
    values = GENERATOR.normal(size=(3, 4, 4))
    alike = similarity(shared(values, -values))
    assert figure(alike, "spearman").estimate == pytest.approx(1.0)


def test_maps_of_cropped_and_whole_observations_meet_at_the_same_place_of_the_screen() -> None:
    """One spot of the screen, seen by a whole-screen agent and by one that sees rows 35 to 195."""
    cropped = replace(OBSERVATION, crop=(35, 195, 0, 160), resize=(80, 80))
    whole_set = maps(np.zeros((1, 21, 16)))
    crop_set = maps(np.zeros((1, 16, 16)), observation=cropped)
    spot = (115.0, 85.0)

    def bump(grid: ScreenGrid) -> np.ndarray:
        rows, columns = np.array(grid.rows)[:, None], np.array(grid.columns)[None, :]
        return np.exp(-((rows - spot[0]) ** 2 + (columns - spot[1]) ** 2) / (2 * 15.0**2))

    one, two = on_screen(whole_set), on_screen(crop_set, cropped)
    one, two = replace(one, values=bump(one.grid)[None]), replace(two, values=bump(two.grid)[None])
    both = aligned_maps(one, two, labels=("A", "B"), states_of="A", role="actor")
    peak = np.unravel_index(both.first_values[0].argmax(), both.grid.shape)
    assert abs(both.grid.rows[peak[0]] - spot[0]) < 8
    assert abs(both.grid.columns[peak[1]] - spot[1]) < 8
    assert np.abs(both.first_values - both.second_values).max() < 0.08
    assert both.grid.rows[0] >= 35


def test_resampling_is_exact_for_a_plane() -> None:
    own = ScreenGrid(rows=(0.0, 10.0, 30.0), columns=(5.0, 15.0))
    wanted = ScreenGrid(rows=(5.0, 20.0), columns=(5.0, 7.5))
    plane = np.array([[[r + 100 * c for c in own.columns] for r in own.rows]])
    expected = [[[r + 100 * c for c in wanted.columns] for r in wanted.rows]]
    assert resample(plane, own, wanted).tolist() == expected


def test_missing_things_are_said() -> None:
    values = GENERATOR.exponential(size=(2, 4, 4))
    assert to_screen_maps(maps(values), "critic", OBSERVATION) is None
    one, two = on_screen(maps(values)), on_screen(maps(values, steps=[7, 8]))
    with pytest.raises(InvalidArgument, match="A and B have no state in common"):
        aligned_maps(one, two, labels=("A", "B"), states_of="A", role="actor")
