"""Train the reference policies of worlds whose cause is known, from right actions alone.

    python -m benchmarks.mosaic_policies [--worlds Mosaic16-v0 ...] [--updates N]

A small convolutional network learns which action is right in mosaics that it has not seen before;
where the cue is in no frame of the stack, a GRU stands behind the convolutions, which begin as
those of the world without a delay, and both learn from short sequences. Nothing tells the networks
where to look. They go to benchmarks/policies/WORLD as agents, and
`agentlens bench causes --agent benchmarks/policies/WORLD` scores methods on them.

Shape letters: N mosaics, T decisions in a row, K planes, H W observation.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from agentlens.envs.causes.kind import ENVIRONMENT, WORLDS
from agentlens.envs.causes.mosaic import MEANINGS
from agentlens.envs.protocols import resolve
from agentlens.layer_spec import ChainSpec, LayerSpec, NetworkSpec
from agentlens.policies.agent import Agent, load_agent
from agentlens.policies.base import Policy
from agentlens.policies.importing import save_agent
from agentlens.policies.networks import build_policy
from agentlens.spec import ActionSpec, AgentSpec

FOLDER = Path(__file__).parent / "policies"
SEQUENCE = 6
"""Decisions in a row that a GRU learns from."""
ROWS = 64
KEPT = ["Mosaic9-v0", "Mosaic16-v0", "Mosaic25-v0", "Mosaic16Delay2-v0", "Mosaic16Memory-v0"]
"""Worlds whose policies are kept, those whose eyes others begin with before them."""
EYES_OF = {"Mosaic16Memory-v0": "mosaic16"}
"""By world: the kept policy whose convolutions it begins with. Without them the GRU learned nothing
in 700 updates."""
UPDATES = {"Mosaic16Memory-v0": 1400}
"""By world, where 700 are too few."""
_EYES = (
    LayerSpec(kind="conv", out=16, kernel=5, stride=2),
    LayerSpec(kind="relu"),
    LayerSpec(kind="conv", out=32, kernel=5, stride=2),
    LayerSpec(kind="relu"),
    LayerSpec(kind="conv", out=32, kernel=3, stride=2),
    LayerSpec(kind="relu"),
    LayerSpec(kind="flatten"),
    LayerSpec(kind="linear", out=32),
    LayerSpec(kind="relu"),
)


def network(remembers: bool) -> NetworkSpec:
    """Three convolutions, 32 units, and a GRU of 32 where it has to remember."""
    eyes = ChainSpec(name="eyes", layers=_EYES)
    memory = ChainSpec(name="memory", reads="eyes", layers=(LayerSpec(kind="gru", out=32),))
    actor = ChainSpec(
        name="actor",
        reads="memory" if remembers else "eyes",
        layers=(LayerSpec(kind="linear", out=len(MEANINGS)),),
        output="logits",
    )
    return NetworkSpec(chains=(eyes, memory, actor) if remembers else (eyes, actor))


def untrained(world: str) -> Agent:
    """The agent of a world before it learns."""
    resolved = resolve(world)
    spec = AgentSpec(
        name=f"trained-{world.removesuffix('-v0').lower()}",
        format="safetensors",
        weights="policy.safetensors",
        algorithm="supervised",
        licence="MIT",
        source="trained for this project on right actions: benchmarks/mosaic_policies.py",
        environment=resolved.environment,
        observation=resolved.observation,
        action=ActionSpec(meanings=MEANINGS, selection="greedy", reason="trained as a classifier"),
        network=network("stack" in WORLDS[world]),
    )
    assert spec.network is not None  # set above
    policy = build_policy(spec.network, spec.observation, spec.action)
    if world in EYES_OF:
        kept = load_agent(FOLDER / EYES_OF[world]).policy.state_dict()
        eyes = {name: weights for name, weights in kept.items() if name.startswith("chains.0.")}
        policy.load_state_dict(eyes, strict=False)
    return Agent(spec=spec, policy=policy)


class Stream:
    """Games of a world played by nobody, as sequences with their right actions."""

    def __init__(self, world: str, seed: int) -> None:
        spec = resolve(world)
        self._world = ENVIRONMENT.make(spec.environment, MEANINGS)
        self._stack, self._seed = spec.observation.stack, seed
        self._delay = WORLDS[world].get("delay", 0)
        self._reset()

    def sequences(self, count: int, length: int) -> tuple[Tensor, Tensor]:
        """Observations float32 [N, T, K, H, W] in [0, 1] and right actions int64 [N, T].

        Every sequence begins where the cue of its first decision has been in sight of one that
        stands ``delay`` earlier, so that a memory that starts empty is asked from then on.
        """
        pairs = [self._sequence(length) for _ in range(count)]
        pictures = np.stack([screens for screens, _ in pairs])
        rights = np.array([right for _, right in pairs], np.int64)
        return torch.from_numpy(pictures.astype(np.float32) / 255.0), torch.from_numpy(rights)

    def _sequence(self, length: int) -> tuple[np.ndarray, list[int]]:
        screens, rights = [], []
        for _ in range(self._stack - 1 + length):
            screens.append(self._world.screen)
            rights.append(self._world.cause[1])
            if self._world.step(0).terminated:
                self._reset()
                return self._sequence(length)
        stacks = [np.stack(screens[t : t + self._stack]) for t in range(length)]
        return np.stack(stacks), rights[self._stack - 1 :]

    def _reset(self) -> None:
        self._seed += 1
        self._world.reset(seed=self._seed, rules=np.random.default_rng(0))


def learn(policy: Policy, world: str, *, updates: int, seed: int) -> float:
    """Learn right actions; returns the share of right ones in games held out.

    Args:
        policy: changed in place.
        world: an id of ``envs.causes``.
        updates: batches of ``ROWS`` fresh mosaics.
        seed: of the games.
    """
    remembers = policy.state_size > 0
    length = SEQUENCE if remembers else 1
    stream, first = Stream(world, seed), WORLDS[world].get("delay", 0) if remembers else 0
    optimiser = torch.optim.Adam(policy.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=updates)
    policy.requires_grad_(True)
    for _ in range(updates):
        observations, rights = stream.sequences(ROWS // length, length)
        logits = _answers(policy, observations)[:, first:]
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), rights[:, first:].flatten())
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        schedule.step()
    policy.requires_grad_(False)
    held_out, rights = Stream(world, seed + 1_000_000).sequences(400 // length, length)
    with torch.inference_mode():
        chosen = _answers(policy, held_out).argmax(-1)
    return float((chosen == rights)[:, first:].float().mean())


def _answers(policy: Policy, observations: Tensor) -> Tensor:
    """Logits [N, T, A], a memory run along from empty."""
    state = policy.initial_state(len(observations)) if policy.state_size else None
    answers = []
    for t in range(observations.shape[1]):
        output = policy(observations[:, t], state)
        answers.append(output.preferences)
        state = output.state
    return torch.stack(answers, 1)


def main() -> None:
    """Train and keep the policies."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", nargs="+", default=KEPT, choices=sorted(WORLDS))
    parser.add_argument("--updates", type=int, help="if not given 700, of a GRU 1400")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for world in options.worlds:
        start = time.perf_counter()
        torch.manual_seed(options.seed)
        agent = untrained(world)
        updates = options.updates or UPDATES.get(world, 700)
        right = learn(agent.policy, world, updates=updates, seed=options.seed)
        folder = save_agent(agent, FOLDER / world.removesuffix("-v0").lower(), force=True)
        size = (folder / agent.spec.weights).stat().st_size / 1e6
        seconds = time.perf_counter() - start
        print(f"{world}: right {right:.3f}, {size:.2f} MB, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
