"""SmoothGrad: gradients averaged over noisy copies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.saliency.attribution import Attribution, PointOutputs
from agentlens.saliency.base import Explainer, FrameBatch, RecordingFacts, SaliencyMethod
from agentlens.saliency.options import GradientOptions
from agentlens.saliency.seeds import check_seed, counted_generator

if TYPE_CHECKING:
    from agentlens.policies.base import Policy


MOST_NOISE = 100
"""Ranges of a frame: beyond it nothing is left of what the agent sees."""


@dataclass(frozen=True, kw_only=True)
class SmoothGrad(GradientOptions, SaliencyMethod):
    """The mean size of an output's derivative over noisy copies of the observation.

    Notes:
        ``samples`` forward and as many backward passes a step and target.

    References:
        Smilkov et al. 2017, section 3, with absolute values. The noise depends on seed, episode
        and step alone.
    """

    summary: ClassVar[str] = "gradient magnitude averaged over noisy copies"
    paper: ClassVar[str] = "Smilkov et al. 2017"
    weakness: ClassVar[str] = "noisy screens are ones that the agent never met"

    samples: int = 16
    """Noisy copies."""
    noise: float = 0.1
    """Standard deviation of the noise as a share of the frame's range."""
    seed: int = 0
    """Seed of the noise."""

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if self.samples < 1 or not 0 <= self.noise <= MOST_NOISE:
            raise InvalidArgument(
                f"{self.samples} samples with noise {self.noise}: expected 1 or more, and noise "
                f"from 0 to {MOST_NOISE}."
            )

    def bind(self, policy: Policy, compute: Compute, facts: RecordingFacts) -> Explainer:
        """Prepare for one policy; see ``SaliencyMethod``."""
        from agentlens.saliency.gradients import GradientExplainer, MapMeaning

        return GradientExplainer(
            policy,
            compute,
            facts,
            self,
            Smoothed(samples=self.samples, share=self.noise, seed=self.seed),
            MapMeaning(
                signed=False,
                per_unit=True,
                meaning="small changes around this pixel's value move the output much",
                passes=1 + 2 * self.samples,
            ),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Smoothed:
    """Mean |gradient| over noisy copies; the noise depends on seed, episode and step alone."""

    samples: int
    share: float
    seed: int

    def __call__(self, frame: FrameBatch, outputs: PointOutputs) -> Attribution:
        """Noise of ``share`` times the frame's range, added ``samples`` times."""
        observation = frame.observations
        generator = counted_generator(self.seed, int(frame.episodes[0]), int(frame.steps[0]))
        shape = (self.samples, *observation.shape[1:])
        noise = observation.new_tensor(generator.standard_normal(shape, np.float32))
        sigma = self.share * (observation.max() - observation.min())
        return Attribution(outputs.gradients(observation + sigma * noise).abs().mean(1))


METHOD = SmoothGrad
