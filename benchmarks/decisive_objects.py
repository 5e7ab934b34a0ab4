"""Where a method's maps peak in frames that one object decides, in a game with object facts.

A frame is decisive where erasing one object from every plane moves the policy by more than .1 nats
(KL), or changes the greedy action of a Q network: the object that moves it most is the cause. The
map is right there if its peak lies within 6 observation pixels of a pixel that erasing the object
changes, in one of the planes. Beside it stand the share within 5 pixels, the share over frames
whose cause is clear (nothing else moves the policy by four fifths as much), the share that the
input's agent-free energy reaches, and the share that a peak at a random place would.

    python -m benchmarks.decisive_objects RECORDING [--frames 400]

Shape letters: F frames, N objects, K planes, H W observation.
"""

from __future__ import annotations

import argparse
import collections
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from agentlens.badges import Figure
from agentlens.compute import Compute
from agentlens.envs.atari.objects import objects_of
from agentlens.metrics._pixels import to_pixels
from agentlens.metrics._recorded import bind, frames_of, joined, median_picture, part
from agentlens.policies.agent import Agent, load_agent
from agentlens.saliency.base import METHODS, FrameBatch, RecordingFacts, SaliencyMethod
from agentlens.saliency.methods.objects import Objects
from agentlens.saliency.object_effects import ObjectGame
from agentlens.saliency.objects import ObjectEraser
from agentlens.saliency.question import ask
from agentlens.store.recording import Recording, open_recording
from agentlens.workflows.measure_result import MeasureResult

NEAR_PX, NEARER_PX = 6.0, 5.0
LEAST_KL = 0.1
CLEAR = 0.8
"""The cause is clear where no other object moves the policy by this share of what it does."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Decisive:
    """Decisive frames. ``names``: the deciding objects, [F]. ``distance``: float64 [F, H, W], in
    pixels from what erasing them changes. ``clear``: bool [F], no other object does nearly as
    much."""

    frames: FrameBatch
    names: tuple[str, ...]
    distance: np.ndarray
    clear: np.ndarray


def decisive_frames(recording: Recording, agent: Agent, *, asked: int) -> Decisive:
    """Frames that one object decides, among frames evenly spread over a recording.

    Args:
        recording: of a game whose objects are known.
        agent: the one recorded.
        asked: frames to look at.
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
    batches, names, distances, clear = [], [], [], []
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
            distances.append(_distance((before != after).any(0)))
            second = np.partition(size[row], -2)[-2] if size.shape[1] > 1 else 0.0
            clear.append(bool(second < CLEAR * size[row].max()))
    return Decisive(
        frames=joined(batches),
        names=tuple(names),
        distance=np.array(distances),
        clear=np.array(clear, bool),
    )


def _distance(mask: np.ndarray) -> np.ndarray:
    """Of every pixel from the nearest one in a mask: float64 [H, W]."""
    return cv2.distanceTransform(
        (~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
    ).astype(np.float64)


def distances(
    method: SaliencyMethod, recording: Recording, agent: Agent, decisive: Decisive
) -> np.ndarray:
    """How far each map's peak lies from the deciding object, in pixels: float64 [F]."""
    explainer = bind(method, agent.policy, median_picture(recording), Compute(threads=1))
    gaps = []
    for start in range(0, len(decisive.names), 8):
        rows = range(start, min(start + 8, len(decisive.names)))
        values = explainer(part(decisive.frames, rows)).values[:, 0].abs().sum(1)
        pixels = to_pixels(values.double().numpy(), explainer.grid)
        peaks = pixels.reshape(len(pixels), -1).argmax(1)
        away = decisive.distance[list(rows)].reshape(len(pixels), -1)
        gaps.append(away[np.arange(len(pixels)), peaks])
    return np.concatenate(gaps)


def figures(
    recording: Recording,
    agent: Agent,
    *,
    asked: int = 400,
    method: SaliencyMethod | None = None,
) -> dict[str, Any]:
    """Shares of decisive frames whose peak lies on the deciding object, as plain numbers.

    ``method``: the default map if not given.
    """
    decisive = decisive_frames(recording, agent, asked=asked)
    if not decisive.names:
        return {"asked": asked, "decisive": 0}
    default, energy = (METHODS.load(name)() for name in ("perturbation", "energy"))
    gaps = distances(method or default, recording, agent, decisive)
    hits, names = gaps <= NEAR_PX, np.array(decisive.names)
    interval = share(hits, decisive.frames)
    by_energy = distances(energy, recording, agent, decisive) <= NEAR_PX
    return {
        "asked": asked,
        "decisive": len(names),
        "objects": dict(collections.Counter(decisive.names).most_common()),
        "default": float(hits.mean()),
        "low": interval.low,
        "high": interval.high,
        "by object": {name: float(hits[names == name].mean()) for name in sorted(set(names))},
        "within 5": float((gaps <= NEARER_PX).mean()),
        "clear": int(decisive.clear.sum()),
        "default where clear": float(hits[decisive.clear].mean()) if decisive.clear.any() else None,
        "energy": float(by_energy.mean()),
        "chance": float((decisive.distance <= NEAR_PX).mean()),
    }


def share(hits: np.ndarray, frames: FrameBatch) -> Figure:
    """A share with its interval over episodes, or over stretches of few."""
    result = MeasureResult(
        values={"map": {"hit": hits.astype(np.float64)}},
        places={"map": {"hit": np.arange(len(hits))}},
        episodes=frames.episodes,
        steps=frames.steps,
        methods=("map",),
        better={"hit": "higher"},
    )
    return result.figure("map", "hit")


def main() -> None:
    """Print the figures of a recording."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recording", type=Path)
    parser.add_argument("--frames", type=int, default=400)
    options = parser.parse_args()
    torch.set_num_threads(1)
    recording = open_recording(options.recording)
    agent = load_agent(recording.folder / "agent")
    print(json.dumps(figures(recording, agent, asked=options.frames), indent=1))


if __name__ == "__main__":
    main()
