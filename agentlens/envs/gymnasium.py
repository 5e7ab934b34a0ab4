"""Any registered Gymnasium environment with an image and discrete actions.

Its picture is its own observation where that is one, else what ``render()`` draws. The frame skip,
sticky actions and forced phases of the protocol are played here, around the environment; what its
own wrappers do lies within it. The fingerprint is a digest of screen, observation and generator:
an environment with other hidden state may replay wrongly, and ``agentlens verify`` says so.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import gymnasium
import numpy as np

from agentlens.envs.base import Described, Environment, EnvironmentKind, Forced, Outcome
from agentlens.errors import EmulatorError, InvalidArgument, UnknownName
from agentlens.mapping import decode, encode
from agentlens.spec import EnvironmentSpec

TICKS_PER_SECOND = 30.0
"""For environments that do not say their own."""


@dataclass(frozen=True, kw_only=True)
class GymnasiumOptions:
    """What ``[environment.gymnasium]`` may hold."""

    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of ``gymnasium.make``, plain values."""
    wrappers: tuple[str, ...] = ()
    """Import strings (module:Class) of wrappers around it, the innermost first; their code runs,
    so they need trust."""


class GymnasiumEnvironment(Environment):
    """One Gymnasium environment under one agent's protocol; a tick is one of its steps."""

    def __init__(
        self, spec: EnvironmentSpec, meanings: Sequence[str], *, trust_code: bool = False
    ) -> None:
        """Make the environment.

        Args:
            spec: the protocol.
            meanings: name of each of the agent's outputs.
            trust_code: allow wrappers and ids that import a module.

        Raises:
            EmulatorError: it cannot be made, has no image, no discrete actions, or other actions.
            InvalidArgument: it names code that is not trusted.
        """
        self.spec, self.action_meanings = spec, tuple(meanings)
        self._environment = made(spec, trust_code=trust_code)
        names = action_names(self._environment)
        foreign = [name for name in meanings if name not in names]
        if foreign:
            raise EmulatorError(
                f"action {foreign[0]!r} is none of {spec.id}: it has {', '.join(names)}."
            )
        first = int(getattr(self._environment.action_space, "start", 0))
        self._codes = tuple(first + names.index(name) for name in meanings)
        self._phases = {
            phase.action: _code(phase.action, names, first, spec.id)
            for phase in (*spec.start, *spec.after_life_loss)
        }
        self._own: np.ndarray | None = None
        self._rules = np.random.default_rng(0)
        self._tick, self._last, self._over = 0, self._codes[0], (False, False)
        self.observation_shape = image_shape(self._environment)
        rate = self._environment.metadata.get("render_fps")
        self.ticks_per_second = float(rate) if rate else TICKS_PER_SECOND
        self._take(self._environment.reset(seed=0)[0])
        self.screen_shape = self.screen.shape
        self.screen_before = self.previous_screen = self.screen
        self.identity = {
            "environment": spec.id,
            "gymnasium": gymnasium.__version__,
            "actions": list(names),
            "options": dict(spec.options),
        }

    @property
    def tick(self) -> int:
        """Steps of the environment since the episode began."""
        return self._tick

    def observation(self) -> np.ndarray | None:
        """Its own image, where its observation is one."""
        return self._own

    def fingerprint(self) -> bytes:
        """SHA-256 of screen, observation, step and generator, 32 bytes."""
        digest = hashlib.sha256(f"{self._tick} {self._over}".encode())
        digest.update(self.screen.tobytes())
        if self._own is not None:
            digest.update(self._own.tobytes())
        generator = getattr(self._environment.unwrapped, "np_random", None)
        if isinstance(generator, np.random.Generator):
            digest.update(repr(generator.bit_generator.state).encode())
        return digest.digest()

    def reset(self, *, seed: int, rules: np.random.Generator) -> tuple[Forced, ...]:
        """Begin an episode and run the start phases."""
        if type(seed) is not int or not 1 <= seed < 2**31:
            raise InvalidArgument(f"environment seed {seed!r}: expected 1 to {2**31 - 1}.")
        self._rules, self._tick, self._over = rules, 0, (False, False)
        self._last = self._codes[0]
        self._take(self._environment.reset(seed=seed)[0])
        self.screen_before = self.previous_screen = self.screen
        forced = []
        for phase in self.spec.start:
            for _ in range(int(rules.integers(phase.least, phase.most, endpoint=True))):
                ticks = 1 if phase.unit == "frame" else self._draw_frame_skip()
                code = self._phases[phase.action]
                self._advance(code, ticks)
                forced.append(Forced(code, ticks))
                if any(self._over):
                    raise EmulatorError(
                        f"{self.spec.id} ended within its start phases: shorten them."
                    )
        return tuple(forced)

    def step(self, action: int) -> Outcome:
        """Play one decision."""
        first = self._tick
        reward = self._advance(self._codes[self.checked_action(action)], self._draw_frame_skip())
        terminated, truncated = self._over
        cut = 0 < self.spec.max_frames <= self._tick and not terminated
        return Outcome(
            reward=reward,
            frames=self._tick - first,
            terminated=terminated,
            truncated=truncated or cut,
        )

    def _advance(self, code: int, ticks: int) -> float:
        """Hold an action for some steps, to the episode's end at most."""
        self.previous_screen, reward = self.screen, 0.0
        sticky = self.spec.repeat_action_probability
        for _ in range(ticks):
            if not (sticky and self._rules.random() < sticky):
                self._last = code
            observation, gained, terminated, truncated, _ = self._environment.step(self._last)
            self._tick += 1
            reward += float(gained)
            self._over = bool(terminated), bool(truncated)
            before = self.screen
            self._take(observation)
            self.screen_before = before
            if any(self._over):
                break
        return reward

    def _draw_frame_skip(self) -> int:
        low, high = self.spec.frame_skip
        return low if low == high else int(self._rules.integers(low, high, endpoint=True))

    def _take(self, observation: Any) -> None:
        """Keep the pictures of the present state."""
        if self.observation_shape is not None:
            self._own = np.array(observation, np.uint8)
        if self._own is not None and self._own.ndim == 3:
            self.screen = self._own
            return
        rendered = self._environment.render()
        if not isinstance(rendered, np.ndarray) or rendered.ndim != 3 or rendered.shape[2] != 3:
            raise EmulatorError(
                f"{self.spec.id}: render() gives no RGB picture, and its observation is none: "
                "expected an environment with an image."
            )
        self.screen = np.array(rendered, np.uint8)


