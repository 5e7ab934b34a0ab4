"""What a description comes to: shares of the objects, a line, and what came before losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agentlens.store.recording import Episode
from agentlens.words.description import Describer, Description
from agentlens.words.losses import losing_decisions
from agentlens.words.sentences import losses_line, shares_line

LOSS_WINDOW = 20
"""A loss is looked at over so many steps before it."""

LEAST_DECIDED = 20
"""Of fewer steps at which the agent is decided, no share is told."""


@dataclass(frozen=True, kw_only=True)
class GroupSummary:
    """One group of objects over the described steps.

    ``decided``: its share of the policy's change when each group is erased alone, 0 to 1, over the
    steps at which the agent is decided; NaN where there are too few. ``effect``: the same over all
    steps. ``shapley``: its share of the sizes of all Shapley values, NaN without them. ``cited``:
    share of steps in which it is cited. ``mean_effect``: of erasing it, nats or Q. ``losses``:
    before how many losses it was cited.
    """

    name: str
    decided: float
    effect: float
    shapley: float
    cited: float
    mean_effect: float
    losses: int


@dataclass(frozen=True, kw_only=True)
class DescribeResult:
    """What ``describe`` wrote: ``folder`` with the tables ``attributes`` and ``sentences``.

    ``groups``: by share where decided, else by that of all steps, largest first.
    ``decided_steps``: at which the agent is decided. ``line``: the summary as a sentence.
    ``losses``: points or lives lost. ``passes``: forward passes a step for erasures and shares.
    ``pair_lines``: which attributes and objects work together, where that was asked.
    """

    folder: Path
    groups: tuple[GroupSummary, ...]
    line: str
    losses: int
    loss_line: str
    steps: int
    decided_steps: int
    unit: str
    passes: float
    pair_lines: tuple[str, ...] = ()


def summarise(
    folder: Path, describer: Describer, parts: Sequence[tuple[Episode, Description]]
) -> DescribeResult:
    """The summary of described steps, each block with its episode."""
    effect = np.concatenate([part.effect for _, part in parts])
    cited = np.concatenate([part.cited for _, part in parts])
    decided = np.concatenate([part.decided for _, part in parts])
    share, decided_share = _shares(effect), np.full(effect.shape[1], np.nan)
    few = decided.sum() < LEAST_DECIDED
    if not few:
        decided_share = _shares(effect[decided])
    shapley = np.full(len(describer.names), np.nan)
    first = parts[0][1].effects.shares
    if first:
        name = next(iter(first))
        sizes = np.concatenate([np.abs(part.effects.shares[name]) for _, part in parts]).sum(0)
        shapley = _shares(sizes[None])
    losses, before = _losses(parts, len(describer.names))
    groups = sorted(
        (
            GroupSummary(
                name=name,
                decided=float(decided_share[group]),
                effect=float(share[group]),
                shapley=float(shapley[group]),
                cited=float(cited[:, group].mean()),
                mean_effect=float(effect[:, group].mean()),
                losses=int(before[group]),
            )
            for group, name in enumerate(describer.names)
        ),
        key=lambda summary: -(summary.effect if few else summary.decided),
    )
    most = max(groups, key=lambda summary: summary.losses)
    loss_line = losses_line(losses, most.losses, most.name, LOSS_WINDOW) if losses else ""
    return DescribeResult(
        folder=folder,
        groups=tuple(groups),
        line=_line(groups, int(decided.sum())),
        losses=losses,
        loss_line=loss_line,
        steps=len(effect),
        decided_steps=int(decided.sum()),
        unit="nats" if describer.score == "kl" else "Q",
        passes=float(np.concatenate([part.effects.passes for _, part in parts]).mean()),
    )


def _shares(effect: np.ndarray) -> np.ndarray:
    """Of the sum of effects [T, G]: float64 [G]; zeros where there is none."""
    shares: np.ndarray = effect.sum(0) / max(effect.sum(), 1e-300)
    return shares


def _line(groups: Sequence[GroupSummary], decided: int) -> str:
    """Both shares in words: where the agent is decided, and over all steps."""
    whole = shares_line([(group.name, group.effect) for group in groups])
    if not sum(group.effect for group in groups):
        return "no object changes the policy when erased"
    if decided < LEAST_DECIDED:
        return whole
    where = shares_line([(group.name, group.decided) for group in groups])
    return f"{where} at the {decided} where it is decided; {whole} at all of them"


def _losses(parts: Sequence[tuple[Episode, Description]], groups: int) -> tuple[int, np.ndarray]:
    """Points or lives lost in the described steps, and before how many each group was cited."""
    lost, before = 0, np.zeros(groups, np.int64)
    by_episode: dict[int, list[tuple[Episode, Description]]] = {}
    for episode, part in parts:
        by_episode.setdefault(episode.index, []).append((episode, part))
    for described in by_episode.values():
        episode = described[0][0]
        cited = np.concatenate([part.cited for _, part in described])
        steps = np.concatenate([part.steps for _, part in described]) - int(episode.steps[0])
        losing = losing_decisions(episode)
        for row in np.flatnonzero(losing[steps]):
            lost += 1
            before += cited[max(0, row - LOSS_WINDOW) : row + 1].any(0)
    return lost, before
