"""Where a method's maps peak in frames that one object decides, in a game with object facts.

A frame is decisive where erasing one object from every plane moves the policy by more than .1 nats
(KL), or changes the greedy action of a Q network: the object that moves it most is the cause. The
map is right there if its peak lies within 5 observation pixels of a pixel that erasing the object
changes, in one of the planes. Beside it stand the share that the input's agent-free energy reaches,
and the share that a peak at a random place would.

Shape letters: F frames, N objects, K planes, H W observation.
"""

from __future__ import annotations

import collections
from dataclasses import dataclass
from typing import Any

import numpy as np

from agentlens.compute import Compute
from agentlens.envs.atari.objects import objects_of
from agentlens.metrics._pixels import to_pixels
from agentlens.metrics._recorded import bind, frames_of, joined, median_picture, part
from agentlens.policies.agent import Agent
from agentlens.saliency.base import METHODS, FrameBatch, RecordingFacts, SaliencyMethod
from agentlens.saliency.methods.objects import Objects
from agentlens.saliency.object_effects import ObjectGame
from agentlens.saliency.objects import ObjectEraser
from agentlens.saliency.question import ask
from agentlens.store.recording import Recording

NEAR_PX = 5.0
LEAST_KL = 0.1


@dataclass(frozen=True, kw_only=True, eq=False)
class Decisive:
    """Decisive frames. ``names``: the deciding objects, [F]. ``near``: bool [F, H, W], pixels
    within 5 px of what erasing them changes. ``asked``: how many frames were looked at."""

    frames: FrameBatch
    names: tuple[str, ...]
    near: np.ndarray
    asked: int


def decisive_frames(recording: Recording, agent: Agent, *, asked: int, most: int) -> Decisive:
    """Frames that one object decides, evenly spread over a recording.

    Args:
        recording: of a game whose objects are known.
        agent: the one recorded.
        asked: frames to look at.
        most: decisive frames to keep.
    """
    eraser = ObjectEraser(recording, objects_of(recording))
    score = "kl" if agent.policy.kind == "logits" else "gap"
    scores = (score,) if score == "kl" else (score, "flip")
    game = ObjectGame(
        policy=agent.policy,
        question=ask(agent.policy, Objects(targets=scores), RecordingFacts()),
        scores=scores,
    )
    total = sum(map(len, recording.episodes))
    batches, names, near = [], [], []
    for episode in recording.episodes:
        own = max(1, asked * len(episode) // total)
        steps = np.unique(np.linspace(4, len(episode) - 1, own).astype(int))
        frames = frames_of(episode, steps)
        objects = eraser.frames(episode, steps)
        effects = game(frames, objects)
        size = np.abs(effects.erasure[score])
        first = size.argmax(1)
        rows = np.arange(len(steps))
        moved = effects.erasure.get("flip", size)[rows, first]
        chosen = np.flatnonzero(moved > (LEAST_KL if score == "kl" else 0.5))
        batches.append(part(frames, chosen))
        for row in chosen:
            before, after = objects.erased(int(row), [0, 1 << int(first[row])])
            names.append(eraser.names[first[row]])
            near.append(_grown((before != after).any(0)))
    keep = np.unique(np.linspace(0, len(names) - 1, min(most, len(names))).astype(int))
    return Decisive(
        frames=part(joined(batches), keep),
        names=tuple(names[i] for i in keep),
        near=np.array([near[i] for i in keep]),
        asked=asked,
    )


def _grown(mask: np.ndarray) -> np.ndarray:
    """Pixels within ``NEAR_PX`` of a mask: bool [H, W]."""
    rows, columns = np.nonzero(mask)
    grid = np.mgrid[: mask.shape[0], : mask.shape[1]]
    distance = np.hypot(grid[0][..., None] - rows, grid[1][..., None] - columns).min(-1)
    near: np.ndarray = distance <= NEAR_PX
    return near


def on_object(
    method: SaliencyMethod, recording: Recording, agent: Agent, decisive: Decisive
) -> np.ndarray:
    """Whether each map's peak lies on the deciding object: bool [F]."""
    explainer = bind(method, agent.policy, median_picture(recording), Compute(threads=1))
    hits = []
    for start in range(0, len(decisive.names), 8):
        rows = range(start, min(start + 8, len(decisive.names)))
        values = explainer(part(decisive.frames, rows)).values[:, 0].abs().sum(1)
        pixels = to_pixels(values.double().numpy(), explainer.grid)
        peaks = pixels.reshape(len(pixels), -1).argmax(1)
        near = decisive.near[list(rows)].reshape(len(pixels), -1)
        hits.append(near[np.arange(len(pixels)), peaks])
    return np.concatenate(hits)


def figures(
    recording: Recording, agent: Agent, *, asked: int = 400, most: int = 100
) -> dict[str, Any]:
    """Shares of decisive frames whose peak lies on the deciding object, as plain numbers."""
    decisive = decisive_frames(recording, agent, asked=asked, most=most)
    if not decisive.names:
        return {"asked": asked, "decisive": 0}
    default, energy = (METHODS.load(name)() for name in ("perturbation", "energy"))
    return {
        "asked": asked,
        "decisive": len(decisive.names),
        "objects": dict(collections.Counter(decisive.names).most_common()),
        "default": float(on_object(default, recording, agent, decisive).mean()),
        "energy": float(on_object(energy, recording, agent, decisive).mean()),
        "chance": float(decisive.near.mean()),
    }
