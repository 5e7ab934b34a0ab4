"""Recording against rollouts through stable-baselines3, in decisions per CPU second.

Ours writes a recording that can be replayed, with screens and RAM; theirs (``make_atari_env``,
``DummyVecEnv``, ``VecFrameStack``) keeps nothing. Same game, protocol, number of games at once,
network and one PyTorch thread. "Without" the network both sides draw random actions and PyTorch
is not called. Rounds are interleaved; medians and their ratio are printed and stored, and so is
the time of the emulator alone, which neither side can do without.

Run: ``python -m benchmarks.recording [--games N] [--steps N] [--rounds N]``
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import ale_py
import numpy as np
import torch
from stable_baselines3.common.env_util import make_atari_env
from stable_baselines3.common.vec_env import VecFrameStack

from agentlens.compute import Compute
from agentlens.envs.atari.emulator import rom_path
from agentlens.policies.agent import Agent, load_agent
from agentlens.policies.base import Policy
from agentlens.rollout import recorder
from agentlens.rollout.outputs import Outputs
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from benchmarks.results import write_result

ENV_ID = "PongNoFrameskip-v4"


def recorded(agent: Agent, games: int, steps: int, folder: Path) -> float:
    """Decisions per CPU second of ``record`` from the first on, closing the files included."""
    first: list[float] = []

    def start(done: int, total: int) -> None:
        if not first:
            first.append(time.process_time())

    record(
        agent,
        output=folder,
        progress=start,
        play=Play(episodes=games, n_envs=games, max_steps=steps),
        compute=Compute(device="cpu"),
    )
    return games * (steps - 1) / (time.process_time() - first[0])


def indifferent(
    policy: Policy, device: torch.device, observations: Sequence[np.ndarray], states: Sequence[Any]
) -> list[Outputs]:
    """Stands in for ``evaluate``: every action equally likely, at no cost."""
    logits = np.zeros(len(policy.action_meanings), np.float32)
    return [Outputs(logits, "logits")] * len(observations)


def emulated(steps: int) -> float:
    """Decisions per CPU second of the emulator alone: four frames, nothing read."""
    ale = ale_py.ALEInterface()
    ale.setInt("random_seed", 0)
    ale.setFloat("repeat_action_probability", 0.0)
    ale.loadROM(rom_path("pong"))
    ale.reset_game()
    began = time.process_time()
    for _ in range(4 * steps):
        ale.act(ale_py.Action.NOOP)
    assert not ale.game_over()
    return steps / (time.process_time() - began)


def rolled_out(venv: Any, policy: Policy | None, steps: int) -> float:
    """Decisions per CPU second through stable-baselines3's wrappers; random without a policy."""
    rng = np.random.default_rng(0)
    observations = venv.reset()
    began = time.process_time()
    for _ in range(steps):
        if policy is None:
            actions = rng.integers(6, size=venv.num_envs)
        else:
            with torch.inference_mode():
                planes = torch.from_numpy(observations.transpose(0, 3, 1, 2)).float() / 255.0
                logits = policy(planes).preferences
                actions = torch.distributions.Categorical(logits=logits).sample().numpy()
        observations, *_ = venv.step(actions)
    return venv.num_envs * steps / (time.process_time() - began)


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--games", type=int, default=1, help="games at once")
    parser.add_argument("--steps", type=int, default=500, help="decisions of each game and round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    agent = load_agent("pong-ppo", env=ENV_ID, preset="sb3-atari")
    venv = VecFrameStack(make_atari_env(ENV_ID, n_envs=options.games, seed=0), 4)
    rates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for i in range(options.rounds):
            first, second = Path(temporary, f"a{i}"), Path(temporary, f"n{i}")
            with_network = recorded(agent, options.games, options.steps, first)
            with mock.patch.object(recorder, "evaluate", indifferent):
                without = recorded(agent, options.games, options.steps, second)
            for name, rate in {
                "ours, with network": with_network,
                "theirs, with network": rolled_out(venv, agent.policy, options.steps),
                "ours, without": without,
                "theirs, without": rolled_out(venv, None, options.steps),
                "emulator alone": emulated(min(options.steps, 500)),
            }.items():
                rates.setdefault(name, []).append(rate)
    venv.close()
    medians = {name: statistics.median(values) for name, values in rates.items()}
    ratios = {
        kind: medians[f"ours, {kind}"] / medians[f"theirs, {kind}"]
        for kind in ("with network", "without")
    }
    for name, value in medians.items():
        print(f"{name:<22} {value:8.0f} decisions per CPU second")
    for kind, ratio in ratios.items():
        print(f"ratio {kind:<16} {ratio:8.2f}")
    figures = {
        "game": ENV_ID,
        "games_at_once": options.games,
        "decisions_of_each": options.steps,
        "ratios": ratios,
        "median_decisions_per_cpu_second": medians,
        "decisions_per_cpu_second": rates,
    }
    print(write_result(f"recording-{options.games}", figures))


if __name__ == "__main__":
    main()
