"""What excites a unit: an observation changed until the unit is as active as it can be.

The changed observation holds nothing but values that the recording's observations hold, and is
changed only as far as the unit asks for it.

Shape letters: B observations, K planes, H W observation, C units, h w feature rows and columns,
G values of the palette.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from agentlens.errors import InvalidArgument, ShapeError
from agentlens.network.excite_plan import ExcitePlan
from agentlens.network.places import Place, named_layers
from agentlens.policies.base import Policy

_CHECKED_EVERY = 10
"""Updates between two looks at what the shown observation gives."""

_HARDLY = 0.04
"""A change below this share of the palette's range is none."""

_RARE = 1e-4
"""A value that fewer of the pixels have is an edge's, not the palette's."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """One unit at one place of its map: row and column, None for an entry of a vector."""

    place: Place
    unit: int
    at: tuple[int, int] | None

    def __post_init__(self) -> None:
        if self.place.kind == "memory":
            raise InvalidArgument(
                f"{self.place.name} is memory, which many screens make: choose a unit of a layer."
            )
        if not 0 <= self.unit < self.place.units:
            raise InvalidArgument(
                f"unit {self.unit} of {self.place.name}: expected 0 to {self.place.units - 1}."
            )
        if (self.at is None) == (self.place.kind == "spatial"):
            raise InvalidArgument(
                f"{self.place.name} is {self.place.kind}: a row and a column go with spatial "
                "places, and only with them."
            )

    def of(self, values: Tensor) -> Tensor:
        """The unit's values [B] among a layer's [B, C] or [B, C, h, w]."""
        return values[:, self.unit] if self.at is None else values[:, self.unit, *self.at]


@dataclass(frozen=True, kw_only=True, eq=False)
class Excited:
    """An observation that excites a unit.

    ``observation``: float32 [K, H, W], of the palette's values alone. ``before``, ``after``: the
    unit's value on the start and on it. ``changed``: share of its pixels that differ.
    """

    observation: np.ndarray
    before: float
    after: float
    changed: float


def palette_values(observations: np.ndarray) -> np.ndarray:
    """The values that observations [T, K, H, W] are made of: float32 [G], rising.

    Those of fewer than one pixel in ten thousand are left out.
    """
    values, counts = np.unique(observations, return_counts=True)
    return np.asarray(values[counts >= _RARE * counts.sum()], np.float32)


def excite(
    policy: Policy,
    target: Target,
    start: np.ndarray,
    palette: np.ndarray,
    plan: ExcitePlan,
    state: Tensor | None = None,
) -> Excited:
    """Change an observation until a unit is as active as it can be.

    Args:
        policy: whose unit it is.
        target: the unit.
        start: float32 [K, H, W], where to begin; its values are brought to the palette's.
        palette: float32 [G], rising: the values that a pixel may have.
        plan: how far, how smooth.
        state: [1, S] before the step, on any device; the initial one if not given.

    Returns:
        The most exciting observation that was come by, which may be the start.

    Raises:
        ShapeError: start or palette of another shape.

    Notes:
        ``updates`` forward and backward passes, and a tenth as many forward passes.

    References:
        Erhan et al. 2009; jitter as in Mordvintsev et al. 2015; total variation as in Mahendran &
        Vedaldi 2015. Deviations: pixels are rounded to the palette in every forward pass
        (gradients pass straight through), variation and size are of the change, and a
        rectifier's input is raised, since a silent unit has no gradient.
    """
    if start.shape != tuple(policy.observation_shape) or palette.ndim != 1 or len(palette) < 2:
        raise ShapeError(
            f"start {start.shape} and palette {palette.shape}: expected "
            f"{tuple(policy.observation_shape)} and two values or more."
        )
    weights = next(policy.parameters(), torch.zeros(()))
    values = torch.from_numpy(palette).to(weights)
    begin = _rounded(torch.from_numpy(start).to(weights)[None], values)
    state = policy.initial_state(1) if state is None else state.to(weights)
    kept = _most_exciting(policy, target, begin, values, plan, state)
    return Excited(
        observation=kept[0].float().cpu().numpy(),
        before=_given(policy, target, begin, state)[1],
        after=_given(policy, target, kept, state)[1],
        changed=float((kept != begin).float().mean()),
    )


def _most_exciting(
    policy: Policy,
    target: Target,
    begin: Tensor,
    palette: Tensor,
    plan: ExcitePlan,
    state: Tensor | None,
) -> Tensor:
    """The best observation [1, K, H, W] on the way up from a start of the palette's values."""
    size = float(palette[-1] - palette[0])
    slope, reached = _slope(policy, target, begin, state)
    change = torch.zeros_like(begin, requires_grad=True)
    optimiser = torch.optim.Adam([change], lr=plan.learning_rate * size)
    generator = torch.Generator().manual_seed(plan.seed)
    kept, best = begin, _given(policy, target, begin, state)[0]
    for update in range(1, plan.updates + 1):
        moved = begin + change
        shown = moved + (_shown(begin, change.detach(), palette) - moved.detach())
        shift = torch.randint(-plan.jitter, plan.jitter + 1, (2,), generator=generator).tolist()
        raised = _raised(policy, target, torch.roll(shown, shift, (2, 3)), state)
        loss = plan.smooth * total_variation(change) + plan.spare * change.abs().sum()
        optimiser.zero_grad()
        torch.autograd.backward(loss / reached - raised / slope)
        optimiser.step()
        with torch.no_grad():
            change.copy_((begin + change).clamp(palette[0], palette[-1]) - begin)
        if update % _CHECKED_EVERY == 0 or update == plan.updates:
            looked_at = _shown(begin, change.detach(), palette)
            given = _given(policy, target, looked_at, state)[0]
            if given > best:
                kept, best = looked_at, given
    return kept


