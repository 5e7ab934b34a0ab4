"""agentlens moments: which steps of a recording are worth looking at."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Annotated

import tyro

from agentlens.cli._console import table
from agentlens.cli._options import RecordingFolder
from agentlens.cli._verb import Verb


@dataclass(frozen=True, kw_only=True)
class Options:
    """List lost points, rewards, value drops, changes of the policy, important and stuck states.

    A number stored beside the recording is a kind, too: a unit that `agentlens excite` was asked
    for, its layer's energy, or a concept's.

    Example: agentlens moments recordings/pong
    """

    recording: RecordingFolder
    """Folder of a recording."""
    episode: int = 0
    """Which episode."""
    kinds: Annotated[
        tuple[str, ...] | None, tyro.conf.arg(metavar="KIND ...", help_behavior_hint="")
    ] = None
    """lost-point, reward, value-drop, policy-change, important, stuck; all of these if not given.
    Or the name of a stored number, such as torso.5.unit.16."""
    most: int = 3
    """Moments of each kind, the largest first."""


def run(options: Options) -> int:
    """Print a line a moment, and how to see one."""
    from agentlens.drawing.caption import clock
    from agentlens.drawing.moments import describe_kind, episode_numbers, find_moments
    from agentlens.drawing.text import number
    from agentlens.errors import InvalidArgument
    from agentlens.store.recording import open_recording

    recording = open_recording(options.recording)
    if not 0 <= options.episode < len(recording.episodes):
        raise InvalidArgument(
            f"episode {options.episode}: the recording has {len(recording.episodes)}."
        )
    episode = recording.episodes[options.episode]
    numbers = episode_numbers(recording, episode)
    moments = find_moments(episode, options.kinds, options.most, numbers)
    rows = [
        (m.kind, str(m.step), clock(m.seconds), f"{number(m.amount)} {describe_kind(m.kind)[1]}")
        for m in moments
    ]
    if not rows:
        print(f"episode {options.episode} has none.")
        return 0
    table(("kind", "step", "time", "amount"), rows)
    for kind in dict.fromkeys(m.kind for m in moments):
        print(f"{kind}: {describe_kind(kind)[0]}")
    first = shlex.quote(moments[0].kind)
    game = f" --episode {options.episode}" if options.episode else ""
    print(f"to see one: agentlens render {options.recording} --around {first}{game}")
    return 0


VERB = Verb(summary="list the steps worth looking at", options=Options, run=run, order=45)
