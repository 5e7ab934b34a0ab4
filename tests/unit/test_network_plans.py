"""Plans of what is learned inside an agent refuse numbers that mean nothing."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from agentlens.errors import InvalidArgument
from agentlens.network.concepts import EmbeddingPlan
from agentlens.network.excite_plan import ExcitePlan
from agentlens.network.features import FeaturePlan
from agentlens.network.students import StudentPlan

PLANS = pytest.mark.parametrize("plan", [EmbeddingPlan, ExcitePlan, FeaturePlan, StudentPlan])


@PLANS
@pytest.mark.parametrize("rate", [-1.0, 0.0, math.nan, math.inf, True, "fast"])
def test_a_learning_rate_is_above_nothing(plan: Callable[..., object], rate: float) -> None:
    with pytest.raises(InvalidArgument, match=r"learning_rate .*: expected a number, more than 0"):
        plan(learning_rate=rate)


@PLANS
@pytest.mark.parametrize(("name", "value"), [("updates", 0), ("seed", -1), ("seed", 0.5)])
def test_counts_and_seeds_are_whole(plan: Callable[..., object], name: str, value: float) -> None:
    with pytest.raises(InvalidArgument, match=f"{name} {value}: expected a whole number"):
        plan(**{name: value})


def test_a_student_s_winners_have_a_temperature() -> None:
    with pytest.raises(InvalidArgument, match=r"temperature -1\.0: expected a number"):
        StudentPlan(temperature=-1.0)
    assert StudentPlan(temperature=2, learning_rate=1).temperature == 2
