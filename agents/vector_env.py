"""`ale_py.AtariVectorEnv` as a stable-baselines3 `VecEnv`.

Letters: B environments, K stacked planes, H W plane.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from ale_py.vector_env import AtariVectorEnv
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from recipe import EnvironmentSettings
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvStepReturn


def open_atari(settings: EnvironmentSettings, *, num_envs: int, num_threads: int) -> AtariVectorEnv:
    """Open the emulators with every knob said, raw rewards and a reset within the same step.

    Args:
        settings: What to play and how it is preprocessed; `num_envs` there is not used.
        num_envs: Environments to open.
        num_threads: Emulator threads.
    """
    return AtariVectorEnv(
        settings.game,
        num_envs,
        batch_size=0,
        num_threads=num_threads,
        thread_affinity_offset=-1,
        max_num_frames_per_episode=settings.max_frames,
        repeat_action_probability=settings.repeat_action_probability,
        full_action_space=settings.full_action_space,
        continuous=False,
        autoreset_mode=AutoresetMode.SAME_STEP,
        img_height=settings.size_px,
        img_width=settings.size_px,
        grayscale=True,
        stack_num=settings.stack,
        frameskip=settings.frame_skip,
        maxpool=settings.max_pool,
        noop_max=settings.noop_max,
        episodic_life=False,
        life_loss_info=False,
        reward_clipping=False,
        use_fire_reset=settings.fire_reset,
    )


class AtariVecEnv(VecEnv):
    """Steps B games together under the contract that stable-baselines3 learns with.

    An episode that ends is reset within the same step: the returned observation is the next
    episode's first, and `infos[i]` holds

    - `terminal_observation`: the ended episode's last observation, uint8[K, H, W], 0 to 255;
    - `TimeLimit.truncated`: True where the end was the frame limit and not the game's;
    - `episode`: `r` the raw return in points of the game, `l` the length in decisions, `t` the
      seconds since the environments were opened.

    Rewards are clipped to their sign here and not in the emulator, so that the raw return is kept.
    With `terminal_on_life_loss` a lost life is reported as an end to the learner while the game
    goes on: its `terminal_observation` is then the observation that is returned too, and
    `episode` still covers the whole game.
    """

    def __init__(self, settings: EnvironmentSettings, *, num_threads: int) -> None:
        self._settings = settings
        self._atari = open_atari(settings, num_envs=settings.num_envs, num_threads=num_threads)
        self._actions: NDArray[np.int64] | None = None
        self._returns = np.zeros(settings.num_envs, dtype=np.float64)
        self._lengths = np.zeros(settings.num_envs, dtype=np.int64)
        self._lives = np.zeros(settings.num_envs, dtype=np.int32)
        self._opened_at = time.perf_counter()
        self.render_mode = None
        super().__init__(
            settings.num_envs,
            self._atari.single_observation_space,
            self._atari.single_action_space,
        )

    def reset(self) -> NDArray[np.uint8]:
        """Start B new episodes, seeded when `seed` was called since the last reset.

        Returns:
            First observations, uint8[B, K, H, W], 0 to 255.
        """
        seeds = None
        if all(seed is not None for seed in self._seeds):
            seeds = np.asarray(self._seeds, dtype=np.int64) % 2**31
        observations, info = self._atari.reset(seed=seeds)
        self._returns[:] = 0.0
        self._lengths[:] = 0
        self._lives = info["lives"].copy()
        self._reset_seeds()
        return observations.copy()

    def step_async(self, actions: NDArray[np.int64]) -> None:
        """Keep the actions, int[B], for `step_wait`."""
        self._actions = np.asarray(actions, dtype=np.int64)

    def step_wait(self) -> VecEnvStepReturn:
        """Take the step.

        Returns:
            Observations uint8[B, K, H, W], rewards float32[B] (clipped if so set), ends bool[B],
            and the B infos that the class describes.

        Raises:
            RuntimeError: `step_async` was not called.
        """
        if self._actions is None:
            raise RuntimeError("step_wait got no actions; call step_async before it")
        observations, rewards, terminated, truncated, info = self._atari.step(self._actions)
        self._actions = None
        self._returns += rewards
        self._lengths += 1
        ended = terminated | truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for i in np.flatnonzero(ended):
            infos[i] = self._end_of_game(int(i), info["final_obs"][i], bool(terminated[i]))
        dones = ended
        if self._settings.terminal_on_life_loss:
            lost = (info["lives"] < self._lives) & ~ended
            for i in np.flatnonzero(lost):
                infos[i] = {
                    "terminal_observation": observations[i].copy(),
                    "TimeLimit.truncated": False,
                }
            dones = ended | lost
        self._lives = info["lives"].copy()
        learned = np.sign(rewards) if self._settings.clip_rewards else rewards
        return observations.copy(), learned.astype(np.float32), dones, infos

    def _end_of_game(
        self, i: int, last_observation: NDArray[np.uint8], terminated: bool
    ) -> dict[str, Any]:
        episode = {
            "r": float(self._returns[i]),
            "l": int(self._lengths[i]),
            "t": round(time.perf_counter() - self._opened_at, 3),
        }
        self._returns[i] = 0.0
        self._lengths[i] = 0
        return {
            "terminal_observation": last_observation.copy(),
            "TimeLimit.truncated": not terminated,
            "episode": episode,
        }

    def close(self) -> None:
        """Let the emulators go."""
        self._atari.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Return this object's attribute once per environment: all are alike."""
        return [getattr(self, attr_name)] * len(self._indices(indices))

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Refuse: the emulators run in C++ and have no attributes of their own."""
        raise AttributeError(
            f"got set_attr({attr_name!r}), but these environments have no attributes to set; "
            "change the recipe's [environment] instead"
        )

    def env_method(
        self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any
    ) -> list[Any]:
        """Refuse: the emulators run in C++ and have no methods of their own."""
        raise AttributeError(
            f"got env_method({method_name!r}), but these environments have no methods to call; "
            "use the vector environment's own"
        )

    def env_is_wrapped(
        self,
        wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]],
        indices: VecEnvIndices = None,
    ) -> list[bool]:
        """Return False for each environment: there are no Gymnasium wrappers here."""
        return [False] * len(self._indices(indices))

    def _indices(self, indices: VecEnvIndices) -> Sequence[int]:
        return list(self._get_indices(indices))
