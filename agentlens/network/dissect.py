"""Dissection: which concept each unit stands for, beside units that were never trained.

A concept is a mask over the observation (an object's box) or an attribute of the step (the ball is
above the paddle). A number alone says little: random filters pass the published threshold on Pong,
too. So every match comes with the same unit's of an untrained twin, and with the match to masks of
other steps.

Shape letters: T steps, C units, h w feature rows and columns, H W observation, N concepts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from agentlens.errors import InvalidArgument, ShapeError

QUANTILES = (0.995, 0.98)
"""A unit is on above one of these quantiles of its own values; the best counts."""

Centres = tuple[np.ndarray, np.ndarray]
"""Rows [h] and columns [w] of the observation in the middle of what a map's values see."""

_CHUNK = 16
"""Steps whose features are enlarged at a time."""


@dataclass(frozen=True, kw_only=True)
class UnitMatch:
    """The best concept of one unit.

    ``score``: IoU of a spatial unit, AUC of a vector unit. ``twin``: the largest score of the same
    unit of an untrained network with this concept. ``shuffled``: the score with the concept's
    steps rolled by half the recording. ``purity``: the score's lead over the second-best concept.
    ``rises``: whether it is larger where the concept holds; an entry of a vector may be smaller
    there.
    """

    unit: int
    concept: str
    score: float
    twin: float
    shuffled: float
    purity: float
    rises: bool = True

    @property
    def stands_for(self) -> str:
        """Where the unit is strong, in words.

        Example:
            >>> match = UnitMatch(
            ...     unit=0, concept="ball", score=1, twin=0, shuffled=0, purity=1, rises=False
            ... )
            >>> match.stands_for
            'not: ball'
        """
        return self.concept if self.rises else f"not: {self.concept}"

    @property
    def excess(self) -> float:
        """What the score has over both controls."""
        return self.score - max(self.twin, self.shuffled)


def unit_thresholds(activations: np.ndarray, quantile: float) -> np.ndarray:
    """For each unit the value that it exceeds in a share ``1 - quantile``: float [C].

    Args:
        activations: [T, C, h, w].
        quantile: between 0 and 1.
    """
    if not 0 < quantile < 1:
        raise InvalidArgument(f"quantile {quantile!r}: expected a number between 0 and 1.")
    flat = np.moveaxis(activations, 1, 0).reshape(activations.shape[1], -1)
    return np.asarray(np.quantile(flat.astype(np.float32), quantile, axis=1))


def mask_iou(
    activations: np.ndarray,
    masks: np.ndarray,
    quantiles: Sequence[float] = QUANTILES,
    centres: Centres | None = None,
) -> np.ndarray:
    """Intersection over union of each unit's strongest places and each concept: float [C, N].

    Args:
        activations: [T, C, h, w].
        masks: bool [T, N, H, W].
        quantiles: of a unit's own values, above which it is on; the best of them counts.
        centres: rows [h] and columns [w] of the masks in the middle of what each value sees; evenly
            over the masks if not known.

    Notes:
        T C H W comparisons a quantile.

    References:
        Bau et al. 2017, section 2.2: values are interpolated between the centres of their
        receptive fields; their quantile is .995. Deviations: beyond the outermost centres values
        stay as they are there; a unit whose quantile is its largest value is on where it reaches
        that, so that a detector that is on in more than the quantile's share of the places is not
        lost.
    """
    if len(activations) != len(masks) or activations.ndim != 4 or masks.ndim != 4:
        raise ShapeError(
            f"activations {activations.shape} and masks {masks.shape}: expected [T, C, h, w] and "
            "[T, N, H, W] of the same steps."
        )
    limits = [_limits(activations, quantile) for quantile in quantiles]
    both = torch.zeros(len(limits), activations.shape[1], masks.shape[1])
    on = torch.zeros(len(limits), activations.shape[1], 1)
    for start in range(0, len(masks), _CHUNK):
        part = torch.from_numpy(activations[start : start + _CHUNK].astype(np.float32))
        large = _enlarged(part, masks.shape[2:], centres).movedim(1, 0).flatten(1)
        wanted = torch.from_numpy(masks[start : start + _CHUNK]).float().movedim(1, 0).flatten(1)
        for index, limit in enumerate(limits):
            active = (large > limit).float()
            both[index] += active @ wanted.T
            on[index] += active.sum(1, keepdim=True)
    present = torch.from_numpy(masks.sum((0, 2, 3)).astype(np.float32))
    union = on + present - both
    return np.asarray((both / union.clamp_min(1)).amax(0).numpy())


def _enlarged(values: Tensor, size: tuple[int, ...], centres: Centres | None) -> Tensor:
    """Features [t, C, h, w] on the pixels of the masks, bilinear between their centres and constant
    beyond the outermost."""
    if centres is None:
        return interpolate(values, size, mode="bilinear", align_corners=False)
    rows, columns = (
        torch.from_numpy(
            np.stack([np.interp(np.arange(side), own, unit) for unit in np.eye(len(own))], 1)
        ).float()
        for side, own in zip(size, centres, strict=True)
    )
    return rows @ values @ columns.T


def _limits(activations: np.ndarray, quantile: float) -> Tensor:
    """What each unit must exceed to be on: float32 [C, 1]."""
    thresholds = unit_thresholds(activations, quantile)
    largest = activations.max((0, 2, 3)).astype(np.float32)
    least = activations.min((0, 2, 3)).astype(np.float32)
    reached = np.where(thresholds < largest, thresholds, np.nextafter(largest, least))
    return torch.from_numpy(np.where(least < largest, reached, np.inf).astype(np.float32))[:, None]


