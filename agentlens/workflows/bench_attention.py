"""Attention policies on the mosaic: where they average, and how scores become weights.

Shape letters: N mosaics, m cells, D pixels of a cell, C actions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from agentlens.envs.causes.kind import ENVIRONMENT
from agentlens.envs.causes.mosaic import CELL, MEANINGS
from agentlens.envs.protocols import resolve
from agentlens.saliency.engine.settings import torch_threads
from agentlens.workflows.bench import Focus
from agentlens.workflows.bench_focus import Attention, Weighing, counted, learn

Place = Literal["input", "middle", "late"]
WIDTH = 32


@dataclass(frozen=True, kw_only=True)
class AttentionPlan:
    """One attention policy.

    ``place``: cells are averaged as pixels, after one layer, or after two. ``entropy``: weight of
    the entropy that is held against spread-out weights.
    """

    place: Place = "input"
    weighing: Weighing = "softmax"
    entropy: float = 0.0

    @property
    def name(self) -> str:
        """Such as "input, softmax, entropy 0.03"."""
        held = f", entropy {self.entropy:g}" if self.entropy else ""
        return f"{self.place}, {self.weighing}{held}"


PLANS = (
    AttentionPlan(),
    AttentionPlan(place="middle"),
    AttentionPlan(place="late"),
    AttentionPlan(entropy=0.03),
    AttentionPlan(weighing="sparsemax"),
    AttentionPlan(weighing="spherical"),
)
"""Measured where no others are given."""


def mosaics(count: int, seed: int, *, world: str = "Mosaic9-v0") -> tuple[Tensor, Tensor, Tensor]:
    """Mosaics with their right actions and deciding cells.

    Args:
        count: N.
        seed: of the world.
        world: an id of ``envs.causes``.

    Returns:
        Cells float32 [N, m, 400], pixels in [-1, 1] about the ground; actions int64 [N]; places
        int64 [N].
    """
    mosaic = ENVIRONMENT.make(resolve(world).environment, MEANINGS)
    rules = np.random.default_rng(seed)
    mosaic.reset(seed=seed, rules=rules)
    pictures: list[np.ndarray] = []
    causes: list[tuple[int, int]] = []
    while len(pictures) < count:
        pictures.append(mosaic.screen)
        causes.append(mosaic.cause)
        if mosaic.step(0).terminated:
            seed += 1_000
            mosaic.reset(seed=seed, rules=rules)
    n = mosaic.cells
    cells = np.stack(pictures).reshape(count, n, CELL, n, CELL).swapaxes(2, 3)
    scaled = (cells.reshape(count, n * n, CELL * CELL).astype(np.float32) - 110.0) / 90.0
    places, actions = np.array(causes).T
    return torch.from_numpy(scaled), torch.from_numpy(actions), torch.from_numpy(places)


def bench_attention(
    plan: AttentionPlan, seed: int = 0, *, train: int = 400, test: int = 500, epochs: int = 25
) -> Focus:
    """Train an attention policy on the right actions alone and count where it looks.

    Args:
        plan: the policy.
        seed: of weights and mosaics.
        train, test: mosaics.
        epochs: over the training mosaics.

    Notes:
        A second or two on a core. With ten times the mosaics every place of averaging looks right.

    References:
        Pandey, Vashisht & Ramaswamy 2022, their CIFAR mosaics. Deviation: our own glyphs.
    """
    cells, actions, _ = mosaics(train, seed)
    held_out = mosaics(test, seed + 500_000)
    with torch_threads(1), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _model(plan)
        optimiser = torch.optim.Adam(model.parameters(), 1e-3)
        learn(
            model,
            cells,
            actions,
            optimiser=optimiser,
            epochs=epochs,
            batch=100,
            entropy=plan.entropy,
        )
    return counted(model, *held_out)


def _model(plan: AttentionPlan) -> Attention:
    pixels, actions = CELL * CELL, len(MEANINGS)
    focus = nn.Sequential(
        nn.Linear(pixels, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 1)
    )
    first = nn.Sequential(nn.Linear(pixels, WIDTH), nn.ReLU())
    second = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU())
    last = nn.Linear(WIDTH, actions)
    before, after = {
        "input": (nn.Identity(), nn.Sequential(first, second, last)),
        "middle": (first, nn.Sequential(second, last)),
        "late": (nn.Sequential(first, second), last),
    }[plan.place]
    return Attention(focus, before, after, plan.weighing)
