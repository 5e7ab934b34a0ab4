"""Exact saliency maps, captum and recording on a GPU.

    python -m benchmarks.gpu [--output FOLDER]

Maps are those of the method as published: Gaussian masks of radius 5 every 5 pixels over the whole
stack, each plane's own blur, the KL divergence of the policy. Time runs from observations on the
device to maps on the host. The frames are drawn here (a court, paddles, a ball), so that the
engine's part needs PyTorch, NumPy, safetensors and the agents' weights alone; captum and the
emulator are measured where they are installed. Without a GPU everything runs on the CPU in float32.

Wheels to carry to a machine that has PyTorch but nothing else of it (under 10 MB): ale-py,
gymnasium, farama-notifications, stable-baselines3, sb3-contrib, captum, safetensors.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from agentlens.compute import Compute
from agentlens.policies.base import Policy
from agentlens.policies.manifest import read_manifest
from agentlens.policies.networks import build_policy
from agentlens.policies.weights import load_tensors, read_safetensors
from agentlens.saliency.engine import batched
from agentlens.saliency.engine.base import MaskedPlanes
from agentlens.saliency.masks import gaussian_masks, plane_selections
from agentlens.saliency.references import blur
from agentlens.saliency.scores import kl
from benchmarks.results import RESULTS, write_result

REPOSITORY = Path(__file__).resolve().parent.parent
AGENTS = ("pong-ppo", "pong-recurrent")
RADIUS, STRIDE, BLUR = 5.0, 5, 3.0
AIMS = {"one frame a call": 2000, "batched": 5000, "captum / ours": 20}


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much is measured.

    Attributes:
        frames: of a batched call.
        seconds: that each figure is measured for, at least.
        memory_bytes: an engine's.
        games: most games recorded side by side.
        steps: decisions of each.
    """

    frames: int
    seconds: float
    memory_bytes: int
    games: int
    steps: int


WHOLE = Scale(frames=64, seconds=0.8, memory_bytes=8 << 30, games=64, steps=60)
SMALL = Scale(frames=2, seconds=0.0, memory_bytes=1 << 28, games=2, steps=4)


def policy_of(name: str) -> Policy:
    """A shipped agent's network, without the packages that playing needs."""
    folder = REPOSITORY / "agents" / name
    spec = read_manifest(folder / "agent.toml")
    if spec.network is None:
        raise ValueError(f"{folder}/agent.toml declares no network, so none can be built")
    policy = build_policy(spec.network, spec.observation, spec.action)
    load_tensors(policy, read_safetensors(folder / spec.weights))
    return policy


