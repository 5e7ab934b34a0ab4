"""One game in play: what the agent sees, what it is told, and the rows that come of it."""

from __future__ import annotations

import numpy as np

from agentlens.arrays import scale_planes
from agentlens.envs.atari import Emulator, Forced
from agentlens.envs.palette import Palette
from agentlens.envs.preprocess import Preprocessor
from agentlens.errors import InvalidArgument
from agentlens.rollout.outputs import Outputs
from agentlens.rollout.seeds import EpisodeSeed
from agentlens.rollout.stuck import StuckDetector
from agentlens.spec import AgentSpec
from agentlens.store.recording import StepRow


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
        self._planes = np.zeros(spec.observation.shape, np.uint8)
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
        """What the agent sees now: float32 [K, H, W], scaled, oldest plane first."""
        return scale_planes(self._planes, self.spec.observation.scale_divisor)

    def play(self, action: int, outputs: Outputs) -> StepRow:
        """Play one decision and describe it.

        Args:
            action: index into the agent's action meanings.
            outputs: what the policy said about ``observation``.

        Returns:
            The row of this decision; its arrays are its own.
        """
        emulator = self.emulator
        before = {
            "emulator_frame": emulator.emulator_frame,
            "lives": emulator.lives,
        }
        screen, partner = emulator.screen.copy(), self._partner.copy()
        ram, plane, state, forced = emulator.ram, self._planes[-1].copy(), self.state, self._forced
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
            self._planes[-1], progress=outcome.reward != 0 or emulator.lives != before["lives"]
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
            **before,
            frames_advanced=outcome.frames,
            screen=screen,
            screen_before=partner,
            plane=plane,
            stack_reset=stack_reset,
            state_reset=state_reset,
            ram=ram,
            state=state,
            logits=outputs.logits,
            q_values=outputs.q_values,
            value=outputs.value,
            action=action,
            forced=forced_array(forced),
            reward=outcome.reward,
            clipped_reward=float(np.sign(outcome.reward)),
            terminated=outcome.terminated,
            truncated=outcome.truncated,
        )

    def _see(self, *, stack_reset: bool, state_reset: bool) -> None:
        """Take in the newest screen: plane, stack and resets of the coming row."""
        emulator, spec = self.emulator, self.spec.observation
        self._partner = (
            emulator.previous_screen if spec.pool == "previous_decision" else emulator.screen_before
        )
        plane = self._preprocessor.plane(emulator.screen, self._partner)
        if self._planes.dtype != plane.dtype:
            self._planes = self._planes.astype(plane.dtype)
        if stack_reset:
            self._planes[:] = plane if spec.stack_fill == "repeat" else 0
        else:
            self._planes[:-1] = self._planes[1:]
        self._planes[-1] = plane
        if state_reset and self._state_size:
            self.state = np.zeros(self._state_size, np.float32)
        self._stack_reset, self._state_reset = stack_reset, state_reset


def forced_array(forced: tuple[Forced, ...]) -> np.ndarray:
    """int32 [n, 2] of (emulator action, emulator frames)."""
    return np.array(forced, np.int32).reshape(-1, 2)
