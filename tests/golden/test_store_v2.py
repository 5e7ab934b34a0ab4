"""Files that version 2 wrote stay readable for ever: a colour world without RAM or lives.

``store_v2`` holds a finished episode of 40 steps, an unfinished one of 35 and 5 maps; ``make``
wrote it, once.
"""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np

from agentlens.spec import EnvironmentSpec
from agentlens.store.header import RecordingHeader
from agentlens.store.maps import MapWriter, open_maps
from agentlens.store.recording import RecordingWriter, StepRow, open_recording
from tests.store_samples import MAPS, header, map_values

GOLDEN = Path(__file__).parent / "store_v2"
SCREEN, PLANE, FRAMES = (12, 10), (6, 5), 3


def described() -> RecordingHeader:
    """A header of everything that version 2 has and version 1 had not."""
    plain = header(episodes=2)
    observation = dataclasses.replace(
        plain.agent.observation,
        source="environment",
        channels=3,
        grayscale="none",
        pool="none",
        resize=PLANE,
        stack=FRAMES,
        stack_fill="repeat",
        zero=((0, 1, 0, 2),),
    )
    environment = EnvironmentSpec(
        id="Blocks-v0",
        kind="gymnasium",
        game="Blocks-v0",
        frame_skip=(1, 1),
        repeat_action_probability=0.0,
        max_frames=0,
        options={"arguments": {"size": 5}, "wrappers": []},
    )
    agent = dataclasses.replace(plain.agent, observation=observation, environment=environment)
    return dataclasses.replace(
        plain,
        agent=agent,
        world={"environment": "Blocks-v0", "actions": ["NOOP", "FIRE", "RIGHT"]},
        screens="rgb",
        screen_shape=SCREEN,
        ticks_per_second=10.0,
    )


def row(step: int, episode: int) -> StepRow:
    """Step ``step`` of episode ``episode``: the same numbers each time."""
    rng = np.random.default_rng([2, episode, step])
    return StepRow(
        emulator_frame=step,
        frames_advanced=1,
        screen=rng.integers(0, 256, (*SCREEN, 3), np.uint8),
        screen_before=None,
        plane=rng.integers(0, 256, (3, *PLANE), np.uint8),
        stack_reset=step % 20 == 0,
        state_reset=False,
        ram=None,
        fingerprint=rng.integers(0, 256, 32, np.uint8),
        state=None,
        logits=None,
        q_values=rng.standard_normal(3).astype(np.float32),
        value=None,
        quantiles=rng.standard_normal((3, 4)).astype(np.float32),
        action=int(rng.integers(3)),
        forced=np.zeros((0, 2), np.int32),
        reward=float(step % 3),
        clipped_reward=float(np.sign(step % 3)),
        lives=None,
        terminated=False,
        truncated=step == 39,
    )


def make(folder: Path) -> None:
    """Write what ``store_v2`` holds."""
    with RecordingWriter(folder, described()) as writer:
        for index, length in enumerate((40, 35)):
            episode = writer.episode(index, seed=index, seed_words=(index, 1, 2, 3))
            for step in range(length):
                episode.append(row(step, index))
            if index == 0:
                screen = np.full((*SCREEN, 3), 7, np.uint8)
                episode.finish(last_screen=screen, end="truncated")
    with MapWriter(folder / "maps" / "x", MAPS) as maps:
        maps.append(0, np.arange(5), np.arange(5) % 3, map_values(np.arange(5)))


def test_the_first_recording_of_version_2_says_what_it_always_said() -> None:
    recording = open_recording(GOLDEN)
    recording.check()
    assert recording.header == described()
    first, second = recording.episodes
    assert (len(first), first.end, len(second), second.end) == (40, "truncated", 35, "")
    np.testing.assert_array_equal(first.last_screen, np.full((*SCREEN, 3), 7, np.uint8))
    for index, episode in enumerate((first, second)):
        rows = [row(step, index) for step in range(len(episode))]
        np.testing.assert_array_equal(episode.screens[:], [r.screen for r in rows])
        np.testing.assert_array_equal(episode.screens_before[:], [r.screen for r in rows])
        np.testing.assert_array_equal(episode.planes[:], [r.plane for r in rows])
        np.testing.assert_array_equal(episode.fingerprints, [r.fingerprint for r in rows])
        np.testing.assert_array_equal(episode.q_values, [r.q_values for r in rows])
        np.testing.assert_array_equal(episode.quantiles, [r.quantiles for r in rows])
        np.testing.assert_array_equal(episode.actions, [r.action for r in rows])
        assert (episode.logits, episode.values, episode.states) == (None, None, None)
        assert not episode.lives.any()
        stack = np.concatenate([rows[20].plane, rows[20].plane, rows[21].plane])
        np.testing.assert_array_equal(episode.observations[21], stack.astype(np.float32) / 255)
    assert recording.header.identity == IDENTITY


def test_the_first_map_set_of_version_2_says_what_it_always_said() -> None:
    maps = open_maps(GOLDEN / "maps" / "x")
    assert maps.header == MAPS
    assert hashlib.sha256(maps.values.tobytes()).hexdigest()[:16] == MAPS_DIGEST


IDENTITY = "9c5b4d00b8a0e4faf335581d36d7e35301c1173efe21c428eafd2ea891f5a4c6"
MAPS_DIGEST = "3f7865b12b15b7a1"
