"""Distil an agent into a student that can be read, beside a dense student of equal size.

Shape letters: T steps, K planes, H W observation, A actions.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from agentlens.comparison.statistics import Interval, bootstrap, mean, of_values
from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.network.concepts import policy_kl
from agentlens.network.dissect import spatial_matches
from agentlens.network.places import find_place, named_layers
from agentlens.network.students import Student, StudentPlan, active_share, learn_student
from agentlens.network.taps import tap
from agentlens.policies.agent import Agent
from agentlens.progress import SILENT_STAGES, StageReporter
from agentlens.provenance import provenance
from agentlens.rollout.play import Play
from agentlens.rollout.returns import play_returns
from agentlens.store.artefacts import Artefact, refuse_existing, write_artefact
from agentlens.store.recording import Recording
from agentlens.store.tables import refuse_existing_table, write_table
from agentlens.workflows.dissect import MOST_STEPS as DISSECTED
from agentlens.workflows.dissect import sample_steps
from agentlens.workflows.inside import Inside, look_inside, preferences_of

PURPOSE = "student"
"""What the artefact says that it is."""

MOST_STEPS = 1500
"""Steps that a student learns from and is measured on."""


@dataclass(frozen=True, kw_only=True)
class StudentFit:
    """How well one student imitates, and how readable it is, on held-out steps.

    ``kl``: nats, from the teacher's policy to the student's. ``active``: share of the
    convolutions' units that speak. ``purity``: mean lead of a unit's best object over its second,
    IoU, of the last convolution's units; ``named``: share of them above both controls.
    """

    kind: str
    kl: float
    agreement: float
    active: float
    purity: float
    named: float


@dataclass(frozen=True, kw_only=True)
class PairedReturns:
    """Whole games of teacher and student under the same seeds; intervals 95 % BCa over games."""

    teacher: Interval
    student: Interval
    difference: Interval

    @property
    def within(self) -> bool:
        """Whether the student's mean return lies in the teacher's interval."""
        return self.teacher.holds(self.student.estimate)


@dataclass(frozen=True, kw_only=True)
class StudentResult:
    """What ``teach_student`` wrote and measured.

    ``path``: of the table, without a suffix, and of the artefact's folder. ``learned``,
    ``held``: how many steps. ``dense``: the control, the same network with plain rectifiers;
    None where the student is that network. ``constant_kl``: of the mean policy. ``returns``:
    None where no games were asked for.
    """

    path: Path
    learned: int
    held: int
    student: StudentFit
    dense: StudentFit | None
    constant_kl: float
    returns: PairedReturns | None


def teach_student(
    recording: Recording | Path | str,
    plan: StudentPlan | None = None,
    *,
    games: int = 0,
    compute: Compute = Compute(),
    output: Path | str | None = None,
    force: bool = False,
    progress: StageReporter = SILENT_STAGES,
) -> StudentResult:
    """Learn a student on the first four fifths of the steps, measure it on the rest and in play.

    Args:
        recording: or its folder, of an Atari game.
        plan: which student, how long; winner takes all in blocks of 4 if not given.
        games: whole games that teacher and student play under the same seeds, 0 for none.
        compute: where.
        output: path without a suffix; ``student-KIND`` in the recording's folder if not given.
        force: replace a student that is there already.
        progress: follows learning and games.

    Raises:
        InvalidArgument: a policy with memory, one game, or what ``look_inside`` refuses.
        AlreadyExists: a student lies there, and ``force`` was not given.

    Notes:
        Two students of 150 updates of 64 observations cost about two minutes of one CPU core.
    """
    plan = plan or StudentPlan()
    if type(games) is not int or games < 0 or games == 1:
        raise InvalidArgument(f"{games!r} games: expected 0, or 2 or more for an interval.")
    inside = look_inside(recording, compute=compute, most=MOST_STEPS)
    path = Path(output) if output is not None else inside.recording.folder / f"student-{plan.kind}"
    if not force:
        refuse_existing(path)
        refuse_existing_table(path)
    student = _learned(inside, plan, progress)
    dense = None
    if plan.kind != "relu":
        dense = _fit(inside, _learned(inside, dataclasses.replace(plan, kind="relu"), progress))
    held = inside.preferences[inside.held]
    average = torch.from_numpy(inside.preferences[inside.learned]).double().softmax(1).mean(0)
    result = StudentResult(
        path=path,
        learned=inside.learned.stop,
        held=len(held),
        student=_fit(inside, student),
        dense=dense,
        constant_kl=policy_kl(held, np.tile(average.clamp_min(1e-12).log(), (len(held), 1))),
        returns=_play(inside, student, games, compute, progress) if games else None,
    )
    _write(result, student, inside)
    return result


def _learned(inside: Inside, plan: StudentPlan, progress: StageReporter) -> Student:
    """A student of the steps to learn from, on the teacher's device."""
    teacher = inside.agent.policy
    device = next(teacher.parameters()).device
    generator = np.random.default_rng(plan.seed)
    rows = inside.learned.stop
    with progress.stage(f"learning {plan.kind}", "updates") as report:

        def batch(update: int) -> torch.Tensor:
            report(update + 1, plan.updates)
            chosen = generator.integers(rows, size=plan.batch)
            return torch.from_numpy(inside.steps.observations[chosen]).to(device)

        student, _ = learn_student(teacher, plan, batch)
    return student


