"""Observations equal, bit for bit, those of the code that each preset names.

The origins are run beside the emulator with the same actions; where an origin draws a number of
no-ops, that number is read off and given to the protocol.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import ale_py
import cv2
import gymnasium
import numpy as np
import pytest
from ale_py import AtariVectorEnv
from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation, ResizeObservation
from stable_baselines3.common.atari_wrappers import (
    EpisodicLifeEnv,
    FireResetEnv,
    MaxAndSkipEnv,
    NoopResetEnv,
)
from stable_baselines3.common.env_util import make_atari_env
from stable_baselines3.common.vec_env import VecFrameStack

from agentlens.arrays import stack_planes
from agentlens.envs.atari.emulator import Emulator
from agentlens.envs.preprocess import Preprocessor
from agentlens.envs.protocols import Resolved, resolve
from agentlens.spec import Phase

gymnasium.register_envs(ale_py)

PONG = ("NOOP", "FIRE", "RIGHT", "LEFT", "RIGHTFIRE", "LEFTFIRE")
MEANINGS = {
    "Pong": PONG,
    "Breakout": PONG[:4],
    "Freeway": ("NOOP", "UP", "DOWN"),
    "Qbert": ("NOOP", "FIRE", "UP", "RIGHT", "LEFT", "DOWN"),
}


def with_noops(protocol: Resolved, noops: int) -> Resolved:
    """The protocol with a fixed number of no-ops at the start."""
    start = tuple(
        Phase(action="NOOP", least=noops, most=noops) if p.action == "NOOP" and not p.when else p
        for p in protocol.environment.start
    )
    return Resolved(
        environment=replace(protocol.environment, start=start),
        observation=protocol.observation,
        assumed=(),
        overridden=(),
    )


def observations(
    protocol: Resolved, game: str, actions: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stacks at the start and after each action, raw rewards and whether a life was lost."""
    emulator = Emulator(protocol.environment, MEANINGS[game])
    preprocessor = Preprocessor(protocol.observation, emulator.screen_shape, emulator.palette)
    emulator.reset(seed=1, rules=np.random.default_rng(0))
    planes = [preprocessor.plane(emulator.screen, emulator.screen_before)]
    resets, rewards = [True], []
    for action in actions:
        outcome = emulator.step(int(action))
        planes.append(preprocessor.plane(emulator.screen, emulator.screen_before))
        keep = protocol.environment.stack_after_life_loss == "keep"
        resets.append(outcome.life_lost and not keep)
        rewards.append(outcome.reward)
    spec = protocol.observation
    stacks = stack_planes(np.array(planes), np.array(resets), spec.stack, spec.stack_fill)
    return stacks, np.array(rewards), np.array(resets)


