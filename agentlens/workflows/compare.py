"""The whole job: agents play the same seeds, are asked about each other's states, and are reported
on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from agentlens.comparison.behaviour import behaviour
from agentlens.comparison.comparison import BurnIn, Comparison
from agentlens.comparison.moments import output_moments
from agentlens.comparison.outputs import shared_states
from agentlens.comparison.report import write_report
from agentlens.comparison.returns import corrected, paired_difference, played, return_figures
from agentlens.comparison.statistics import SEED
from agentlens.comparison.values import value_bias
from agentlens.compute import Compute
from agentlens.progress import SILENT_STAGES, StageReporter
from agentlens.provenance import provenance
from agentlens.rollout.burn_in import burn_in_distances
from agentlens.saliency.configure import configure
from agentlens.store.recording import Recording
from agentlens.workflows.compare_checks import (
    check_comparable,
    check_maps,
    check_objects,
    check_seeds,
    few_pairs,
    same_cadence,
)
from agentlens.workflows.compare_layers import layer_similarities
from agentlens.workflows.compare_maps import compare_maps, explain_all, shared_steps
from agentlens.workflows.compare_pictures import Gallery, disagreement, draw_moments, draw_videos
from agentlens.workflows.compare_plan import (
    ComparisonPlan,
    ComparisonRun,
    agent_summary,
    own_recordings,
)
from agentlens.workflows.compare_trust import map_trust, unmeasured
from agentlens.workflows.compare_words import object_effects
from agentlens.workflows.compare_workers import comparing_workers
from agentlens.workflows.participants import AgentLike, load_participants
from agentlens.workflows.report_folder import whole_folder
from agentlens.workflows.revisits import Revisits, pairs_of, revisit_all

BURN_INS = (1, 4, 16, 64)
_NO_SHARED_STATES = (
    "Frame skips differ, so no agent can be asked about another's decisions: there are no figures "
    "on shared states."
)


def compare(
    agents: Sequence[AgentLike],
    *,
    output: Path | str,
    plan: ComparisonPlan = ComparisonPlan(),  # noqa: B008 (frozen)
    compute: Compute = Compute(),
    force: bool = False,
    progress: StageReporter = SILENT_STAGES,
) -> Comparison:
    """Compare two or more agents on the same seeds and on the same states, and write a report.

    Args:
        agents: agents, names, agent folders, checkpoints, or recordings of whole games made with
            one seed; in the order of training where there is one.
        output: folder of the report; it appears whole or not at all.
        plan: on how much they are compared, with which maps, and what is drawn.
        compute: where; ``threads``: processes that share the work, 0 for one a core.
        force: replace an earlier report, and compare agents under different protocols.
        progress: follows the stages, and is told what a user should read meanwhile.

    Returns:
        The comparison; its ``folder`` holds report, tables, figures, videos, recordings and maps.

    Raises:
        InvalidArgument: fewer than two agents, other games or protocols, no common seed.
        AlreadyExists, UnknownName, CheckpointError, Corrupt, DiskError: as the stages.
    """
    method = configure(plan.method)
    with_twin = load_participants(agents, plan.checkpoints, seed_twin=plan.seed_twin)
    participants, rest = with_twin[: len(agents)], with_twin[len(agents) :]
    notes = check_comparable(with_twin, force=force)
    check_seeds(participants, plan)
    if plan.word_steps:
        check_objects(participants[0].spec)
    if plan.map_states:
        check_maps(with_twin, method, compute)
        notes = (*notes, *unmeasured(participants, method, plan))
    for note in (*notes, *few_pairs(participants, plan)):
        progress.say(note)
    with (
        whole_folder(Path(output), force=force) as folder,
        comparing_workers(with_twin, compute) as workers,
    ):
        run = ComparisonRun(
            participants=participants,
            seed_twin=rest[0] if rest else None,
            notes=notes,
            plan=plan,
            method=method,
            compute=compute,
            progress=progress,
            folder=folder,
            workers=workers,
        )
        comparison = run_comparison(run)
    return replace(comparison, folder=Path(output))


def run_comparison(run: ComparisonRun) -> Comparison:
    """Play, measure, draw and write the report of a comparison that is settled."""
    recordings = own_recordings(run)
    comparison = _on_returns(run, recordings)
    gallery = Gallery(
        recordings=recordings,
        labels=run.labels,
        revisits={},
        maps={},
        own_scales=run.plan.own_scales,
    )
    if all(same_cadence(p.spec, run.participants[0].spec) for p in run.participants):
        comparison, gallery = _on_shared_states(run, comparison, gallery)
    else:
        comparison = replace(comparison, notes=(*comparison.notes, _NO_SHARED_STATES))
    with run.progress.stage("drawing", "pictures") as report:
        videos = draw_videos(gallery, run.folder, steps=run.plan.video_steps, progress=report)
        pictures = draw_moments(gallery, comparison.moments, videos)
    write_report(
        comparison,
        run.folder,
        screen_shape=recordings[0].header.screen_shape,
        pictures=pictures,
        screens={label: gallery.screen(i) for i, label in enumerate(run.labels)},
        videos=videos,
    )
    return comparison


def _on_returns(run: ComparisonRun, recordings: Sequence[Recording]) -> Comparison:
    """The comparison as far as games from the same seeds say it."""
    games = tuple(played(r, label) for r, label in zip(recordings, run.labels, strict=True))
    differences = [paired_difference(games[i], games[j]) for i, j in pairs_of(len(games))]
    biases = [value_bias(r, g.agent) for r, g in zip(recordings, games, strict=True)]
    return Comparison(
        agents=tuple(
            agent_summary(p, r) for p, r in zip(run.participants, recordings, strict=True)
        ),
        games=games,
        returns=tuple(return_figures(g) for g in games),
        biases=tuple(b for b in biases if b is not None),
        differences=corrected(differences),
        behaviours=(),
        similarities=(),
        burn_ins=(),
        shifts=(),
        moments=(),
        notes=run.notes,
        made=provenance(seed=recordings[0].header.seed, statistics_seed=SEED),
    )


def _on_shared_states(
    run: ComparisonRun, comparison: Comparison, gallery: Gallery
) -> tuple[Comparison, Gallery]:
    """The comparison with everything that shared states say."""
    plan, labels, recordings = run.plan, run.labels, gallery.recordings
    with run.progress.stage("revisiting", "decisions") as report:
        revisits = revisit_all(
            run.participants,
            recordings,
            run.folder / "recordings",
            states=plan.states,
            compute=run.compute,
            progress=report,
            workers=run.workers,
        )
    shared = {
        (guest, home): shared_states(
            recordings[home], labels[home], visit, labels[guest], own_first=home < guest
        )
        for (guest, home), visit in revisits.items()
    }
    order = [key for a, b in pairs_of(len(labels)) for key in ((b, a), (a, b))]
    moments = [m for key in order for m in output_moments(shared[key], plan.moments)]
    comparison = replace(
        comparison,
        behaviours=tuple(behaviour(shared[key]) for key in order),
        burn_ins=_burn_ins(run, revisits),
        moments=tuple(moments),
        notes=(*comparison.notes, *_memory_notes(run)),
    )
    window = disagreement(shared, len(labels) - 1, plan.video_steps)
    gallery = replace(gallery, revisits=revisits, disagreement=window)
    if plan.word_steps:
        comparison = replace(comparison, objects=object_effects(run, gallery))
    if plan.layer_steps:
        comparison = replace(comparison, layers=layer_similarities(run, gallery))
    if plan.map_states == 0:
        return comparison, gallery
    steps = shared_steps(run, gallery)
    gallery = replace(gallery, maps=explain_all(run, gallery, steps, moments))
    figures = compare_maps(run, gallery, steps, shared, moments)
    comparison = replace(
        comparison,
        similarities=figures.similarities,
        shifts=figures.shifts,
        trust=map_trust(run, gallery),
        moments=(*comparison.moments, *figures.moments),
        made={**comparison.made, "maps": figures.text},
    )
    return comparison, gallery


def _burn_ins(run: ComparisonRun, revisits: Revisits) -> tuple[BurnIn, ...]:
    """For every recurrent guest: how far back its choices on another's states reach."""
    rows = []
    for (guest, home), visit in revisits.items():
        agent = run.participants[guest].agent
        if agent.policy.state_size == 0 or agent.policy.kind != "logits":
            continue
        distances = burn_in_distances(visit, agent, steps=BURN_INS, device=run.compute.device)
        rows += [
            BurnIn(
                agent=run.labels[guest],
                states_of=run.labels[home],
                steps=k,
                states=count,
                total_variation=distance,
            )
            for k, (distance, count) in distances.items()
        ]
    return tuple(rows)


def _memory_notes(run: ComparisonRun) -> tuple[str, ...]:
    recurrent = [p.label for p in run.participants if p.agent.policy.state_size > 0]
    if not recurrent:
        return ()
    return (
        f"{', '.join(recurrent)}: recurrent. On another agent's states the memory is off-policy: "
        "it ran through a game that this agent would not have played.",
    )
