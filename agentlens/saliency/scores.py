"""Scores: how far a perturbation moves what a policy says.

``FORMULAS`` and ``DIFFERENTIATED`` at the end say what a target's name stands for; the unit, the
meaning and the default of each are in ``targets``.

Every function takes the outputs on the unperturbed observation and, broadcastable against them,
those on the perturbed one, and computes in float64. Shape letters: A actions, last axis;
``...`` any leading axes (frames, plane selections, masks). ``action`` is int64 [...], the
explained action a. Where the outputs are equal every score is exactly 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

_LARGEST_EXPONENT = 500.0
"""Above this exp() nears float64's limit, and the plain formula of KL is exact enough anyway."""


def kl(logits: Tensor, changed: Tensor) -> Tensor:
    """KL(p || p') in nats: how much the policy as a whole moves; >= 0.

    Blind to a shift common to all logits. With d = l' - l less its mean under p, KL is
    log(1 + sum p (exp(d) - 1 - d)), which loses nothing where it is tiny.
    """
    logits, changed = logits.double(), changed.double()
    p = logits.softmax(-1)
    difference = changed - logits
    difference = difference - (p * difference).sum(-1, keepdim=True)
    excess = (p * (torch.expm1(difference.clamp(max=_LARGEST_EXPONENT)) - difference)).sum(-1)
    series = torch.log1p(excess.clamp(min=0))
    plain = (p * (logits.log_softmax(-1) - changed.log_softmax(-1))).sum(-1).clamp(min=0)
    return torch.where(difference.amax(-1) < _LARGEST_EXPONENT, series, plain)


def log_probability(logits: Tensor, changed: Tensor, action: Tensor) -> Tensor:
    """log p(a) - log p'(a) in nats, signed: positive where hiding makes a less likely."""
    before, after = logits.double().log_softmax(-1), changed.double().log_softmax(-1)
    return pick(before, action) - pick(after, action)


def contrast(outputs: Tensor, changed: Tensor, action: Tensor, other: Tensor) -> Tensor:
    """(l_a - l_b) - (l'_a - l'_b), signed: what speaks for a and against b."""
    moved = outputs.double() - changed.double()
    return pick(moved, action) - pick(moved, other)


def sarfa(logits: Tensor, changed: Tensor, action: Tensor) -> Tensor:
    """Specific and relevant feature attribution, 0 to 1.

    2 d K / (d + K) where d = p(a) - p'(a) > 0, else 0; K = 1 / (1 + KL(rest || rest')), rest
    the probabilities of the other actions, renormalised, unperturbed first.

    References:
        Puri et al. 2020, equations 1-4, KL in the direction of their code. One action has no
        specific features: 0. With two the rest is one action, and K = 1.
    """
    logits, changed = logits.double(), changed.double()
    drop = pick(logits.softmax(-1), action) - pick(changed.softmax(-1), action)
    actions = logits.shape[-1]
    if actions == 1:
        return torch.zeros_like(drop)
    rest = torch.arange(actions - 1, device=logits.device)
    rest = rest + (rest >= action[..., None])
    kept, kept_changed = _pick_many(logits, rest), _pick_many(changed, rest)
    relevance = 1 / (1 + kl(kept, kept_changed))
    score = 2 * drop * relevance / (drop.clamp(min=0) + relevance)
    return torch.where(drop > 0, score, torch.zeros_like(score))


def half_squared(outputs: Tensor, changed: Tensor) -> Tensor:
    """Half the sum of squared changes over the last axis.

    References:
        Greydanus et al. 2018, equation 2, for logits and (one output) for the value.
    """
    return 0.5 * (outputs.double() - changed.double()).square().sum(-1)


def gap(q_values: Tensor, changed: Tensor, action: Tensor) -> Tensor:
    """Change of Q(a) - max of the others, signed; plain Q(a) where there is one action."""
    return _lead(q_values.double(), action) - _lead(changed.double(), action)


def q_value(q_values: Tensor, changed: Tensor, action: Tensor) -> Tensor:
    """Q(a) - Q'(a), or l_a - l'_a of logits, signed: what speaks for a alone."""
    return pick(q_values.double() - changed.double(), action)


def advantage(q_values: Tensor, changed: Tensor, action: Tensor) -> Tensor:
    """Change of Q(a) - mean of Q, signed: the part of the Q-value that chooses between actions."""
    moved = q_values.double() - changed.double()
    return pick(moved, action) - moved.mean(-1)