@pytest.mark.parametrize(
    ("env_id", "noops"),
    [
        ("BreakoutNoFrameskip-v4", 7),
        ("PongNoFrameskip-v4", 23),
        ("FreewayNoFrameskip-v4", 3),
        ("QbertNoFrameskip-v4", 5),
        ("ALE/Breakout-v5", 7),  # 4 steps of 4 frames each
        ("ALE/Qbert-v5", 3),
    ],
)
def test_sb3(env_id: str, noops: int) -> None:
    game = env_id.removeprefix("ALE/").removesuffix("-v5").removesuffix("NoFrameskip-v4")
    still = {"repeat_action_probability": 0.0}
    venv = VecFrameStack(make_atari_env(env_id, n_envs=1, seed=3, env_kwargs=still), 4)
    env = venv.unwrapped.envs[0]
    while not isinstance(env, NoopResetEnv):
        env = env.env
    env.override_num_noops = noops
    actions = np.random.default_rng(1).integers(len(MEANINGS[game]), size=250)
    theirs, ends = [venv.reset()[0]], []
    for action in actions:
        observation, _, done, info = venv.step(np.array([action]))
        if done[0] and info[0]["lives"] == 0:
            break
        theirs.append(observation[0])
        ends.append(bool(done[0]))
    venv.close()
    protocol = with_noops(resolve(env_id, preset="sb3-atari", environment=still), noops)
    ours, _, resets = observations(protocol, game, actions[: len(ends)])
    np.testing.assert_array_equal(ours, np.array(theirs).transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(resets[1:], ends)
    assert (env_id == "BreakoutNoFrameskip-v4") <= (sum(ends) >= 2)


class GreyAfterResize(gymnasium.ObservationWrapper):
    """CleanRL's GrayScaleObservation, of the Gym release that CleanRL pins."""

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        self.observation_space = gymnasium.spaces.Box(0, 255, (84, 84), np.uint8)

    def observation(self, observation: np.ndarray) -> np.ndarray:
        return cv2.cvtColor(observation, cv2.COLOR_RGB2GRAY)


def test_cleanrl() -> None:
    noops = NoopResetEnv(gymnasium.make("BreakoutNoFrameskip-v4"), noop_max=30)
    noops.override_num_noops = 11
    env = FireResetEnv(EpisodicLifeEnv(MaxAndSkipEnv(noops, skip=4)))
    env = FrameStackObservation(GreyAfterResize(ResizeObservation(env, (84, 84))), 4)
    actions = np.random.default_rng(2).integers(4, size=150)
    theirs = [env.reset(seed=3)[0]]
    for action in actions:
        observation, _, terminated, _, info = env.step(action)
        if terminated and info["lives"] == 0:
            break
        theirs.append(env.reset()[0] if terminated else observation)
    env.close()
    protocol = with_noops(resolve("BreakoutNoFrameskip-v4", preset="cleanrl-atari"), 11)
    ours, _, resets = observations(protocol, "Breakout", actions[: len(theirs) - 1])
    np.testing.assert_array_equal(ours, np.array(theirs))
    assert resets.sum() >= 3


@pytest.mark.parametrize(
    ("game", "rom"), [("Pong", "pong"), ("Breakout", "breakout"), ("Freeway", "freeway")]
)
def test_ale_vector(game: str, rom: str) -> None:
    venv = AtariVectorEnv(rom, 1, reward_clipping=False)
    observation, info = venv.reset(seed=5)
    fires = "FIRE" in MEANINGS[game]
    noops = int(info["episode_frame_number"][0]) - fires
    actions = np.random.default_rng(3).integers(len(MEANINGS[game]), size=120)
    theirs, rewards = [observation[0].copy()], []
    for action in actions:
        observation, reward, *_ = venv.step(np.array([action]))
        theirs.append(observation[0].copy())
        rewards.append(float(reward[0]))
    venv.close()
    protocol = resolve(f"ALE/{game}-v5", preset="ale-vector")
    start = (protocol.environment.start[0], Phase(action="NOOP", least=noops, most=noops))
    fixed = replace(protocol, environment=replace(protocol.environment, start=start))
    ours, raw, _ = observations(fixed, game, actions)
    np.testing.assert_array_equal(ours, np.array(theirs))
    np.testing.assert_array_equal(raw, rewards)


@pytest.mark.parametrize(("rom", "fires"), [("breakout", 1), ("freeway", 0)])
def test_range_of_ale_vector_no_ops(rom: str, fires: int) -> None:
    venv = AtariVectorEnv(rom, 8, num_threads=1)
    frames = {
        int(n)
        for i in range(20)
        for n in venv.reset(seed=1 if i == 0 else None)[1]["episode_frame_number"]
    }
    venv.close()
    phases = resolve("ALE/Pong-v5", preset="ale-vector").environment.start
    phase = next(p for p in phases if p.action == "NOOP" and (p.when == "FIRE") == bool(fires))
    assert (min(frames), max(frames)) == (phase.least + fires, phase.most + fires)


def test_gymnasium_atari_preprocessing() -> None:
    raw = gymnasium.make("ALE/Breakout-v5", frameskip=1, repeat_action_probability=0.0)
    env = FrameStackObservation(AtariPreprocessing(raw, noop_max=0), 4)
    actions = np.random.default_rng(4).integers(4, size=100)
    theirs = [env.reset(seed=3)[0]] + [env.step(a)[0] for a in actions]
    env.close()
    protocol = resolve(
        "ALE/Breakout-v5", preset="ale-v5", environment={"repeat_action_probability": 0.0}
    )
    np.testing.assert_array_equal(observations(protocol, "Breakout", actions)[0], np.array(theirs))


def gymnasium_emulator_seed(seed: int) -> int:
    """The seed that Gymnasium's Atari environment hands to the emulator."""
    return int(np.random.SeedSequence(seed).generate_state(2)[1].astype(np.int32))


def played(
    emulator: Emulator, preprocessor: Preprocessor, actions: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, int, float]]:
    for action in actions:
        screen = preprocessor.plane(emulator.screen, emulator.screen_before), emulator.rgb()
        lives = emulator.lives
        yield *screen, lives, emulator.step(int(action)).reward


@pytest.mark.policies
@pytest.mark.parametrize(
    ("path", "game", "preset", "environment", "observation"),
    [
        ("baby-a3c/pong", "Pong", "baby-a3c", {"frame_skip": 3}, {}),
        ("baby-a3c/breakout", "Breakout", "baby-a3c", {"frame_skip": 3}, {}),
        (
            "async-rl-breakout-ff",
            "Breakout",
            None,
            {"repeat_action_probability": 0.0},
            {
                "grayscale": "weights",
                "luma": (0.2126, 0.0722, 0.7152),
                "grey_rounding": "truncate",
                "interpolation": "cv2-linear",
            },
        ),
        ("pong-nature/late", "Pong", "ale-vector", {"start": (Phase(action="FIRE"),)}, {}),
    ],
)
def test_public_rollouts(
    policies_folder: Path,
    path: str,
    game: str,
    preset: str | None,
    environment: dict[str, object],
    observation: dict[str, object],
) -> None:
    rollout = np.load(policies_folder / path / "rollout.npz")
    protocol = resolve(
        f"ALE/{game}-v5", preset=preset, environment=environment, observation=observation
    )
    emulator = Emulator(protocol.environment, MEANINGS[game])
    preprocessor = Preprocessor(protocol.observation, emulator.screen_shape, emulator.palette)
    seed = int(rollout["reset_seed"]) if "reset_seed" in rollout else 7
    emulator.reset(seed=max(1, gymnasium_emulator_seed(seed)), rules=np.random.default_rng(0))
    start = int(rollout["start_step"]) if "start_step" in rollout else 0
    actions = (
        rollout["actions_from_reset"] if "actions_from_reset" in rollout else rollout["action"]
    )
    planes, rgb, lives, rewards = zip(*played(emulator, preprocessor, actions), strict=True)
    if "obs" in rollout:
        expected = rollout["obs"][:, 0]
        got = np.array(planes[start:], np.float32) / np.float32(255)
    else:
        expected = rollout["frames" if "frames" in rollout else "planes"][3:]
        got = np.array(planes[start:])
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(rewards[start:], rollout["reward"])
    if "rgb" in rollout:
        np.testing.assert_array_equal(rgb[start:], rollout["rgb"])
        np.testing.assert_array_equal(lives[start:], rollout["lives"])
