"""Play whole games for their returns alone: nothing is written."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from agentlens.compute import Compute
from agentlens.policies.agent import Agent
from agentlens.policies.device import choose_device
from agentlens.progress import Progress, silent
from agentlens.rollout.outputs import Outputs, evaluate, one_thread
from agentlens.rollout.play import Play
from agentlens.rollout.player import Player
from agentlens.rollout.seeds import episode_seed
from agentlens.rollout.selection import Draw, draw_chances, is_close, pick

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


def play_returns(
    agent: Agent,
    play: Play,
    *,
    compute: Compute = Compute(),
    progress: Progress = silent,
) -> tuple[Played, ...]:
    """Play the first games of a seed and keep their returns, in order.

    Every game begun is played to its end, so that short games are not preferred. The games are
    those that ``record`` would record with the same ``play``.

    Args:
        agent: as ``load_agent`` gives it, its selection as it is to be played.
        play: which games; the result does not depend on ``n_envs``.
        compute: its device; the other fields play no part here.
        progress: called with games finished and wanted.

    Notes:
        Policies without memory are asked in batches, 3 times as fast on a CPU as a row at a
        time; a choice that their rounding could change is made again from the recorder's own
        outputs. So a batch changes no game.
    """
    where = choose_device(compute.device)
    placed = agent.to(where)
    memory = agent.policy.state_size
    idle = [Player(agent.spec, memory, play=play, trust_code=agent.trust_code)]
    new_player = functools.partial(
        Player, agent.spec, memory, play=play, like=idle[0].environment, trust_code=agent.trust_code
    )
    idle += [new_player() for _ in range(min(play.n_envs, play.episodes) - 1)]
    waiting = list(range(play.episodes))
    active: list[_Game] = []
    finished: dict[int, Played] = {}
    with one_thread():
        while len(finished) < play.episodes:
            while idle and waiting:
                active.append(_Game(idle.pop(), waiting.pop(0), play.seed))
            _step(placed, where, active)
            for game in [game for game in active if game.player.end]:
                finished[game.episode] = game.result()
                active.remove(game)
                idle.append(game.player)
                progress(len(finished), play.episodes)
    return tuple(finished[episode] for episode in range(play.episodes))


class _Game:
    """A game in play and its tally."""

    def __init__(self, player: Player, episode: int, seed: int) -> None:
        player.begin(episode_seed(seed, episode))
        self.player, self.episode = player, episode
        self.raw_return, self.digest = 0.0, 0

    def play(self, action: int, outputs: Outputs) -> None:
        row = self.player.play(action, outputs)
        self.raw_return += row.reward
        self.digest = zlib.crc32(row.plane.tobytes() + bytes([action]), self.digest)

    def result(self) -> Played:
        return Played(
            raw_return=self.raw_return,
            steps=self.player.steps,
            end=self.player.end,
            digest=self.digest,
        )


def _step(agent: Agent, device: torch.device, games: Sequence[_Game]) -> None:
    action = agent.spec.action
    draws = [draw_chances(action, game.player.generator) for game in games]
    outputs = _outputs(agent, device, games, draws)
    for game, output, draw in zip(games, outputs, draws, strict=True):
        game.play(pick(action, output, draw), output)


def _outputs(
    agent: Agent, device: torch.device, games: Sequence[_Game], draws: Sequence[Draw]
) -> list[Outputs]:
    """The policy's outputs, the recorder's own bits wherever the choice hangs on them."""
    observations = [game.player.observation for game in games]
    states = [game.player.state for game in games]
    if device.type != "cpu" or agent.policy.state_size:
        return evaluate(agent.policy, device, observations, states)
    outputs = evaluate(agent.policy, device, observations, states, rows=min(BATCH, len(games)))
    for i, (output, draw) in enumerate(zip(outputs, draws, strict=True)):
        if is_close(agent.spec.action, output, draw):
            outputs[i] = evaluate(agent.policy, device, [observations[i]], [None])[0]
    return outputs
