"""agentlens info: one page on an agent, a recording, a map set or a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from agentlens.cli._verb import Verb


@dataclass(frozen=True, kw_only=True)
class Options:
    """Say what something is, how it plays, what it holds, and which commands go on from it.

    Examples:
      agentlens info pong-ppo
      agentlens info recordings/pong
    """

    place: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME|FOLDER")]
    """An agent's name, or the folder of an agent, a recording, a map set or a report."""


def run(options: Options) -> int:
    """Print the page."""
    from agentlens.workflows.info import info

    print("\n".join(info(options.place)))
    return 0


VERB = Verb(summary="what an agent, recording or map set is", options=Options, run=run, order=12)
