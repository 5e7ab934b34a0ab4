"""Trains a PPO agent on a MiniGrid world in minutes, from its colour picture alone.

    python agents/train_minigrid.py --output lava.zip
    agentlens import lava.zip --name lava --env minigrid:MiniGrid-LavaGapS5-v0 --trust-code

The world is drawn as a person sees it, shrunk to eight pixels a cell and given to the Nature CNN;
nothing else of the world's state reaches the agent. It needs minigrid (extra `dev`).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import gymnasium
import minigrid  # noqa: F401  (registers its worlds)
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_util import make_vec_env

CELL_PX = 8
"""Side of a cell in the agent's observation; the world draws 32."""


class Picture(gymnasium.ObservationWrapper[np.ndarray, int, Any]):
    """The world's drawing, uint8 [8 rows, 8 columns, 3], in place of its coded view."""

    def __init__(self, env: gymnasium.Env[Any, int]) -> None:
        super().__init__(env)
        world = env.unwrapped
        self._size = (world.width * CELL_PX, world.height * CELL_PX)  # type: ignore[attr-defined]
        shape = (self._size[1], self._size[0], 3)
        self.observation_space = gymnasium.spaces.Box(0, 255, shape, np.uint8)

    def observation(self, observation: Any) -> np.ndarray:
        """Draw it and shrink it by the mean of each block of pixels."""
        picture: Any = self.env.render()
        return cv2.resize(picture, self._size, interpolation=cv2.INTER_AREA)


class UntilAim(BaseCallback):
    """Prints the mean return now and then, and ends the training when the aim was held.

    Good episodes are short, so that the last hundred episodes flatter: the aim counts only when
    ``held`` rollouts in a row meet it.
    """

    def __init__(self, aim: float, every: int = 10, held: int = 15) -> None:
        super().__init__()
        self._aim, self._every, self._held = aim, every, held
        self._rollouts = self._met = 0

    def _on_rollout_end(self) -> None:
        returns = [episode["r"] for episode in self.model.ep_info_buffer or ()]
        mean = float(np.mean(returns)) if returns else float("nan")
        self._met = self._met + 1 if mean >= self._aim else 0
        self._rollouts += 1
        if self._rollouts % self._every == 0:
            print(f"{self.num_timesteps:9d} decisions  return {mean:.3f}", flush=True)

    def _on_step(self) -> bool:
        return self._met < self._held


def train(world: str, *, steps: int, aim: float, seed: int, envs: int) -> PPO:
    """Train until the mean return of the last hundred episodes holds the aim, or the steps end.

    Args:
        world: A MiniGrid id, such as MiniGrid-LavaGapS5-v0.
        steps: Most decisions.
        aim: Mean return at which to stop.
        seed: Seed of weights, actions and worlds.
        envs: Worlds stepped together.
    """
    venv = make_vec_env(
        world,
        n_envs=envs,
        seed=seed,
        env_kwargs={"render_mode": "rgb_array"},
        wrapper_class=Picture,
    )
    model = PPO(
        "CnnPolicy",
        venv,
        n_steps=128,
        batch_size=256,
        n_epochs=4,
        learning_rate=5e-4,
        ent_coef=0.01,
        gamma=0.97,
        policy_kwargs={"features_extractor_kwargs": {"features_dim": 128}},
        seed=seed,
        device="cpu",
    )
    return model.learn(steps, callback=UntilAim(aim))


def main() -> None:
    """Parse, train, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--world", default="MiniGrid-LavaGapS5-v0")
    parser.add_argument("--output", type=Path, required=True, help="the zip to write")
    parser.add_argument("--steps", type=int, default=300_000, help="most decisions")
    parser.add_argument("--aim", type=float, default=0.9, help="mean return at which to stop")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--envs", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1, help="torch threads")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.output.exists():
        parser.error(f"{options.output} exists; give another name, or remove it")
    model = train(
        options.world, steps=options.steps, aim=options.aim, seed=options.seed, envs=options.envs
    )
    model.save(options.output)
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
