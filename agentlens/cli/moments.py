"""agentlens moments: which steps of a recording are worth looking at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from agentlens.cli._console import table
from agentlens.cli._options import RecordingFolder
from agentlens.cli._verb import Verb


@dataclass(frozen=True, kw_only=True)
class Options:
    """List lost points, rewards, value drops, changes of the policy, important and stuck states.

    Example: agentlens moments recordings/pong
    """

    recording: RecordingFolder
    """Folder of a recording."""
    episode: int = 0
    """Which episode."""
    kinds: Annotated[
        tuple[str, ...] | None, tyro.conf.arg(metavar="KIND ...", help_behavior_hint="")
    ] = None
    """lost-point, reward, value-drop, policy-change, important, stuck; all if not given."""
    most: int = 3
    """Moments of each kind, the largest first."""


def run(options: Options) -> int:
    """Print a line a moment, and how to see one."""
    from agentlens.drawing.caption import clock
    from agentlens.drawing.moments import KINDS, find_moments
    from agentlens.drawing.text import number
    from agentlens.errors import InvalidArgument
    from agentlens.store.recording import open_recording

    episodes = open_recording(options.recording).episodes
    if not 0 <= options.episode < len(episodes):
        raise InvalidArgument(f"episode {options.episode}: the recording has {len(episodes)}.")
    moments = find_moments(episodes[options.episode], options.kinds, options.most)
    rows = [
        (m.kind, str(m.step), clock(m.seconds), f"{number(m.amount)} {KINDS[m.kind].unit}")
        for m in moments
    ]
    if not rows:
        print(f"episode {options.episode} has none.")
        return 0
    table(("kind", "step", "time", "amount"), rows)
    for kind in dict.fromkeys(m.kind for m in moments):
        print(f"{kind}: {KINDS[kind].meaning}")
    print(f"to see one: agentlens render {options.recording} --around {moments[0].kind}")
    return 0


VERB = Verb(summary="list the steps worth looking at", options=Options, run=run, order=45)
