"""What excites a unit: screens made for it and recorded ones, beside a random and an untrained one.

Shape letters: T steps, K planes, H W observation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from agentlens.compute import Compute
from agentlens.errors import AlreadyExists, InvalidArgument
from agentlens.network.excitation import (
    Target,
    excite,
    field_of,
    palette_values,
)
from agentlens.network.excite_plan import ExcitePlan
from agentlens.network.places import Place, parse_unit
from agentlens.policies.agent import Agent, recorded_agent
from agentlens.policies.base import Policy
from agentlens.provenance import provenance
from agentlens.store.recording import Recording, open_recording
from agentlens.store.tables import NUMBERS, refuse_existing_table, write_table
from agentlens.workflows.excite_frames import (
    STRONGEST,
    StrongFrame,
    UnitCurve,
    objects_in_field,
    read_curves,
    strongest,
)
from agentlens.workflows.excite_picture import write_page
from agentlens.workflows.excite_result import ExciteResult, Role, Subject
from agentlens.workflows.unit_screens import Field
from agentlens.workflows.untrained import TWIN_SEED, own_states, untrained_twin

SAMPLED = 300
"""Steps that background and palette are taken from."""

SEED = 11
"""Of the random unit's draw."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Starts:
    """Where observations are changed from: ``background`` [K, H, W]; ``palette`` float32 [G]."""

    recording: Recording
    background: np.ndarray
    palette: np.ndarray


def excite_unit(
    recording: Recording | Path | str,
    unit: str,
    plan: ExcitePlan | None = None,
    *,
    compute: Compute = Compute(),
    output: Path | str | None = None,
    force: bool = False,
    agent: Agent | None = None,
) -> ExciteResult:
    """Find and make what excites a unit, and write a page, a picture, a table and its curve.

    Args:
        recording: or its folder.
        unit: such as "torso.5.unit.52".
        plan: how an observation is changed; the defaults if not given.
        compute: where.
        output: the page; ``excite-UNIT.html`` in the recording's folder if not given. Picture and
            table lie beside it; the curve in the recording's ``numbers``, where `agentlens render`
            finds it.
        force: replace what is there already.
        agent: another copy of the recording's own.

    Raises:
        UnknownName, InvalidArgument: no such unit, or memory; a network that is not declared.
        AlreadyExists: page, picture, table or curve are there, and ``force`` was not given.

    Notes:
        Two passes over the recording, and six times ``plan.updates`` forward and backward passes.
    """
    plan, recording = plan or ExcitePlan(), open_recording(recording)
    page = Path(output) if output is not None else recording.folder / f"excite-{unit}.html"
    if page.suffix != ".html":
        raise InvalidArgument(f"{page}: expected a name that ends in .html; it is a page.")
    curve = recording.folder / NUMBERS / f"excite-{unit}"
    if not force:
        _refuse_existing(page, curve)
    agent = recorded_agent(recording, agent, device=compute.device)
    place, units = parse_unit(agent.policy, unit)
    if len(units) != 1:
        raise InvalidArgument(f"{unit!r} is a layer: expected one of its units, {unit}.unit.0 say.")
    subjects, energies = _subjects(agent, place, units[0], recording, plan)
    result = ExciteResult(
        page=page,
        picture=page.with_suffix(".png"),
        table=page.with_suffix(""),
        curve=curve,
        subjects=subjects,
    )
    _write_tables(result, recording, plan, energies)
    write_page(result, recording, force=force)
    return result


def _refuse_existing(page: Path, curve: Path) -> None:
    """Say so before minutes of work that something lies where this will be written."""
    for file in (page, page.with_suffix(".png")):
        if file.exists():
            raise AlreadyExists(f"{file} is there: --force replaces it, --output names another.")
    for table in (page.with_suffix(""), curve):
        refuse_existing_table(table)


def _subjects(
    agent: Agent, place: Place, unit: int, recording: Recording, plan: ExcitePlan
) -> tuple[tuple[Subject, ...], dict[int, np.ndarray]]:
    """The unit, a random one and the untrained one; and by episode the layer's energy."""
    twin, starts = untrained_twin(agent), _starts(recording)
    own, energies = read_curves(agent.policy, place, range(place.units), recording)
    other = _random_unit(own, unit)
    blank, _ = read_curves(twin, place, [unit], recording, twin=True)
    chosen: tuple[tuple[Role, Policy, int, dict[int, UnitCurve]], ...] = (
        ("unit", agent.policy, unit, {i: c[unit] for i, c in own.items()}),
        ("random unit", agent.policy, other, {i: c[other] for i, c in own.items()}),
        ("untrained", twin, unit, {i: c[0] for i, c in blank.items()}),
    )
    subjects = tuple(
        _subject(role, policy, (place, number), curves, starts, plan)
        for role, policy, number, curves in chosen
    )
    return subjects, energies


