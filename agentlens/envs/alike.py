"""Which actions of a game do the same: asked by everything that shows or compares choices.

Light to import: the pages and pictures that ask for it need no emulator.
"""

from __future__ import annotations

from collections.abc import Sequence

from agentlens.envs.atari.merging import ALIKE, CAVEATS, SAME
from agentlens.errors import InvalidArgument

__all__ = ["CAVEATS", "merge_groups"]


def merge_groups(
    game: str, meanings: Sequence[str], *, exact: bool = False
) -> tuple[tuple[int, ...], ...]:
    """The agent's actions in groups that do the same.

    Args:
        game: what is played, such as "pong"; in a game that is in no table every action stands
            for itself.
        meanings: names of the agent's actions, in order.
        exact: leave out what holds only up to the game's entry in ``CAVEATS``. With it Pong's six
            actions are six; without it they are three.

    Returns:
        Indices into ``meanings``, each once: groups by their first member, members in order.

    Raises:
        InvalidArgument: a meaning is there twice.

    Example:
        >>> merge_groups("pong", ("NOOP", "FIRE", "RIGHT", "LEFT", "RIGHTFIRE", "LEFTFIRE"))
        ((0, 1), (2, 4), (3, 5))
        >>> merge_groups("breakout", ("NOOP", "FIRE", "RIGHT", "LEFT"))
        ((0,), (1,), (2,), (3,))
    """
    if len(set(meanings)) != len(meanings):
        raise InvalidArgument(f"action meanings repeat a name: {', '.join(meanings)}.")
    table = SAME.get(game, ())
    if not exact:
        table = ALIKE.get(game, table)
    leader = {name: group[0] for group in table for name in group}
    groups: dict[str, list[int]] = {}
    for index, name in enumerate(meanings):
        groups.setdefault(leader.get(name, name), []).append(index)
    return tuple(tuple(group) for group in groups.values())
