"""agentlens info: one page on an agent, a checkpoint, a recording, a map set or a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from agentlens.cli._verb import Verb
from agentlens.workflows.options import Name


@dataclass(frozen=True, kw_only=True)
class Options:
    """Say what something is, how it plays, what it holds, and which commands go on from it.

    Examples:
      agentlens info pong-ppo
      agentlens info recordings/pong
      agentlens info ppo.zip --env PongNoFrameskip-v4
    """

    place: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME|PATH")]
    """An agent's name, a checkpoint, or the folder of an agent, a training run, a recording, a map
    set or a report."""
    env: Name = None
    """Environment id such as ALE/Pong-v5, for a checkpoint that does not say it."""


def run(options: Options) -> int:
    """Print the page."""
    from agentlens.workflows.info import agent_lines, info, is_checkpoint

    if not is_checkpoint(options.place):
        print("\n".join(info(options.place)))
        return 0
    from agentlens.policies.agent import load_agent

    spec = load_agent(options.place, env=options.env).spec
    print("\n".join(agent_lines(spec, options.place, options.env)))
    return 0


VERB = Verb(summary="what an agent, recording or map set is", options=Options, run=run, order=12)
