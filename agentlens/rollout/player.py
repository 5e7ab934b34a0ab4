"""One game in play: what the agent sees, what it is told, and the rows that come of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from agentlens.arrays import scale_planes
from agentlens.envs.base import Environment, Forced, make_environment
from agentlens.envs.preprocess import preprocessor
from agentlens.errors import InvalidArgument
from agentlens.rollout.outputs import Outputs
from agentlens.rollout.play import Play
from agentlens.rollout.seeds import EpisodeSeed
from agentlens.rollout.stuck import StuckDetector
from agentlens.spec import AgentSpec
from agentlens.store.recording import EpisodeWriter, RecordingHeader, StepRow

_NOTHING_FORCED = np.zeros((0, 2), np.int32)
_NOTHING_FORCED.flags.writeable = False


UNLIMITED = Play(stuck_after=0)
"""Nothing cuts an episode but the world itself."""


class Player:
    """An environment with one agent's preprocessing, frame stack and memory, episode after episode.

    Attributes:
        environment: the world.
        state: float32 [S], the recurrent state before the next step; ``None`` without memory.
        steps: decisions so far in this episode.
        end: why the episode ended, "" while it goes on.
    """

    def __init__(
        self,
        spec: AgentSpec,
        state_size: int,
        *,
        play: Play = UNLIMITED,
        like: Environment | None = None,
        trust_code: bool = False,
    ) -> None:
        """Load the game.

        Args:
            spec: the agent's.
            state_size: S, 0 without memory.
            play: its limits; the other fields play no part here.
            like: another player's environment, whose learned colours are shared.
            trust_code: allow code that the environment's options name to run.

        Raises:
            EmulatorError: the agent's actions do not fit the game.
            InvalidArgument: the protocol asks for two different stack fills.
        """
        keep = spec.environment.stack_after_life_loss
        if keep not in ("keep", spec.observation.stack_fill):
            raise InvalidArgument(
                f"stack_after_life_loss {keep!r} with stack_fill "
                f"{spec.observation.stack_fill!r}: expected the same fill, or 'keep'."
            )
        self.spec = spec
        self.environment = make_environment(
            spec.environment, spec.action.meanings, like=like, trust_code=trust_code
        )
        self._preprocessor = preprocessor(spec.observation, self.environment)
        self._state_size = state_size
        self._pools = spec.observation.pool != "none"
        self._max_steps, self._stuck = play.max_steps, StuckDetector(play.stuck_after)
        self._stack = np.zeros(
            (2 * spec.observation.stack, *spec.observation.plane_shape), np.float32
        )
        self._first = 0
        self.state: np.ndarray | None = None
        self.steps, self.end, self._taught = 0, "", -1

    def begin(self, seed: EpisodeSeed) -> None:
        """Begin an episode: reset, start phases, first observation."""
        self._forced = self.environment.reset(seed=seed.emulator, rules=seed.rules())
        self._generator = seed.actions()
        self.steps, self.end = 0, ""
        self._stuck.begin()
        self._see(stack_reset=True, state_reset=True)

    @property
    def generator(self) -> np.random.Generator:
        """The episode's own, for the agent's draws."""
        return self._generator

    @property
    def observation(self) -> np.ndarray:
        """What the agent sees now: float32 [K, H, W], scaled, oldest plane first.

        A view: copy what has to outlive the next step.
        """
        return self._window.reshape(self.spec.observation.shape)

    @property
    def _window(self) -> np.ndarray:
        """The frames on the stack, oldest first."""
        return self._stack[self._first : self._first + self.spec.observation.stack]

    @property
    def stack_reset(self) -> bool:
        """Whether the stack was emptied before the newest plane came in."""
        return self._stack_reset

    @property
    def state_reset(self) -> bool:
        """Whether the recurrent state was reset before the coming step."""
        return self._state_reset

    def go_on(self) -> None:
        """Count what was replayed for nothing new no more: only play from here on can be stuck."""
        self.end = ""
        self._stuck.begin()

    def hold_ram(self, edits: Mapping[int, int | None]) -> None:
        """Hold bytes of RAM until the episode ends; see ``Environment.hold_ram``."""
        self.environment.hold_ram(edits)

    def play(self, action: int, outputs: Outputs) -> StepRow:
        """Play one decision and describe it.

        Args:
            action: index into the agent's action meanings.
            outputs: what the policy said about ``observation``.

        Returns:
            The row of this decision; nothing changes its arrays later.
        """
        world = self.environment
        tick, lives, ram = world.tick, world.lives, world.ram
        fingerprint = None if ram is not None else np.frombuffer(world.fingerprint(), np.uint8)
        screen, partner = world.screen, self._partner
        plane, state, forced = self._plane, self.state, self._forced
        stack_reset, state_reset = self._stack_reset, self._state_reset
        outcome = world.step(action)
        self.steps += 1
        self._forced = outcome.forced
        self.state = outputs.state
        rules = self.spec.environment
        self._see(
            stack_reset=outcome.life_lost and rules.stack_after_life_loss != "keep",
            state_reset=outcome.life_lost and rules.terminal_on_life_loss,
        )
        stuck = self._stuck.see(self._plane, progress=outcome.reward != 0 or world.lives != lives)
        if outcome.terminated:
            self.end = "terminated"
        elif outcome.truncated:
            self.end = "truncated"
        elif 0 < self._max_steps <= self.steps:
            self.end = "max_steps"
        elif stuck:
            self.end = "stuck"
        return StepRow(
            emulator_frame=tick,
            lives=lives,
            frames_advanced=outcome.frames,
            screen=screen,
            screen_before=None if world.palette is None and not self._pools else partner,
            plane=plane,
            stack_reset=stack_reset,
            state_reset=state_reset,
            ram=ram,
            fingerprint=fingerprint,
            state=state,
            logits=outputs.preferences if outputs.kind == "logits" else None,
            q_values=outputs.preferences if outputs.kind == "q_values" else None,
            value=outputs.value,
            quantiles=outputs.quantiles,
            action=action,
            forced=forced_array(forced),
            reward=outcome.reward,
            clipped_reward=float((outcome.reward > 0) - (outcome.reward < 0)),
            terminated=outcome.terminated,
            truncated=outcome.truncated,
        )

    def rgb(self, screen: np.ndarray) -> np.ndarray:
        """A screen of this world in colour: uint8 [Y, X, 3]."""
        palette = self.environment.palette
        return screen if palette is None else palette.to_rgb(screen)

    def teach(self, writer: EpisodeWriter) -> None:
        """Hand the colours of palette screens to a recording; cheap where there is nothing new."""
        palette = self.environment.palette
        if palette is not None and palette.version != self._taught:
            indices = np.flatnonzero(palette.known).astype(np.uint8)
            writer.learn_palette(indices[None], palette.rgb[indices][None])
            self._taught = palette.version

    def _see(self, *, stack_reset: bool, state_reset: bool) -> None:
        """Take in the newest screen: plane, stack and resets of the coming row."""
        world, spec = self.environment, self.spec.observation
        self._partner = (
            world.previous_screen if spec.pool == "previous_decision" else world.screen_before
        )
        picture = world.observation() if spec.source == "environment" else world.screen
        assert picture is not None, "checked when the preprocessor was made"
        partner = picture if spec.source == "environment" else self._partner
        self._plane = self._preprocessor.plane(picture, partner)
        self._push(scale_planes(self._plane, spec.scale_divisor), reset=stack_reset)
        if state_reset and self._state_size:
            self.state = np.zeros(self._state_size, np.float32)
        self._stack_reset, self._state_reset = stack_reset, state_reset

    def _push(self, plane: np.ndarray, *, reset: bool) -> None:
        """Put a scaled plane on the stack: a window that slides over twice its length."""
        depth = self.spec.observation.stack
        if self._first == depth:
            self._stack[:depth] = self._stack[depth:]
            self._first = 0
        self._first += 1
        window = self._window
        if reset:
            window[:] = plane if self.spec.observation.stack_fill == "repeat" else 0
        window[-1] = plane


def recording_header(
    player: Player, play: Play, provenance: Mapping[str, Any], *, revisited: str = ""
) -> RecordingHeader:
    """The header of a recording of a player's games.

    Args:
        player: about to play.
        play: which games.
        provenance: where the recording is made.
        revisited: name of the agent whose actions drive the games, "" for the player itself.
    """
    world = player.environment
    return RecordingHeader(
        agent=player.spec,
        seed=play.seed,
        episodes_wanted=play.episodes,
        world=world.identity,
        screens="rgb" if world.palette is None else "palette",
        screen_shape=(world.screen_shape[0], world.screen_shape[1]),
        ticks_per_second=world.ticks_per_second,
        max_steps=play.max_steps,
        player=revisited,
        provenance=provenance,
    )


def forced_array(forced: tuple[Forced, ...]) -> np.ndarray:
    """int32 [n, 2] of (emulator action, emulator frames)."""
    return np.array(forced, np.int32).reshape(-1, 2) if forced else _NOTHING_FORCED
