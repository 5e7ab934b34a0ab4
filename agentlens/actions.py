"""Which actions do the same in which game.

The table was derived from the emulator, not from names: from many states of a game, cloned, each
action is held for some frames and followed by the same play, and two actions belong together if
screens, rewards and lives never differ and the RAM is equal in the end. ``tests/paper`` derives
it again. In a game that is not in the table every action stands for itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agentlens.errors import InvalidArgument

_UP_AND_DOWN_DO_NOTHING = (
    ("NOOP", "UP", "DOWN"),
    ("FIRE", "UPFIRE", "DOWNFIRE"),
    ("RIGHT", "UPRIGHT", "DOWNRIGHT"),
    ("LEFT", "UPLEFT", "DOWNLEFT"),
    ("RIGHTFIRE", "UPRIGHTFIRE", "DOWNRIGHTFIRE"),
    ("LEFTFIRE", "UPLEFTFIRE", "DOWNLEFTFIRE"),
)

_SAME: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "breakout": _UP_AND_DOWN_DO_NOTHING,
    "pong": _UP_AND_DOWN_DO_NOTHING,
    "space_invaders": _UP_AND_DOWN_DO_NOTHING,
}

_ALIKE: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "pong": tuple(
        _UP_AND_DOWN_DO_NOTHING[i] + _UP_AND_DOWN_DO_NOTHING[j] for i, j in ((0, 1), (2, 4), (3, 5))
    ),
}

CAVEATS: Mapping[str, str] = {
    "pong": "FIRE held at the moment the paddle meets the ball makes the ball faster",
}
"""By game: where actions that ``merge_groups`` puts together are not the same after all."""


def merge_groups(
    game: str, meanings: Sequence[str], *, exact: bool = False
) -> tuple[tuple[int, ...], ...]:
    """The agent's actions in groups that do the same.

    Args:
        game: ROM name, such as "pong".
        meanings: ALE's names of the agent's actions, in order.
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
    table = _SAME.get(game, ())
    if not exact:
        table = _ALIKE.get(game, table)
    leader = {name: group[0] for group in table for name in group}
    groups: dict[str, list[int]] = {}
    for index, name in enumerate(meanings):
        groups.setdefault(leader.get(name, name), []).append(index)
    return tuple(tuple(group) for group in groups.values())
