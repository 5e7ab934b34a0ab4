"""What recording.json says: the header that holds for all episodes, and one entry for each."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import functools
import hashlib
import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from agentlens.errors import Corrupt, InvalidArgument
from agentlens.mapping import decode, encode
from agentlens.spec import AgentSpec

LARGEST_SCREEN = 4096
"""Rows or columns; a larger number is a slip or a lie, and would not fit into memory."""

MOST_EPISODES = 1_000_000
MOST_WORDS = 16

END_REASONS = ("terminated", "truncated", "max_steps", "stuck")


@dataclass(frozen=True, kw_only=True)
class RecordingHeader:
    """What holds for all episodes: written into recording.json.

    ``agent``: the complete spec with every resolved value, as played (selection included).
    ``player``: for a revisit, the name of the agent whose actions drove the episode, else "".
    ``seed``: as given by the user. ``episodes_wanted``: how many were asked for.
    ``world``: what the environment says of itself so that it can be played again, as
    ``Environment.identity``. ``screens``: palette indices, or RGB. ``screen_shape``: (Y, X),
    (210, 160) for nearly all games. ``ticks_per_second``: how fast the world runs for people.
    ``provenance``: see ``provenance``.
    """

    agent: AgentSpec
    seed: int
    episodes_wanted: int
    world: Mapping[str, Any]
    screens: Literal["palette", "rgb"] = "palette"
    screen_shape: tuple[int, int] = (210, 160)
    ticks_per_second: float = 60.0
    max_steps: int = 0
    player: str = ""
    provenance: Mapping[str, Any]

    def __post_init__(self) -> None:
        if not 1 <= self.episodes_wanted <= MOST_EPISODES:
            raise InvalidArgument(
                f"{self.episodes_wanted} episodes: expected 1 to {MOST_EPISODES:,}."
            )
        if not 0 <= self.seed < 2**32:
            raise InvalidArgument(f"seed {self.seed}: expected 0 to {2**32 - 1}.")
        if min(self.screen_shape) < 1 or max(self.screen_shape) > LARGEST_SCREEN:
            raise InvalidArgument(
                f"screens of {self.screen_shape}: expected 1 to {LARGEST_SCREEN} rows and columns."
            )
        if not 0 < self.ticks_per_second <= 10_000:
            raise InvalidArgument(
                f"{self.ticks_per_second} ticks a second: expected more than 0, 10,000 at most."
            )
        if "actions" in self.world and not _are_names(self.world["actions"]):
            raise InvalidArgument("world.actions: expected a list of the actions' names.")
        if not 0 <= self.max_steps < 2**31:
            raise InvalidArgument(f"max_steps {self.max_steps}: expected 0 (no cap) or more.")

    @property
    def screen_array_shape(self) -> tuple[int, ...]:
        """(Y, X), or (Y, X, 3) where screens are RGB."""
        return self.screen_shape if self.screens == "palette" else (*self.screen_shape, 3)

    def difference(self, other: RecordingHeader) -> str:
        """The first field in which two headers describe different episodes; "" if none does.

        How many episodes are wanted and where the program ran make no difference.
        """
        mine, theirs = encode(self), encode(other)
        names = (
            n for n in mine.keys() | theirs.keys() if n not in ("episodes_wanted", "provenance")
        )
        return next((name for name in names if mine.get(name) != theirs.get(name)), "")

    @functools.cached_property
    def identity(self) -> str:
        """SHA-256, hexadecimal, over what decides the episodes: weights, protocol, seed, limits.

        The same for a recording made again; tells unfinished ones apart, whose episodes have no
        digest yet. Not over what only describes the agent, such as its licence.
        """
        agent = self.agent
        deciding = {
            "weights": [agent.format, agent.sha256],
            "protocol": [
                _as_first_written(part)
                for part in (agent.environment, agent.observation, agent.action)
            ],
            "emulator": self._world_digested(),
            "seed": self.seed,
            "limits": [self.max_steps, self.provenance.get("stuck_after")],
            "player": [self.player, self.provenance.get("revisits")],
        }
        text = json.dumps(deciding, sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def _world_digested(self) -> Any:
        """The world as the first recordings put it: a cartridge and its actions."""
        if set(self.world) == {"rom_md5", "actions"}:
            return [self.world["rom_md5"], *self.world["actions"]]
        return encode(self.world)


def _as_first_written(spec: Any) -> dict[str, Any]:
    """A spec's values without what the first recordings did not have and leave at its default, so
    that the same protocol has the same identity in all versions."""
    plain: dict[str, Any] = encode(spec)
    options = plain.pop("options", {})
    later = {
        field.name: encode(field.default)
        for field in dataclasses.fields(spec)
        if field.name in ("kind", "source", "channels", "zero")
    }
    kept = {k: v for k, v in plain.items() if k not in later or v != later[k]}
    return {**kept, **options}


def _are_names(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)


@dataclass(frozen=True, kw_only=True)
class EpisodeEntry:
    """A finished episode's row in the table.

    ``digest``: SHA-256 of its file, which has ``n_bytes``. ``content``: SHA-256 over actions, RAM
    and last screen, which is the same for the same game played twice. ``last_screen``: palette
    indices or RGB, deflated, in base64. ``raw_return``: sum of the raw rewards.
    """

    index: int
    seed: int
    seed_words: tuple[int, ...]
    steps: int
    end: str
    raw_return: float
    n_bytes: int
    digest: str
    content: str
    last_screen: str

    def __post_init__(self) -> None:
        if not 0 <= self.index < MOST_EPISODES or not 1 <= self.steps < 2**31:
            raise InvalidArgument(
                f"index {self.index}, steps {self.steps}: expected 0 or more, and 1 or more."
            )
        words = (self.seed, *self.seed_words)
        if len(self.seed_words) > MOST_WORDS or not all(0 <= word < 2**32 for word in words):
            raise InvalidArgument(f"seeds {words}: expected numbers from 0 to {2**32 - 1}.")
        if self.end not in END_REASONS:
            raise InvalidArgument(f"end {self.end!r}: expected one of {', '.join(END_REASONS)}.")

    def screen(self, shape: tuple[int, ...]) -> np.ndarray:
        """The last screen: uint8 [Y, X] palette indices, or [Y, X, 3] RGB.

        Raises:
            Corrupt: not such a screen.
        """
        n_bytes = math.prod(shape)
        try:
            packed = base64.b64decode(self.last_screen, validate=True)
            flat = zlib.decompressobj().decompress(packed, n_bytes + 1)
        except (binascii.Error, zlib.error, ValueError) as error:
            raise Corrupt(
                f"episode {self.index}: its last screen is unreadable: {error}."
            ) from None
        if len(flat) != n_bytes:
            raise Corrupt(f"episode {self.index}: its last screen is not {shape}.")
        return np.frombuffer(flat, np.uint8).reshape(shape)


def pack_screen(screen: np.ndarray) -> str:
    """Palette indices as ``EpisodeEntry.last_screen`` holds them."""
    return base64.b64encode(zlib.compress(screen.tobytes())).decode()


def decode_entry(data: Any, path: str) -> EpisodeEntry:
    """Read a table row; keys of later minor versions are ignored.

    Raises:
        ManifestError: a key is missing or has the wrong kind.
    """
    known = {field.name for field in dataclasses.fields(EpisodeEntry)}
    if isinstance(data, Mapping):
        data = {key: value for key, value in data.items() if key in known}
    return decode(EpisodeEntry, data, path)
