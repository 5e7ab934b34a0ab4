"""agentlens embed: a map of an agent's states by a layer, as one interactive page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agentlens.cli._console import table
from agentlens.cli._options import DeviceFlags, RecordingChoice
from agentlens.cli._verb import Verb
from agentlens.workflows.options import Location


@dataclass(frozen=True, kw_only=True)
class Options:
    """Lay the states of a recording out by what a layer gives, and write a page and a picture.

    The page is one file that works offline: points coloured by value, action, step or an object's
    place; a click shows the frame. How far the map orders each figure is printed beside the map
    of an untrained network, which orders some of them, too.

    Example: agentlens embed recordings/pong-ppo --place torso.8
    """

    source: RecordingChoice
    compute: DeviceFlags
    place: str
    """A layer such as torso.8 (agentlens network lists them)."""
    kind: Literal["pca", "umap"] = "pca"
    """Two principal components, or UMAP where umap-learn is installed."""
    states: int = 400
    """States at most, evenly spread over the recording."""
    output: Location = None
    """The page; map-PLACE.html in the recording's folder if not given. A picture lies beside."""
    force: bool = False
    """Replace what is there already."""


def run(options: Options) -> int:
    """Print how far the map orders each figure, and where page and picture lie."""
    from agentlens.cli._agent import use_compute
    from agentlens.workflows.state_map import MapPlan, map_states

    result = map_states(
        options.source.open(),
        options.place,
        MapPlan(kind=options.kind, states=options.states),
        compute=use_compute(options.compute),
        output=options.output,
        force=options.force,
    )
    rows = [
        (f.name, f"{f.own:.2f}", "-" if f.untrained is None else f"{f.untrained:.2f}")
        for f in result.told
    ]
    table(("told by neighbours on the map", "this agent", "untrained"), rows)
    share = "" if result.share is None else f", {result.share:.0%} of the layer's variance"
    print(f"{result.states} states{share}; shares of variance, of action: of states")
    print(f"page: {result.page}; picture: {result.picture}")
    return 0


VERB = Verb(summary="map an agent's states by a layer", options=Options, run=run, order=49)
