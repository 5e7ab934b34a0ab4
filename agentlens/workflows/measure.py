"""How far maps can be believed: metrics over methods and controls on the same states."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agentlens.badges import Badges
from agentlens.compute import Compute
from agentlens.envs.alike import merge_groups
from agentlens.errors import InvalidArgument, OutputMismatch
from agentlens.metrics import METRICS, Metric, Sample, States
from agentlens.metrics._recorded import frames_of, joined, median_picture
from agentlens.policies.agent import Agent, recorded_agent
from agentlens.policies.base import Policy
from agentlens.policies.device import choose_device
from agentlens.progress import Progress, silent
from agentlens.provenance import provenance
from agentlens.saliency.base import SaliencyMethod
from agentlens.saliency.configure import configure, method_name
from agentlens.saliency.engine.settings import exact_float32, torch_threads
from agentlens.store.measures import Measures, write_measures
from agentlens.store.recording import Episode, Recording, open_recording
from agentlens.store.tables import write_table
from agentlens.workflows.measure_makers import EdgeMaker, MethodMaker, RowMaker
from agentlens.workflows.measure_plan import BADGE_METRICS, BADGE_STATES, MeasurePlan
from agentlens.workflows.measure_result import EDGES, ENERGY, FORGOTTEN, RANDOM, MeasureResult

_TOLERANCE = 1e-3
"""Of the outputs' size: recomputed outputs that differ more are another policy's."""


def measure(
    recording: Recording | Path | str,
    methods: Sequence[str | SaliencyMethod] = ("perturbation",),
    plan: MeasurePlan | None = None,
    *,
    compute: Compute | None = None,
    output: Path | str | None = None,
    maps: Path | str | None = None,
    agent: Agent | None = None,
    progress: Progress = silent,
) -> MeasureResult:
    """Measure methods on states of a recording, beside controls that know less than they should.

    Args:
        recording: or its folder.
        methods: names, or configured methods; the first target of each is measured.
        plan: which metrics on which states.
        compute: device and threads.
        output: write a number a row, metric and state to ``<output>.parquet`` and ``.csv``.
        maps: folder of a map set that the first method made: its measures are stored beside it,
            and its badges show from then on.
        agent: the agent recorded; the recording's own is loaded if not given.
        progress: called with metrics worked out and to work out.

    Returns:
        The numbers, their figures with intervals, and badges.

    Raises:
        UnknownName: no such method or metric.
        InvalidArgument: no finished step, no method, or see ``unmeasurable``.
        OutputMismatch: the policy does not say what was recorded.

    Notes:
        150 maps a method and 10 000 forward passes a row on 40 states: under a minute on two cores.
    """
    recording, plan = open_recording(recording), plan or MeasurePlan()
    compute = compute or Compute()
    chosen = _metrics(plan)
    device = choose_device(compute.device)
    policy = recorded_agent(recording, agent, device=compute.device).policy
    _check(methods, policy)
    makers = _makers(recording, methods, plan, compute)
    with exact_float32(), torch_threads(compute.threads):
        states = _states(recording, plan, policy, str(device))
        values, places = _measured(states, makers, chosen, plan, progress)
    frames, better = states.frames, {name: metric.better for name, metric in chosen.items()}
    result = MeasureResult(
        values=values,
        places=places,
        episodes=frames.episodes,
        steps=frames.steps,
        methods=tuple(name for name, (_, control) in makers.items() if not control),
        better=better,
    )
    made = provenance(device=str(device), recording=recording.header.identity)
    if output is not None:
        write_table(output, result.columns(), made)
    if maps is not None:
        _store(Path(maps), result, states, made)
    return result


def _check(methods: Sequence[str | SaliencyMethod], policy: Policy) -> None:
    """Refuse what cannot be measured."""
    for reason in (unmeasurable(configure(method), policy) for method in methods):
        if reason:
            raise InvalidArgument(reason)


def measure_badges(
    recording: Recording,
    maps: Path,
    method: SaliencyMethod,
    *,
    states: int = BADGE_STATES,
    compute: Compute | None = None,
    agent: Agent | None = None,
    progress: Progress = silent,
) -> Badges:
    """Measure what badges rest on and store it beside a map set, so that its header shows them.

    Args:
        recording: that was explained.
        maps: folder of the map set.
        method: that made the maps.
        states: states measured, at most.
        compute: device and threads.
        agent: the agent recorded; the recording's own is loaded if not given.
        progress: called with metrics worked out and to work out.

    Raises:
        InvalidArgument: see ``unmeasurable``.

    Notes:
        A third of ``measure`` with all metrics; under half a minute for an agent of Pong.
    """
    plan = MeasurePlan(states=states, metrics=BADGE_METRICS, controls=False)
    methods: list[str | SaliencyMethod] = [method]
    if method_name(method) != ENERGY:
        methods.append(ENERGY)
    result = measure(
        recording,
        methods,
        plan,
        compute=compute,
        maps=maps,
        agent=agent,
        progress=progress,
    )
    return result.badges(result.methods[0])


def unmeasurable(method: SaliencyMethod, policy: Policy) -> str:
    """Why the maps of a method get no badges for a policy, in a sentence; "" where they can."""
    if method.past_steps or "objects" in method.pictures:
        return (
            f"Maps of {method_name(method)} need the steps or the screens around a state, so no "
            "badges can be measured for them."
        )
    if not method.has_places:
        return (
            f"{method_name(method)} gives numbers without places, and metrics compare places, so "
            "no badges can be measured for it."
        )
    if not any(True for _ in policy.parameters()):
        return "A policy without weights looks at nothing, so no badges can be measured for it."
    return ""


def _store(maps: Path, result: MeasureResult, states: States, made: Mapping[str, Any]) -> None:
    """Put the first method's measures beside its maps."""
    measures = Measures(
        figures=result.figures(result.methods[0]),
        states=len(states),
        units=result.units,
        provenance=made,
    )
    write_measures(maps, measures)