def flip(outputs: Tensor, changed: Tensor) -> Tensor:
    """1 where the greedy action is another one, else 0."""
    return (outputs.argmax(-1) != changed.argmax(-1)).double()


def merge(outputs: Tensor, groups: tuple[tuple[int, ...], ...], kind: str) -> Tensor:
    """Outputs [..., A] of actions that do the same as one [..., groups]: logsumexp, or max for
    Q."""
    parts = []
    for group in groups:
        members = outputs[..., list(group)]
        parts.append(members.amax(-1) if kind == "q_values" else members.logsumexp(-1))
    return torch.stack(parts, -1)


def runner_up(outputs: Tensor, action: Tensor) -> Tensor:
    """The best action other than the explained one; itself where there is no other. int64 [...]."""
    if outputs.shape[-1] == 1:
        return action
    return outputs.scatter(-1, action[..., None], -torch.inf).argmax(-1)


def pick(values: Tensor, action: Tensor) -> Tensor:
    """values[..., a]; ``action`` broadcasts against the leading axes."""
    index = action.expand(values.shape[:-1])
    return values.gather(-1, index[..., None])[..., 0]


def _pick_many(values: Tensor, indices: Tensor) -> Tensor:
    return values.gather(-1, indices.expand(*values.shape[:-1], indices.shape[-1]))


def _lead(q_values: Tensor, action: Tensor) -> Tensor:
    own = pick(q_values, action)
    if q_values.shape[-1] == 1:
        return own
    index = action.expand(q_values.shape[:-1])[..., None]
    return own - q_values.scatter(-1, index, -torch.inf).amax(-1)


class Outputs(Protocol):
    """What a policy says of some rows, as it is asked: float64, each computed when it is needed."""

    @property
    def preferences(self) -> Tensor:
        """Logits or Q-values [..., A]."""

    @property
    def logits(self) -> Tensor:
        """The same over the temperature of their softmax, where there is one."""

    @property
    def value(self) -> Tensor:
        """The critic's value, or max Q where there are Q-values: [...]."""


Formula = Callable[[Outputs, Outputs, Tensor, Tensor], Tensor]
"""From outputs before and after, the explained action and the one compared with, to [...]."""

FORMULAS: dict[str, Formula] = {
    "kl": lambda before, after, action, other: kl(before.logits, after.logits),
    "log_probability": lambda before, after, action, other: log_probability(
        before.logits, after.logits, action
    ),
    "contrast": lambda before, after, action, other: contrast(
        before.preferences, after.preferences, action, other
    ),
    "sarfa": lambda before, after, action, other: sarfa(before.logits, after.logits, action),
    "logit": lambda before, after, action, other: q_value(
        before.preferences, after.preferences, action
    ),
    "logit_l2": lambda before, after, action, other: half_squared(
        before.preferences, after.preferences
    ),
    "value": lambda before, after, action, other: before.value - after.value,
    "value_l2": lambda before, after, action, other: half_squared(
        before.value[..., None], after.value[..., None]
    ),
    "gap": lambda before, after, action, other: gap(before.preferences, after.preferences, action),
    "q_value": lambda before, after, action, other: q_value(
        before.preferences, after.preferences, action
    ),
    "advantage": lambda before, after, action, other: advantage(
        before.preferences, after.preferences, action
    ),
    "flip": lambda before, after, action, other: flip(before.preferences, after.preferences),
}
"""The score of every target but the controls, by name."""

Differentiated = Callable[[Outputs, Tensor, Tensor], Tensor]
"""From outputs [N], the explained action and the one compared with, to what is differentiated."""

DIFFERENTIATED: dict[str, Differentiated] = {
    "log_probability": lambda outputs, action, other: pick(outputs.logits.log_softmax(-1), action),
    "contrast": lambda outputs, action, other: (
        pick(outputs.preferences, action) - pick(outputs.preferences, other)
    ),
    "logit": lambda outputs, action, other: pick(outputs.preferences, action),
    "value": lambda outputs, action, other: outputs.value,
    "gap": lambda outputs, action, other: (
        pick(outputs.preferences, action)
        - pick(outputs.preferences, runner_up(outputs.preferences.detach(), action))
    ),
    "q_value": lambda outputs, action, other: pick(outputs.preferences, action),
    "advantage": lambda outputs, action, other: (
        pick(outputs.preferences, action) - outputs.preferences.mean(-1)
    ),
}
"""What a gradient method differentiates: log p(a), l_a - l_b, l_a, V, Q(a) less the best other,
Q(a), or Q(a) less the mean; by name of the target."""
