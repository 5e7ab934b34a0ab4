"""Superpixels hidden at random, and the linear model of what that does to the scores (LIME).

Shape letters: F frames, T targets, P plane selections, N samples, J superpixels, K planes,
H W observation.
"""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agentlens.compute import Compute, EngineName
from agentlens.errors import MissingExtra
from agentlens.policies.base import Policy
from agentlens.saliency.base import FrameBatch, MapBatch, RecordingFacts
from agentlens.saliency.frame_by_frame import frame_by_frame
from agentlens.saliency.masks import MaskSet
from agentlens.saliency.perturb import PerturbationExplainer, PerturbationSpec
from agentlens.saliency.seeds import counted_generator
from agentlens.spec import GridSpec

KERNEL_WIDTH = 0.25
"""Of the weights, in cosine distance from the observation with nothing hidden."""

RIDGE = 1.0
"""Weight of the squared coefficients."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sampling:
    """About how many superpixels of which compactness, and how often halves of them are hidden."""

    segments: int
    compactness: float
    samples: int
    seed: int


class SuperpixelExplainer:
    """LIME bound to a policy; an ``Explainer`` with a value a pixel, equal within a superpixel."""

    def __init__(
        self,
        policy: Policy,
        compute: Compute,
        facts: RecordingFacts,
        spec: PerturbationSpec,
        sampling: Sampling,
    ) -> None:
        self._slic = _segmentation().slic
        self._policy, self._spec, self._sampling = policy, spec, sampling
        engine: EngineName = "reference" if compute.engine == "reference" else "batched"
        self._compute, self._facts = dataclasses.replace(compute, engine=engine), facts
        plain = PerturbationExplainer(policy, self._compute, facts, spec)
        self.targets = tuple(
            dataclasses.replace(
                info,
                signed=True,
                display="identity",
                meaning=(
                    f"hiding this superpixel raises the score in a linear model: {info.meaning}"
                ),
            )
            for info in plain.targets
        )
        self.planes = plain.planes
        self.engine = f"{engine}: every frame has masks of its own"
        self.forward_passes = 1 + len(plain.planes) * sampling.samples
        self.grid = GridSpec.pixels(policy.observation_shape[1:])

    def __call__(self, frames: FrameBatch) -> MapBatch:
        """Explain F steps; see ``Explainer``."""
        return frame_by_frame(frames, self._policy, self._explain)

    def _explain(self, frame: FrameBatch) -> MapBatch:
        labels = superpixels(self._slic, frame.observations[0], self._sampling)
        generator = counted_generator(
            self._sampling.seed, int(frame.episodes[0]), int(frame.steps[0])
        )
        hidden = generator.random((self._sampling.samples, labels.max() + 1)) < 0.5
        listed = dataclasses.replace(
            self.grid, rows=tuple(map(float, range(len(hidden)))), columns=(0.0,)
        )
        masks = MaskSet(masks=hidden[:, labels].astype(np.float32), grid=listed)
        spec = dataclasses.replace(self._spec, masks=masks)
        scored = PerturbationExplainer(self._policy, self._compute, self._facts, spec).score(frame)
        effects = coefficients(hidden, scored.values[0].double().cpu().numpy())
        maps = torch.from_numpy(effects[..., labels].astype(np.float32))[None]
        return MapBatch(maps.to(scored.values.device), scored.explained_actions, scored.halvings)


def superpixels(slic: Any, observation: Tensor, sampling: Sampling) -> np.ndarray:
    """SLIC over all planes of [K, H, W], scaled to 0..1: int [H, W], numbered from 0 without
    gaps."""
    image = observation.float().cpu().numpy().transpose(1, 2, 0)
    low, high = float(image.min()), float(image.max())
    image = (image - low) / (high - low) if high > low else np.zeros_like(image)
    labels = slic(
        image,
        n_segments=sampling.segments,
        compactness=sampling.compactness,
        channel_axis=-1,
        convert2lab=False,
        start_label=0,
    )
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape)


def coefficients(hidden: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Weighted ridge regression of scores on what is hidden.

    Args:
        hidden: bool [N, J].
        scores: float64 [..., N].

    Returns:
        float64 [..., J]; exact zeros where the scores are.
    """
    distance = 1 - np.sqrt(1 - hidden.mean(1))
    weight = np.exp(-0.5 * (distance / KERNEL_WIDTH) ** 2)
    share = weight / weight.sum()
    centred = hidden - share @ hidden
    moved = scores - (scores @ share)[..., None]
    samples = weight[:, None] * centred
    normal = centred.T @ samples + RIDGE * np.eye(hidden.shape[1])
    effects: np.ndarray = np.linalg.solve(normal, (moved @ samples)[..., None])[..., 0]
    return effects


def _segmentation() -> Any:
    try:
        return importlib.import_module("skimage.segmentation")
    except ImportError as error:
        raise MissingExtra("scikit-image", "lime", "method 'lime'") from error
