"""Play whole games for their returns alone: nothing is written."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from agentlens.envs.palette import Palette
from agentlens.errors import InvalidArgument
from agentlens.policies.agent import Agent
from agentlens.policies.device import choose_device
from agentlens.progress import Progress, silent
from agentlens.rollout.outputs import evaluate
from agentlens.rollout.player import Player
from agentlens.rollout.recorder import STUCK_AFTER
from agentlens.rollout.seeds import episode_seed
from agentlens.rollout.selection import choose_action


@dataclass(frozen=True, kw_only=True)
class Played:
    """One game: its raw return, its decisions, why it ended and a digest of what happened."""

    raw_return: float
    steps: int
    end: str
    digest: int


def play_returns(
    agent: Agent,
    *,
    episodes: int,
    seed: int = 0,
    n_envs: int = 8,
    device: str = "auto",
    stuck_after: int = STUCK_AFTER,
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
        progress: called with games finished and wanted.

    Raises:
        InvalidArgument: fewer than one episode or environment.
    """
    if episodes < 1 or n_envs < 1:
        raise InvalidArgument(f"{episodes} episodes on {n_envs} environments: expected 1 or more.")
    where = choose_device(device)
    placed = agent.to(where)
    new_player = functools.partial(
        Player, agent.spec, agent.policy.state_size, palette=Palette(), stuck_after=stuck_after
    )
    games = [_Game(new_player()) for _ in range(min(n_envs, episodes))]
    waiting = list(range(episodes))
    finished: dict[int, Played] = {}
    while len(finished) < episodes:
        for game in games:
            if game.episode < 0 and waiting:
                game.begin(waiting.pop(0), seed)
        active = [game for game in games if game.episode >= 0]
        _step(placed, active, where)
        for game in active:
            if game.player.end:
                finished[game.episode] = game.result()
                progress(len(finished), episodes)
    return tuple(finished[episode] for episode in range(episodes))


class _Game:
    """A player and the tally of its current game; ``episode`` is -1 between games."""

    def __init__(self, player: Player) -> None:
        self.player = player
        self.episode = -1
        self.raw_return, self.digest = 0.0, 0

    def begin(self, episode: int, seed: int) -> None:
        self.player.begin(episode_seed(seed, episode))
        self.episode, self.raw_return, self.digest = episode, 0.0, 0

    def result(self) -> Played:
        self.episode = -1
        return Played(
            raw_return=self.raw_return,
            steps=self.player.steps,
            end=self.player.end,
            digest=self.digest,
        )


def _step(agent: Agent, active: Sequence[_Game], device: torch.device) -> None:
    outputs = evaluate(
        agent.policy, device, [g.player.observation for g in active],
        [g.player.state for g in active],
    )  # fmt: skip
    for game, said in zip(active, outputs, strict=True):
        player = game.player
        row = player.play(choose_action(agent.spec.action, said, player.generator), said)
        game.raw_return += row.reward
        game.digest = zlib.crc32(row.ram.tobytes() + bytes([row.action]), game.digest)
