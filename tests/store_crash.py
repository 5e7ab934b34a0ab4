"""Run as ``python -m tests.store_crash recording|maps FOLDER COUNT``: writers killed at random
points.

For each trial a fork writes into FOLDER/<trial>, noting in FOLDER/<trial>.count how many steps its
``append`` has returned from, and is killed with SIGKILL a moment after a random step.
"""

from __future__ import annotations

import os
import random
import signal
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from agentlens.store.maps import MapWriter
from agentlens.store.recording import RecordingWriter
from tests.store_samples import COLOURS, MAPS, SCREEN, header, map_values, row

EPISODE_STEPS = 150
"""Long enough for several batches, short enough for kills while an episode is being finished."""

LONGEST = 400
"""Steps after which a writer is killed at the latest."""


def write_recording(folder: Path, note: Callable[[int], None]) -> None:
    written = 0
    with RecordingWriter(folder, header(episodes=1000, max_steps=1)) as writer:
        for index in range(1000):
            episode = writer.episode(index, seed=index, seed_words=())
            episode.learn_palette(
                np.arange(256, dtype=np.uint8).reshape(16, 16), COLOURS.reshape(16, 16, 3)
            )
            for step in range(EPISODE_STEPS):
                episode.append(row(step, index))
                written += 1
                note(written)
            episode.finish(last_screen=np.zeros(SCREEN, np.uint8), end="terminated")


def write_maps(folder: Path, note: Callable[[int], None]) -> None:
    with MapWriter(folder, MAPS) as writer:
        for start in range(0, 10**6, 4):
            steps = np.arange(start, start + 4)
            writer.append(0, steps, steps, map_values(steps))
            note(start + 4)


def note_in(path: Path) -> Callable[[int], None]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)

    def note(count: int) -> None:
        os.pwrite(descriptor, struct.pack("<q", count), 0)

    return note


def read_count(path: Path) -> int:
    data = path.read_bytes() if path.exists() else b""
    return int(struct.unpack("<q", data)[0]) if data else 0


def wait_for(path: Path, count: int) -> None:
    until = time.monotonic() + 30
    while read_count(path) < count and time.monotonic() < until:
        time.sleep(0.0005)


def main(kind: str, folder: Path, count: int) -> None:
    write = {"recording": write_recording, "maps": write_maps}[kind]
    rng = random.Random(count)
    for trial in range(count):
        pid = os.fork()
        if pid == 0:
            write(folder / str(trial), note_in(folder / f"{trial}.count"))
            os._exit(0)
        wait_for(folder / f"{trial}.count", rng.randrange(LONGEST))
        time.sleep(rng.uniform(0.0, 0.005))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
