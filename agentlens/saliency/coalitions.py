"""Shapley values of a game of few players, exactly, and by sampling for more.

A coalition is a whole number whose bit i says that player i takes part (for objects: is shown).
Shape letters: F games (steps), N players, C coalitions, R orders.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from agentlens.arrays import check_shape
from agentlens.errors import InvalidArgument

EXACT_PLAYERS = 8
"""Up to so many players all coalitions are evaluated: at most 256."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Shares:
    """Shapley values: ``values`` float64 [F, N]; ``errors`` their standard errors, zeros where all
    coalitions were evaluated."""

    values: np.ndarray
    errors: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class CoalitionPlan:
    """Which coalitions are evaluated, and how their values become shares.

    ``coalitions``: int64 [C], each once; the first is nobody, the last everybody. ``orders``:
    int64 [R, N], the orders in which players come in, R = 0 where all coalitions are evaluated.
    """

    players: int
    coalitions: np.ndarray
    orders: np.ndarray

    @property
    def exact(self) -> bool:
        """Whether all coalitions are evaluated."""
        return len(self.orders) == 0

    def shares(self, values: np.ndarray) -> Shares:
        """Shapley values from the coalitions' values, float64 [F, C].

        They sum to the value of everybody less that of nobody.

        Raises:
            ShapeError: not a value for every coalition.
        """
        values = np.asarray(values, np.float64)
        check_shape("coalition values", values, (None, len(self.coalitions)))
        if self.exact:
            exact = shapley_values(values)
            return Shares(values=exact, errors=np.zeros_like(exact))
        return self._sampled(values)

    def _sampled(self, values: np.ndarray) -> Shares:
        place = {int(coalition): at for at, coalition in enumerate(self.coalitions)}
        gains = np.zeros((len(self.orders), len(values), self.players))
        for row, order in enumerate(self.orders):
            coalition = 0
            for player in order.tolist():
                joined = coalition | 1 << player
                gains[row, :, player] = values[:, place[joined]] - values[:, place[coalition]]
                coalition = joined
        pairs = gains.reshape(-1, 2, *gains.shape[1:]).mean(1)
        spread = pairs.std(0, ddof=1) if len(pairs) > 1 else np.full(gains.shape[1:], np.nan)
        return Shares(values=pairs.mean(0), errors=spread / math.sqrt(len(pairs)))


def plan_coalitions(players: int, *, orders: int = 16, seed: int = 0) -> CoalitionPlan:
    """All coalitions of up to eight players, or those of random orders in which more come in.

    Args:
        players: N.
        orders: how many random orders for more than eight players, even: every second one is its
            predecessor reversed, which lowers the error.
        seed: of the orders.

    Raises:
        InvalidArgument: no players, or an odd or too small number of orders.

    Notes:
        2^N coalitions up to eight players; at most ``orders`` (N - 1) + 2 for more.

    References:
        Castro et al. 2009 for sampling orders; pairs of opposite orders as in Mitchell et al. 2022.
    """
    if players < 1:
        raise InvalidArgument(f"{players} players: expected one or more.")
    if players <= EXACT_PLAYERS:
        every_set = np.arange(1 << players)
        return CoalitionPlan(
            players=players, coalitions=every_set, orders=np.zeros((0, players), np.int64)
        )
    if orders < 4 or orders % 2:
        raise InvalidArgument(f"{orders} orders: expected an even number, 4 or more.")
    rng = np.random.default_rng([seed, players])
    drawn = np.stack([rng.permutation(players) for _ in range(orders // 2)])
    both = np.stack([drawn, drawn[:, ::-1]], 1).reshape(-1, players)
    joined = np.cumsum(1 << both, axis=1)
    coalitions = np.unique(np.concatenate([[0], joined.ravel()]))
    return CoalitionPlan(players=players, coalitions=coalitions, orders=both)


def shapley_values(values: np.ndarray) -> np.ndarray:
    """Exact Shapley values.

    Args:
        values: float64 [F, 2^N], the value of every coalition, by its number.

    Returns:
        float64 [F, N]: what a player adds on average over all orders of coming in.

    References:
        Shapley 1953. For a policy's outputs with hidden parts of the observation: SVERL, Beechey
        et al. 2023, sections on behaviour and prediction. Deviation: hidden objects are erased
        to the recording's background, not drawn from the states that look alike otherwise.

    Example:
        >>> shapley_values(np.array([[0.0, 1.0, 2.0, 5.0]])).tolist()
        [[2.0, 3.0]]
    """
    players = _players(values)
    sizes = _sizes(players)
    shares = np.zeros((len(values), players))
    for player in range(players):
        without = np.flatnonzero((np.arange(1 << players) >> player) & 1 == 0)
        weights = np.array(
            [
                math.factorial(size) * math.factorial(players - size - 1)
                for size in sizes[without].tolist()
            ]
        ) / math.factorial(players)
        gains = values[:, without | 1 << player] - values[:, without]
        shares[:, player] = gains @ weights
    return shares


def shapley_interactions(values: np.ndarray) -> np.ndarray:
    """Pairwise interaction indices: what two players add together beyond each alone.

    Args:
        values: float64 [F, 2^N], the value of every coalition, by its number.

    Returns:
        float64 [F, N, N], symmetric with a zero diagonal; positive: they need each other.

    References:
        Grabisch and Roubens 1999, the Shapley interaction index.
    """
    players = _players(values)
    sizes = _sizes(players)
    interactions = np.zeros((len(values), players, players))
    numbers = np.arange(1 << players)
    for first in range(players):
        for second in range(first + 1, players):
            both = 1 << first | 1 << second
            without = np.flatnonzero(numbers & both == 0)
            weights = np.array(
                [
                    math.factorial(size) * math.factorial(players - size - 2)
                    for size in sizes[without].tolist()
                ]
            ) / math.factorial(players - 1)
            gains = (
                values[:, without | both]
                - values[:, without | 1 << first]
                - values[:, without | 1 << second]
                + values[:, without]
            )
            interactions[:, first, second] = interactions[:, second, first] = gains @ weights
    return interactions


def _players(values: np.ndarray) -> int:
    check_shape("coalition values", values, (None, None))
    players = int(values.shape[1]).bit_length() - 1
    if players < 1 or values.shape[1] != 1 << players:
        raise InvalidArgument(
            f"values of {values.shape[1]} coalitions: expected 2, 4, 8 or another power of two."
        )
    return players


def _sizes(players: int) -> np.ndarray:
    return np.array([number.bit_count() for number in range(1 << players)])