def _fit(inside: Inside, student: Student) -> StudentFit:
    held = inside.held
    wanted = inside.preferences[held]
    given = preferences_of(student, inside.steps, held)
    observations = torch.from_numpy(inside.steps.observations[held][:64])
    steps = sample_steps(inside.recording, DISSECTED)
    names = [name for name, layer in named_layers(student) if layer is student.choices[-1]]
    place = find_place(student, names[0])
    untrained = Student(inside.agent.policy, student.plan).requires_grad_(False)
    untrained.centre.copy_(student.centre)
    untrained.spread.copy_(student.spread)
    matches = spatial_matches(
        tap(student, [place], steps.observations, None)[place.name],
        tap(untrained, [place], steps.observations, None)[place.name],
        steps.masks,
    )
    return StudentFit(
        kind=student.plan.kind,
        kl=policy_kl(wanted, given),
        agreement=float((wanted.argmax(1) == given.argmax(1)).mean()),
        active=active_share(student, observations.to(next(student.parameters()).device)),
        purity=float(np.mean([match.purity for match in matches])),
        named=float(np.mean([match.excess > 0 for match in matches])),
    )


def _play(
    inside: Inside, student: Student, games: int, compute: Compute, progress: StageReporter
) -> PairedReturns:
    """Whole games of both; those of one number share their chances."""
    play = Play(episodes=games, seed=inside.recording.header.seed + 1)
    agents: tuple[Agent, Agent] = (
        inside.agent,
        dataclasses.replace(inside.agent, policy=student),
    )
    returns = []
    for agent, name in zip(agents, ("teacher", "student"), strict=True):
        with progress.stage(f"{name} plays", "games") as report:
            played = play_returns(agent, play, compute=compute, progress=report)
        returns.append(np.array([game.raw_return for game in played]))
    teacher, own = returns
    return PairedReturns(
        teacher=_interval(teacher), student=_interval(own), difference=_interval(own - teacher)
    )


def _interval(values: np.ndarray) -> Interval:
    return bootstrap(of_values(values, mean), len(values), np.random.default_rng(0)).interval()


def _write(result: StudentResult, student: Student, inside: Inside) -> None:
    """The table of fits, and the student as an artefact."""
    fits = [fit for fit in (result.student, result.dense) if fit is not None]
    columns = {f.name: [getattr(fit, f.name) for fit in fits] for f in dataclasses.fields(fits[0])}
    about = {
        "recording": inside.recording.header.identity,
        "plan": dataclasses.asdict(student.plan),
        "learned_steps": result.learned,
        "held_steps": result.held,
        "kl_constant": result.constant_kl,
        "returns": None if result.returns is None else dataclasses.asdict(result.returns),
        **provenance(),
    }
    tensors = {name: value.cpu().numpy() for name, value in student.state_dict().items()}
    write_artefact(
        result.path,
        Artefact(purpose=PURPOSE, agent=inside.agent.spec.sha256, about=about, tensors=tensors),
        force=True,
    )
    write_table(result.path, columns, about)
