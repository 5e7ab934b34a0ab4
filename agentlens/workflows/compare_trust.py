"""The part of a comparison that tells how far the maps can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from agentlens.badges import judge
from agentlens.comparison.trust import MapTrust
from agentlens.saliency.base import SaliencyMethod
from agentlens.saliency.configure import method_name
from agentlens.store.measures import read_measures
from agentlens.workflows.compare_pictures import Gallery
from agentlens.workflows.compare_plan import ComparisonPlan, ComparisonRun
from agentlens.workflows.map_sizes import fitted_method
from agentlens.workflows.measure import measure_badges, unmeasurable
from agentlens.workflows.participants import Participant


def unmeasured(
    participants: Sequence[Participant], method: SaliencyMethod, plan: ComparisonPlan
) -> tuple[str, ...]:
    """A line on whose maps get no badges although the plan asks for them, and why."""
    if not plan.badge_states:
        return ()
    reasons = {p.label: unmeasurable(method, p.agent.policy) for p in participants}
    return tuple(f"{label}: {reason}" for label, reason in reasons.items() if reason)


def map_trust(run: ComparisonRun, gallery: Gallery) -> tuple[MapTrust, ...]:
    """The badges of every agent's maps of its own play, measured where the plan asks for it.

    Their figures are stored beside the maps, so that whatever draws these shows them, too.
    """
    return tuple(_of_agent(run, gallery, place) for place in range(len(run.participants)))


def _of_agent(run: ComparisonRun, gallery: Gallery, place: int) -> MapTrust:
    participant, recording = run.participants[place], gallery.recordings[place]
    folder = run.folder / "maps" / f"{place + 1}-on-{place + 1}"
    first = gallery.recordings[0].header
    method = fitted_method(run.method, participant.spec, first.agent, first.screen_shape)
    if run.plan.badge_states and not unmeasurable(method, participant.agent.policy):
        with run.progress.stage(f"measuring {participant.label}", "metrics") as report:
            measure_badges(
                recording,
                folder,
                method,
                states=run.plan.badge_states,
                compute=run.compute,
                agent=participant.agent,
                progress=report,
            )
    return _stored(participant.label, method_name(method), folder)


def _stored(label: str, method: str, folder: Path) -> MapTrust:
    measures = read_measures(folder)
    nothing = MapTrust(agent=label, method=method, badges=judge({}), figures={}, states=0, units="")
    if measures is None:
        return nothing
    return replace(
        nothing,
        badges=judge(measures.figures),
        figures=measures.figures,
        states=measures.states,
        units=measures.units,
    )
