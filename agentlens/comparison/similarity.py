"""How alike two agents' saliency maps are, on one grid of the screen.

A similarity is never read alone: maps of any two agents correlate where both follow the input.
So each comes with the same figure after the agent-free energy map is partialled out, with each
agent's own similarity to that energy, with the similarity of maps from *different* moments of the
same game, and, where given, with that of an agent that differs by its training seed alone.

Shape letters: T states, gy gx grid rows and columns, N = gy * gx.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from agentlens.arrays import check_shape
from agentlens.comparison.statistics import Interval, bootstrap, of_means
from agentlens.errors import InvalidArgument
from agentlens.spec import SCREEN_SHAPE, ObservationSpec
from agentlens.store.maps import MapSet

TOP_SHARE = 0.05
"""Of the grid's cells: those with the largest values."""
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
class Seen:
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
    """Two agents' maps of the same states on one screen grid; fields as in ``Seen``."""

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


@dataclass(frozen=True, kw_only=True)
class Similarity:
    """Similarity of two agents' maps by state, averaged; intervals resample whole episodes.

    ``spearman``: rank correlation over the grid, -1 to 1. ``spearman_partial``: the same with
    both energy maps partialled out of the ranks. ``top_overlap``: shared part of the 5 % of cells
    with the largest values, 0 to 1, 0.05 by chance. ``elsewhere``: ``spearman`` of the first
    agent's map with the second's at another moment. ``first_energy``, ``second_energy``:
    ``spearman`` of each agent with its energy map. ``floor``: ``spearman_partial`` (``spearman``
    without energy) of the first agent with one of another training seed. ``undefined``: states
    left out because a map is constant. None where a control is missing.
    """

    first: str
    second: str
    states_of: str
    role: str
    states: int
    undefined: int
    spearman: Interval | None
    spearman_partial: Interval | None
    top_overlap: Interval | None
    elsewhere: Interval | None
    first_energy: Interval | None
    second_energy: Interval | None
    floor: Interval | None = None


def seen(
    maps: MapSet,
    role: str,
    observation: ObservationSpec,
    screen_shape: tuple[int, int] = SCREEN_SHAPE,
) -> Seen | None:
    """An agent's maps of one role ("actor" or "critic"), or None where it has none.

    Args:
        maps: an opened map set.
        role: a Q-network's gap counts as its actor.
        observation: the agent's, for the geometry.
        screen_shape: rows and columns of the native screen.
    """
    roles = {"actor": ("actor", "q"), "critic": ("critic",)}[role]
    found = [i for i, t in enumerate(maps.header.targets) if t.role in roles]
    if not found or not len(maps.steps):
        return None
    energy = maps.targets.index(ENERGY) if ENERGY in maps.targets else None
    rows = tuple(observation.to_screen(r, 0.0, screen_shape)[0] for r in maps.grid.rows)
    columns = tuple(observation.to_screen(0.0, c, screen_shape)[1] for c in maps.grid.columns)
    return Seen(
        target=maps.targets[found[0]],
        grid=ScreenGrid(rows=rows, columns=columns),
        values=_magnitude(maps.values[:, found[0]]),
        energy=None if energy is None else _magnitude(maps.values[:, energy]),
        episodes=np.asarray(maps.episodes, np.int64),
        steps=np.asarray(maps.steps, np.int64),
    )


def shared_maps(
    first: str, one: Seen, second: str, two: Seen, *, states_of: str, role: str
) -> SharedMaps:
    """Bring two agents' maps of the same states to one screen grid.

    Raises:
        InvalidArgument: no state in common, or grids that do not overlap on the screen.
    """
    ours = {state: i for i, state in enumerate(zip(one.episodes, one.steps, strict=True))}
    pairs = [
        (ours[state], j)
        for j, state in enumerate(zip(two.episodes, two.steps, strict=True))
        if state in ours
    ]
    if not pairs:
        raise InvalidArgument(f"the maps of {first} and {second} have no state in common.")
    i, j = np.array(pairs).T
    grid = common_grid(one.grid, two.grid)

    def on_grid(values: np.ndarray | None, rows: np.ndarray, own: ScreenGrid) -> np.ndarray | None:
        return None if values is None else resample(values[rows], own, grid)

    return SharedMaps(
        first=first,
        second=second,
        states_of=states_of,
        role=role,
        grid=grid,
        episodes=one.episodes[i],
        steps=one.steps[i],
        first_values=resample(one.values[i], one.grid, grid),
        second_values=resample(two.values[j], two.grid, grid),
        first_energy=on_grid(one.energy, i, one.grid),
        second_energy=on_grid(two.energy, j, two.grid),
    )


