"""Memory: what the agent remembers against what it sees. A curve, not a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.saliency.base import Explainer, RecordingFacts, SaliencyMethod
from agentlens.saliency.lengths import length
from agentlens.saliency.options import AskedOptions, ReferenceOptions
from agentlens.saliency.references import parse_reference

if TYPE_CHECKING:
    from agentlens.policies.base import Policy


@dataclass(frozen=True, kw_only=True)
class Memory(ReferenceOptions, AskedOptions, SaliencyMethod):
    """Forget everything, or see nothing: how far each moves a recurrent policy at this step.

    Two numbers a step and score: "memory" with the recurrent state set to zero, "input" with the
    whole observation replaced by the reference. With ``last`` above 1 also "last 2" to "last n":
    the policy goes over the last frames again, with its own state before them and all of them
    replaced, so the curve shows how far back what it saw matters (not beyond a reset of the
    state, after which nothing earlier can).

    Notes:
        2 + n (n + 1) / 2 forward passes a step, 3 for n = 1. "memory" is what this one decision
        owes to the past.
    """

    summary: ClassVar[str] = "curve: what the agent remembers against what it sees"
    paper: ClassVar[str] = "none"
    weakness: ClassVar[str] = "a zero state is one that the agent meets only at an episode's start"
    has_places: ClassVar[bool] = False

    reference: str = length("blur:20")
    """What fills the observation: blur[:sigma], constant[:value], median, mean, previous,
    noise[:seed]."""
    last: int = 1
    """The most frames hidden together, this one counted."""

    def __post_init__(self) -> None:
        kind = parse_reference(self.reference).kind
        if not 1 <= self.last <= 100:
            raise InvalidArgument(f"last {self.last} frames: expected 1 to 100.")
        if kind == "previous" and self.last > 1:
            raise InvalidArgument("reference 'previous' hides one frame: leave last at 1.")

    @property
    def past_steps(self) -> int:
        """The frames before the explained one that are hidden too."""
        return self.last - 1

    def bind(self, policy: Policy, compute: Compute, facts: RecordingFacts) -> Explainer:
        """Prepare for one policy; see ``SaliencyMethod``."""
        from agentlens.saliency.methods.memory.situations import memory_situations
        from agentlens.saliency.variants import VariantExplainer

        reference = parse_reference(self.reference)
        return VariantExplainer(
            policy,
            facts,
            memory_situations(policy, reference, facts.pictures, self.last),
            self,
        )


METHOD = Memory
