"""Write then read is the identity, for every shape and dtype that a row may have."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from agentlens.spec import ActionSpec
from agentlens.store.recording import RecordingHeader, RecordingWriter, StepRow, open_recording
from tests.store_samples import header

SIDES = st.tuples(st.integers(1, 9), st.integers(1, 9))


@dataclasses.dataclass(frozen=True)
class Shapes:
    screen: tuple[int, int]
    plane: tuple[int, int]
    actions: int
    state: int | None
    ram: int
    plane_dtype: str
    q: bool
    value: bool


def rows_of(shapes: Shapes, steps: int, seed: int) -> list[StepRow]:
    rng = np.random.default_rng(seed)
    tiny, huge = -(2**31), 2**31 - 1

    def outputs() -> np.ndarray:
        return rng.standard_normal(shapes.actions).astype(np.float32) * np.float32(1e30)

    return [
        StepRow(
            emulator_frame=int(rng.integers(0, 2**62)),
            frames_advanced=int(rng.integers(1, 1000)),
            screen=rng.integers(0, 256, shapes.screen, np.uint8),
            screen_before=rng.integers(0, 256, shapes.screen, np.uint8),
            plane=(rng.random(shapes.plane) * 255).astype(shapes.plane_dtype),
            stack_reset=bool(rng.integers(2)),
            state_reset=bool(rng.integers(2)),
            ram=rng.integers(0, 256, shapes.ram, np.uint8),
            state=None if shapes.state is None else rng.random(shapes.state, np.float32),
            logits=None if shapes.q else outputs(),
            q_values=outputs() if shapes.q else None,
            value=float(np.float32(rng.standard_normal())) if shapes.value else None,
            action=int(rng.integers(shapes.actions)),
            forced=rng.integers(tiny, huge, (int(rng.integers(0, 4)), 2)).astype(np.int32),
            reward=float(np.float32(rng.standard_normal())),
            clipped_reward=float(rng.integers(-1, 2)),
            lives=int(rng.integers(0, 6)),
            terminated=bool(rng.integers(2)),
            truncated=bool(rng.integers(2)),
        )
        for _ in range(steps)
    ]


def header_of(shapes: Shapes) -> RecordingHeader:
    base = header(episodes=1)
    meanings = tuple(f"A{i}" for i in range(shapes.actions))
    agent = dataclasses.replace(
        base.agent,
        action=ActionSpec(meanings=meanings, selection="greedy"),
        observation=dataclasses.replace(base.agent.observation, resize=shapes.plane),
    )
    return dataclasses.replace(base, agent=agent, screen_shape=shapes.screen)


@settings(max_examples=30, deadline=None)
@given(
    shapes=st.builds(
        Shapes,
        screen=SIDES,
        plane=SIDES,
        actions=st.integers(1, 18),
        state=st.none() | st.integers(1, 20),
        ram=st.sampled_from([1, 128]),
        plane_dtype=st.sampled_from(["uint8", "float32"]),
        q=st.booleans(),
        value=st.booleans(),
    ),
    steps=st.integers(1, 70),
    finish=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_write_then_read_is_the_identity(
    shapes: Shapes, steps: int, finish: bool, seed: int
) -> None:
    rows = rows_of(shapes, steps, seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "r"
        with RecordingWriter(folder, header_of(shapes)) as writer:
            episode = writer.episode(0, seed=seed, seed_words=[seed % 2**32])
            for row in rows:
                episode.append(row)
            if finish:
                episode.finish(last_screen=rows[0].screen, end="max_steps")
                writer.complete()
        found = open_recording(folder).episodes[0]
        assert (found.seed, found.seed_words, found.complete) == (seed, (seed % 2**32,), finish)
        for name, attribute in (
            ("emulator_frame", "emulator_frames"),
            ("frames_advanced", "frames_advanced"),
            ("stack_reset", "stack_resets"),
            ("state_reset", "state_resets"),
            ("ram", "ram"),
            ("state", "states"),
            ("logits", "logits"),
            ("q_values", "q_values"),
            ("value", "values"),
            ("action", "actions"),
            ("reward", "rewards"),
            ("clipped_reward", "clipped_rewards"),
            ("lives", "lives"),
            ("terminated", "terminated"),
            ("truncated", "truncated"),
        ):
            expected = [getattr(row, name) for row in rows]
            values = getattr(found, attribute)
            if expected[0] is None:
                assert values is None
            else:
                assert np.array_equal(values, np.array(expected)), name
        assert np.array_equal(found.screens.indices[:], [row.screen for row in rows])
        assert np.array_equal(found.screens_before.indices[:], [row.screen_before for row in rows])
        assert found.planes[:].dtype == shapes.plane_dtype
        assert np.array_equal(found.planes[:], [row.plane for row in rows])
        assert all(np.array_equal(a, r.forced) for a, r in zip(found.forced, rows, strict=True))
        assert found.observations[:].dtype == np.float32
