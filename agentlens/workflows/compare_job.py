"""What one comparison has to do, and its first stage: everyone plays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agentlens.comparison.comparison import Contestant
from agentlens.comparison.report import file_name
from agentlens.rollout.recorder import record
from agentlens.store.recording import Recording
from agentlens.workflows.entrants import Entrant
from agentlens.workflows.options import MapOptions
from agentlens.workflows.summary import protocol_text
from agentlens.workflows.video import Stages


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """Everything settled before the first game is played; fields as in ``compare``.

    ``floor``: an entrant that only serves the similarity of two training seeds. ``folder``: where
    the results grow until they are whole.
    """

    entrants: tuple[Entrant, ...]
    notes: tuple[str, ...]
    episodes: int
    seed: int
    states: int
    maps: int
    moments: int
    video_steps: int
    own_scales: bool
    explain: MapOptions
    floor: Entrant | None
    device: str
    threads: int
    stages: Stages
    folder: Path

    @property
    def labels(self) -> tuple[str, ...]:
        """Shown names in order."""
        return tuple(e.label for e in self.entrants)


def recordings_of(job: Job) -> tuple[Recording, ...]:
    """Everyone's own play: recorded now, or as given."""
    found = []
    for number, entrant in enumerate(job.entrants, start=1):
        recording = entrant.recording
        if recording is None:
            where = job.folder / "recordings" / f"{number}-{file_name(entrant.label)}"
            with job.stages(f"playing {entrant.label}", "decisions") as report:
                recording = record(
                    entrant.agent,
                    episodes=job.episodes,
                    seed=job.seed,
                    output=where,
                    n_envs=4,
                    device=job.device,
                    progress=report,
                )
        found.append(recording)
    return tuple(found)


def contestant(entrant: Entrant, recording: Recording) -> Contestant:
    """What the report says of an agent."""
    spec = recording.header.agent
    return Contestant(
        label=entrant.label,
        name=spec.name,
        algorithm=spec.algorithm,
        game=spec.environment.game,
        protocol=protocol_text(spec),
        selection=spec.action.selection,
        memory=entrant.agent.policy.state_size > 0,
        weights=spec.sha256,
        seed=recording.header.seed,
    )
