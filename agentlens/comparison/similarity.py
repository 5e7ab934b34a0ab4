"""How alike two agents' saliency maps are.

A similarity is never read alone: maps of any two agents correlate where both follow the input.
So each comes with the same figure after the agent-free energy map is partialled out, with each
agent's own similarity to that energy, with the similarity of maps from *different* moments of the
same game, and, where given, with that of an agent that differs by its training seed alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from agentlens.comparison.measure import measures_of
from agentlens.comparison.ranks import spearman
from agentlens.comparison.screen_maps import SharedMaps, flat
from agentlens.comparison.statistics import Interval


@dataclass(frozen=True, kw_only=True)
class Similarity:
    """Similarity of two agents' maps by state, averaged; intervals resample whole episodes.

    ``figures``: the registered measures of maps by column, None where one is not defined.
    ``undefined``: states left out because a map is constant. ``seed_twin``: 'without energy'
    (the rank correlation where there is no energy) between the first agent and one that differs
    by its training seed alone, None where no such agent is given.
    """

    first: str
    second: str
    states_of: str
    role: str
    states: int
    undefined: int
    figures: Mapping[str, Interval | None]
    seed_twin: Interval | None = None


def similarity(shared: SharedMaps) -> Similarity:
    """Measure the similarity of two agents' maps beside its controls."""
    raw = spearman(flat(shared.first_values), flat(shared.second_values))
    defined = np.isfinite(raw)
    known = shared.only(defined)
    figures: dict[str, Interval | None] = {}
    for measure in measures_of("maps"):
        figures |= measure.figures(known)
    return Similarity(
        first=shared.first,
        second=shared.second,
        states_of=shared.states_of,
        role=shared.role,
        states=len(raw),
        undefined=int((~defined).sum()),
        figures=figures,
    )
