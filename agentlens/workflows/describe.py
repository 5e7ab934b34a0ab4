"""A recording in words: a table of attributes and effects, sentences, and a summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.policies.agent import Agent, recorded_agent
from agentlens.progress import Progress, silent
from agentlens.provenance import provenance
from agentlens.saliency.engine.settings import torch_threads
from agentlens.store.recording import Episode, Recording, open_recording
from agentlens.store.tables import write_table
from agentlens.words.description import DEFAULTS, DescribeOptions, Describer, Description
from agentlens.words.pairs import report_pairs
from agentlens.workflows.describe_result import DescribeResult, summarise
from agentlens.workflows.describe_units import (
    QUANTILE,
    UNITS,
    Firing,
    NamedUnits,
    firing,
    read_named_units,
    unit_columns,
    with_units,
)
from agentlens.workflows.objects import chosen_episodes

FOLDER = "words"


def describe(
    recording: Recording | Path | str,
    *,
    steps: slice | None = None,
    episodes: Sequence[int] | None = None,
    options: DescribeOptions = DEFAULTS,
    compute: Compute = Compute(),
    output: Path | str | None = None,
    progress: Progress = silent,
    agent: Agent | None = None,
) -> DescribeResult:
    """Say for every step what the agent did and which objects it did it for.

    Args:
        recording: open, or its folder.
        steps: of each episode, neighbouring; all if not given.
        episodes: indices; all if not given.
        options: how effects are measured and when an object is cited.
        compute: device and threads; one thread if not given: the batches are small, and a
            second one waits longer than it works.
        output: folder of the tables; ``words`` in the recording's folder if not given.
        progress: called with steps done and to do.
        agent: another copy of the recording's own.

    Returns:
        Where the tables are, and a summary.

    Raises:
        InvalidArgument: no such episode or step, or nothing to describe.
        Corrupt: units are to be named, and the recording was not dissected.
        OutputMismatch: recomputed outputs are not the recorded ones.
        DiskError: the tables cannot be written.
    """
    recording = open_recording(recording)
    chosen = [(e, *_span(e, steps)) for e in chosen_episodes(recording, episodes)]
    total = sum(stop - start for _, start, stop in chosen)
    if total == 0:
        raise InvalidArgument("no step is chosen: give a start before the end of an episode.")
    agent = recorded_agent(recording, agent, device=compute.device)
    describer = Describer(recording, agent, options)
    named = read_named_units(recording, agent.policy) if options.units else None
    parts: list[tuple[Episode, Description]] = []
    done = 0
    with torch_threads(compute.threads or 1):
        for episode, start, stop in chosen:
            for part in describer.describe(episode, start, stop):
                parts.append((episode, part))
                done += len(part.steps)
                progress(done, total)
        fired = [firing(named, episode, part.steps) for episode, part in parts] if named else []
    folder = Path(output) if output is not None else recording.folder / FOLDER
    if named is not None:
        parts = _with_units(folder, recording, named, parts, fired)
    _write(folder, recording, describer, options, parts)
    pairs: tuple[str, ...] = ()
    if options.pairs:
        described, meanings = [part for _, part in parts], recording.header.agent.action.meanings
        reports = report_pairs(described, describer.groups, meanings, agent.policy.kind)
        pairs = sum((report.lines() for report in reports), ())
    return replace(summarise(folder, describer, parts), pair_lines=pairs)


def _with_units(
    folder: Path,
    recording: Recording,
    named: NamedUnits,
    parts: Sequence[tuple[Episode, Description]],
    fired: Sequence[Firing],
) -> list[tuple[Episode, Description]]:
    """Write the table of firing units, and name them in the sentences."""
    about = {"recording": recording.header.identity, "quantile": QUANTILE, **provenance()}
    write_table(folder / UNITS, unit_columns(named, fired), about)
    pairs = zip(parts, fired, strict=True)
    return [(episode, with_units(named, part, fires)) for (episode, part), fires in pairs]


def _write(
    folder: Path,
    recording: Recording,
    describer: Describer,
    options: DescribeOptions,
    parts: Sequence[tuple[Episode, Description]],
) -> None:
    """Both tables."""
    about = {
        "recording": recording.header.identity,
        "found_by": describer.by,
        "score": describer.score,
        "options": asdict(options),
        **provenance(),
    }
    write_table(folder / "attributes", _attribute_columns(parts), about)
    write_table(folder / "sentences", _sentence_columns(parts), about)


def _span(episode: Episode, steps: slice | None) -> tuple[int, int]:
    """First step and the one after the last.

    Raises:
        InvalidArgument: a stride.
    """
    start, stop, stride = (steps or slice(None)).indices(len(episode))
    if stride != 1:
        raise InvalidArgument(f"a slice with stride {stride}: expected neighbouring steps.")
    return start, max(start, stop)


def _attribute_columns(parts: Sequence[tuple[Episode, Description]]) -> dict[str, np.ndarray]:
    """One row a step and object."""
    blocks = [_block_columns(part) for _, part in parts]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def _block_columns(part: Description) -> dict[str, np.ndarray]:
    names, attributes, effects = part.effects.names, part.attributes, part.effects
    count = len(part.steps)
    columns: dict[str, Any] = {
        "episode": np.full(count * len(names), part.episode),
        "step": np.repeat(part.steps, len(names)),
        "object": np.tile(np.array(names), count),
        "in_sight": effects.visible.ravel(),
    }
    for name in ("present", "y", "x", "dy", "dx", "gap_y", "gap_x", "approaching"):
        columns[name] = getattr(attributes, name).ravel()
    columns |= {
        "effect": part.effect.ravel(),
        "patches": part.threshold.ravel(),
        "cited": part.cited.ravel(),
    }
    for name, shares in effects.shares.items():
        columns[f"share_{name}"] = shares.ravel()
        columns[f"share_{name}_error"] = effects.errors[name].ravel()
    return columns


def _sentence_columns(parts: Sequence[tuple[Episode, Description]]) -> dict[str, Any]:
    return {
        "episode": np.concatenate([np.full(len(p.steps), p.episode) for _, p in parts]),
        "step": np.concatenate([p.steps for _, p in parts]),
        "decided": np.concatenate([p.decided for _, p in parts]),
        "sentence": [line for _, p in parts for line in p.sentences],
    }