def common_grid(one: ScreenGrid, two: ScreenGrid) -> ScreenGrid:
    """The same grid where both are equal, else points over their overlap at the coarser spacing."""
    if one == two:
        return one
    return ScreenGrid(
        rows=_common_axis(one.rows, two.rows), columns=_common_axis(one.columns, two.columns)
    )


def resample(values: np.ndarray, own: ScreenGrid, wanted: ScreenGrid) -> np.ndarray:
    """Bilinear interpolation between the true centres: float64 [T, gy, gx] on ``wanted``."""
    check_shape("values", values, (None, *own.shape))
    if own == wanted:
        return values.astype(np.float64)
    rows, columns = _weights(own.rows, wanted.rows), _weights(own.columns, wanted.columns)
    result: np.ndarray = rows @ values.astype(np.float64) @ columns.T
    return result


def similarity(shared: SharedMaps, generator: np.random.Generator) -> Similarity:
    """Measure the similarity of two agents' maps beside its controls."""
    one, two = _flat(shared.first_values), _flat(shared.second_values)
    raw = spearman(one, two)
    defined = np.isfinite(raw)
    episodes = shared.episodes[defined]

    def interval(values: np.ndarray | None) -> Interval | None:
        if values is None:
            return None
        good = np.isfinite(values)
        if not good.any():
            return None
        kept, homes = values[good], episodes[good]
        names = np.unique(homes)
        sums = np.array([kept[homes == e].sum() for e in names])
        counts = np.array([(homes == e).sum() for e in names])
        return bootstrap(of_means(sums, counts), len(names), generator).interval()

    one, two = one[defined], two[defined]
    energies = [
        None if e is None else _flat(e)[defined]
        for e in (shared.first_energy, shared.second_energy)
    ]
    controls = [e for e in energies if e is not None]
    return Similarity(
        first=shared.first,
        second=shared.second,
        states_of=shared.states_of,
        role=shared.role,
        states=len(raw),
        undefined=int((~defined).sum()),
        spearman=interval(raw[defined]),
        spearman_partial=interval(spearman(one, two, *controls)) if controls else None,
        top_overlap=interval(top_overlap(one, two)),
        elsewhere=interval(spearman(one, _other_moments(two, generator))),
        first_energy=None if energies[0] is None else interval(spearman(one, energies[0])),
        second_energy=None if energies[1] is None else interval(spearman(two, energies[1])),
    )


def spearman(one: np.ndarray, two: np.ndarray, *controls: np.ndarray) -> np.ndarray:
    """Rank correlation row by row, with the ranks of ``controls`` partialled out.

    Args:
        one, two, controls: float [T, N]; ties share their mean rank.

    Returns:
        float64 [T] in [-1, 1]; NaN where a map (or what the controls leave of it) is constant.
    """
    x, y = _centred_ranks(one), _centred_ranks(two)
    full_x, full_y = _norm(x), _norm(y)
    basis: list[np.ndarray] = []
    for control in controls:
        z = _centred_ranks(control)
        before = _norm(z)
        for b in basis:
            z = z - (z * b).sum(axis=1, keepdims=True) * b
        size = _norm(z)
        usable = size > 1e-6 * np.maximum(before, 1.0)
        basis.append(np.where(usable, z / np.where(usable, size, 1.0), 0.0))
    for b in basis:
        x = x - (x * b).sum(axis=1, keepdims=True) * b
        y = y - (y * b).sum(axis=1, keepdims=True) * b
    size_x, size_y = _norm(x), _norm(y)
    usable = (size_x > 1e-6 * np.maximum(full_x, 1.0)) & (size_y > 1e-6 * np.maximum(full_y, 1.0))
    product = (x * y).sum(axis=1, keepdims=True)
    scale = np.where(usable, size_x * size_y, 1.0)
    result: np.ndarray = np.where(usable, np.clip(product / scale, -1.0, 1.0), np.nan)[:, 0]
    return result


