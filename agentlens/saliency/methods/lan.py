"""LAN: the smallest part of the observation that keeps the agent's outputs what they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from agentlens.errors import InvalidArgument
from agentlens.saliency.optimise.options import LearnedMaskOptions
from agentlens.saliency.optimise.problem import AUTO, MASK_NETWORK, MaskProblem

if TYPE_CHECKING:
    from agentlens.compute import Compute
    from agentlens.policies.base import Policy
    from agentlens.saliency.base import Explainer, RecordingFacts


@dataclass(frozen=True, kw_only=True)
class Lan(LearnedMaskOptions):
    """How far each place may be replaced without moving the outputs, found for each frame.

    The map is 1 less the mask: near 1 where a pixel must stay, near 0 where it may go.

    Notes:
        2 ``steps`` + 2 evaluations of the policy a step and target.

    References:
        Grimm et al. 2017, the sample-specific objective E[L(F(x~), F(x))] - beta mean(A), whose A
        near 1 means irrelevant: shown as 1 - A. Deviations: logits on a coarse grid; the score is
        a target of ours; the fill is the recording's median unless ``frames`` (the paper's
        bootstrap) is asked for, since another frame may hold what is hidden; beta is found for
        each frame by the share of decisions kept, where the paper's values are not known.
        No number of the paper is for an RL agent: LAN objective, own checks.
    """

    summary: ClassVar[str] = "learned mask: the smallest part that keeps the outputs"
    paper: ClassVar[str] = "after Grimm et al. 2017"
    weakness: ClassVar[str] = "its maximum is a plateau: read where it is, not how high"

    beta: float | Literal["auto"] = AUTO
    """Weight of the mask's mean, in nats; auto: by ``kept``."""
    kept: float = 0.95
    """Share of decisions that an automatic beta keeps."""

    network: str | None = None
    """Folder of a mask network learned for this agent (agentlens train-lan): one pass a frame
    instead of an optimisation; beta, kept, steps, fill and cell_px are then the network's."""

    @property
    def artefact(self) -> tuple[str, str] | None:
        """The mask network, where one is named."""
        return None if self.network is None else (MASK_NETWORK, self.network)

    @property
    def pictures(self) -> frozenset[str]:
        """What the fill needs of the recording; a network was learned with it and needs nothing."""
        return frozenset() if self.network is not None else super().pictures

    def bind(self, policy: Policy, compute: Compute, facts: RecordingFacts) -> Explainer:
        """Prepare for one policy; see ``SaliencyMethod``."""
        if self.network is None:
            return super().bind(policy, compute, facts)
        if facts.artefact is None:
            raise InvalidArgument(
                f"network {self.network}: a mask network serves explain, video and watch; leave "
                "it out here, and masks are found for each state."
            )
        from agentlens.saliency.optimise.amortised import network_explainer

        return network_explainer(policy, self, facts)

    @property
    def problem(self) -> MaskProblem:
        """What is wanted of the masks."""
        return MaskProblem(
            goal="preserve",
            fill=self.fill,
            area_weight=self.beta,
            kept_decisions=self.kept,
            steps=self.steps,
            seed=self.seed,
        )


METHOD = Lan