def _metrics(plan: MeasurePlan) -> dict[str, Metric]:
    names = METRICS.names() if plan.metrics is None else plan.metrics
    return {name: METRICS.load(name)() for name in names}


def _makers(
    recording: Recording,
    methods: Sequence[str | SaliencyMethod],
    plan: MeasurePlan,
    compute: Compute,
) -> dict[str, tuple[RowMaker, bool]]:
    """The rows by name, and whether each is a control."""
    if not methods:
        raise InvalidArgument("no method to measure: name one or more.")
    rows: dict[str, tuple[RowMaker, bool]] = {}
    spec = recording.header.agent
    groups = merge_groups(spec.environment.game, spec.action.meanings)
    for method in map(configure, methods):
        name = method_name(method)
        unique = name if name not in rows else f"{name} {len(rows) + 1}"
        rows[unique] = (MethodMaker(method=method, compute=compute, groups=groups), False)
    if not plan.controls:
        return rows
    for name in (RANDOM, ENERGY):
        if name not in rows:
            rows[name] = (MethodMaker(method=configure(name), compute=compute), True)
    rows[EDGES] = (EdgeMaker(), True)
    for name, (maker, control) in list(rows.items()):
        if not control and isinstance(maker, MethodMaker):
            forgotten = dataclasses.replace(maker, seed=plan.seed)
            rows[f"{name}, {FORGOTTEN}"] = (forgotten, True)
    return rows


def _states(recording: Recording, plan: MeasurePlan, policy: Policy, device: str) -> States:
    """States evenly spread over the chosen episodes, checked against what was recorded."""
    episodes = [
        episode
        for episode in recording.episodes
        if len(episode) and (plan.episodes is None or episode.index in plan.episodes)
    ]
    total = sum(map(len, episodes))
    if not total:
        raise InvalidArgument(
            f"{recording.folder} has no step of episodes {plan.episodes or 'at all'} to measure."
        )
    places = np.unique(np.linspace(0, total - 1, min(plan.states, total)).round().astype(int))
    batches, first = [], 0
    for episode in episodes:
        own = places[(places >= first) & (places < first + len(episode))] - first
        first += len(episode)
        if len(own):
            batches.append((frames_of(episode, own, device), episode, own))
    frames = joined([batch for batch, _, _ in batches])
    states = States(
        policy=policy,
        frames=frames,
        median=median_picture(recording),
        explained=frames.actions.cpu().numpy(),
    )
    recorded = np.concatenate([_preferences(episode)[own] for _, episode, own in batches])
    gap = float(np.abs(states.preferences - recorded).max())
    if gap > _TOLERANCE * max(1.0, float(np.abs(recorded).max())):
        raise OutputMismatch(
            f"the policy's outputs differ from the recorded ones by {gap:.3g}: it is another "
            "agent's, or its weights were changed since."
        )
    return states


def _preferences(episode: Episode) -> np.ndarray:
    recorded = episode.logits if episode.logits is not None else episode.q_values
    assert recorded is not None  # a recording has one of them
    return recorded


_Table = dict[str, dict[str, np.ndarray]]


def _measured(
    states: States,
    makers: Mapping[str, tuple[RowMaker, bool]],
    metrics: Mapping[str, Metric],
    plan: MeasurePlan,
    progress: Progress,
) -> tuple[_Table, _Table]:
    """Numbers, and the states that they belong to, by row and metric."""
    values: _Table = {}
    places: _Table = {}
    done, total = 0, len(makers) * len(metrics)
    for row, (maker, control) in makers.items():
        sample = _sample(states, maker, plan.seed)
        values[row], places[row] = {}, {}
        for name, metric in metrics.items():
            if not (control and metric.needs_maps):
                values[row][name] = metric(sample)
                places[row][name] = metric.rows(len(states))
            done += 1
            progress(done, total)
    return values, places


def _sample(states: States, maker: RowMaker, seed: int) -> Sample:
    maps = maker(states.policy, states.frames, median=states.median)
    assert maps is not None  # no action was named
    grid = maker.grid(states.policy, states.median)
    return Sample(states=states, maps=maps, grid=grid, make=maker, seed=seed)