class Gymnasium(EnvironmentKind):
    """Everything that ``gymnasium.make`` knows and no other kind does."""

    options = GymnasiumOptions
    environment_defaults: ClassVar[Mapping[str, Any]] = {
        "start": (),
        "after_life_loss": (),
        "stack_after_life_loss": "keep",
        "terminal_on_life_loss": False,
    }
    observation_defaults: ClassVar[Mapping[str, Any]] = {
        "pool": "none",
        "grayscale": "none",
        "channels": 3,
        "source": "environment",
        "interpolation": "cv2-area",
        "stack": 1,
        "stack_fill": "repeat",
        "scale_divisor": 255.0,
    }

    def knows(self, env_id: str) -> bool:
        """Whether it is registered, or says a module that registers it."""
        return env_id in gymnasium.registry or ":" in env_id

    def describe(self, env_id: str, options: Any = None, *, trust_code: bool = False) -> Described:
        """The environment's own image where its observation is one, else its rendered screen."""
        if not self.knows(env_id):
            raise UnknownName("environment", env_id, gymnasium.registry)
        environment = {
            "id": env_id,
            "kind": "gymnasium",
            "game": env_id,
            "frame_skip": (1, 1),
            "repeat_action_probability": 0.0,
            "max_frames": 0,
            "options": encode(options or GymnasiumOptions()),
        }
        spec = decode(EnvironmentSpec, encode(environment))
        inside = made(spec, trust_code=trust_code)
        shape = image_shape(inside)
        inside.close()
        observation: dict[str, Any] = {"source": "environment", "resize": (84, 84)}
        if shape is None:
            observation["source"] = "screen"
        else:
            observation["resize"] = shape[:2]
            if len(shape) == 2:
                observation |= {"channels": 1, "grayscale": "none"}
        return Described(environment=environment, observation=observation)

    def action_meanings(
        self, spec: EnvironmentSpec, *, trust_code: bool = False
    ) -> tuple[str, ...]:
        """The names that the environment gives its actions, else their numbers."""
        inside = made(spec, trust_code=trust_code)
        names = action_names(inside)
        inside.close()
        return names

    def make(
        self,
        spec: EnvironmentSpec,
        meanings: Sequence[str],
        *,
        like: Environment | None = None,
        trust_code: bool = False,
    ) -> GymnasiumEnvironment:
        """Make the environment."""
        return GymnasiumEnvironment(spec, meanings, trust_code=trust_code)


