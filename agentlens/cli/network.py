"""agentlens network: the layers of an agent by name, with their sizes and receptive fields."""

from __future__ import annotations

from dataclasses import dataclass

from agentlens.cli._console import table
from agentlens.cli._options import AgentChoice, DeviceFlags
from agentlens.cli._verb import Verb


@dataclass(frozen=True, kw_only=True)
class Options:
    """List every place inside an agent: what dissect, features and edits name.

    Example: agentlens network pong-ppo
    """

    choice: AgentChoice


def run(options: Options) -> int:
    """Print one line a place."""
    from agentlens.cli._agent import load_chosen
    from agentlens.network.places import list_places

    agent, _ = load_chosen(options.choice, DeviceFlags())
    observation = agent.spec.observation
    top, bottom, left, right = observation.screen_rectangle()
    by = ((bottom - top) / observation.resize[0], (right - left) / observation.resize[1])
    rows = []
    for place in list_places(agent.policy):
        shape = " x ".join(map(str, place.shape))
        field = place.receptive_px
        seen = "-" if field is None else f"{field[0]} x {field[1]}"
        screen = "-" if field is None else f"{field[0] * by[0]:.0f} x {field[1] * by[1]:.0f}"
        rows.append((place.name, place.layer, shape, seen, screen))
    table(("place", "layer", "shape", "sees, observation px", "screen px"), rows)
    return 0


VERB = Verb(summary="list the layers of an agent by name", options=Options, run=run, order=48)
