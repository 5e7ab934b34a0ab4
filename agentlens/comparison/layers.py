"""How alike two networks represent the same states, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LayerSimilarity:
    """How alike one layer of two agents represents ``steps`` states, unbiased linear CKA.

    ``untrained``: of the same layer of two networks of these shapes that never learned; None
    where no such network can be made. ``seed_twin``: of the first agent and another training seed
    of it; None where there is none.
    """

    first: str
    second: str
    states_of: str
    layer: str
    cka: float
    untrained: float | None
    seed_twin: float | None
    steps: int