ENVIRONMENT = Gymnasium()


def made(spec: EnvironmentSpec, *, trust_code: bool) -> Any:
    """The Gymnasium environment that a spec describes, wrapped as it says.

    Raises:
        EmulatorError: it cannot be made, or has no discrete actions.
        InvalidArgument: it names code that is not trusted.
    """
    options = decode(GymnasiumOptions, spec.options, "environment.gymnasium")
    code = [*options.wrappers, *([spec.id] if ":" in spec.id else [])]
    if code and not trust_code:
        raise InvalidArgument(
            f"{spec.id} names {code[0]!r}, whose code would run: pass --trust-code if you trust it."
        )
    try:
        environment = gymnasium.make(spec.id, render_mode="rgb_array", **dict(options.arguments))
        for name in options.wrappers:
            environment = _imported(name)(environment)
    except (gymnasium.error.Error, ImportError, TypeError, ValueError, AttributeError) as error:
        raise EmulatorError(f"{spec.id} cannot be made: {error}.") from error
    if not isinstance(environment.action_space, gymnasium.spaces.Discrete):
        raise EmulatorError(
            f"{spec.id} has the actions {environment.action_space}: expected discrete ones."
        )
    return environment


def _imported(name: str) -> Any:
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise InvalidArgument(f"wrapper {name!r}: expected module:Class.")
    return getattr(importlib.import_module(module), attribute)


def image_shape(environment: Any) -> tuple[int, ...] | None:
    """(Y, X, 3) or (Y, X) where the observation is an image of bytes, else ``None``."""
    space = environment.observation_space
    if not isinstance(space, gymnasium.spaces.Box) or space.dtype != np.uint8:
        return None
    shape = tuple(int(n) for n in space.shape)
    if len(shape) == 2 or (len(shape) == 3 and shape[2] == 3):
        return shape
    return None


def action_names(environment: Any) -> tuple[str, ...]:
    """Names of an environment's discrete actions, in order."""
    count, inside = int(environment.action_space.n), environment.unwrapped
    if hasattr(inside, "get_action_meanings"):
        return tuple(map(str, inside.get_action_meanings()))
    names = getattr(inside, "actions", None)
    members = list(getattr(names, "__members__", ()))
    if len(members) >= count:
        return tuple(members[:count])
    return tuple(f"action {number}" for number in range(count))


def _code(name: str, names: Sequence[str], first: int, env_id: str) -> int:
    if name.startswith("#") and name[1:].isdigit() and int(name[1:]) < len(names):
        return first + int(name[1:])
    if name not in names:
        raise EmulatorError(f"a phase of {env_id} presses {name}: it has {', '.join(names)}.")
    return first + names.index(name)
