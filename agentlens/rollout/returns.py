"""Play whole games for their returns alone: nothing is written."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from agentlens.envs.vector import vector_refusal
from agentlens.errors import InvalidArgument
from agentlens.policies.agent import Agent
from agentlens.policies.device import choose_device
from agentlens.progress import Progress, silent
from agentlens.rollout.outputs import Outputs, evaluate, one_thread
from agentlens.rollout.recorder import STUCK_AFTER
from agentlens.rollout.seeds import episode_seed
from agentlens.rollout.selection import Draw, draw_chances, is_close, pick
from agentlens.rollout.tables import EmulatorTable, Table, VectorTable

BATCH = 8
"""Rows of a forward pass on a CPU where its outputs need not be the recorder's bits."""


@dataclass(frozen=True, kw_only=True)
class Played:
    """One game: its raw return, its decisions, why it ended and a digest of what happened.

    The digest covers every newest plane and action: equal only for the same game.
    """

    raw_return: float
    steps: int
    end: str
    digest: int


def slow_because(agent: Agent) -> str:
    """Why an agent's games are played on emulator handles; "" where ``AtariVectorEnv`` can."""
    return "it has a memory" if agent.policy.state_size else vector_refusal(agent.spec)


def play_returns(
    agent: Agent,
    *,
    episodes: int,
    seed: int = 0,
    n_envs: int = 8,
    device: str = "auto",
    stuck_after: int = STUCK_AFTER,
    vector: bool = True,
    progress: Progress = silent,
) -> tuple[Played, ...]:
    """Play the first ``episodes`` games of a seed and keep their returns, in order.

    Every game begun is played to its end, so that short games are not preferred. The games are
    those that ``record`` would record under the same seed.

    Args:
        agent: as ``load_agent`` gives it.
        episodes: whole games, 1 or more.
        seed: as in ``record``.
        n_envs: games side by side; the result does not depend on it.
        device: "auto", "cpu", "cuda" or "cuda:N".
        stuck_after: as in ``record``.
        vector: use ``AtariVectorEnv`` where ``slow_because`` is empty.
        progress: called with games finished and wanted.

    Raises:
        InvalidArgument: fewer than one episode or environment.

    Notes:
        Policies without memory are asked in batches, 3 times as fast on a CPU as a row at a
        time; a choice that their rounding could change is made again from the recorder's own
        outputs. So a batch changes no game.
    """
    if episodes < 1 or n_envs < 1:
        raise InvalidArgument(f"{episodes} episodes on {n_envs} environments: expected 1 or more.")
    where = choose_device(device)
    seats = min(n_envs, episodes)
    table: Table
    if vector and not slow_because(agent):
        table = VectorTable(agent.spec, seats, stuck_after=stuck_after)
    else:
        size = agent.policy.state_size
        table = EmulatorTable(agent.spec, size, seats, stuck_after=stuck_after)
    games: dict[int, _Game] = {}
    waiting = list(range(episodes))
    finished: dict[int, Played] = {}
    placed = agent.to(where)
    with one_thread():
        while len(finished) < episodes:
            for seat in range(seats):
                if seat not in games and waiting:
                    games[seat] = _Game(table, seat, waiting.pop(0), seed)
            _step(placed, where, table, games)
            for seat, game in list(games.items()):
                if game.end:
                    finished[game.episode] = games.pop(seat).result()
                    progress(len(finished), episodes)
    return tuple(finished[episode] for episode in range(episodes))


class _Game:
    """The tally of one game at a seat."""

    def __init__(self, table: Table, seat: int, episode: int, seed: int) -> None:
        words = episode_seed(seed, episode)
        table.begin(seat, words)
        self.episode, self.generator = episode, words.actions()
        self.raw_return, self.steps, self.digest, self.end = 0.0, 0, 0, ""

    def add(self, reward: float, plane: np.ndarray, action: int, end: str) -> None:
        self.raw_return += reward
        self.steps += 1
        self.digest = zlib.crc32(plane.tobytes() + bytes([action]), self.digest)
        self.end = end

    def result(self) -> Played:
        return Played(
            raw_return=self.raw_return, steps=self.steps, end=self.end, digest=self.digest
        )


def _step(agent: Agent, device: torch.device, table: Table, games: dict[int, _Game]) -> None:
    seats = sorted(games)
    draws = [draw_chances(agent.spec.action, games[seat].generator) for seat in seats]
    outputs = _outputs(agent, device, table, seats, draws)
    actions = [
        pick(agent.spec.action, said, draw) for said, draw in zip(outputs, draws, strict=True)
    ]
    turns = table.play(seats, actions, outputs)
    for seat, action, turn in zip(seats, actions, turns, strict=True):
        games[seat].add(turn.reward, turn.plane, action, turn.end)


def _outputs(
    agent: Agent, device: torch.device, table: Table, seats: Sequence[int], draws: Sequence[Draw]
) -> list[Outputs]:
    """The policy's outputs at some seats, the recorder's own wherever the choice hangs on them."""
    observations = [table.observation(seat) for seat in seats]
    states = [table.state(seat) for seat in seats]
    if device.type != "cpu" or agent.policy.state_size:
        return evaluate(agent.policy, device, observations, states)
    outputs = evaluate(agent.policy, device, observations, states, rows=min(BATCH, len(seats)))
    for i, (said, draw) in enumerate(zip(outputs, draws, strict=True)):
        if is_close(agent.spec.action, said, draw):
            outputs[i] = evaluate(agent.policy, device, [observations[i]], [None])[0]
    return outputs
