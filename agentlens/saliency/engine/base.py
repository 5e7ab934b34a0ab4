"""What every engine promises: outputs of a policy under masked perturbations, the same numbers.

Shape letters: F frames (observations of a call), P plane selections, M masks, K planes,
H W observation, A actions, S recurrent state.

A perturbed input is ``o' = o + m * (r - o)`` with 1 = perturbed, on the planes of the selection.
The unperturbed observation rides through the same code, so that where o' = o the outputs are
equal and every score is exactly 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from torch import Tensor

from agentlens.policies.base import PolicyOutput


@dataclass(frozen=True, kw_only=True, eq=False)
class MaskedPlanes:
    """The masks of a method and the planes they fall on.

    ``masks``: float32 [M, H, W] in [0, 1], exactly 0 off their support. ``selections``: for each
    of the P plane selections the plane indices perturbed together ("all": ((0, .., K-1),);
    "newest": ((K-1,),); "each": ((0,), .., (K-1,))).
    """

    masks: Tensor
    selections: tuple[tuple[int, ...], ...]


class PerturbedOutputs(NamedTuple):
    """``base``: PolicyOutput of F rows; ``perturbed``: one of shape [F, P, M, A] (value [F, P, M]).

    Neither the recurrent state after the step nor quantiles are kept.
    ``halvings``: how often memory ran out and the chunk was halved.
    """

    base: PolicyOutput
    perturbed: PolicyOutput
    halvings: int


class Engine(Protocol):
    """Evaluates a policy under a fixed set of perturbations.

    Built by ``build(policy, perturbation, *, memory_bytes, threads)``; holds its plans and
    workspaces, so build once and call often. Results do not depend on the number of frames in a
    call, on the chunk or on the number of workers, and the same call twice is bit-equal on CPU.
    """

    def __call__(
        self, observations: Tensor, references: Tensor, states: Tensor | None
    ) -> PerturbedOutputs:
        """Evaluate.

        Args:
            observations: float32 [F, K, H, W] as the policy wants them.
            references: float32 [F, K, H, W], what fills the masked part, or [F, M, K, H, W] where
                every mask is filled with something of its own (not by the incremental engine).
            states: [F, S], the recurrent state before each step; None without memory.
        """
