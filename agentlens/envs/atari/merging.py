"""Which actions do the same in which cartridge: the tables behind ``envs.alike``.

The table was derived from the emulator, not from names: from many states of a game, cloned, each
action is held for some frames and followed by the same play, and two actions belong together if
screens, rewards and lives never differ and the RAM is equal in the end. ``tests/paper`` derives
it again.
"""

from __future__ import annotations

from collections.abc import Mapping

_UP_AND_DOWN_DO_NOTHING = (
    ("NOOP", "UP", "DOWN"),
    ("FIRE", "UPFIRE", "DOWNFIRE"),
    ("RIGHT", "UPRIGHT", "DOWNRIGHT"),
    ("LEFT", "UPLEFT", "DOWNLEFT"),
    ("RIGHTFIRE", "UPRIGHTFIRE", "DOWNRIGHTFIRE"),
    ("LEFTFIRE", "UPLEFTFIRE", "DOWNLEFTFIRE"),
)

SAME: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "breakout": _UP_AND_DOWN_DO_NOTHING,
    "pong": _UP_AND_DOWN_DO_NOTHING,
    "space_invaders": _UP_AND_DOWN_DO_NOTHING,
}
"""By ROM name: groups of actions that never differ."""

ALIKE: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "pong": tuple(
        _UP_AND_DOWN_DO_NOTHING[i] + _UP_AND_DOWN_DO_NOTHING[j] for i, j in ((0, 1), (2, 4), (3, 5))
    ),
}
"""By ROM name: groups of actions that differ only as ``CAVEATS`` says."""

CAVEATS: Mapping[str, str] = {
    "pong": "FIRE held at the moment the paddle meets the ball makes the ball faster",
}
"""By game: where actions that ``merge_groups`` puts together are not the same after all."""
