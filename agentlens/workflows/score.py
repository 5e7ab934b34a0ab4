"""An agent's score: raw returns of whole games, with an interval and what it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agentlens.comparison.statistics import Interval, bootstrap, mean, of_values
from agentlens.compute import Compute
from agentlens.policies.agent import Agent, load_agent
from agentlens.progress import Progress, silent
from agentlens.rollout.play import GAMES, Play
from agentlens.rollout.recorder import as_played
from agentlens.rollout.returns import Played, play_returns
from agentlens.spec import AgentSpec


@dataclass(frozen=True, kw_only=True)
class Score:
    """What ``score`` measured.

    ``spec``: the agent as played. ``games``: in order of their index. ``interval``: of the mean
    raw return, 95 % BCa over games. ``sd``: sample standard deviation, 0 for one game.
    ``distinct``: games that differ in an observation or an action.
    """

    spec: AgentSpec
    games: tuple[Played, ...]
    interval: Interval
    sd: float
    distinct: int
    seed: int


def score(
    agent: Agent | Path | str,
    *,
    play: Play = GAMES,
    compute: Compute = Compute(),
    progress: Progress = silent,
) -> Score:
    """Measure an agent's mean raw return at its own protocol.

    The first games of the seed by index are played to their ends, never the first
    to finish, so that short games are not preferred.

    Args:
        agent: an agent, or whatever ``load_agent`` takes.
        play: which games, the same as in ``record``; 20 if not given.
        compute: as in ``record``.
        progress: called with games finished and wanted.

    Raises:
        InvalidArgument: a selection that the agent cannot do.
        EmulatorError: the agent's actions do not fit the game.
        NotFinite: the policy gave a NaN or an infinity.
    """
    agent = agent if isinstance(agent, Agent) else load_agent(agent)
    played = as_played(agent, play)
    games = play_returns(played, play, compute=compute, progress=progress)
    returns = np.array([game.raw_return for game in games])
    interval = bootstrap(
        of_values(returns, mean), len(returns), np.random.default_rng(play.seed)
    ).interval()
    return Score(
        spec=played.spec,
        games=games,
        interval=interval,
        sd=float(returns.std(ddof=1)) if len(returns) > 1 else 0.0,
        distinct=len({game.digest for game in games}),
        seed=play.seed,
    )
