"""Games of one protocol on ale-py's ``AtariVectorEnv``: for scores, which need no screens.

It gives no RAM, no native screen and no choice of the start, so recordings are made on plain
emulator handles. Where it can express a protocol, it plays the very same games faster.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from ale_py import AtariVectorEnv
from gymnasium.vector import AutoresetMode

from agentlens.envs.atari import Emulator
from agentlens.errors import EmulatorError
from agentlens.protocols import resolve
from agentlens.spec import AgentSpec

START_DRAWS = 1_000
"""Resets tried until a start has the wanted length; one in thirty has, at 5 ms each."""

_NEVER = 2**31 - 1


class VectorOutcome(NamedTuple):
    """What one decision of all B games led to.

    ``rewards``: float64 [B], raw. ``lives``: int [B]. ``terminated``, ``truncated``: bool [B].
    """

    rewards: np.ndarray
    lives: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray


def vector_refusal(spec: AgentSpec) -> str:
    """Why ``AtariVectorEnv`` cannot play an agent's protocol exactly; "" where it can.

    It can where everything but game, actions, frame skip (fixed, 2 or more), plane size, stack
    and the scale of the input is as in the preset ``ale-vector``.
    """
    preset = resolve("ALE/Pong-v5", preset="ale-vector")
    environment, observation = spec.environment, spec.observation
    low, high = environment.frame_skip
    if low != high or low < 2:
        return f"its frame skip is {environment.frame_skip_text}"
    game = dataclasses.replace(
        preset.environment,
        id=environment.id, game=environment.game, frame_skip=environment.frame_skip,
        max_frames=environment.max_frames,
        terminal_on_life_loss=environment.terminal_on_life_loss,
    )  # fmt: skip
    plane = dataclasses.replace(
        preset.observation,
        resize=observation.resize, stack=observation.stack,
        scale_divisor=observation.scale_divisor,
    )  # fmt: skip
    for ours, theirs in ((environment, game), (observation, plane)):
        for field in dataclasses.fields(ours):
            if getattr(ours, field.name) != getattr(theirs, field.name):
                return f"its {field.name} is {getattr(ours, field.name)!r}"
    return ""


class VectorGames:
    """B games side by side, each begun when it is wanted.

    Attributes:
        planes: uint8 [B, K, H, W], what each agent sees, oldest plane first; overwritten by the
            next step.
    """

    def __init__(self, spec: AgentSpec, count: int) -> None:
        """Load the game.

        Args:
            spec: an agent for which ``vector_refusal`` is empty.
            count: B.

        Raises:
            EmulatorError: the agent's actions do not fit the game.
        """
        environment, observation = spec.environment, spec.observation
        self._max_frames = environment.max_frames or _NEVER
        self._frame_skip = environment.frame_skip[0]
        self._starter = Emulator(environment, spec.action.meanings)
        self._codes = np.array([self._starter.actions.index(m) for m in spec.action.meanings])
        height, width = observation.resize
        self._env = AtariVectorEnv(
            environment.game, count, num_threads=1, max_num_frames_per_episode=_NEVER,
            repeat_action_probability=0.0, full_action_space=False,
            autoreset_mode=AutoresetMode.SAME_STEP, img_height=height, img_width=width,
            grayscale=True, stack_num=observation.stack, frameskip=self._frame_skip,
            maxpool=True, noop_max=30, use_fire_reset=True, episodic_life=False,
            reward_clipping=False,
        )  # fmt: skip
        self.planes, info = self._env.reset(seed=0)
        self._frames = np.array(info["episode_frame_number"], np.int64)

    def begin(self, row: int, *, seed: int, rules: np.random.Generator) -> int:
        """Begin a game as ``Emulator.reset`` would.

        Args:
            row: which of the B games.
            seed: the emulator's own.
            rules: draws the length of forced phases.

        Returns:
            Lives at the start.

        Raises:
            EmulatorError: this ale-py never starts a game as the protocol says.
        """
        self._starter.reset(seed=seed, rules=rules)
        wanted = self._starter.emulator_frame
        mask = np.arange(len(self._frames)) == row
        for _ in range(START_DRAWS):
            self.planes, info = self._env.reset(options={"reset_mask": mask})
            if int(info["episode_frame_number"][row]) == wanted:
                self._frames[row] = wanted
                return int(info["lives"][row])
        raise EmulatorError(
            f"AtariVectorEnv drew no start of {wanted} frames in {START_DRAWS} resets: this "
            "version of ale-py starts games in another way; report it, and use record."
        )

    def step(self, rows: Sequence[int], actions: Sequence[int]) -> VectorOutcome:
        """Play one decision of some games; the others do nothing that counts.

        Args:
            rows: which games.
            actions: an index into the agent's action meanings for each.

        Notes:
            At the limit of frames a game is truncated after a whole decision, up to a frame skip
            later than on a plain emulator handle.
        """
        codes = np.zeros(len(self._frames), np.int64)
        codes[list(rows)] = self._codes[list(actions)]
        self.planes, rewards, terminated, _, info = self._env.step(codes)
        self._frames += self._frame_skip
        return VectorOutcome(
            rewards=rewards.astype(np.float64),
            lives=info["lives"],
            terminated=terminated,
            truncated=~terminated & (self._frames >= self._max_frames),
        )
