"""Play a recording's actions again and compare everything the emulator says, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agentlens.errors import EmulatorError
from agentlens.progress import Progress, silent
from agentlens.rollout.outputs import Outputs
from agentlens.rollout.player import Player
from agentlens.rollout.seeds import EpisodeSeed
from agentlens.store.recording import (
    Episode,
    Recording,
    RecordingHeader,
    StepRow,
    open_recording,
)
from agentlens.store.schema import BATCH_STEPS

_LAST_SCREEN = "last_screen"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What replaying one episode showed.

    ``episode``: its index. ``steps``: how many were compared. ``step``, ``field``: the first
    difference (``step`` is ``steps`` for the screen after the last action); ``None`` and "" if
    the replay is exact. ``detail``: what was recorded and what was replayed.
    """

    episode: int
    steps: int
    step: int | None = None
    field: str = ""
    detail: str = ""

    @property
    def exact(self) -> bool:
        """Whether every field of every step was the same."""
        return self.step is None

    def __str__(self) -> str:
        if self.exact:
            return f"episode {self.episode}: exact, {self.steps} steps"
        return (
            f"episode {self.episode}: differs first at step {self.step} in {self.field} "
            f"({self.detail})"
        )


def verify(recording: Recording | Path | str, *, progress: Progress = silent) -> list[Verdict]:
    """Check every digest, then replay every episode from its start and compare it with the
    recording.

    Compared are screens, RAM, planes, rewards, lives, forced actions, frame counts and flags;
    unfinished episodes as far as they go. The policy is not asked: see ``saliency`` for that.

    Args:
        recording: with any number of episodes, opened with ``trust_code`` where its world names
            code; or its folder.
        progress: told of decisions.

    Returns:
        One verdict an episode, in order.

    Raises:
        EmulatorError: this machine's cartridge is another one than the recording's.
        Corrupt: an episode or a file of the agent was altered; names it.

    Notes:
        About as long as recording without the network took; constant memory.
    """
    recording = open_recording(recording)
    recording.check()
    header = recording.header
    player = Player(header.agent, 0, trust_code=recording.trust_code)
    check_same_world(header, player)
    total, done = sum(len(episode) for episode in recording.episodes), 0
    verdicts = []
    for episode in recording.episodes:
        verdict = Verdict(episode=episode.index, steps=len(episode))
        for step, field, detail in _differences(player, episode):
            verdict = Verdict(
                episode=episode.index, steps=len(episode), step=step, field=field, detail=detail
            )
            break
        done += len(episode)
        progress(done, total)
        verdicts.append(verdict)
    return verdicts


def check_same_world(header: RecordingHeader, player: Player) -> None:
    """Check that the world here is the one that a recording was made in.

    Raises:
        EmulatorError: it is another one; says what differs.
    """
    here = player.environment.identity
    for name in sorted({*here, *header.world}):
        if here.get(name) != header.world.get(name):
            raise EmulatorError(
                f"{header.agent.environment.game} here has {name} {here.get(name)}, the recording "
                f"was made with {header.world.get(name)}: use the versions named in recording.json."
            )


def replay(player: Player, episode: Episode) -> Iterator[StepRow]:
    """Play an episode's actions from its seed: one row a step, without the policy's outputs.

    Args:
        player: of the recording's agent; stands after the last action at the end.
        episode: a whole one, finished or not (not a slice).
    """
    words = episode.seed_words
    player.begin(EpisodeSeed(words=(words[0], words[1], words[2], words[3])))
    for action in episode.actions:
        yield player.play(int(action), NO_OUTPUTS)


NO_OUTPUTS = Outputs(np.zeros(0, np.float32), "logits")
"""Where nobody was asked."""


def _differences(player: Player, episode: Episode) -> Iterator[tuple[int, str, str]]:
    replayed = replay(player, episode)
    for start in range(0, len(episode), BATCH_STEPS):
        part = episode[start : start + BATCH_STEPS]
        columns = _columns(part)
        for i in range(len(part)):
            row = next(replayed)
            for field, recorded in columns.items():
                expected = np.asarray(recorded[i])
                got = np.asarray(_replayed(row, field))
                if expected.dtype.kind == "f":
                    got = got.astype(expected.dtype)
                if not np.array_equal(got, expected):
                    yield start + i, field, _describe(expected, got)
    last = episode.last_screen_indices
    if last is not None and not np.array_equal(last, player.environment.screen):
        yield len(episode), _LAST_SCREEN, _describe(last, player.environment.screen)


def _replayed(row: StepRow, field: str) -> Any:
    if field in ("ram", "fingerprint"):
        return row.told
    if field == "screen_before" and row.screen_before is None:
        return row.screen
    if field == "lives":
        return row.lives or 0
    return getattr(row, field)


def _columns(part: Episode) -> dict[str, np.ndarray | tuple[np.ndarray, ...]]:
    """What the emulator decides, most telling first."""
    return {
        "emulator_frame": part.emulator_frames,
        "forced": part.forced,
        part.told_by: part.fingerprints,
        "screen": part.screens.indices[:],
        "screen_before": part.screens_before.indices[:],
        "plane": part.planes[:],
        "lives": part.lives,
        "stack_reset": part.stack_resets,
        "state_reset": part.state_resets,
        "frames_advanced": part.frames_advanced,
        "reward": part.rewards,
        "clipped_reward": part.clipped_rewards,
        "terminated": part.terminated,
        "truncated": part.truncated,
    }


def _describe(recorded: np.ndarray, replayed: np.ndarray) -> str:
    if recorded.shape != replayed.shape:
        return f"recorded {recorded.tolist()}, replayed {replayed.tolist()}"
    if recorded.ndim == 0:
        return f"recorded {recorded}, replayed {replayed}"
    where = np.argwhere(recorded != replayed)
    first = tuple(int(i) for i in where[0])
    return (
        f"{len(where)} of {recorded.size} values, first at {first}: recorded {recorded[first]}, "
        f"replayed {replayed[first]}"
    )
