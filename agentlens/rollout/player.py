"""One game in play: what the agent sees, what it is told, and the rows that come of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from agentlens.arrays import scale_planes
from agentlens.envs.atari.emulator import Emulator, Forced
from agentlens.envs.atari.palette import Palette
from agentlens.envs.preprocess import Preprocessor
from agentlens.errors import InvalidArgument
from agentlens.rollout.outputs import Outputs
from agentlens.rollout.seeds import EpisodeSeed
from agentlens.rollout.stuck import StuckDetector
from agentlens.spec import AgentSpec
from agentlens.store.recording import StepRow

_NOTHING_FORCED = np.zeros((0, 2), np.int32)
_NOTHING_FORCED.flags.writeable = False


class Player:
    """An emulator with one agent's preprocessing, frame stack and memory, episode after episode.

    Attributes:
        emulator: the game.
        state: float32 [S], the recurrent state before the next step; ``None`` without memory.
        steps: decisions so far in this episode.
        end: why the episode ended, "" while it goes on.
    """

    def __init__(
        self,
        spec: AgentSpec,
        state_size: int,
        *,
        palette: Palette | None = None,
        max_steps: int = 0,
        stuck_after: int = 0,
    ) -> None:
        """Load the game.

        Args:
            spec: the agent's.
            state_size: S, 0 without memory.
            palette: shared by all players of a recording.
            max_steps: decisions after which an episode is cut, 0 for never.
            stuck_after: see ``record``.

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
        self.emulator = Emulator(spec.environment, spec.action.meanings, palette=palette)
        self._preprocessor = Preprocessor(
            spec.observation, self.emulator.screen_shape, self.emulator.palette
        )
        self._state_size = state_size
        self._max_steps, self._stuck = max_steps, StuckDetector(stuck_after)
        planes, rows, columns = spec.observation.shape
        self._stack = np.zeros((2 * planes, rows, columns), np.float32)
        self._first = 0
        self.state: np.ndarray | None = None
        self.steps, self.end = 0, ""

    def begin(self, seed: EpisodeSeed) -> None:
        """Begin an episode: reset, start phases, first observation."""
        self._forced = self.emulator.reset(seed=seed.emulator, rules=seed.rules())
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
        return self._stack[self._first : self._first + self.spec.observation.stack]

    @property
    def stack_reset(self) -> bool:
        """Whether the stack was emptied before the newest plane came in."""
        return self._stack_reset

    @property
    def state_reset(self) -> bool:
        """Whether the recurrent state was reset before the coming step."""
        return self._state_reset

    def hold_ram(self, edits: Mapping[int, int | None]) -> None:
        """Hold bytes of RAM until the episode ends; see ``Emulator.hold_ram``."""
        self.emulator.hold_ram(edits)

    def play(self, action: int, outputs: Outputs) -> StepRow:
        """Play one decision and describe it.

        Args:
            action: index into the agent's action meanings.
            outputs: what the policy said about ``observation``.

        Returns:
            The row of this decision; nothing changes its arrays later.
        """
        emulator = self.emulator
        emulator_frame, lives = emulator.emulator_frame, emulator.lives
        screen, partner = emulator.screen, self._partner
        ram, plane, state, forced = emulator.ram, self._plane, self.state, self._forced
        stack_reset, state_reset = self._stack_reset, self._state_reset
        outcome = emulator.step(action)
        self.steps += 1
        self._forced = outcome.forced
        self.state = outputs.state
        rules = self.spec.environment
        self._see(
            stack_reset=outcome.life_lost and rules.stack_after_life_loss != "keep",
            state_reset=outcome.life_lost and rules.terminal_on_life_loss,
        )
        stuck = self._stuck.see(
            self._plane, progress=outcome.reward != 0 or emulator.lives != lives
        )
        if outcome.terminated:
            self.end = "terminated"
        elif outcome.truncated:
            self.end = "truncated"
        elif 0 < self._max_steps <= self.steps:
            self.end = "max_steps"
        elif stuck:
            self.end = "stuck"
        return StepRow(
            emulator_frame=emulator_frame,
            lives=lives,
            frames_advanced=outcome.frames,
            screen=screen,
            screen_before=partner,
            plane=plane,
            stack_reset=stack_reset,
            state_reset=state_reset,
            ram=ram,
            state=state,
            logits=outputs.preferences if outputs.kind == "logits" else None,
            q_values=outputs.preferences if outputs.kind == "q_values" else None,
            value=outputs.value,
            action=action,
            forced=forced_array(forced),
            reward=outcome.reward,
            clipped_reward=float((outcome.reward > 0) - (outcome.reward < 0)),
            terminated=outcome.terminated,
            truncated=outcome.truncated,
        )

    def _see(self, *, stack_reset: bool, state_reset: bool) -> None:
        """Take in the newest screen: plane, stack and resets of the coming row."""
        emulator, spec = self.emulator, self.spec.observation
        self._partner = (
            emulator.previous_screen if spec.pool == "previous_decision" else emulator.screen_before
        )
        self._plane = self._preprocessor.plane(emulator.screen, self._partner)
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
        window = self.observation
        if reset:
            window[:] = plane if self.spec.observation.stack_fill == "repeat" else 0
        window[-1] = plane


def forced_array(forced: tuple[Forced, ...]) -> np.ndarray:
    """int32 [n, 2] of (emulator action, emulator frames)."""
    return np.array(forced, np.int32).reshape(-1, 2) if forced else _NOTHING_FORCED
