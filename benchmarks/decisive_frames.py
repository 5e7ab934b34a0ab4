"""Where perturbation maps of pong-ppo peak in frames that the ball decides.

A frame is decisive where erasing the ball from every plane, at its own time, moves the policy by
more than .1 nats (KL) and more than erasing either paddle's strip or the score does. A map is
right there if its peak lies within 6 observation pixels of the ball in one of the stack's planes.

Run: python benchmarks/decisive_frames.py RECORDING [--frames 100] [--output FILE.json]
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from agentlens.compute import Compute
from agentlens.metrics._recorded import bind, frames_of, joined, median_picture, part
from agentlens.metrics._states import States
from agentlens.policies.agent import load_agent
from agentlens.rollout.places import region_mask
from agentlens.saliency.base import FrameBatch, SaliencyMethod
from agentlens.saliency.methods.occlusion import Occlusion
from agentlens.saliency.methods.perturbation import Perturbation
from agentlens.store.recording import Recording, open_recording

NEAR_PX = 6.0
MARGIN_PX = 2.5
"""Observation pixels around the ball's middle that erasing it covers."""

VARIANTS: dict[str, SaliencyMethod] = {
    "blur:3, radius 5, stride 5": Perturbation(reference="blur", radius=5, stride=5),
    "median, radius 5, stride 5": Perturbation(reference="median", radius=5, stride=5),
    "median, radius 4, stride 4": Perturbation(reference="median", radius=4, stride=4),
    "median, radius 3, stride 4": Perturbation(reference="median", radius=3, stride=4),
    "median, square 10, stride 4": Occlusion(reference="median", size=10, stride=4),
    "median, square 12, stride 5": Occlusion(reference="median", size=12, stride=5),
    "median, square 8, stride 4": Occlusion(reference="median", size=8, stride=4),
    "median, radius 6, stride 4": Perturbation(reference="median", radius=6, stride=4),
    "median, radius 5, stride 4": Perturbation(reference="median", radius=5, stride=4),
    "median, radius 5, stride 3": Perturbation(reference="median", radius=5, stride=3),
    "median, radius 5, log_probability": Perturbation(
        reference="median", radius=5, targets=("log_probability",), action="greedy"
    ),
    "blur:6, radius 5, stride 5": Perturbation(reference="blur:6", radius=5, stride=5),
    "median, radius 8, stride 5": Perturbation(reference="median", radius=8, stride=5),
    "median, square 6, stride 3": Occlusion(reference="median", size=6, stride=3),
    "constant:0, radius 5, stride 5": Perturbation(reference="constant:0", radius=5, stride=5),
}


def ball_places(recording: Recording, frames: FrameBatch, depth: int) -> np.ndarray:
    """Middle of the ball in observation pixels by plane: float64 [F, K, 2], NaN where unseen."""
    spec = recording.header.agent.observation
    top, bottom, left, right = spec.screen_rectangle()
    scale = np.array([spec.resize[0] / (bottom - top), spec.resize[1] / (right - left)])
    places = np.full((len(frames), depth, 2), np.nan)
    rams = {episode.index: episode.ram for episode in recording.episodes}
    for i, (index, step) in enumerate(zip(frames.episodes, frames.steps, strict=True)):
        for plane in range(depth):
            ram = rams[int(index)][step - (depth - 1 - plane)].astype(int)
            row, column = ram[54] - 14 + 2.0, ram[49] - 49 + 1.0
            if ram[54] and 34 <= row < 194 and 0 <= column < 160:
                places[i, plane] = (np.array([row - top, column - left])) * scale - 0.5
    return places


def ball_masks(places: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Erasing masks of every plane: float32 [F, K, H, W]."""
    rows, columns = (np.arange(size) for size in shape)
    near_row = np.abs(rows - places[..., :1]) <= MARGIN_PX
    near_column = np.abs(columns - places[..., 1:]) <= MARGIN_PX
    return (near_row[..., :, None] & near_column[..., None, :]).astype(np.float32)


def decisive(
    recording: Recording, states: States, places: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Which frames the ball decides, and the effect of erasing each thing in each frame."""
    spec, rows = recording.header.agent, np.arange(len(states))
    effects = {}
    for name in ("own-paddle", "opponent", "score"):
        mask = region_mask(name, spec)
        masks = np.broadcast_to(mask, (len(states), *mask.shape))
        effects[name] = states.effect(states.erase(masks, rows), rows)
    observations = states.frames.observations
    region = torch.from_numpy(ball_masks(places, spec.observation.resize))
    hidden = observations + region * (states.fill("median") - observations)
    effects["ball"] = states.effect(states.evaluate(hidden, rows), rows)
    seen = np.isfinite(places[:, -1, 0])
    largest = np.max([effects[name] for name in effects if name != "ball"], axis=0)
    return seen & (effects["ball"] > 0.1) & (effects["ball"] > largest), effects


def peaks(method: SaliencyMethod, states: States) -> tuple[np.ndarray, np.ndarray, float]:
    """Peaks in observation pixels [F, 2], maps [F, gy, gx], seconds a frame."""
    explainer = bind(method, states.policy, states.median, Compute(threads=1))
    maps, start = [], time.perf_counter()
    for first in range(0, len(states), 8):
        chosen = range(first, min(first + 8, len(states)))
        values = explainer(part(states.frames, chosen)).values[:, 0, 0]
        maps.append(values.clamp(min=0).double().numpy())
    seconds = (time.perf_counter() - start) / len(states)
    whole = np.concatenate(maps)
    row, column = np.unravel_index(whole.reshape(len(whole), -1).argmax(1), whole.shape[1:])
    grid = explainer.grid
    return np.stack([np.array(grid.rows)[row], np.array(grid.columns)[column]], 1), whole, seconds


def main() -> None:
    """Print a line a variant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--every", type=int, default=5)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    recording = open_recording(options.recording)
    agent = load_agent(recording.folder / "agent")
    median, depth = median_picture(recording), recording.header.agent.observation.stack
    batches = [
        frames_of(episode, np.arange(depth, len(episode), options.every))
        for episode in recording.episodes
    ]
    frames = joined(batches)
    states = States(
        policy=agent.policy, frames=frames, median=median, explained=frames.actions.numpy()
    )
    places = ball_places(recording, frames, depth)
    chosen, _ = decisive(recording, states, places)
    rows = np.flatnonzero(chosen)
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, options.frames).astype(int))]
    print(f"{chosen.sum()} of {len(frames)} frames are decisive; {len(rows)} of them explained")
    states, places = states.some(rows), places[rows]
    table = {}
    for name, method in VARIANTS.items():
        at, _, seconds = peaks(method, states)
        gaps = np.hypot(*np.moveaxis(at[:, None] - places, -1, 0))
        newest, nearest = gaps[:, -1], np.nanmin(gaps, axis=1)
        table[name] = {
            "on the ball in some plane": float((nearest <= NEAR_PX).mean()),
            "on the newest ball": float((newest <= NEAR_PX).mean()),
            "frames": len(rows),
        }
        shares = [f"{table[name][key]:.3f}" for key in list(table[name])[:2]]
        print(f"{name:36} {shares[0]}  newest {shares[1]}  {1000 * seconds:.0f} ms", flush=True)
        if options.output:
            options.output.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