def attribute_auc(activations: np.ndarray, attributes: np.ndarray) -> np.ndarray:
    """How well each unit tells steps with an attribute from steps without: float [C, N].

    The area under the ROC curve, turned round where it is under a half: a unit that is low where
    the attribute holds tells it as well. A half where the attribute always or never holds.

    Args:
        activations: [T, C].
        attributes: bool [T, N].
    """
    area = _area(activations, attributes)
    return np.asarray(np.maximum(area, 1 - area))


def rises_with(activations: np.ndarray, attributes: np.ndarray) -> np.ndarray:
    """Whether each unit tends to be larger where an attribute holds: bool [C, N].

    Args:
        activations: [T, C].
        attributes: bool [T, N].
    """
    return np.asarray(_area(activations, attributes) >= 0.5)


def _area(activations: np.ndarray, attributes: np.ndarray) -> np.ndarray:
    """The area under the ROC curve: float64 [C, N]."""
    ranks = _mid_ranks(activations)
    positive = attributes.sum(0).astype(np.float64)
    negative = len(attributes) - positive
    sums = ranks.T @ attributes.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        area = (sums - positive * (positive + 1) / 2) / (positive * negative)
    return np.asarray(np.where((positive == 0) | (negative == 0), 0.5, area))


def soft_wpmi(
    activations: np.ndarray, probabilities: np.ndarray, *, top: int = 100, weight: float = 1.0
) -> np.ndarray:
    """Soft weighted pointwise mutual information of units and concepts: float [C, N].

    The mean over a unit's strongest steps of log P(concept | step), weighted by how surely a step
    is among them, less ``weight`` times the log of the concept's mean probability.

    Args:
        activations: [T, C].
        probabilities: [T, N], P(concept | step) in [0, 1].
        top: strongest steps of a unit.
        weight: of the concept's own frequency.

    References:
        Oikarinen & Weng 2023 (CLIP-Dissect), equation 7; inclusion falls linearly from .998 to
        .97 over the ``top`` steps as in their code.
    """
    top = min(top, len(activations))
    inclusion = np.linspace(0.998, 0.97, top)
    order = np.argsort(-activations.astype(np.float32), axis=0, kind="stable")[:top]
    chosen = probabilities.astype(np.float64)[order]
    given = np.log(1 + inclusion[:, None, None] * (chosen - 1) + 1e-9).sum(0) / top
    frequency = np.log(probabilities.mean(0, dtype=np.float64) + 1e-9)
    return np.asarray(given - weight * frequency)


def best_matches(
    scores: np.ndarray,
    twin: np.ndarray,
    shuffled: np.ndarray,
    concepts: tuple[str, ...],
    rises: np.ndarray | None = None,
) -> tuple[UnitMatch, ...]:
    """The best concept of every unit, by its excess over the controls.

    Args:
        scores, twin, shuffled: [C, N] of the unit, of an untrained twin's, and of rolled steps.
        concepts: N names.
        rises: bool [C, N], whether a unit is larger where a concept holds; all are if not given.
    """
    controls = np.maximum(twin, shuffled)
    matches = []
    for unit, row in enumerate(scores):
        best = int((row - controls[unit]).argmax())
        others = np.delete(row, best)
        matches.append(
            UnitMatch(
                unit=unit,
                concept=concepts[best],
                score=float(row[best]),
                twin=float(twin[unit, best]),
                shuffled=float(shuffled[unit, best]),
                purity=float(row[best] - (others.max() if len(others) else 0)),
                rises=rises is None or bool(rises[unit, best]),
            )
        )
    return tuple(matches)


def spatial_matches(
    own: np.ndarray,
    twin: np.ndarray,
    masks: Mapping[str, np.ndarray],
    centres: Centres | None = None,
) -> tuple[UnitMatch, ...]:
    """The best object of every channel: IoU at the better of two quantiles.

    Args:
        own, twin: [T, C, h, w] of the agent and of the same network untrained.
        masks: by concept bool [T, H, W].
        centres: of what each value sees; see ``mask_iou``.
    """
    stacked = np.stack(list(masks.values()), 1)
    rolled = np.roll(stacked, len(stacked) // 2, axis=0)
    scores = mask_iou(own, np.concatenate([stacked, rolled], 1), centres=centres)
    count, untrained = len(masks), mask_iou(twin, stacked, centres=centres)
    return best_matches(scores[:, :count], untrained, scores[:, count:], tuple(masks))


def vector_matches(
    own: np.ndarray, twin: np.ndarray, attributes: Mapping[str, np.ndarray]
) -> tuple[UnitMatch, ...]:
    """The best attribute of every entry of a vector: AUC.

    Args:
        own, twin: [T, C] of the agent and of the same network untrained.
        attributes: by concept bool [T].
    """
    stacked = np.stack(list(attributes.values()), 1)
    rolled = np.roll(stacked, len(stacked) // 2, axis=0)
    return best_matches(
        attribute_auc(own, stacked),
        attribute_auc(twin, stacked),
        attribute_auc(own, rolled),
        tuple(attributes),
        rises_with(own, stacked),
    )


def _mid_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1 down each column, equal values sharing their mean rank: float64 [T, C]."""
    ranks: np.ndarray = np.empty(values.shape, np.float64)
    for column in range(values.shape[1]):
        _, inverse, counts = np.unique(
            values[:, column].astype(np.float32), return_inverse=True, return_counts=True
        )
        upper = np.cumsum(counts)
        ranks[:, column] = (upper - (counts - 1) / 2)[inverse]
    return ranks


def ablation_kl(base: Tensor, changed: Tensor) -> Tensor:
    """KL of action probabilities from logits [T, A] to those after an edit: float64 [T], nats."""
    before, after = base.double().log_softmax(-1), changed.double().log_softmax(-1)
    return (before.exp() * (before - after)).sum(-1).clamp_min(0)
