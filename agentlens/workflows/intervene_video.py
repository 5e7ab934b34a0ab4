"""An intervention as a video: the game as it went on untouched, and with the change, in step.

Shape letters: H W observation, Y X screen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from agentlens.compute import Compute
from agentlens.drawing.continuations import Continuation, ContinuationPage
from agentlens.drawing.files import DrawnFile
from agentlens.drawing.render import check_output
from agentlens.drawing.side_by_side import MOST
from agentlens.drawing.video import VideoWriter
from agentlens.errors import InvalidArgument, OutputMismatch
from agentlens.policies.agent import recorded_agent
from agentlens.policies.device import choose_device
from agentlens.progress import Progress, silent
from agentlens.rollout.intervene import PlayedStep, Scene, play_on
from agentlens.spec import ObservationSpec
from agentlens.store.recording import Recording, open_recording
from agentlens.workflows.intervene import branches_of
from agentlens.workflows.intervene_arms import arms_of
from agentlens.workflows.intervene_options import UNTOUCHED, Intervention
from agentlens.workflows.intervene_result import InterventionResult

_BRANCH = 0
"""The first pair: its untouched continuation is the recorded game where one is played on."""


def check_video(intervention: Intervention, output: Path, *, force: bool = False) -> None:
    """Refuse a video that could not be written or would be too wide, before any game is played.

    Raises:
        InvalidArgument: more changes than columns, or a suffix of a still picture.
        AlreadyExists, UnknownName, RenderError: as ``render``.
    """
    if len(intervention.changes) >= MOST:
        raise InvalidArgument(
            f"{len(intervention.changes)} changes beside untouched play: a video holds {MOST - 1}."
        )
    if output.suffix.lower() == ".png":
        raise InvalidArgument(f"{output}: a png holds one step; choose mp4, webm, gif or webp.")
    check_output(output, force)


def intervention_video(
    recording: Recording | Path | str,
    result: InterventionResult,
    output: Path | str,
    *,
    compute: Compute | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> Path:
    """Draw the first pair of an intervention: untouched and changed continuations side by side.

    What is hidden is outlined; below each screen stand the return so far and the KL divergence
    that hiding caused in that very state.

    Args:
        recording: that the result was made from, or its folder.
        result: of ``intervene``.
        output: the video: mp4, webm, gif or webp.
        compute: device.
        force: replace an earlier file.
        progress: called with decisions drawn and to draw.

    Raises:
        InvalidArgument, AlreadyExists, RenderError: as ``check_video``.
        OutputMismatch: the games played now are not those of the result.

    Notes:
        Plays the pair once more; memory does not depend on its length.
    """
    output, recording = Path(output), open_recording(recording)
    check_video(result.intervention, output, force=force)
    device = choose_device((compute or Compute()).device)
    agent = recorded_agent(recording, device=str(device))
    branches = branches_of(recording, result.play, [_BRANCH])
    names = (UNTOUCHED, *result.intervention.changes)
    arms = [
        arm for arm in arms_of(recording, agent, result.intervention, branches) if arm.name in names
    ]
    rows = {name: _rows(result, name) for name in names}
    page = _page(recording, result, rows)
    played = play_on(agent, branches, arms, steps=result.play.steps, device=device, watch=True)
    observation, shape = recording.header.agent.observation, recording.header.screen_shape
    with VideoWriter(output, force=force) as video:
        for at, scenes in enumerate(_together(played, rows)):
            hidden = [on_screen(scene.hidden, observation, shape) for scene in scenes]
            picture = page.draw(at, [scene.screen for scene in scenes], hidden)
            video.write(picture, max(1, scenes[0].frames))
            progress(at + 1, page.length)
    return DrawnFile(output)


def on_screen(
    hidden: np.ndarray | None, observation: ObservationSpec, screen_shape: tuple[int, int]
) -> np.ndarray | None:
    """Where a region of the observation lies on the screen: bool [Y, X] of float32 [H, W]."""
    if hidden is None:
        return None
    top, bottom, left, right = observation.screen_rectangle(screen_shape)
    height, width = hidden.shape
    rows = np.arange(bottom - top) * height // (bottom - top)
    columns = np.arange(right - left) * width // (right - left)
    mask = np.zeros(screen_shape, bool)
    mask[top:bottom, left:right] = hidden[rows[:, None], columns[None]] > 0.5
    return mask


def _rows(result: InterventionResult, arm: str) -> list[PlayedStep]:
    return [row for row in result.rows if row.arm == arm and row.branch == _BRANCH]


def _page(
    recording: Recording,
    result: InterventionResult,
    rows: dict[str, list[PlayedStep]],
) -> ContinuationPage:
    columns = [
        Continuation(
            label=name,
            returns=np.cumsum([row.reward for row in arm]),
            kl=np.array([math.nan if row.change is None else row.change.kl for row in arm]),
        )
        for name, arm in rows.items()
    ]
    play, fill = result.play, result.intervention.fill
    where = "a game from its start"
    if not play.whole_games:
        where = f"episode {play.episode} from step {play.start}"
    shown = "" if result.intervention.ram else f"; outlined: hidden, filled with {fill}"
    return ContinuationPage(
        columns=columns,
        title=f"{result.agent.name}: {', '.join(result.intervention.changes)}",
        facts=f"{where}, the same chances for all{shown}",
        first=play.start,
        screen_shape=recording.header.screen_shape,
    )


def _together(
    played: Iterator[PlayedStep], rows: dict[str, list[PlayedStep]]
) -> Iterator[Sequence[Scene]]:
    """What each arm shows at every decision of the longest; the last screen once it is over."""
    latest: dict[str, Scene] = {}
    seen = dict.fromkeys(rows, 0)
    for at in range(max(map(len, rows.values()))):
        for _ in range(sum(at < len(arm) for arm in rows.values())):
            step = next(played)
            known = rows[step.arm][seen[step.arm]]
            if (step.step, step.action) != (known.step, known.action):
                raise OutputMismatch(
                    f"{step.arm}, step {step.step}: action {step.action}, where the result has "
                    f"{known.action}: it was made from another recording or on another machine."
                )
            assert step.scene is not None  # it was asked for
            latest[step.arm], seen[step.arm] = step.scene, seen[step.arm] + 1
        yield [latest[name] for name in rows]
