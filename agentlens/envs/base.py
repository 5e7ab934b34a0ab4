"""Environment: what the recorder needs of a world, whatever it is made of.

An environment belongs to a *kind*: where ids of one origin come from, what they say, and how one
is made. A kind is one file of this folder that exports ``ENVIRONMENT``, or an entry point of the
group ``agentlens.environments`` in another package.

Words: a *tick* is the world's own smallest step (an emulator frame); a decision takes one or more.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

from agentlens.errors import EmulatorError, InvalidArgument
from agentlens.palette import Palette
from agentlens.registry import Registry
from agentlens.spec import EnvironmentSpec

DEFAULT_KIND = "atari"
"""Asked first about an id that several kinds may know."""


class Forced(NamedTuple):
    """An action that the rules executed, not the agent: its own code, for how many ticks."""

    action: int
    frames: int


class Outcome(NamedTuple):
    """What a decision led to.

    ``reward``: raw sum over its ticks, forced ones included. ``frames``: ticks, forced ones
    included. ``forced``: what the rules did after a lost life. ``life_lost``: a life was lost and
    the game goes on. ``terminated``, ``truncated``: as in Gymnasium.
    """

    reward: float
    frames: int
    forced: tuple[Forced, ...] = ()
    life_lost: bool = False
    terminated: bool = False
    truncated: bool = False


class Environment(abc.ABC):
    """One world under one agent's protocol. Not thread-safe; one a thread.

    Seed, generator and actions decide an episode bit for bit.

    Attributes:
        action_meanings: names of the agent's outputs, in order; ``step`` takes their indices.
        screen_shape: (Y, X) where screens are palette indices, (Y, X, 3) where they are RGB.
        observation_shape: of the world's own image, (Y, X) or (Y, X, 3); ``None`` without one.
        screen: uint8 of that shape, after the last tick.
        screen_before: the screen one tick earlier; equals ``screen`` where nothing is there to
            pool, such as after a reset.
        previous_screen: the last screen of the previous decision (forced ones count).
        palette: colours of palette screens, learned as they come; ``None`` where screens are RGB.
        ticks_per_second: how fast the world runs for people.
        identity: what a recording must say to play it again, as plain JSON values: names of
            files and their digests, versions, shapes.

    A step makes new arrays and leaves the old ones as they were: keep them without a copy.
    """

    action_meanings: tuple[str, ...]
    screen_shape: tuple[int, ...]
    observation_shape: tuple[int, ...] | None = None
    screen: np.ndarray
    screen_before: np.ndarray
    previous_screen: np.ndarray
    palette: Palette | None = None
    ticks_per_second: float
    identity: Mapping[str, Any]

    @abc.abstractmethod
    def reset(self, *, seed: int, rules: np.random.Generator) -> tuple[Forced, ...]:
        """Begin an episode and play what the protocol forces at its start.

        Args:
            seed: the world's own, 1 to 2**31 - 1.
            rules: draws the length of forced phases and the frame skip, until the next reset.

        Returns:
            What was forced.
        """

    @abc.abstractmethod
    def step(self, action: int) -> Outcome:
        """Play one decision, and what the rules force after it.

        Args:
            action: index into ``action_meanings``.

        Raises:
            InvalidArgument: not an integer within range (a bool or a float is not one).
        """

    @property
    @abc.abstractmethod
    def tick(self) -> int:
        """Ticks since the episode began."""

    @property
    def lives(self) -> int | None:
        """Lives left; ``None`` in a world without lives."""
        return None

    @property
    def ram(self) -> np.ndarray | None:
        """The machine's whole memory, uint8, where it has one: it is then the fingerprint."""
        return None

    def observation(self) -> np.ndarray | None:
        """The world's own image, uint8 [Y, X] or [Y, X, 3]; ``None`` where planes are made from
        screens."""
        return None

    @abc.abstractmethod
    def fingerprint(self) -> bytes:
        """What tells this state from another in an exact replay: RAM, or a digest of all there is.

        Always as many bytes.
        """

    def hold_ram(self, edits: Mapping[int, int | None]) -> None:
        """Write bytes of the world's memory before every coming tick, until the next reset.

        Args:
            edits: values 0 to 255 by address; ``None`` holds the value there is now.

        Raises:
            EmulatorError: this world has no memory that can be written.
        """
        raise EmulatorError(
            f"{type(self).__name__} has no memory whose bytes can be held: expected an emulator."
        )

    def checked_action(self, action: int) -> int:
        """The action as an index into ``action_meanings``.

        Raises:
            InvalidArgument: not an integer within range (a bool or a float is not one).
        """
        if isinstance(action, bool) or not isinstance(action, int | np.integer):
            raise InvalidArgument(
                f"action {action!r} is {type(action).__name__}, expected an integer."
            )
        if not 0 <= action < len(self.action_meanings):
            raise InvalidArgument(
                f"action {action}, expected 0 to {len(self.action_meanings) - 1}."
            )
        return int(action)


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A common protocol: what it says about the environment and the observation, and whose it
    is.

    ``reward``: what a critic is trained on under it. ``wraps``: its frame skip counts steps of the
    environment that an id names, which may take several ticks each.
    """

    origin: str
    environment: Mapping[str, Any]
    observation: Mapping[str, Any]
    reward: Literal["raw", "clipped", "unknown"] = "unknown"
    wraps: bool = False


@dataclass(frozen=True, kw_only=True)
class Described:
    """What an id says: fields of ``EnvironmentSpec`` and of ``ObservationSpec``."""

    environment: Mapping[str, Any]
    observation: Mapping[str, Any] = field(default_factory=dict)


class EnvironmentKind(abc.ABC):
    """Environments of one origin: what their ids mean and how one is made.

    Attributes:
        presets: common protocols by name. usual_preset: for an agent that has none.
        options: a frozen dataclass, what ``EnvironmentSpec.options`` of this kind may hold.
        environment_defaults, observation_defaults: fields of the two specs, taken and listed as
            assumed where neither id nor preset nor caller says anything.
    """

    presets: ClassVar[Mapping[str, Preset]] = {}
    usual_preset: ClassVar[str | None] = None
    options: ClassVar[type]
    environment_defaults: ClassVar[Mapping[str, Any]] = {}
    observation_defaults: ClassVar[Mapping[str, Any]] = {}

    @abc.abstractmethod
    def knows(self, env_id: str) -> bool:
        """Whether an id is one of this kind; cheap."""

    @abc.abstractmethod
    def describe(self, env_id: str, options: Any = None, *, trust_code: bool = False) -> Described:
        """What an id says.

        Args:
            env_id: one that the kind knows.
            options: an object of ``options``, its defaults if not given.
            trust_code: allow code that the id or the options name to run.

        Raises:
            UnknownName: no such id, with what was probably meant.
        """

    @abc.abstractmethod
    def action_meanings(
        self, spec: EnvironmentSpec, *, trust_code: bool = False
    ) -> tuple[str, ...]:
        """Names of the actions of an environment, in its own order."""

    def variants(self, spec: EnvironmentSpec) -> tuple[EnvironmentSpec, ...]:
        """The same world with other sets of actions, for agents whose outputs do not fit."""
        return ()

    @abc.abstractmethod
    def make(
        self,
        spec: EnvironmentSpec,
        meanings: Sequence[str],
        *,
        like: Environment | None = None,
        trust_code: bool = False,
    ) -> Environment:
        """Make an environment.

        Args:
            spec: the protocol.
            meanings: name of each of the agent's outputs.
            like: one of the same recording, whose learned colours are shared.
            trust_code: allow code that the spec names to run.

        Raises:
            EmulatorError: the action names do not fit the environment.
        """


ENVIRONMENTS: Registry[EnvironmentKind] = Registry(
    package="agentlens.envs",
    attribute="ENVIRONMENT",
    kind="kind of environment",
    group="agentlens.environments",
    besides=("alike", "bands", "base", "pictures", "preprocess", "protocols"),
)
"""Every kind, by name."""


def make_environment(
    spec: EnvironmentSpec,
    meanings: Sequence[str],
    *,
    like: Environment | None = None,
    trust_code: bool = False,
) -> Environment:
    """Make the environment that a spec describes; see ``EnvironmentKind.make``.

    Raises:
        UnknownName: no such kind.
        EmulatorError: the action names do not fit the environment.
    """
    return ENVIRONMENTS.load(spec.kind).make(spec, meanings, like=like, trust_code=trust_code)


def fitting_actions(
    spec: EnvironmentSpec, outputs: int, *, trust_code: bool = False
) -> EnvironmentSpec:
    """The environment, or a variant of it that has as many actions as a policy has outputs; the
    environment itself where none has."""
    variants = (spec, *ENVIRONMENTS.load(spec.kind).variants(spec))
    fitting = (v for v in variants if len(action_meanings(v, trust_code=trust_code)) == outputs)
    return next(fitting, spec)


def action_meanings(spec: EnvironmentSpec, *, trust_code: bool = False) -> tuple[str, ...]:
    """Names of the actions of the environment that a spec describes, in its own order."""
    return ENVIRONMENTS.load(spec.kind).action_meanings(spec, trust_code=trust_code)