def top_overlap(one: np.ndarray, two: np.ndarray, share: float = TOP_SHARE) -> np.ndarray:
    """Shared part of the cells with the largest values, row by row: float64 [T] in [0, 1].

    Args:
        one, two: float [T, N].
        share: of the cells, rounded up to a whole one.
    """
    check_shape("two", two, one.shape)
    count = math.ceil(share * one.shape[1])
    tops = [np.argsort(-m, axis=1, kind="stable")[:, :count] for m in (one, two)]
    members = [np.zeros(one.shape, bool) for _ in tops]
    for member, top in zip(members, tops, strict=True):
        np.put_along_axis(member, top, True, axis=1)
    result: np.ndarray = (members[0] & members[1]).sum(axis=1) / count
    return result


def map_distance(shared: SharedMaps) -> np.ndarray:
    """Total variation between the maps as shares of their mass: float64 [T], 0 equal to 1 apart.

    NaN where a map is all zeros.
    """
    one, two = shares(_flat(shared.first_values)), shares(_flat(shared.second_values))
    result: np.ndarray = np.abs(one - two).sum(axis=1) / 2
    return result


def mass_shift(shared: SharedMaps) -> np.ndarray:
    """Where the first agent's maps have more of their mass than the second's: float64 [gy, gx].

    The mean over states of the difference of shares; sums to 0. Positive: the first looks more.
    """
    one, two = shares(_flat(shared.first_values)), shares(_flat(shared.second_values))
    both = np.isfinite(one[:, 0]) & np.isfinite(two[:, 0])
    if not both.any():
        return np.zeros(shared.grid.shape)
    shift: np.ndarray = (one[both] - two[both]).mean(axis=0).reshape(shared.grid.shape)
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


def _magnitude(values: np.ndarray) -> np.ndarray:
    """Absolute values summed over planes: [T, planes, gy, gx] to float64 [T, gy, gx]."""
    result: np.ndarray = np.abs(values.astype(np.float64)).sum(axis=1)
    return result


def _flat(maps: np.ndarray) -> np.ndarray:
    flat: np.ndarray = maps.reshape(len(maps), -1)
    return flat


def _centred_ranks(maps: np.ndarray) -> np.ndarray:
    ranks = np.empty(maps.shape)
    for i, row in enumerate(maps):
        _, places, counts = np.unique(row, return_inverse=True, return_counts=True)
        ranks[i] = (np.cumsum(counts) - (counts - 1) / 2)[places]
    centred: np.ndarray = ranks - ranks.mean(axis=1, keepdims=True)
    return centred


def _norm(rows: np.ndarray) -> np.ndarray:
    size: np.ndarray = np.linalg.norm(rows, axis=1, keepdims=True)
    return size


def _other_moments(maps: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Every map replaced by that of another state: a random cycle through all of them."""
    order = generator.permutation(len(maps))
    moved = np.empty_like(maps)
    moved[order] = maps[np.roll(order, 1)]
    return moved


def _common_axis(one: tuple[float, ...], two: tuple[float, ...]) -> tuple[float, ...]:
    low, high = max(one[0], two[0]), min(one[-1], two[-1])
    if low >= high:
        raise InvalidArgument(
            f"the maps do not overlap on the screen: {one[0]:.0f} to {one[-1]:.0f} and "
            f"{two[0]:.0f} to {two[-1]:.0f} pixels."
        )
    spacing = max(
        (axis[-1] - axis[0]) / max(len(axis) - 1, 1) for axis in (one, two)
    )  # the coarser
    return tuple(np.linspace(low, high, max(2, round((high - low) / spacing) + 1)).tolist())


def _weights(own: tuple[float, ...], wanted: tuple[float, ...]) -> np.ndarray:
    """float64 [wanted, own]: linear interpolation, the edge value beyond the ends."""
    identity = np.eye(len(own))
    return np.stack([np.interp(wanted, own, column) for column in identity], axis=1)
