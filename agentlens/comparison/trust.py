"""How far an agent's maps can be believed: the badges of its map set and what they rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentlens.badges import Badges, Figure


@dataclass(frozen=True, kw_only=True)
class MapTrust:
    """What was measured of one agent's maps of its own play.

    ``badges``: the verdicts, "not measured" where there is nothing to judge. ``figures``: by
    name, with intervals. ``states``: how many they rest on, 0 for none. ``units``: what the
    intervals resample.
    """

    agent: str
    method: str
    badges: Badges
    figures: Mapping[str, Figure]
    states: int
    units: str


def badge_rows(trust: Sequence[MapTrust]) -> list[dict[str, Any]]:
    """A row an agent and badge, for a table."""
    return [
        {
            "agent": t.agent,
            "method": t.method,
            "states": t.states,
            "badge": badge.name,
            "verdict": badge.verdict,
            "text": badge.text,
        }
        for t in trust
        for badge in t.badges.all
    ]