def drawn_frames(count: int, shape: tuple[int, int, int]) -> Tensor:
    """A court with two paddles and a moving ball, float32 [F, K, H, W] in [0, 1]."""
    stack, height, width = shape
    planes = np.full((count + stack - 1, height, width), 87, np.uint8)
    planes[:, height // 6 : height // 6 + 3] = planes[:, -6:] = 236
    for t, plane in enumerate(planes):
        row, column = 20 + (2 * t) % 50, 10 + (3 * t) % 64
        plane[row : row + 2, column : column + 2] = 236
        for left, place in ((8, row - 3), (width - 10, row + 2)):
            plane[place : place + 7, left : left + 2] = 130
    stacks = np.lib.stride_tricks.sliding_window_view(planes, stack, axis=0)
    return torch.from_numpy(np.moveaxis(stacks, -1, 1).astype(np.float32) / 255)


def states_of(policy: Policy, frames: Tensor) -> Tensor | None:
    """The memory before each frame, [F, S], as if they followed each other."""
    state = policy.initial_state(1)
    if state is None:
        return None
    states = []
    with torch.inference_mode():
        for frame in frames:
            states.append(state)
            state = policy(frame[None], state).state
    return torch.cat(states)


@contextlib.contextmanager
def tensor_float32() -> Iterator[None]:
    """What the engine refuses: products in TF32."""
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    yield


class MapMaker:
    """Maps of one policy in one precision: float32, TF32, bfloat16 or float64."""

    def __init__(self, policy: Policy, precision: str, device: str, memory_bytes: int) -> None:
        kinds = {"float64": torch.float64, "bfloat16": torch.bfloat16}
        self.kind = kinds.get(precision, torch.float32)
        self._precision = precision
        masks = gaussian_masks(policy.observation_shape[1:], RADIUS, STRIDE)
        _, selections = plane_selections("all", policy.observation_shape[0])
        self.perturbation = MaskedPlanes(masks=torch.from_numpy(masks.masks), selections=selections)
        self._engine = batched.build(
            copy.deepcopy(policy).to(device, self.kind),
            self.perturbation,
            memory_bytes=memory_bytes,
            threads=0,
        )

    def __call__(self, observations: Tensor, states: Tensor | None) -> Tensor:
        """Maps, float64 [F, M] on the host; inputs are float32 on the device."""
        lifted = mock.patch.object(batched, "exact_float32", tensor_float32)
        with lifted if self._precision == "TF32" else contextlib.nullcontext():
            references = blur(observations.to(self.kind), BLUR)
            outputs = self._engine(observations, references, states)
        return kl(outputs.base.preferences[:, None, None], outputs.perturbed.preferences)[
            :, 0
        ].cpu()


def per_second(call: Callable[[], object], count: int, seconds: float) -> float:
    """How many of ``count`` results a call are made in a second; the first call is not timed."""
    call()
    done, start = 0, time.perf_counter()
    while done == 0 or time.perf_counter() - start < seconds:
        call()
        done += count
    return done / (time.perf_counter() - start)


def measure_maps(name: str, device: str, scale: Scale) -> dict[str, Any]:
    """Maps a second and their error, in each precision."""
    policy = policy_of(name)
    frames = drawn_frames(scale.frames, policy.observation_shape)
    states = states_of(policy, frames)
    frames, states = frames.to(device), None if states is None else states.to(device)
    exact = MapMaker(policy, "float64", device, scale.memory_bytes)(frames, states)
    largest = exact.amax(dim=1)
    figures: dict[str, Any] = {"masks": exact.shape[1], "frames of a batch": scale.frames}
    for precision in ("float32", "TF32", "bfloat16") if device == "cuda" else ("float32",):
        make = MapMaker(policy, precision, device, scale.memory_bytes)
        error = (make(frames, states) - exact).abs().amax(dim=1) / largest
        first = None if states is None else states[:1]
        figures[precision] = {
            "maps a second, one frame a call": per_second(
                lambda make=make, first=first: make(frames[:1], first), 1, scale.seconds
            ),
            "maps a second, batched": per_second(
                lambda make=make: make(frames, states), scale.frames, scale.seconds
            ),
            "largest error, share of a map's maximum": float(error.max()),
            "median error, share of a map's maximum": float(error.median()),
        }
    if importlib.util.find_spec("captum") and importlib.util.find_spec("scipy"):
        figures["captum"] = measure_captum(policy, frames, states, device, scale)
        theirs = figures["captum"]["maps a second, one frame a call"]
        for words, ours in (("one frame a call", "one frame a call"), ("ours batched", "batched")):
            figures[f"captum / ours, {words}"] = (
                figures["float32"][f"maps a second, {ours}"] / theirs
            )
    return figures


def measure_captum(
    policy: Policy, frames: Tensor, states: Tensor | None, device: str, scale: Scale
) -> dict[str, Any]:
    """Captum's FeatureAblation for the same maps, with its fastest number of masks at once."""
    from benchmarks.baselines import CaptumMap

    masks = MapMaker(policy, "float32", device, scale.memory_bytes).perturbation.masks.to(device)
    make = CaptumMap(
        policy.to(device), masks, lambda base, new, _: kl(base.preferences, new.preferences)
    )
    state = None if states is None else states[:1]

    def one_map(at_once: int) -> Tensor:
        reference = blur(frames[:1], BLUR)[0]
        return make(frames[0], reference, state, 0, at_once).cpu()

    rates = {
        at_once: per_second(lambda at_once=at_once: one_map(at_once), 1, scale.seconds)
        for at_once in (64, len(masks))
    }
    best = max(rates, key=lambda at_once: rates[at_once])
    return {"maps a second, one frame a call": rates[best], "masks at once": best}


def measure_recording(device: str, scale: Scale) -> dict[str, float]:
    """Decisions a second recorded, with one forward pass for all games."""
    from agentlens.rollout.play import Play
    from agentlens.rollout.recorder import record

    figures = {}
    for games in sorted({1, min(8, scale.games), scale.games}):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            record(
                "pong-ppo",
                output=Path(folder) / "games",
                play=Play(episodes=games, n_envs=games, max_steps=scale.steps),
                compute=Compute(device=device),
            )
            seconds = time.perf_counter() - start
        figures[f"{games} games"] = games * scale.steps / seconds
    return figures


def run_tests() -> str:
    """Run the tests that need a GPU and return how many passed, in pytest's words."""
    command = [sys.executable, "-m", "pytest", "-v", "-m", "gpu", "tests/gpu"]
    finished = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=120
    )
    if finished.returncode:
        print(finished.stdout + finished.stderr, file=sys.stderr)
    return finished.stdout.strip().splitlines()[-1].strip("= ").partition(" in ")[0]


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description="Exact maps, captum and recording on a GPU.")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of gpu.json")
    parser.add_argument("--small", action="store_true", help="sizes that a CPU ends in seconds")
    options = parser.parse_args(arguments)
    scale = SMALL if options.small else WHOLE
    device = "cuda" if torch.cuda.is_available() else "cpu"
    figures: dict[str, Any] = {"device": device, "aims": AIMS}
    for name in AGENTS:
        figures[name] = measure_maps(name, device, scale)
        _print(name, figures[name])
    if importlib.util.find_spec("ale_py"):
        figures["decisions recorded a second"] = measure_recording(device, scale)
        _print("decisions recorded a second", figures["decisions recorded a second"])
    if device == "cuda":
        figures["gpu tests"] = run_tests()
        print(f"gpu tests: {figures['gpu tests']}")
    print(f"written to {write_result('gpu', figures, folder=options.output)}")
    return 0


def _print(title: str, figures: dict[str, Any], indent: str = "") -> None:
    print(f"{indent}{title}", flush=True)
    for name, value in figures.items():
        if isinstance(value, dict):
            _print(name, value, indent + "  ")
        else:
            print(f"{indent}  {name:44} {value:.4g}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
