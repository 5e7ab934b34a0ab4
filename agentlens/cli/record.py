"""agentlens record: play episodes and keep everything that explaining them needs."""

from __future__ import annotations

from dataclasses import dataclass

from agentlens.cli._console import progress
from agentlens.cli._options import AgentChoice, DeviceFlags
from agentlens.cli._verb import Verb
from agentlens.rollout.play import Play
from agentlens.workflows.options import Location


@dataclass(frozen=True, kw_only=True)
class Options:
    """Play whole episodes and record every decision: screens, RAM, outputs, memory, actions.

    Example: agentlens record pong-ppo --episodes 3 --seed 0 --output recordings/pong
    """

    source: AgentChoice
    play: Play
    compute: DeviceFlags
    output: Location = None
    """Folder of the recording; recordings/AGENT-seedN if not given."""
    resume: bool = False
    """Finish the missing episodes of a recording that was cut off."""
    force: bool = False
    """Overwrite an existing recording."""


def run(options: Options) -> int:
    """Record, then print the returns beside the agent's reference score."""
    from agentlens.cli._agent import load_chosen
    from agentlens.rollout.recorder import record
    from agentlens.workflows.naming import RECORDINGS, fresh_path
    from agentlens.workflows.summary import recording_summary

    agent, compute = load_chosen(options.source, options.compute)
    output = options.output or fresh_path(RECORDINGS, f"{agent.spec.name}-seed{options.play.seed}")
    with progress("recording", "steps") as report:
        recording = record(
            agent,
            output=output,
            play=options.play,
            compute=compute,
            resume=options.resume,
            force=options.force,
            progress=report,
        )
    print(recording_summary(recording))
    print(f"recording: {output}")
    return 0


VERB = Verb(summary="play episodes and record every decision", options=Options, run=run, order=30)
