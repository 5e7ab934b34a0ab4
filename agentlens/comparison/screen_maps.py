"""Two agents' saliency maps on one grid of the screen, whatever their observations look like.

Shape letters: T states, gy gx grid rows and columns, N = gy * gx.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from agentlens.arrays import check_shape
from agentlens.errors import InvalidArgument
from agentlens.spec import SCREEN_SHAPE, ObservationSpec
from agentlens.store.maps import MapSet

ENERGY = "energy"
"""Name of the agent-free control among a map set's targets."""


@dataclass(frozen=True, kw_only=True)
class ScreenGrid:
    """Points of the native screen, in its pixels (centre convention)."""

    rows: tuple[float, ...]
    columns: tuple[float, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """(gy, gx)."""
        return (len(self.rows), len(self.columns))


@dataclass(frozen=True, kw_only=True, eq=False)
class ScreenMaps:
    """An agent's maps of one role and where they lie on the screen.

    ``values``, ``energy``: float64 [T, gy, gx], never negative (signed maps by magnitude, planes
    summed); ``energy`` is None where the map set has no such control. ``episodes``, ``steps``:
    int64 [T]. ``target``: the score's name.
    """

    target: str
    grid: ScreenGrid
    values: np.ndarray
    energy: np.ndarray | None
    episodes: np.ndarray
    steps: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class SharedMaps:
    """Two agents' maps of the same states on one screen grid; fields as in ``ScreenMaps``."""

    first: str
    second: str
    states_of: str
    role: str
    grid: ScreenGrid
    episodes: np.ndarray
    steps: np.ndarray
    first_values: np.ndarray
    second_values: np.ndarray
    first_energy: np.ndarray | None
    second_energy: np.ndarray | None

    def swapped(self) -> SharedMaps:
        """The same with the second agent first."""
        return replace(
            self,
            first=self.second,
            second=self.first,
            first_values=self.second_values,
            second_values=self.first_values,
            first_energy=self.second_energy,
            second_energy=self.first_energy,
        )

    def only(self, rows: np.ndarray) -> SharedMaps:
        """Some of the states: int or bool ``rows``."""
        energies = (self.first_energy, self.second_energy)
        first, second = (None if e is None else e[rows] for e in energies)
        return replace(
            self,
            episodes=self.episodes[rows],
            steps=self.steps[rows],
            first_values=self.first_values[rows],
            second_values=self.second_values[rows],
            first_energy=first,
            second_energy=second,
        )


def to_screen_maps(
    maps: MapSet,
    role: str,
    observation: ObservationSpec,
    screen_shape: tuple[int, int] = SCREEN_SHAPE,
) -> ScreenMaps | None:
    """An agent's maps of one role ("actor" or "critic"), or None where it has none.

    Args:
        maps: an opened map set.
        role: a Q-network's gap counts as its actor.
        observation: the agent's, for the geometry.
        screen_shape: rows and columns of the native screen.
    """
    roles = {"actor": ("actor", "q"), "critic": ("critic",)}[role]
    targets = [i for i, t in enumerate(maps.header.targets) if t.role in roles]
    if not targets or not len(maps.steps):
        return None
    energy = maps.targets.index(ENERGY) if ENERGY in maps.targets else None
    rows = tuple(observation.to_screen(r, 0.0, screen_shape)[0] for r in maps.grid.rows)
    columns = tuple(observation.to_screen(0.0, c, screen_shape)[1] for c in maps.grid.columns)
    return ScreenMaps(
        target=maps.targets[targets[0]],
        grid=ScreenGrid(rows=rows, columns=columns),
        values=_magnitude(maps.values[:, targets[0]]),
        energy=None if energy is None else _magnitude(maps.values[:, energy]),
        episodes=np.asarray(maps.episodes, np.int64),
        steps=np.asarray(maps.steps, np.int64),
    )


def aligned_maps(
    first: ScreenMaps,
    second: ScreenMaps,
    *,
    labels: tuple[str, str],
    states_of: str,
    role: str,
) -> SharedMaps:
    """Bring two agents' maps of the same states to one screen grid.

    Args:
        first, second: the maps of each.
        labels: their shown names.
        states_of: whose states they are; role: whose maps ("actor", "critic").

    Raises:
        InvalidArgument: no state in common, or grids that do not overlap on the screen.
    """
    ours = {state: i for i, state in enumerate(zip(first.episodes, first.steps, strict=True))}
    pairs = [
        (ours[state], j)
        for j, state in enumerate(zip(second.episodes, second.steps, strict=True))
        if state in ours
    ]
    if not pairs:
        raise InvalidArgument(f"the maps of {labels[0]} and {labels[1]} have no state in common.")
    i, j = np.array(pairs).T
    grid = common_grid(first.grid, second.grid)

    def on_grid(values: np.ndarray | None, rows: np.ndarray, own: ScreenGrid) -> np.ndarray | None:
        return None if values is None else resample(values[rows], own, grid)

    return SharedMaps(
        first=labels[0],
        second=labels[1],
        states_of=states_of,
        role=role,
        grid=grid,
        episodes=first.episodes[i],
        steps=first.steps[i],
        first_values=resample(first.values[i], first.grid, grid),
        second_values=resample(second.values[j], second.grid, grid),
        first_energy=on_grid(first.energy, i, first.grid),
        second_energy=on_grid(second.energy, j, second.grid),
    )


def common_grid(first: ScreenGrid, second: ScreenGrid) -> ScreenGrid:
    """The same grid where both are equal, else points over their overlap at the coarser spacing."""
    if first == second:
        return first
    return ScreenGrid(
        rows=_common_axis(first.rows, second.rows),
        columns=_common_axis(first.columns, second.columns),
    )


def resample(values: np.ndarray, own: ScreenGrid, wanted: ScreenGrid) -> np.ndarray:
    """Bilinear interpolation between the true centres: float64 [T, gy, gx] on ``wanted``."""
    check_shape("values", values, (None, *own.shape))
    if own == wanted:
        return values.astype(np.float64)
    rows, columns = _weights(own.rows, wanted.rows), _weights(own.columns, wanted.columns)
    result: np.ndarray = rows @ values.astype(np.float64) @ columns.T
    return result


def flat(maps: np.ndarray) -> np.ndarray:
    """[T, gy, gx] as [T, N]."""
    rows: np.ndarray = maps.reshape(len(maps), math.prod(maps.shape[1:]))
    return rows


def _magnitude(values: np.ndarray) -> np.ndarray:
    """Absolute values summed over planes: [T, planes, gy, gx] to float64 [T, gy, gx]."""
    result: np.ndarray = np.abs(values.astype(np.float64)).sum(axis=1)
    return result


def _common_axis(first: tuple[float, ...], second: tuple[float, ...]) -> tuple[float, ...]:
    low, high = max(first[0], second[0]), min(first[-1], second[-1])
    if low >= high:
        raise InvalidArgument(
            f"the maps do not overlap on the screen: {first[0]:.0f} to {first[-1]:.0f} and "
            f"{second[0]:.0f} to {second[-1]:.0f} pixels."
        )
    coarser = max((axis[-1] - axis[0]) / max(len(axis) - 1, 1) for axis in (first, second))
    return tuple(np.linspace(low, high, max(2, round((high - low) / coarser) + 1)).tolist())


def _weights(own: tuple[float, ...], wanted: tuple[float, ...]) -> np.ndarray:
    """float64 [wanted, own]: linear interpolation, the edge value beyond the ends."""
    identity = np.eye(len(own))
    return np.stack([np.interp(wanted, own, column) for column in identity], axis=1)
