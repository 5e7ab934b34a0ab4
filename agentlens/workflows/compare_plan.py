"""What one comparison has to do, and its first stage: every agent plays."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from agentlens.comparison.comparison import AgentSummary
from agentlens.comparison.report import file_name
from agentlens.compute import Compute
from agentlens.counts import check_count
from agentlens.progress import Progress, StageReporter
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.saliency.base import SaliencyMethod
from agentlens.store.recording import Recording, open_recording
from agentlens.workflows.measure_plan import BADGE_STATES
from agentlens.workflows.participants import AgentLike, CheckpointOptions, Participant
from agentlens.workflows.sent_agents import SentAgent, sent_agent
from agentlens.workflows.summary import protocol_text
from agentlens.workflows.workers import Workers

_COUNTS = (
    "states",
    "map_states",
    "moments",
    "video_steps",
    "word_steps",
    "layer_steps",
    "badge_states",
)


@dataclass(frozen=True, kw_only=True)
class ComparisonPlan:
    """What is compared, on how much, and what is drawn.

    Raises:
        InvalidArgument: a number out of range.
    """

    episodes: int = 10
    """Whole games of each agent that has no recording yet."""
    seed: int = 0
    """Seed of those recordings; the same for every agent."""
    states: int = 20_000
    """About so many states of each agent are shown to the others (whole episodes); 0 for all."""
    map_states: int = 200
    """States of each agent on which saliency maps are compared; 0 for no maps."""
    moments: int = 3
    """Stills of each kind, for each pair and side."""
    video_steps: int = 240
    """Decisions in each video; 0 for no videos."""
    word_steps: int = 0
    """States of the first agent on which every agent is described by the objects that it acts
    for; 0 for none. Only for games whose objects are known."""
    layer_steps: int = 200
    """States of each agent on which the layers of two networks are compared; 0 for none."""
    badge_states: int = BADGE_STATES
    """States of each agent on which it is measured how far its maps can be believed, for the
    badges in the report's header; 0 leaves them "not measured"."""
    own_scales: bool = False
    """Draw each agent's heat on its own scale instead of one for all."""
    method: SaliencyMethod | str = "perturbation"
    """Which saliency maps: a configured method, or a name for a method's defaults."""
    seed_twin: AgentLike | None = None
    """An agent that differs from the first by its training seed alone: how alike such two are."""
    checkpoints: CheckpointOptions = field(default_factory=CheckpointOptions)
    """How checkpoint files are read."""

    def __post_init__(self) -> None:
        for name, least in (("episodes", 1), *((name, 0) for name in _COUNTS)):
            check_count(name, getattr(self, name), least)

    @classmethod
    def quick(cls) -> ComparisonPlan:
        """A first look, in about a minute on two cores: little of everything, and no video."""
        return cls(
            episodes=3,
            states=2_000,
            map_states=40,
            moments=1,
            video_steps=0,
            layer_steps=100,
            badge_states=0,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class ComparisonRun:
    """Everything settled before the first game is played.

    ``seed_twin``: a participant that only serves the similarity of two training seeds.
    ``folder``: where the results grow until they are whole. ``workers``: processes that share the
    work; None where this one does it all.
    """

    participants: tuple[Participant, ...]
    seed_twin: Participant | None
    notes: tuple[str, ...]
    plan: ComparisonPlan
    method: SaliencyMethod
    compute: Compute
    progress: StageReporter
    folder: Path
    workers: Workers | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """Shown names in order."""
        return tuple(p.label for p in self.participants)


def own_recordings(run: ComparisonRun) -> tuple[Recording, ...]:
    """Every agent's own play: recorded now, or as given."""
    places = [
        run.folder / "recordings" / f"{number}-{file_name(participant.label)}"
        for number, participant in enumerate(run.participants, start=1)
    ]
    play = Play(episodes=run.plan.episodes, seed=run.plan.seed, n_envs=4)
    fresh = [
        (p, place) for p, place in zip(run.participants, places, strict=True) if not p.recording
    ]
    if run.workers is not None and len(fresh) > 1:
        parts = [(sent_agent(p.agent), place, play, run.compute) for p, place in fresh]
        names = [p.label for p, _ in fresh]
        told = " and ".join(names) if len(names) == 2 else f"{len(names)} agents"
        with run.progress.stage(f"playing {told}", "decisions") as report:
            run.workers.results(_play, parts, report)
    else:
        for participant, place in fresh:
            with run.progress.stage(f"playing {participant.label}", "decisions") as report:
                record(
                    participant.agent, output=place, progress=report, play=play, compute=run.compute
                )
    return tuple(
        p.recording or open_recording(place, trust_code=p.agent.trust_code)
        for p, place in zip(run.participants, places, strict=True)
    )


def _play(progress: Progress, agent: SentAgent, place: Path, play: Play, compute: Compute) -> None:
    """One agent's play, in a process of its own."""
    record(agent.load(), output=place, progress=progress, play=play, compute=compute)


def agent_summary(participant: Participant, recording: Recording) -> AgentSummary:
    """What the report says of an agent."""
    spec = recording.header.agent
    return AgentSummary(
        label=participant.label,
        name=spec.name,
        algorithm=spec.algorithm,
        game=spec.environment.game,
        protocol=protocol_text(spec),
        selection=spec.action.selection,
        memory=participant.agent.policy.state_size > 0,
        weights=spec.sha256,
        seed=recording.header.seed,
    )
