"""Where a game's objects are: facts about its RAM as data, one file a game, and what follows.

A game's file exports ``OBJECTS``, a :class:`GameObjects`: names, RAM addresses, offsets, sizes and
colours. ``objects_of`` turns them into a finder that labels the pixels of a recording's screens;
games without facts get one that goes by colour. Nothing here imports the emulator or torch.
"""

from __future__ import annotations

from agentlens.envs.atari.objects._background import background_picture
from agentlens.envs.atari.objects._boxes import BoxCheck, Boxes, boxes_of, check_boxes
from agentlens.envs.atari.objects._facts import Byte, GameObjects, ObjectFact, When
from agentlens.envs.atari.objects._finders import (
    ColourFinder,
    FactFinder,
    ObjectFinder,
    colour_finder,
)
from agentlens.envs.atari.objects._recorded import RecordedObjects, ram_of, recorded_objects
from agentlens.envs.atari.objects._regions import Region, regions
from agentlens.registry import Registry
from agentlens.store.recording import Recording

OBJECTS: Registry[GameObjects] = Registry(
    package="agentlens.envs.atari.objects",
    attribute="OBJECTS",
    kind="game with object facts",
    group="agentlens.objects",
)
"""Object facts by game, as ale-py spells it with hyphens: "pong", "space-invaders"."""

__all__ = [
    "OBJECTS",
    "BoxCheck",
    "Boxes",
    "Byte",
    "ColourFinder",
    "FactFinder",
    "GameObjects",
    "ObjectFact",
    "ObjectFinder",
    "RecordedObjects",
    "Region",
    "When",
    "background_picture",
    "boxes_of",
    "check_boxes",
    "colour_finder",
    "facts_of",
    "objects_of",
    "ram_of",
    "recorded_objects",
    "regions",
]


def facts_of(game: str) -> GameObjects | None:
    """The facts of a game, spelled as ale-py does ("space_invaders"); None where there are none."""
    name = game.replace("_", "-")
    return OBJECTS.load(name) if name in OBJECTS.names() else None


def objects_of(recording: Recording) -> RecordedObjects:
    """How the objects of a recording are found: by its game's facts, or by colour without any.

    Raises:
        InvalidArgument: the recording holds no step.
    """
    return recorded_objects(recording, facts_of(recording.header.agent.environment.game))
