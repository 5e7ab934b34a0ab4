"""Memory: what the agent remembers against what it sees. A curve, not a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from agentlens.saliency.base import Explainer, SaliencyMethod, Setup
from agentlens.saliency.references import parse_reference

if TYPE_CHECKING:
    from agentlens.policies.base import Policy


@dataclass(frozen=True, kw_only=True)
class Memory(SaliencyMethod):
    """Forget everything, or see nothing: how far each moves a recurrent policy at this step.

    Two numbers a step and score: "memory" with the recurrent state set to zero, "input" with the
    whole observation replaced by the reference.

    Notes:
        3 forward passes a step. "memory" is what this one decision owes to the past; what a
        hidden past would have done to the state is another question.
    """

    summary: ClassVar[str] = "curve: what the agent remembers against what it sees"
    paper: ClassVar[str] = "none"
    weakness: ClassVar[str] = "a zero state is one that the agent meets only at an episode's start"

    targets: tuple[str, ...] | None = None
    """Scores by name; the default suits the policy."""
    reference: str = "blur:20"
    """What fills the observation: blur[:sigma], constant[:value], median, mean, previous, noise[:seed]."""
    action: str = "taken"
    """The explained action: taken, greedy or a name."""
    contrast: str | None = None
    """The action that score ``contrast`` compares with; the best other one if not given."""
    temperature: float | None = None
    """Softmax temperature that softmax scores of Q-values need."""

    def __post_init__(self) -> None:
        parse_reference(self.reference)

    @property
    def pictures(self) -> frozenset[str]:
        """What the reference needs of the recording."""
        return parse_reference(self.reference).pictures

    def bind(self, policy: Policy, setup: Setup) -> Explainer:
        """Prepare for one policy; see ``SaliencyMethod``."""
        from agentlens.saliency.memory import MemoryExplainer

        return MemoryExplainer(
            policy,
            setup,
            reference=self.reference,
            targets=self.targets,
            action=self.action,
            contrast=self.contrast,
            temperature=self.temperature,
        )


METHOD = Memory
