"""Worlds whose cause is known as a kind of environment: their ids and what these say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentlens.envs.base import Described, Environment, EnvironmentKind
from agentlens.envs.causes.mosaic import CELL, MEANINGS, Mosaic
from agentlens.errors import UnknownName
from agentlens.spec import EnvironmentSpec

WORLDS: Mapping[str, Mapping[str, int]] = {
    "Mosaic9-v0": {"cells": 3},
    "Mosaic16-v0": {"cells": 4},
    "Mosaic25-v0": {"cells": 5},
    "Mosaic16Delay2-v0": {"cells": 4, "delay": 2},
    "Mosaic16Memory-v0": {"cells": 4, "delay": 2, "stack": 1},
    "Mosaic16Cheat-v0": {"cells": 4, "cheat": 1},
}
"""By id: cells along each axis, how many decisions ago the cue was shown, frames of the stack
where it does not reach back to it, and 1 for a corner that gives the answer away."""


@dataclass(frozen=True, kw_only=True)
class NoOptions:
    """These worlds have none: the id says everything."""


class Causes(EnvironmentKind):
    """Worlds in which a place that the world names decides what is right."""

    options = NoOptions

    def knows(self, env_id: str) -> bool:
        """Whether the id is one of these worlds."""
        return env_id in WORLDS

    def describe(self, env_id: str, options: Any = None, *, trust_code: bool = False) -> Described:
        """What the id says.

        Raises:
            UnknownName: no such world.
        """
        if env_id not in WORLDS:
            raise UnknownName("world whose cause is known", env_id, WORLDS)
        world = WORLDS[env_id]
        side = world["cells"] * CELL
        environment: dict[str, Any] = {
            "id": env_id,
            "game": "mosaic",
            "frame_skip": (1, 1),
            "repeat_action_probability": 0.0,
            "max_frames": 0,
        }
        observation = {
            "pool": "none",
            "grayscale": "ale",
            "resize": (side, side),
            "interpolation": "cv2-area",
            "stack": world.get("stack", world.get("delay", 0) + 1),
        }
        return Described(environment=environment, observation=observation)

    def action_meanings(
        self, spec: EnvironmentSpec, *, trust_code: bool = False
    ) -> tuple[str, ...]:
        """The four halves of the glyph that may be bright."""
        return MEANINGS

    def make(
        self,
        spec: EnvironmentSpec,
        meanings: Sequence[str],
        *,
        like: Environment | None = None,
        trust_code: bool = False,
    ) -> Mosaic:
        """Make the world; see ``Mosaic``."""
        world = WORLDS[spec.id]
        return Mosaic(
            spec,
            meanings,
            cells=world["cells"],
            delay=world.get("delay", 0),
            cheat=bool(world.get("cheat")),
            like=like,
        )


ENVIRONMENT = Causes()
