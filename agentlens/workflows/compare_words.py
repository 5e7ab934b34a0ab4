"""Which objects each agent of a comparison acts for, on the same states."""

from __future__ import annotations

import math

from agentlens.comparison.comparison import ObjectEffect
from agentlens.errors import InvalidArgument
from agentlens.workflows.compare_pictures import Gallery
from agentlens.workflows.compare_plan import ComparisonRun
from agentlens.workflows.describe import describe


def object_effects(run: ComparisonRun, gallery: Gallery) -> tuple[ObjectEffect, ...]:
    """Every agent that is asked about the first agent's states, described on some of them.

    The states are ``plan.word_steps`` neighbouring ones from the middle of the first agent's first
    game.

    Raises:
        InvalidArgument: nothing is known of the objects on these screens.
    """
    home, steps = gallery.recordings[0], run.plan.word_steps
    length = len(home.episodes[0])
    start = max(0, (length - steps) // 2)
    effects: list[ObjectEffect] = []
    for place, participant in enumerate(run.participants):
        recording = home if place == 0 else gallery.revisits.get((place, 0))
        if recording is None:
            continue
        with run.progress.stage(f"describing {participant.label}", "states") as report:
            result = describe(
                recording,
                steps=slice(start, min(length, start + steps)),
                episodes=[0],
                compute=run.compute,
                output=run.folder / "words" / f"{place + 1}-on-1",
                progress=report,
                agent=participant.agent,
            )
        if not result.groups:
            raise InvalidArgument(
                f"nothing is known of the objects of {home.header.agent.environment.game}: leave "
                "--word-steps out."
            )
        effects += [
            ObjectEffect(
                agent=participant.label,
                states_of=run.labels[0],
                object=group.name,
                effect=group.effect,
                decided=None if math.isnan(group.decided) else group.decided,
                cited=group.cited,
                steps=result.steps,
            )
            for group in result.groups
        ]
    return tuple(effects)
