"""Small recordings made of numbers that tests can foretell: no emulator, no network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from agentlens.spec import ActionSpec, AgentSpec, EnvironmentSpec, GridSpec, ObservationSpec
from agentlens.store.maps import MapHeader, TargetInfo
from agentlens.store.recording import EpisodeWriter, RecordingHeader, RecordingWriter, StepRow

SCREEN = (21, 16)
RESIZE = (7, 5)
MEANINGS = ("NOOP", "FIRE", "RIGHT")
COLOURS = np.stack([np.arange(256), 255 - np.arange(256), np.arange(256) // 2], -1).astype(np.uint8)


MAPS = MapHeader(
    method="perturbation",
    options={"radius": 5.0, "merge": False, "planes": ["all"], "seed": None},
    targets=tuple(
        TargetInfo(
            name=name,
            signed=name == "value",
            unit="nats",
            meaning="much",
            noise_floor=1e-7,
            role="q",
        )
        for name in ("kl", "value")
    ),
    planes=("all",),
    grid=GridSpec(rows=(1.0, 4.0, 7.0), columns=(2.0, 5.0), observation=(9, 7)),
    action="taken",
    forward_passes=7,
    recording_digests={"0": "ab", "1": "cd"},
    provenance={"created": "then"},
)


def header(
    *,
    episodes: int = 2,
    stack: int = 3,
    fill: str = "zeros",
    name: str = "sample",
    seed: int = 7,
    max_steps: int = 200,
) -> RecordingHeader:
    agent = AgentSpec(
        name=name,
        format="none",
        environment=EnvironmentSpec(
            id="ALE/Pong-v5", game="pong", frame_skip=(4, 4), repeat_action_probability=0.25
        ),
        observation=ObservationSpec(
            pool="rgb",
            grayscale="cv2",
            resize=RESIZE,
            interpolation="cv2-area",
            stack=stack,
            stack_fill=fill,
        ),
        action=ActionSpec(meanings=MEANINGS, selection="sample"),
    )
    return RecordingHeader(
        agent=agent,
        seed=seed,
        episodes_wanted=episodes,
        world={"rom_md5": "0" * 32, "actions": list(MEANINGS)},
        screen_shape=SCREEN,
        max_steps=max_steps,
        provenance={"made": "by a test"},
    )


def row(step: int, episode: int = 0, *, state_size: int = 4, noise: bool = False) -> StepRow:
    """Step ``step`` of episode ``episode``: the same numbers each time."""
    rng = np.random.default_rng([episode, step])
    size = SCREEN if noise else (1, 1)
    return StepRow(
        emulator_frame=4 * step + 10,
        frames_advanced=4,
        screen=np.broadcast_to(rng.integers(0, 256, size, np.uint8), SCREEN).copy(),
        screen_before=np.broadcast_to(rng.integers(0, 256, size, np.uint8), SCREEN).copy(),
        plane=rng.integers(0, 256, RESIZE, np.uint8),
        stack_reset=step % 40 == 0,
        state_reset=step == 0,
        ram=rng.integers(0, 256, 128, np.uint8),
        state=rng.standard_normal(state_size).astype(np.float32) if state_size else None,
        logits=rng.standard_normal(len(MEANINGS)).astype(np.float32),
        q_values=None,
        value=float(np.float32(rng.standard_normal())),
        action=int(rng.integers(len(MEANINGS))),
        forced=rng.integers(0, 9, (int(rng.integers(3)), 2)).astype(np.int32),
        reward=float(step % 5 - 2),
        clipped_reward=float(np.sign(step % 5 - 2)),
        lives=3,
        terminated=False,
        truncated=False,
    )


def append_rows(
    writer: EpisodeWriter, count: int, episode: int = 0, *, noise: bool = False
) -> None:
    writer.learn_palette(np.arange(256, dtype=np.uint8).reshape(16, 16), COLOURS.reshape(16, 16, 3))
    for step in range(count):
        writer.append(row(step, episode, noise=noise))


def record(folder: Path, lengths: tuple[int, ...] = (70, 33), *, noise: bool = False) -> Path:
    """A complete recording of episodes with so many steps."""
    with RecordingWriter(folder, header(episodes=len(lengths))) as writer:
        for index, length in enumerate(lengths):
            episode = writer.episode(index, seed=index + 7, seed_words=(index, 2**32 - 1))
            append_rows(episode, length, index, noise=noise)
            episode.finish(last_screen=np.full(SCREEN, index, np.uint8), end="terminated")
        writer.complete()
    return folder


def map_values(steps: np.ndarray, episode: int = 0) -> np.ndarray:
    """Maps for ``MAPS``: the same numbers for a step each time."""
    grid = np.arange(12, dtype=np.float32).reshape(2, 1, 3, 2)
    return np.sin(grid + steps[:, None, None, None, None].astype(np.float32) + 100 * episode)
