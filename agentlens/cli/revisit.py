"""agentlens revisit: ask another agent about the states of a recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from agentlens.cli._console import progress
from agentlens.cli._options import DeviceFlags, RecordingFolder
from agentlens.cli._verb import Verb
from agentlens.workflows.options import Location, Name


@dataclass(frozen=True, kw_only=True)
class Options:
    """Ask another agent about every state of a recording; the result is a recording, too.

    Explain and render it like any other: it shows what the other agent would have done, valued
    and looked at in games that it did not play.

    Example: agentlens revisit recordings/pong --agent pong-ppo-early
    """

    recording: RecordingFolder
    """Folder of a recording of whole games."""
    agent: Annotated[str, tyro.conf.arg(metavar="AGENT")]
    """Who is asked: an agent's name, an agent folder, or a checkpoint file."""
    compute: DeviceFlags
    env: Name = None
    """Environment id such as ALE/Pong-v5, for a checkpoint."""
    format: Name = None
    """Format of a checkpoint; found out if not given."""
    preset: Name = None
    """Preprocessing of a checkpoint: sb3-atari, ale-vector, cleanrl-atari, envpool,
    baby-a3c, ale-v5."""
    output: Location = None
    """Folder of the new recording; recordings/AGENT-on-PLAYER if not given."""
    force: bool = False
    """Overwrite an existing recording."""
    trust_code: bool = False
    """Run the code that the agent names (module:Class); not needed for any other."""


def run(options: Options) -> int:
    """Replay, ask, print where the answers lie."""
    from agentlens.cli._agent import use_compute
    from agentlens.policies.agent import load_agent
    from agentlens.rollout.revisit import revisit
    from agentlens.store.recording import open_recording
    from agentlens.workflows.naming import RECORDINGS, fresh_path

    compute = use_compute(options.compute)
    recording = open_recording(options.recording)
    agent = load_agent(
        options.agent,
        env=options.env,
        format=options.format,
        preset=options.preset,
        trust_code=options.trust_code,
    )
    player = recording.header.agent.name
    output = options.output or fresh_path(RECORDINGS, f"{agent.spec.name}-on-{player}")
    with progress("revisiting", "decisions") as report:
        revisit(
            recording,
            agent,
            output=output,
            compute=compute,
            force=options.force,
            progress=report,
        )
    print(f"{agent.spec.name} was asked about {player}'s play")
    print(f"recording: {output}")
    return 0


VERB = Verb(
    summary="ask another agent about a recording's states", options=Options, run=run, order=55
)
