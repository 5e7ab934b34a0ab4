"""A small made-up game, recorded by the real writer, and maps made of numbers to foretell."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from agentlens.spec import (
    ActionSpec,
    AgentSpec,
    EnvironmentSpec,
    GridSpec,
    ObservationSpec,
    ScoreSpec,
    TargetInfo,
)
from agentlens.store.maps import MapHeader, MapSet
from agentlens.store.recording import (
    Recording,
    RecordingHeader,
    RecordingWriter,
    StepRow,
    open_recording,
)

SCREEN = (210, 160)
CROP = (30, 200, 0, 160)
RESIZE = (84, 84)
MEANINGS = ("NOOP", "FIRE", "RIGHT", "LEFT", "RIGHTFIRE", "LEFTFIRE")
CENTRES = tuple(float(c) for c in range(2, 84, 5))
GRID = GridSpec(rows=CENTRES, columns=CENTRES, observation=RESIZE)
COLOURS = np.zeros((256, 3), np.uint8)
COLOURS[1:4] = [(144, 72, 17), (236, 236, 236), (92, 186, 92)]

KL = TargetInfo(
    name="kl",
    signed=False,
    unit="nats",
    meaning="Hiding this place changes what the agent would do.",
    noise_floor=1e-7,
    role="actor",
    display="sqrt",
    of_action=False,
)
VALUE = TargetInfo(
    name="value",
    signed=True,
    unit="value",
    meaning="Warm: hiding this place lowers the value; cool: it raises it.",
    noise_floor=1e-6,
    role="critic",
    of_action=False,
)
ENERGY = TargetInfo(
    name="energy",
    signed=False,
    unit="observation^2",
    meaning="the perturbation itself is strong here, whatever the agent",
    noise_floor=0.0,
    role="control",
    display="sqrt",
    of_action=False,
)
CONTROLLED = (KL, VALUE, ENERGY)
GAP = TargetInfo(
    name="gap",
    signed=True,
    unit="Q",
    meaning="Lead of the explained action.",
    noise_floor=0.0,
    role="q",
)


def ball(step: int) -> tuple[int, int]:
    """Row and column of the ball's upper left corner."""
    return 50 + 3 * step % 120, 20 + 5 * step % 110


def screen(step: int) -> np.ndarray:
    """Palette indices [Y, X]: a field, walls, a paddle and a ball."""
    picture = np.ones(SCREEN, np.uint8)
    picture[24:34] = picture[194:] = 2
    top, left = ball(step)
    picture[top : top + 16, 140:144] = 3
    picture[top : top + 4, left : left + 2] = 2
    return picture


def record(
    folder: Path, length: int = 40, *, stack: int = 4, kind: str = "logits", pool: str = "none"
) -> Recording:
    """A complete recording of one episode."""
    agent = AgentSpec(
        name="sample-ppo",
        format="none",
        algorithm="PPO",
        environment=EnvironmentSpec(
            id="ALE/Pong-v5", game="pong", frame_skip=(2, 4), repeat_action_probability=0.25
        ),
        observation=ObservationSpec(
            pool=pool,
            grayscale="cv2",
            resize=RESIZE,
            interpolation="cv2-area",
            stack=stack,
            crop=CROP,
        ),
        action=ActionSpec(meanings=MEANINGS, selection="sample"),
        score=ScoreSpec(mean=11.4, sd=10.2, episodes=8),
    )
    header = RecordingHeader(
        agent=agent,
        seed=0,
        episodes_wanted=1,
        world={"rom_md5": "0" * 32, "actions": list(MEANINGS)},
        screen_shape=SCREEN,
        provenance={},
    )
    with RecordingWriter(folder, header) as writer:
        episode = writer.episode(0, seed=0, seed_words=(0,))
        indices = np.tile(np.arange(256, dtype=np.uint8), (2, 1))
        episode.learn_palette(indices, COLOURS[indices])
        for step in range(length):
            episode.append(row(step, kind))
        episode.finish(last_screen=screen(length), end="terminated")
        writer.complete()
    return open_recording(folder)


def row(step: int, kind: str = "logits") -> StepRow:
    """One decision of the made-up game."""
    outputs = np.sin(np.arange(6) + step / 3).astype(np.float32) * 2
    return StepRow(
        emulator_frame=3 * step,
        frames_advanced=2 + step % 3,
        screen=screen(step),
        screen_before=screen(step + 2),
        plane=np.full(RESIZE, step % 256, np.uint8),
        stack_reset=step == 0,
        state_reset=step == 0,
        ram=np.zeros(128, np.uint8),
        state=None,
        logits=outputs if kind == "logits" else None,
        q_values=outputs if kind == "q_values" else None,
        value=float(np.sin(step / 7)) if kind == "logits" else None,
        action=int(outputs.argmax()) if step % 4 else (step // 4) % 6,
        forced=np.zeros((0, 2), np.int32),
        reward=float(step % 15 == 14),
        clipped_reward=float(step % 15 == 14),
        lives=3,
        terminated=False,
        truncated=False,
    )


def maps(
    steps: Sequence[int],
    *,
    targets: tuple[TargetInfo, ...] = (KL, VALUE),
    planes: tuple[str, ...] = ("all",),
    strength: float = 0.05,
    grid: GridSpec = GRID,
    explained: int | None = None,
) -> MapSet:
    """Maps with one bump on the ball, its size going up and down; signed ones alternate in sign."""
    values = np.zeros((len(steps), len(targets), len(planes), *grid.shape), np.float32)
    rows, columns = np.array(grid.rows)[:, None], np.array(grid.columns)[None]
    for (t, step), (p, _) in itertools.product(enumerate(steps), enumerate(planes)):
        y, x = ball(max(0, step - (len(planes) - 1 - p)))
        height, width = CROP[1] - CROP[0], CROP[3] - CROP[2]
        y, x = (y - CROP[0]) * RESIZE[0] / height, (x - CROP[2]) * RESIZE[1] / width
        bump = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 2 / 6.0**2)
        size = strength * (0.2 + np.sin(step / 6) ** 2) * (p + 1) / len(planes)
        for index, target in enumerate(targets):
            values[t, index, p] = (
                bump * size * (np.sign(np.cos(columns / 9)) if target.signed else 1)
            )
    header = MapHeader(
        method="perturbation",
        options={"radius": 5, "stride": 5, "reference": "blur", "merge_actions": False},
        targets=targets,
        planes=planes,
        grid=grid,
        action="taken",
        forward_passes=290,
        recording_digests={},
        provenance={},
    )
    taken = [int(row(s, "logits").action) if explained is None else explained for s in steps]
    return MapSet(
        values=values,
        steps=np.array(steps, np.int64),
        episodes=np.zeros(len(steps), np.int64),
        explained_actions=np.array(taken, np.int64),
        header=header,
    )


PLANES = tuple(f"plane {i}" for i in range(4))
