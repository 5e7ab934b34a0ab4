"""agentlens video: the whole job in one command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agentlens.cli._console import ConsoleStages
from agentlens.cli._method import MethodFlags
from agentlens.cli._options import AgentChoice, ComputeFlags
from agentlens.cli._verb import Verb
from agentlens.drawing.draw import Draw
from agentlens.errors import InvalidArgument
from agentlens.workflows.options import A_MINUTE, GameOptions, Location


@dataclass(frozen=True, kw_only=True)
class Options:
    """Record an episode, explain every step and draw the video.

    Examples:
      agentlens video pong-ppo
      agentlens video model.80.tar --format baby-a3c --env ALE/Breakout-v5 --max-steps 0
    """

    source: AgentChoice
    play: GameOptions = A_MINUTE
    maps: MethodFlags
    drawing: Draw
    compute: ComputeFlags
    output: Location = None
    """The video; a fresh name in the recording's folder if not given. mp4, webm, gif, webp, png."""
    force: bool = False
    """Overwrite the video."""
    badges: bool = False
    """Measure on 40 steps how far the maps can be believed, and show it in the header."""


def run(options: Options) -> int:
    """Do the whole job and print where things lie."""
    from agentlens.cli._agent import load_chosen
    from agentlens.drawing.render import check_output
    from agentlens.workflows.measure import measure_badges, unmeasurable
    from agentlens.workflows.summary import recording_summary
    from agentlens.workflows.video import draw_game, explained_game

    agent, compute = load_chosen(options.source, options.compute)
    check_output(Path(options.output or "video.mp4"), options.force or options.output is None)
    chosen = options.maps.configured()
    if options.badges and (reason := unmeasurable(chosen, agent.policy)):
        raise InvalidArgument(f"{reason} Leave --badges out.")
    reporter = ConsoleStages()
    recording, maps, method = explained_game(
        agent,
        play=options.play.games,
        method=chosen,
        compute=compute,
        draw=options.drawing,
        reporter=reporter,
    )
    if options.badges:
        assert maps.folder is not None  # the maps were stored there
        with reporter.stage("measuring", "metrics") as progress:
            badges = measure_badges(
                recording, maps.folder, method, compute=compute, progress=progress
            )
        print(f"badges: {badges}")
    result = draw_game(
        recording,
        maps,
        options.output,
        draw=options.drawing,
        force=options.force,
        reporter=reporter,
    )
    print(recording_summary(result.recording))
    print(f"recording: {result.recording.folder}")
    print(f"maps: {result.maps.folder}")
    print(f"video: {result.path}")
    return 0


VERB = Verb(summary="record, explain and draw an agent's play", options=Options, run=run, order=0)
