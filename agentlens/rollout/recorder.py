"""Play episodes and keep everything that explaining, replaying and drawing them needs."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agentlens.envs.atari.palette import Palette
from agentlens.errors import InvalidArgument
from agentlens.policies.agent import Agent, load_agent
from agentlens.policies.device import choose_device
from agentlens.policies.importing import save_agent
from agentlens.policies.probes import check_observations
from agentlens.progress import Progress, silent
from agentlens.provenance import provenance
from agentlens.rollout.interruption import Interruption
from agentlens.rollout.outputs import evaluate, one_thread
from agentlens.rollout.player import Player
from agentlens.rollout.seeds import episode_seed
from agentlens.rollout.selection import choose_action, chosen_selection
from agentlens.store.recording import (
    EpisodeWriter,
    Recording,
    RecordingHeader,
    RecordingWriter,
    open_recording,
)

STUCK_AFTER = 2_000
"""Decisions (two minutes at a frame skip of 4) with nothing new before an episode counts as
stuck."""


def record(
    agent: Agent | Path | str,
    *,
    episodes: int = 1,
    seed: int = 0,
    output: Path | str,
    max_steps: int = 0,
    n_envs: int = 1,
    device: str = "auto",
    selection: str | None = None,
    epsilon: float | None = None,
    stuck_after: int = STUCK_AFTER,
    force: bool = False,
    resume: bool = False,
    progress: Progress = silent,
) -> Recording:
    """Record whole episodes of an agent in its own environment, and open the recording.

    An episode depends on ``seed`` and its index alone, never on ``n_envs`` or other episodes.
    (Another device or library version may move logits by 1e-6 and so, very rarely, an action.)
    32 decisions of each game are held in memory; on a CPU the policy runs on one thread.

    Args:
        agent: an agent, or whatever ``load_agent`` takes.
        episodes: whole games to play; a lost life does not end one.
        seed: 0 to 2**32 - 1.
        output: folder of the recording.
        max_steps: decisions after which an episode is cut, 0 for never.
        n_envs: games played side by side.
        device: "auto", "cpu", "cuda" or "cuda:N".
        selection, epsilon: "sample", "greedy" or "epsilon" instead of the agent's own.
        stuck_after: decisions without a new plane, a reward or a change of lives after which an
            episode ends as "stuck" (greedy agents loop for ever in some games); 0 for never.
        force, resume: replace, or finish, a recording that is there.
        progress: told of decisions; the total is 0 without ``max_steps``: nobody knows it.

    Raises:
        InvalidArgument: an argument out of range, a selection the agent cannot do.
        EmulatorError, NotFinite: the agent's actions do not fit the game; an output is no number.
        AlreadyExists, Locked, DiskError: see ``RecordingWriter``.
        Interrupted: Ctrl-C or SIGTERM; the recording is readable and can be resumed.
    """
    _check_counts(episodes=episodes, n_envs=n_envs, max_steps=max_steps, stuck_after=stuck_after)
    episode_seed(seed, 0)
    agent = agent if isinstance(agent, Agent) else load_agent(agent)
    played, where = as_played(agent, selection, epsilon), choose_device(device)
    new_player = functools.partial(
        Player,
        played.spec,
        agent.policy.state_size,
        palette=Palette(),
        max_steps=max_steps,
        stuck_after=stuck_after,
    )
    first = new_player()
    made = provenance(device=str(where), n_envs=n_envs, stuck_after=stuck_after)
    header = _header(first, seed, episodes, max_steps, made)
    with tempfile.TemporaryDirectory(prefix="agentlens-") as folder, Interruption() as interruption:
        files = agent_files(agent, Path(folder))
        new = RecordingWriter(Path(output), header, agent_files=files, force=force, resume=resume)
        with new as writer:
            run = _Run(played.to(where), where, writer, seed, progress, interruption)
            run.finish(itertools.chain([first], iter(new_player, None)), n_envs)
    return open_recording(output)


def _header(
    player: Player, seed: int, episodes: int, max_steps: int, made: Mapping[str, Any]
) -> RecordingHeader:
    return RecordingHeader(
        agent=player.spec,
        seed=seed,
        episodes_wanted=episodes,
        rom_md5=player.emulator.rom_md5,
        emulator_actions=player.emulator.actions,
        screen_shape=player.emulator.screen_shape,
        max_steps=max_steps,
        provenance=made,
    )


def _check_counts(*, episodes: int, n_envs: int, max_steps: int, stuck_after: int) -> None:
    for name, value, least in (
        ("episodes", episodes, 1),
        ("n_envs", n_envs, 1),
        ("max_steps", max_steps, 0),
        ("stuck_after", stuck_after, 0),
    ):
        if type(value) is not int or value < least:
            raise InvalidArgument(f"{name} {value!r}: expected an integer from {least}.")


def as_played(agent: Agent, selection: str | None, epsilon: float | None) -> Agent:
    """The agent with what the caller asked for instead of its own selection.

    Raises:
        UnknownName, InvalidArgument: a selection that there is not, or that it cannot do.
    """
    action = chosen_selection(agent.spec.action, selection, epsilon)
    if action.selection == "sample" and agent.policy.kind != "logits":
        raise InvalidArgument(
            "selection 'sample' needs logits and this agent has Q-values: "
            "use 'greedy' or 'epsilon'."
        )
    return dataclasses.replace(agent, spec=dataclasses.replace(agent.spec, action=action))


class _Run:
    """Plays episodes on some players in lock-step, each writing to its own episode."""

    def __init__(
        self,
        agent: Agent,
        device: torch.device,
        writer: RecordingWriter,
        seed: int,
        progress: Progress,
        interruption: Interruption,
    ) -> None:
        self._agent, self._device, self._writer, self._seed = agent, device, writer, seed
        self._progress, self._interruption = progress, interruption
        self._done = self._expected = 0
        self._taught = -1

    def finish(self, players: Iterator[Player], n_envs: int) -> None:
        """Play the episodes that the recording lacks, at most ``n_envs`` at a time."""
        wanted, there = self._writer.header.episodes_wanted, self._writer.finished_episodes
        missing = [index for index in range(wanted) if index not in there]
        with one_thread():
            self.play(list(itertools.islice(players, min(n_envs, len(missing)))), missing)
        self._writer.complete()

    def play(self, players: Sequence[Player], episodes: Sequence[int]) -> None:
        """Play all of ``episodes``, in order, as players become free."""
        self._expected = self._writer.header.max_steps * len(episodes)
        waiting = list(episodes)
        active: list[tuple[Player, EpisodeWriter]] = []
        idle = list(players)
        kept = f"{self._writer.folder} holds what was played so far; --resume finishes it."
        while True:
            while idle and waiting:
                active.append(self._begin(idle.pop(0), waiting.pop(0)))
            if not active:
                return
            self._step(active)
            for player, writer in [pair for pair in active if pair[0].end]:
                writer.finish(last_screen=player.emulator.screen, end=player.end)
                active.remove((player, writer))
                idle.append(player)
            self._interruption.check(kept)

    def _begin(self, player: Player, episode: int) -> tuple[Player, EpisodeWriter]:
        seed = episode_seed(self._seed, episode)
        player.begin(seed)
        check_observations(player.observation[None], player.spec.observation)
        return player, self._writer.episode(episode, seed=self._seed, seed_words=seed.words)

    def _step(self, active: Sequence[tuple[Player, EpisodeWriter]]) -> None:
        """One decision of every active game."""
        outputs = evaluate(
            self._agent.policy,
            self._device,
            [player.observation for player, _ in active],
            [player.state for player, _ in active],
        )
        for (player, writer), said in zip(active, outputs, strict=True):
            action = choose_action(self._agent.spec.action, said, player.generator)
            writer.append(player.play(action, said))
            self._teach(player, writer)
        self._done += len(active)
        self._progress(self._done, self._expected)

    def _teach(self, player: Player, writer: EpisodeWriter) -> None:
        """Hand newly learned colours to the recording."""
        palette = player.emulator.palette
        if palette.version != self._taught:
            indices = np.flatnonzero(palette.known).astype(np.uint8)
            writer.learn_palette(indices[None], palette.rgb[indices][None])
            self._taught = palette.version


def agent_files(agent: Agent, temporary: Path) -> list[Path]:
    """The files that make an agent, none of what else lies in its folder.

    An agent made in memory is written to ``temporary`` first.
    """
    folder = agent.folder
    if folder is None:
        folder = save_agent(agent, temporary / "agent")
    names = {"agent.toml", "README.md", "LICENSE", "LICENSE.txt", agent.spec.weights}
    return sorted(path for path in folder.iterdir() if path.is_file() and path.name in names)