def _starts(recording: Recording) -> _Starts:
    total = sum(len(episode) for episode in recording.episodes)
    every = max(1, total // SAMPLED)
    sampled = np.concatenate(
        [
            episode.observations[step : step + 1]
            for episode in recording.episodes
            for step in range(0, len(episode), every)
        ]
    )
    background = np.asarray(np.median(sampled, axis=0), np.float32)
    return _Starts(recording=recording, background=background, palette=palette_values(sampled))


def _random_unit(curves: Mapping[int, Sequence[UnitCurve]], unit: int) -> int:
    """Another unit of the layer that changes in the recording.

    Raises:
        InvalidArgument: there is none.
    """
    count = len(next(iter(curves.values())))
    changing = [
        number
        for number in range(count)
        if number != unit
        and len(np.unique(np.concatenate([c[number].values for c in curves.values()]))) > 1
    ]
    if not changing:
        raise InvalidArgument("no other unit of the layer changes in this recording.")
    return int(np.random.default_rng(SEED).choice(changing))


def _subject(
    role: Role,
    policy: Policy,
    which: tuple[Place, int],
    curves: Mapping[int, UnitCurve],
    starts: _Starts,
    plan: ExcitePlan,
) -> Subject:
    place, unit = which
    stack = starts.recording.header.agent.observation.stack
    frames = strongest(curves, STRONGEST, unseen=stack - 1)
    at = None
    if place.kind == "spatial":
        at = frames[0].at if frames else (place.shape[1] // 2, place.shape[2] // 2)
    target = Target(place=place, unit=unit, at=at)
    fields: dict[tuple[int, int], Field] = {}
    for frame in frames:
        if frame.at is not None and frame.at not in fields:
            field = field_of(place, frame.at, policy)
            fields |= {} if field is None else {frame.at: field}
    known = [(frame, fields[frame.at]) for frame in frames if frame.at in fields]
    from_frame = None
    if frames:
        start, state = _recorded(
            starts.recording, frames[0], policy if role == "untrained" else None
        )
        from_frame = excite(policy, target, start, starts.palette, plan, state)
    return Subject(
        role=role,
        name=f"{place.name}.unit.{unit}",
        frames=frames,
        fields=fields,
        from_frame=from_frame,
        from_background=excite(policy, target, starts.background, starts.palette, plan),
        objects=objects_in_field(starts.recording, known),
        curves=curves,
    )


def _recorded(
    recording: Recording, frame: StrongFrame, twin: Policy | None
) -> tuple[np.ndarray, torch.Tensor | None]:
    """The observation of a step, and the state before it: the recorded one, or the twin's own."""
    episode = next(e for e in recording.episodes if e.index == frame.episode)
    rows = slice(frame.step, frame.step + 1)
    states = episode.states
    if twin is None:
        states = None if states is None else np.asarray(states[rows], np.float32)
    else:
        states = own_states(twin, recording, np.array([[frame.episode, frame.step]]))
    state = None if states is None else torch.from_numpy(states)
    return np.asarray(episode.observations[rows][0], np.float32), state


def _write_tables(
    result: ExciteResult,
    recording: Recording,
    plan: ExcitePlan,
    energies: Mapping[int, np.ndarray],
) -> None:
    """One row a subject; and the unit's curve with the layer's energy, one row a step."""
    rows = []
    for subject in result.subjects:
        made = subject.from_frame or subject.from_background
        rows.append(
            {
                "role": subject.role,
                "unit": subject.name,
                "strongest_recorded": subject.frames[0].value if subject.frames else float("nan"),
                "from_frame": made.after if subject.from_frame else float("nan"),
                "from_frame_changed": made.changed if subject.from_frame else float("nan"),
                "background": subject.from_background.before,
                "from_background": subject.from_background.after,
                "from_background_changed": subject.from_background.changed,
            }
        )
    about = {
        "recording": recording.header.identity,
        "plan": dataclasses.asdict(plan),
        "twin_seed": TWIN_SEED,
        **provenance(),
    }
    write_table(result.table, {name: [row[name] for row in rows] for name in rows[0]}, about)
    own = result.subjects[0]
    columns = {
        "episode": np.concatenate([np.full(len(v), i) for i, v in energies.items()]),
        "step": np.concatenate([np.arange(len(v)) for v in energies.values()]),
        own.name: np.concatenate([own.curves[i].values for i in energies]),
        f"energy of {own.name.rpartition('.unit.')[0]}": np.concatenate(list(energies.values())),
    }
    write_table(result.curve, columns, about)
