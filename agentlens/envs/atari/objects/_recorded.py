"""The objects of a recording: how they are found there, and what stands behind them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentlens.envs.atari.objects._background import background_picture
from agentlens.envs.atari.objects._facts import RAM_BYTES, GameObjects
from agentlens.envs.atari.objects._finders import (
    FactFinder,
    ObjectFinder,
    colour_finder,
)
from agentlens.errors import InvalidArgument
from agentlens.store.recording import Episode, Recording

SAMPLED_SCREENS = 256
"""The background of a recording is taken over this many screens, evenly spread."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RecordedObjects:
    """How objects are found in one recording.

    ``finder``: labels pixels. ``background``: uint8 [Y, X] palette indices, what erased pixels
    become. ``facts``: of the game, None where it has none and colours stand in.
    """

    finder: ObjectFinder
    background: np.ndarray
    facts: GameObjects | None

    @property
    def names(self) -> tuple[str, ...]:
        """The objects."""
        return self.finder.names

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that the objects form, each once, in order."""
        return tuple(dict.fromkeys(self.finder.groups))


def recorded_objects(recording: Recording, facts: GameObjects | None) -> RecordedObjects:
    """Prepare to find the objects of a recording.

    Args:
        recording: of an Atari game.
        facts: ``facts_of`` its game; None goes by colour.

    Raises:
        InvalidArgument: the recording holds no step.

    Notes:
        Reads 256 screens, evenly spread.
    """
    screens, ram = sampled_screens(recording)
    if facts is None:
        plain = background_picture(screens)
        finder = colour_finder(screens, plain, recording.palette)
        return RecordedObjects(finder=finder, background=plain, facts=None)
    by_facts = FactFinder(facts)
    pairs = zip(screens, ram, strict=True)
    covered = np.stack([by_facts.labels(screen, memory) > 0 for screen, memory in pairs])
    background = background_picture(screens, covered, facts.backdrop)
    return RecordedObjects(finder=by_facts, background=background, facts=facts)


def sampled_screens(recording: Recording) -> tuple[np.ndarray, np.ndarray]:
    """Screens spread over a recording: palette indices uint8 [n, Y, X], and RAM uint8 [n, 128].

    Raises:
        InvalidArgument: the recording holds no step, or its screens are in colour.
    """
    total = sum(map(len, recording.episodes))
    if total == 0:
        raise InvalidArgument("the recording holds no step: record one first.")
    every = max(1, -(-total // SAMPLED_SCREENS))
    screens, rams = [], []
    for episode in recording.episodes:
        steps = range(0, len(episode), every)
        screens += [episode.screens.indices[step] for step in steps]
        rams.append(ram_of(episode)[list(steps)])
    if screens[0].ndim != 2:
        raise InvalidArgument(
            "objects are found on screens of palette indices, and this recording's are in colour: "
            "use a method that masks places, such as perturbation."
        )
    return np.stack(screens), np.concatenate(rams)


def ram_of(episode: Episode) -> np.ndarray:
    """The RAM of an episode's steps, uint8 [T, 128]; zeros in a world that has none."""
    try:
        return episode.ram
    except InvalidArgument:
        return np.zeros((len(episode), RAM_BYTES), np.uint8)
