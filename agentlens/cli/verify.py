"""agentlens verify: replay a recording and compare every field."""

from __future__ import annotations

from dataclasses import dataclass

from agentlens.cli._console import progress
from agentlens.cli._options import RecordingChoice
from agentlens.cli._verb import Verb


@dataclass(frozen=True, kw_only=True)
class Options:
    """Check every digest, then replay each episode from its seed and actions.

    Prints "exact", or the first step and field that differ. The exit code is 1 if any does.

    Example: agentlens verify recordings/pong
    """

    source: RecordingChoice


def run(options: Options) -> int:
    """Replay and print a line an episode."""
    from agentlens.rollout.replay import verify

    with progress("replaying", "steps") as report:
        verdicts = verify(options.source.open(), progress=report)
    for verdict in verdicts:
        print(verdict)
    return 0 if all(v.exact for v in verdicts) else 1


VERB = Verb(summary="replay a recording and compare it", options=Options, run=run, order=60)
