"""Where the mass of two agents' maps lies, and where one has more of it.

Shape letters: T states, gy gx grid rows and columns, N = gy * gx.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentlens.comparison.screen_maps import ScreenGrid, SharedMaps, flat


@dataclass(frozen=True, kw_only=True)
class RegionGain:
    """The ninth of the screen where an agent's maps have most more of their mass than another's."""

    agent: str
    region: str
    share: float


@dataclass(frozen=True, kw_only=True, eq=False)
class MassShift:
    """Where the first agent's maps have more of their mass: ``shift`` float64 [gy, gx], sums to 0.

    ``region``: the ninth of the screen that gains most ("upper left"), ``gain``: its gain, as a
    share of all mass. ``other_region``, ``other_gain``: the same for the second agent.
    """

    first: str
    second: str
    states_of: str
    role: str
    grid: ScreenGrid
    shift: np.ndarray
    region: str
    gain: float
    other_region: str
    other_gain: float

    @property
    def gains(self) -> tuple[RegionGain, RegionGain]:
        """Both agents' largest gains."""
        return (
            RegionGain(agent=self.first, region=self.region, share=self.gain),
            RegionGain(agent=self.second, region=self.other_region, share=self.other_gain),
        )


def mass_shift_of(shared: SharedMaps, screen: tuple[int, int]) -> MassShift:
    """The shift between two agents' maps with its largest region.

    Args:
        shared: both agents' maps.
        screen: rows and columns of the native screen.
    """
    shift = mass_shift(shared)
    region, gain = gaining_region(shift, shared.grid, screen)
    other_region, other_gain = gaining_region(-shift, shared.grid, screen)
    return MassShift(
        first=shared.first,
        second=shared.second,
        states_of=shared.states_of,
        role=shared.role,
        grid=shared.grid,
        shift=shift,
        region=region,
        gain=gain,
        other_region=other_region,
        other_gain=other_gain,
    )


def map_distance(shared: SharedMaps) -> np.ndarray:
    """Total variation between the maps as shares of their mass: float64 [T], 0 equal to 1 apart.

    NaN where a map is all zeros.
    """
    first, second = shares(flat(shared.first_values)), shares(flat(shared.second_values))
    result: np.ndarray = np.abs(first - second).sum(axis=1) / 2
    return result


def mass_shift(shared: SharedMaps) -> np.ndarray:
    """Where the first agent's maps have more of their mass than the second's: float64 [gy, gx].

    The mean over states of the difference of shares; sums to 0. Positive: the first looks more.
    """
    first, second = shares(flat(shared.first_values)), shares(flat(shared.second_values))
    both = np.isfinite(first[:, 0]) & np.isfinite(second[:, 0])
    if not both.any():
        return np.zeros(shared.grid.shape)
    shift: np.ndarray = (first[both] - second[both]).mean(axis=0).reshape(shared.grid.shape)
    return shift


def gaining_region(
    shift: np.ndarray, grid: ScreenGrid, screen: tuple[int, int]
) -> tuple[str, float]:
    """The ninth of the screen that gains most mass, and its gain.

    Args:
        shift: float [gy, gx] from ``mass_shift``.
        grid: where its cells lie.
        screen: rows and columns of the native screen.

    Returns:
        Such as ("upper left", 0.07).
    """
    rows = np.clip(np.array(grid.rows) * 3 // screen[0], 0, 2).astype(int)
    columns = np.clip(np.array(grid.columns) * 3 // screen[1], 0, 2).astype(int)
    gains = np.zeros((3, 3))
    np.add.at(gains, np.ix_(rows, columns), shift)
    row, column = np.unravel_index(int(gains.argmax()), gains.shape)
    vertical, across = ("upper", "middle", "lower")[row], ("left", "centre", "right")[column]
    name = "centre" if (vertical, across) == ("middle", "centre") else f"{vertical} {across}"
    return name, float(gains.max())


def shares(maps: np.ndarray) -> np.ndarray:
    """Each row divided by its sum: float64 [T, N]; NaN where a row is all zeros."""
    total = maps.sum(axis=1, keepdims=True)
    result: np.ndarray = np.divide(maps, total, out=np.full(maps.shape, np.nan), where=total > 0)
    return result
