"""The whole job: agents play the same seeds, meet on each other's states, and are reported on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from agentlens.comparison.behaviour import behaviour, shared_states
from agentlens.comparison.comparison import BurnIn, Comparison
from agentlens.comparison.moments import output_moments
from agentlens.comparison.report import write_report
from agentlens.comparison.returns import corrected, paired_difference, played, return_figures
from agentlens.comparison.values import value_bias
from agentlens.errors import InvalidArgument
from agentlens.provenance import provenance
from agentlens.rollout.burn_in import burn_in_distances
from agentlens.store.recording import Recording
from agentlens.workflows.compare_job import Job, contestant, recordings_of
from agentlens.workflows.compare_maps import explain_everyone, map_findings, sampled
from agentlens.workflows.compare_pictures import Gallery, disagreement, draw_moments, draw_videos
from agentlens.workflows.entrants import Comparable, check_comparable, enter, same_cadence
from agentlens.workflows.options import MapOptions
from agentlens.workflows.report_folder import whole_folder
from agentlens.workflows.shared_ground import Meeting, meet, pairs_of
from agentlens.workflows.video import Stages, unwatched

BURN_INS = (1, 4, 16, 64)
STATISTICS_SEED = 0


def compare(
    agents: Sequence[Comparable],
    *,
    output: Path | str,
    episodes: int = 10,
    seed: int = 0,
    states: int = 20_000,
    maps: int = 200,
    moments: int = 3,
    video_steps: int = 240,
    own_scales: bool = False,
    explain: MapOptions = MapOptions(),  # noqa: B008 (frozen)
    floor: Comparable | None = None,
    env: str | None = None,
    format: str | None = None,
    preset: str | None = None,
    trust_code: bool = False,
    device: str = "auto",
    threads: int = 0,
    force: bool = False,
    stages: Stages = unwatched,
    say: Callable[[str], None] = lambda line: None,
) -> Comparison:
    """Compare two or more agents on the same seeds and on the same states, and write a report.

    Args:
        agents: agents, names, agent folders, checkpoints, or recordings of whole games made with
            one seed; in the order of training where there is one.
        output: folder of the report; it appears whole or not at all.
        episodes, seed: games of each agent that has no recording yet.
        states: about so many states of each agent are shared (whole episodes); 0 for all.
        maps: states of each agent that everyone it meets is explained on; 0 for no maps.
        moments: of each kind, for each pair and side.
        video_steps: decisions in each video; 0 for no videos.
        own_scales: draw each agent's heat on its own scale instead of one for all.
        explain, device, threads: which saliency maps, computed where.
        floor: an agent that differs from the first by its training seed alone.
        env, format, preset, trust_code: as ``load_agent``, for checkpoints.
        force: replace an earlier report, and compare agents under different protocols.
        stages, say: make a stage's progress report; are told a line for the user.

    Returns:
        The comparison; its ``folder`` holds report, tables, figures, videos, recordings and maps.

    Raises:
        InvalidArgument: fewer than two agents, different games or protocols, recordings without
            a finished episode or a common seed, a number out of range.
        AlreadyExists, UnknownName, CheckpointError, Corrupt, DiskError: as the stages.
    """
    _check_counts(
        episodes=(episodes, 1),
        states=(states, 0),
        maps=(maps, 0),
        moments=(moments, 0),
        video_steps=(video_steps, 0),
    )
    everyone = enter(
        agents, env=env, format=format, preset=preset, trust_code=trust_code, floor=floor
    )
    entrants, rest = everyone[: len(agents)], everyone[len(agents) :]
    notes = check_comparable(everyone, force=force)
    for note in notes:
        say(note)
    with whole_folder(Path(output), force=force) as folder:
        found = _run(
            Job(
                entrants=entrants,
                notes=notes,
                episodes=episodes,
                seed=seed,
                states=states,
                maps=maps,
                moments=moments,
                video_steps=video_steps,
                own_scales=own_scales,
                explain=explain,
                floor=rest[0] if rest else None,
                device=device,
                threads=threads,
                stages=stages,
                folder=folder,
            )
        )
    return replace(found, folder=Path(output))


def _check_counts(**counts: tuple[int, int]) -> None:
    """Each a number and the least it may be."""
    for name, (value, least) in counts.items():
        if type(value) is not int or value < least:
            raise InvalidArgument(f"{name} {value!r}: expected a whole number from {least}.")


def _run(job: Job) -> Comparison:
    generator = np.random.default_rng(STATISTICS_SEED)
    recordings = recordings_of(job)
    found = _on_returns(job, recordings, generator)
    gallery = Gallery(
        recordings=recordings, labels=job.labels, meetings={}, maps={}, own_scales=job.own_scales
    )
    cadences = [same_cadence(e.spec, job.entrants[0].spec) for e in job.entrants]
    if all(cadences):
        found, gallery = _on_shared_states(job, found, gallery, generator)
    else:
        said = (
            "Frame skips differ, so no agent can be asked about another's decisions: there are "
            "no figures on shared states."
        )
        found = replace(found, notes=(*found.notes, said))
    with job.stages("drawing", "pictures") as report:
        videos = draw_videos(gallery, job.folder, steps=job.video_steps, progress=report)
        pictures = draw_moments(gallery, found.moments, videos)
    screens = {label: gallery.screen(i) for i, label in enumerate(job.labels)}
    write_report(
        found,
        job.folder,
        screen_shape=recordings[0].header.screen_shape,
        pictures=pictures,
        screens=screens,
        videos=videos,
    )
    return found


def _on_returns(
    job: Job, recordings: Sequence[Recording], generator: np.random.Generator
) -> Comparison:
    """The comparison as far as games from the same seeds say it."""
    games = tuple(played(r, label) for r, label in zip(recordings, job.labels, strict=True))
    differences = [
        paired_difference(games[i], games[j], generator) for i, j in pairs_of(len(games))
    ]
    biases = [value_bias(r, g.agent, generator) for r, g in zip(recordings, games, strict=True)]
    return Comparison(
        contestants=tuple(contestant(e, r) for e, r in zip(job.entrants, recordings, strict=True)),
        games=games,
        returns=tuple(return_figures(g, generator) for g in games),
        biases=tuple(b for b in biases if b is not None),
        differences=corrected(differences),
        behaviours=(),
        similarities=(),
        burn_ins=(),
        shifts=(),
        moments=(),
        notes=job.notes,
        made=provenance(seed=recordings[0].header.seed, statistics_seed=STATISTICS_SEED),
    )


def _on_shared_states(
    job: Job, found: Comparison, gallery: Gallery, generator: np.random.Generator
) -> tuple[Comparison, Gallery]:
    """The comparison with everything that shared states say."""
    with job.stages("revisiting", "decisions") as report:
        meetings = meet(
            job.entrants,
            gallery.recordings,
            job.folder / "recordings",
            states=job.states,
            device=job.device,
            progress=report,
        )
    shared = {
        key: shared_states(
            gallery.recordings[m.home],
            job.labels[m.home],
            m.recording,
            job.labels[m.guest],
            own_first=m.home < m.guest,
        )
        for key, m in meetings.items()
    }
    order = [key for a, b in pairs_of(len(job.entrants)) for key in ((b, a), (a, b))]
    moments = [m for key in order for m in output_moments(shared[key], job.moments, generator)]
    found = replace(
        found,
        behaviours=tuple(behaviour(shared[key], generator) for key in order),
        burn_ins=_burn_ins(job, meetings),
        moments=tuple(moments),
        notes=(*found.notes, *_memory_notes(job)),
    )
    window = disagreement(shared, len(job.entrants) - 1, job.video_steps)
    gallery = replace(gallery, meetings=meetings, disagreement=window)
    if job.maps == 0:
        return found, gallery
    states = sampled(job, gallery)
    gallery = replace(gallery, maps=explain_everyone(job, gallery, states, moments))
    said = map_findings(job, gallery, states, shared, generator)
    found = replace(
        found,
        similarities=said.similarities,
        shifts=said.shifts,
        moments=(*found.moments, *said.moments),
        made={**found.made, "maps": said.text},
    )
    return found, gallery


def _burn_ins(job: Job, meetings: Mapping[tuple[int, int], Meeting]) -> tuple[BurnIn, ...]:
    """For every recurrent guest: how far back its choices on another's states reach."""
    rows = []
    for meeting in meetings.values():
        policy = job.entrants[meeting.guest].agent.policy
        if policy.state_size == 0 or policy.kind != "logits":
            continue
        distances = burn_in_distances(
            meeting.recording,
            job.entrants[meeting.guest].agent,
            steps=BURN_INS,
            device=job.device,
        )
        rows += [
            BurnIn(
                agent=job.labels[meeting.guest],
                states_of=job.labels[meeting.home],
                steps=k,
                states=count,
                total_variation=distance,
            )
            for k, (distance, count) in distances.items()
        ]
    return tuple(rows)


def _memory_notes(job: Job) -> tuple[str, ...]:
    recurrent = [e.label for e in job.entrants if e.agent.policy.state_size > 0]
    if not recurrent:
        return ()
    return (
        f"{', '.join(recurrent)}: recurrent. On another agent's states the memory is "
        "off-policy: it "
        "ran through a game that this agent would not have played.",
    )
