"""Recordings and map sets with outputs that tests choose: no emulator, no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from agentlens.spec import ActionSpec, AgentSpec, EnvironmentSpec, GridSpec, ObservationSpec
from agentlens.spec import TargetInfo as TargetInfo
from agentlens.store.maps import MapHeader, MapSet
from agentlens.store.recording import (
    Recording,
    RecordingHeader,
    RecordingWriter,
    StepRow,
    open_recording,
)

PONG = ("NOOP", "FIRE", "RIGHT", "LEFT", "RIGHTFIRE", "LEFTFIRE")
SCREEN = (210, 160)

AGENT = AgentSpec(
    name="sample",
    format="none",
    environment=EnvironmentSpec(
        id="ALE/Pong-v5", game="pong", frame_skip=(4, 4), repeat_action_probability=0.0
    ),
    observation=ObservationSpec(
        pool="none", grayscale="cv2", resize=(21, 16), interpolation="cv2-area", stack=1
    ),
    action=ActionSpec(meanings=PONG, selection="sample"),
)


@dataclass(frozen=True, kw_only=True)
class Game:
    """One episode: outputs float [T, A], values float [T] or None, the raw return."""

    outputs: np.ndarray
    values: np.ndarray | None
    total: float = 0.0
    seed: int = 0
    end: str = "terminated"
    lives: tuple[int, ...] = ()


def write(
    folder: Path,
    games: Sequence[Game],
    *,
    agent: AgentSpec = AGENT,
    player: str = "",
    q_network: bool = False,
) -> Recording:
    """A complete recording of these games."""
    header = RecordingHeader(
        agent=agent,
        seed=0,
        episodes_wanted=len(games),
        world={"rom_md5": "0" * 32, "actions": list(PONG)},
        screen_shape=SCREEN,
        player=player,
        provenance={},
    )
    ramp = np.arange(256, dtype=np.uint8)
    colours = np.stack([ramp, ramp[::-1], ramp], -1)
    with RecordingWriter(folder, header) as writer:
        for index, game in enumerate(games):
            episode = writer.episode(index, seed=game.seed or index, seed_words=(index,))
            episode.learn_palette(ramp.reshape(16, 16), colours.reshape(16, 16, 3))
            for step in range(len(game.outputs)):
                episode.append(_row(game, step, index, q_network))
            episode.finish(last_screen=np.zeros(SCREEN, np.uint8), end=game.end)
        writer.complete()
    return open_recording(folder)


def _row(game: Game, step: int, index: int, q_network: bool) -> StepRow:
    screen = np.zeros(SCREEN, np.uint8)
    screen[(step * 3) % 200 : (step * 3) % 200 + 10, 20:140] = 180
    ram = np.zeros(128, np.uint8)
    ram[:3] = index, step % 256, (game.seed * 7 + int(game.total)) % 256
    outputs = game.outputs[step].astype(np.float32)
    return StepRow(
        emulator_frame=4 * step,
        frames_advanced=4,
        screen=screen,
        screen_before=screen,
        plane=np.full((21, 16), step % 256, np.uint8),
        stack_reset=step == 0,
        state_reset=step == 0,
        ram=ram,
        state=None,
        logits=None if q_network else outputs,
        q_values=outputs if q_network else None,
        value=None if game.values is None else float(game.values[step]),
        action=int(outputs.argmax()),
        forced=np.zeros((0, 2), np.int32),
        reward=float(game.total if step == 0 else 0),
        clipped_reward=0.0,
        lives=game.lives[step] if game.lives else 0,
        terminated=step == len(game.outputs) - 1,
        truncated=False,
    )


def random_games(
    seed: int, lengths: Sequence[int] = (12, 9, 15), totals: Sequence[float] = (3, 5, 4)
) -> list[Game]:
    """Games with random logits and values, the same for the same seed."""
    generator = np.random.default_rng(seed)
    return [
        Game(
            outputs=generator.normal(size=(length, len(PONG))),
            values=generator.normal(size=length),
            total=total,
            seed=i + 1,
        )
        for i, (length, total) in enumerate(zip(lengths, totals, strict=True))
    ]


def maps(
    values: np.ndarray,
    *,
    energy: np.ndarray | None = None,
    episodes: Sequence[int] | None = None,
    steps: Sequence[int] | None = None,
    observation: ObservationSpec = AGENT.observation,
) -> MapSet:
    """A map set of actor maps float [T, gy, gx], with an energy control if given."""
    count, gy, gx = values.shape
    height, width = observation.resize
    actor = TargetInfo(
        name="kl",
        signed=False,
        unit="nats",
        meaning="",
        noise_floor=0.0,
        display="sqrt",
        role="actor",
    )
    targets, layers = [actor], [values]
    if energy is not None:
        targets.append(replace(actor, name="energy", role="control", unit=""))
        layers.append(energy)
    return MapSet(
        values=np.stack(layers, axis=1)[:, :, None].astype(np.float32),
        steps=np.arange(count) if steps is None else np.asarray(steps),
        episodes=np.zeros(count, np.int64) if episodes is None else np.asarray(episodes),
        explained_actions=np.zeros(count, np.int64),
        header=MapHeader(
            method="perturbation",
            options={},
            targets=tuple(targets),
            planes=("all",),
            grid=GridSpec(
                rows=tuple((i + 0.5) * height / gy - 0.5 for i in range(gy)),
                columns=tuple((i + 0.5) * width / gx - 0.5 for i in range(gx)),
                observation=(height, width),
            ),
            action="taken",
            forward_passes=1,
            recording_digests={},
            provenance={},
        ),
    )