def total_variation(planes: Tensor) -> Tensor:
    """The sum of absolute differences of neighbouring pixels of planes [..., H, W].

    Example:
        >>> float(total_variation(torch.tensor([[0.0, 1.0], [0.0, 1.0]])))
        2.0
    """
    return planes.diff(dim=-2).abs().sum() + planes.diff(dim=-1).abs().sum()


def field_of(place: Place, at: tuple[int, int], policy: Policy) -> tuple[int, int, int, int] | None:
    """The pixels that one value of a spatial place can depend on, found by asking.

    Args:
        place: spatial.
        at: row and column of the value.
        policy: whose place it is.

    Returns:
        (top, bottom, left, right) in observation pixels, ends excluded; None where no pixel is
        read.

    Notes:
        One backward pass of eight random observations: pixels of weight 0 are left out.
    """
    device = next(policy.parameters(), torch.zeros(())).device
    generator = torch.Generator().manual_seed(0)
    seen = torch.rand(8, *policy.observation_shape, generator=generator).to(device)
    seen.requires_grad_(True)
    state = policy.initial_state(8)
    values = _values(policy, place, seen, state)[:, :, at[0], at[1]]
    (gradient,) = torch.autograd.grad(values.square().sum(), seen)
    reached = (gradient != 0).any(0).any(0).cpu().numpy()
    rows, columns = np.flatnonzero(reached.any(1)), np.flatnonzero(reached.any(0))
    if not len(rows):
        return None
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _rounded(observation: Tensor, palette: Tensor) -> Tensor:
    """The nearest of the palette's values at every pixel."""
    middles = (palette[1:] + palette[:-1]) / 2
    return palette[torch.bucketize(observation.contiguous(), middles)]


def _shown(begin: Tensor, change: Tensor, palette: Tensor) -> Tensor:
    """The changed observation in the palette's values; a hardly changed pixel is as it was."""
    least = _HARDLY * (palette[-1] - palette[0])
    return torch.where(change.abs() > least, _rounded(begin + change, palette), begin)


def _slope(
    policy: Policy, target: Target, begin: Tensor, state: Tensor | None
) -> tuple[float, int]:
    """By how much the unit's value rises if all pixels move by 1 as it asks; how many it reads.

    Rise and change are measured in these, so that one weight suits units of any scale and field.
    """
    seen = begin.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(_raised(policy, target, seen, state), seen)
    return max(float(gradient.abs().sum()), 1e-12), max(int((gradient != 0).sum()), 1)


def _raised(policy: Policy, target: Target, observation: Tensor, state: Tensor | None) -> Tensor:
    """What is raised: the unit's value, before its rectifier."""
    with torch.enable_grad():
        return target.of(_values(policy, target.place, observation, state)).sum()


@torch.no_grad()
def _given(
    policy: Policy, target: Target, observation: Tensor, state: Tensor | None
) -> tuple[float, float]:
    """The unit's value before and after its rectifier."""
    before = target.of(_values(policy, target.place, observation, state))
    after = target.of(_values(policy, target.place, observation, state, rectified=True))
    return float(before[0]), float(after[0])


def _values(
    policy: Policy,
    place: Place,
    observation: Tensor,
    state: Tensor | None,
    *,
    rectified: bool = False,
) -> Tensor:
    """A place's values [B, C, ...]; those that go into it where it is a rectifier."""
    values: list[Tensor] = []
    module = dict(named_layers(policy))[place.name]

    def keep(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        values.append(output if rectified or not isinstance(module, nn.ReLU) else inputs[0])

    handle = module.register_forward_hook(keep)
    try:
        policy(observation, state)
    finally:
        handle.remove()
    return values[0]
