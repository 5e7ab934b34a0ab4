"""What is done to units: a plain dataclass for the API and the flags."""

from __future__ import annotations

import math
from dataclasses import dataclass

from agentlens.errors import InvalidArgument
from agentlens.network.operations import OPERATIONS, Operation
from agentlens.workflows.options import Name, Whole


@dataclass(frozen=True, kw_only=True)
class EditPlan:
    """What is done to units: they give their mean over the recording (ablate), or all others of
    the layer do (keep); they move towards an attribute (steer); they give what they gave at one
    step, or what another agent's give on the same screens (patch); their incoming weights are
    multiplied, or another agent's (reweigh).

    Raises:
        InvalidArgument: an operation without what it needs, or what goes with another.
    """

    operation: Operation = "ablate"
    """What is done to the units."""
    towards: Name = None
    """With steer: an attribute such as "ball in its upper half"; the direction is the mean of the
    steps where it holds less that of the others."""
    amount: float = 1.0
    """With steer: times the direction. With reweigh: times the units' weights."""
    step: Whole = None
    """With patch: a step of the first episode, whose values are put in at every step."""
    donor: Name = None
    """With patch or reweigh: an agent that sees the same and has the same layer, whose units or
    weights are put in; "untrained" for the network that never learned."""

    def __post_init__(self) -> None:
        operation = self.operation
        if operation not in OPERATIONS:
            raise InvalidArgument(f"operation {operation!r}: expected {', '.join(OPERATIONS)}.")
        if (self.towards is not None) != (operation == "steer"):
            raise InvalidArgument(
                f"operation {operation!r}, towards {self.towards!r}: an attribute goes with "
                "steer, which needs one."
            )
        if self.step is not None and operation != "patch":
            raise InvalidArgument(
                f"operation {operation!r}, step {self.step!r}: a step goes with patch."
            )
        if self.donor is not None and operation not in ("patch", "reweigh"):
            raise InvalidArgument(
                f"operation {operation!r}, donor {self.donor!r}: an agent goes with patch and "
                "reweigh."
            )
        if not math.isfinite(self.amount) or (
            self.amount != 1 and operation not in ("steer", "reweigh")
        ):
            raise InvalidArgument(
                f"amount {self.amount}: expected a number, with steer and reweigh alone."
            )
        if operation == "patch" and (self.step is None) == (self.donor is None):
            raise InvalidArgument("patch needs a step or another agent (donor), one of them.")
        if operation == "reweigh" and (self.amount == 1) == (self.donor is None):
            raise InvalidArgument(
                "reweigh needs an amount other than 1 or another agent (donor), one of them."
            )


ABLATE = EditPlan()
"""Units give their mean."""
