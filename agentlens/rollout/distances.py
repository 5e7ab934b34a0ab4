"""How far apart two choices of a policy are, in the space of its actions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from agentlens.rollout.outputs import Outputs
from agentlens.spec import ActionSpec


class Change(NamedTuple):
    """From one choice to another.

    ``kl``: KL divergence in nats from the first to the second; NaN for Q-values, which are no
    probabilities. ``total_variation``: 0 to 1, between the distributions that are played.
    ``flip``: the preferred action changes, actions that do the same counting as one.
    """

    kl: float
    total_variation: float
    flip: bool


def action_change(
    action: ActionSpec,
    groups: Sequence[Sequence[int]],
    outputs: Outputs,
    shown: Outputs | None,
) -> tuple[np.ndarray, Change | None]:
    """The distribution that is played, and its distance from what would be played otherwise.

    Args:
        action: how actions are chosen.
        groups: actions that do the same.
        outputs: what the policy said. shown: what it says with nothing hidden, or ``None``.

    Returns:
        float64 [A]; the change from ``shown`` to ``outputs``.
    """
    played = distribution(action, outputs)
    if shown is None:
        return played, None
    return played, change_between(action, groups, shown, outputs)


def change_between(
    action: ActionSpec, groups: Sequence[Sequence[int]], first: Outputs, second: Outputs
) -> Change:
    """The distance of two outputs of one policy; see ``Change``."""
    before, after = distribution(action, first), distribution(action, second)
    return Change(
        kl=_kl(first, second),
        total_variation=float(np.abs(before - after).sum() / 2),
        flip=_preferred(groups, first) != _preferred(groups, second),
    )


def distribution(action: ActionSpec, outputs: Outputs) -> np.ndarray:
    """The probabilities with which the agent's selection plays its actions: float64 [A]."""
    scores = outputs.preferences.astype(np.float64)
    if action.selection == "sample":
        return softmax(scores)
    played = np.zeros(len(scores))
    played[int(np.argmax(scores))] = 1.0
    if action.selection == "epsilon":
        played = (1 - action.epsilon) * played + action.epsilon / len(scores)
    return played


def softmax(scores: np.ndarray) -> np.ndarray:
    """Of the last axis, in float64."""
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares: np.ndarray = weights / weights.sum(axis=-1, keepdims=True)
    return shares


def _kl(first: Outputs, second: Outputs) -> float:
    """sum p (log p - log p') as log1p(sum p (expm1(d) - d)), so never negative."""
    if first.kind != "logits":
        return float("nan")
    before, after = first.preferences.astype(np.float64), second.preferences.astype(np.float64)
    probabilities = softmax(before)
    difference = after - before
    difference = difference - probabilities @ difference
    return float(np.log1p(probabilities @ (np.expm1(difference) - difference)))


def _preferred(groups: Sequence[Sequence[int]], outputs: Outputs) -> int:
    """The most probable group of actions, or the one of the largest Q-value."""
    scores = outputs.preferences.astype(np.float64)
    if outputs.kind == "logits":
        shares = softmax(scores)
        return int(np.argmax([shares[list(group)].sum() for group in groups]))
    return int(np.argmax([scores[list(group)].max() for group in groups]))
