"""What is checked and measured around the maps: agreement of outputs, noise floors, finiteness."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from agentlens.compute import Compute
from agentlens.errors import NotFinite, OutputMismatch
from agentlens.policies.base import Policy
from agentlens.saliency.base import Explainer, FrameBatch, MapBatch, RecordingFacts, SaliencyMethod
from agentlens.spec import TargetInfo

OUTPUT_TOLERANCE = 5e-4
"""Recomputed outputs may differ from recorded ones by this share of the step's largest output
(at least of 1): batch sizes and devices cost up to 1e-4, a wrong state or observation 1e-2."""


def check_outputs(
    episode: int,
    steps: np.ndarray,
    recomputed: Mapping[str, Tensor | None],
    recorded: Mapping[str, np.ndarray | None],
) -> None:
    """Compare recomputed with recorded outputs of some steps.

    Args:
        episode: its index, for messages.
        steps: int64 [n], their numbers.
        recomputed: by name ("logits" or "q_values", "value"): [n, A] or [n], None where there is
            none.
        recorded: by all three names.

    Raises:
        OutputMismatch: too far apart, or of another kind; names episode, step and size.
        NotFinite: a recomputed output is a NaN or an infinity; names the step.
    """
    for name, theirs in recorded.items():
        tensor = recomputed.get(name)
        if tensor is None and theirs is None:
            continue
        if tensor is None or theirs is None:
            raise OutputMismatch(
                f"episode {episode}: {name} is given by the "
                f"{'recording' if tensor is None else 'agent'} alone: another agent recorded this."
            )
        ours = tensor.double().cpu().numpy().reshape(len(steps), -1)
        theirs = theirs.astype(np.float64).reshape(len(steps), -1)
        if ours.shape != theirs.shape:
            raise OutputMismatch(
                f"episode {episode}: the agent gives {ours.shape[1]} {name}, the recording has "
                f"{theirs.shape[1]}: another agent recorded this."
            )
        finite = np.isfinite(ours).all(1)
        if not finite.all():
            step = steps[int(np.argmin(finite))]
            raise NotFinite(f"episode {episode}, step {step}: the agent's {name} is not finite.")
        _check_close(episode, steps, name, ours, theirs)


def _check_close(
    episode: int, steps: np.ndarray, name: str, ours: np.ndarray, theirs: np.ndarray
) -> None:
    apart = np.abs(ours - theirs).max(1)
    allowed = OUTPUT_TOLERANCE * np.maximum(1, np.abs(theirs).max(1))
    bad = np.flatnonzero(~(apart <= allowed))
    if len(bad):
        worst = int(np.argmax(apart / allowed))
        raise OutputMismatch(
            f"episode {episode}, step {steps[bad[0]]}: {name} is {apart[bad[0]]:.3g} off what was "
            f"recorded (allowed {allowed[bad[0]]:.1g}; worst {apart[worst]:.3g} at step "
            f"{steps[worst]}): these weights, observations or states are not the ones that played. "
            "Explain with the recording's own agent."
        )


def check_maps(
    episode: int, steps: np.ndarray, maps: MapBatch, targets: tuple[TargetInfo, ...]
) -> None:
    """Refuse maps that are not finite.

    Raises:
        NotFinite: names episode, step and target.
    """
    finite = torch.isfinite(maps.values).flatten(2).all(-1)
    if not bool(finite.all()):
        frame, target = (int(i) for i in (~finite).nonzero()[0])
        raise NotFinite(
            f"episode {episode}, step {steps[frame]}: the map of {targets[target].name!r} holds a "
            "NaN or an infinity; the agent's outputs there are beyond its number range."
        )


def measure_noise(
    method: SaliencyMethod,
    policy: Policy,
    compute: Compute,
    facts: RecordingFacts,
    explainer: Explainer,
    frames: FrameBatch,
) -> tuple[TargetInfo, ...]:
    """The targets with the largest difference of these frames' maps from their float64 selves.

    Notes:
        Costs the frames' maps once more in float32 and once in float64.
    """
    exact_policy = copy.deepcopy(policy).double()
    exact = method.bind(exact_policy, dataclasses.replace(compute, engine="auto"), facts)
    doubled = dataclasses.replace(
        frames,
        observations=frames.observations.double(),
        states=_doubled(frames.states),
        previous=_doubled(frames.previous),
        past=_doubled(frames.past),
        past_states=_doubled(frames.past_states),
    )
    apart = explainer(frames).values.double() - exact(doubled).values.double()
    floors = apart.abs().amax((0, 2, 3, 4)).tolist()
    return tuple(
        dataclasses.replace(info, noise_floor=float(floor))
        for info, floor in zip(explainer.targets, floors, strict=True)
    )


def _doubled(values: Tensor | None) -> Tensor | None:
    return None if values is None else values.double()
