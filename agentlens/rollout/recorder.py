"""Play episodes and keep everything that explaining, replaying and drawing them needs."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.policies.agent import Agent, load_agent
from agentlens.policies.device import choose_device
from agentlens.policies.importing import save_agent
from agentlens.policies.probes import check_observations
from agentlens.progress import Progress, silent
from agentlens.provenance import provenance
from agentlens.rollout.interruption import Interruption
from agentlens.rollout.outputs import evaluate, one_thread
from agentlens.rollout.play import Play
from agentlens.rollout.player import Player, recording_header
from agentlens.rollout.seeds import episode_seed
from agentlens.rollout.selection import choose_action, chosen_selection
from agentlens.store.recording import (
    EpisodeWriter,
    Recording,
    RecordingWriter,
    open_recording,
)


def record(
    agent: Agent | Path | str,
    *,
    output: Path | str,
    play: Play = Play(),
    compute: Compute = Compute(),
    force: bool = False,
    resume: bool = False,
    progress: Progress = silent,
) -> Recording:
    """Record whole episodes of an agent in its own environment, and open the recording.

    An episode depends on ``play.seed`` and its index alone, never on ``play.n_envs`` or other
    episodes. (Another device or library version may move logits by 1e-6 and so, very rarely, an
    action.) 32 decisions of each game are held in memory; on a CPU the policy runs on one thread.

    Args:
        agent: an agent, or whatever ``load_agent`` takes.
        output: folder of the recording.
        play: which games, and how they are played.
        compute: its device; the other fields play no part here.
        force, resume: replace, or finish, a recording that is there.
        progress: told of decisions; the total is 0 without ``play.max_steps``: nobody knows it.

    Raises:
        InvalidArgument: a selection that the agent cannot do, or no such device.
        EmulatorError, NotFinite: the agent's actions do not fit the game; an output is no number.
        AlreadyExists, Locked, DiskError: see ``RecordingWriter``.
        Interrupted: Ctrl-C or SIGTERM; the recording is readable and can be resumed.
    """
    agent = agent if isinstance(agent, Agent) else load_agent(agent)
    played, where = as_played(agent, play), choose_device(compute.device)
    memory = agent.policy.state_size
    first = Player(played.spec, memory, play=play, trust_code=agent.trust_code)
    new_player = functools.partial(
        Player, played.spec, memory, play=play, like=first.environment, trust_code=agent.trust_code
    )
    made = provenance(device=str(where), n_envs=play.n_envs, stuck_after=play.stuck_after)
    header = recording_header(first, play, made)
    with tempfile.TemporaryDirectory(prefix="agentlens-") as folder, Interruption() as interruption:
        files = agent_files(agent, Path(folder))
        new = RecordingWriter(Path(output), header, agent_files=files, force=force, resume=resume)
        with new as writer:
            run = _Run(played.to(where), where, writer, progress, interruption)
            run.finish(itertools.chain([first], iter(new_player, None)), play.n_envs)
    return open_recording(output, trust_code=agent.trust_code)


def as_played(agent: Agent, play: Play) -> Agent:
    """The agent with what ``play`` asks for instead of its own selection.

    Raises:
        InvalidArgument: a selection that it cannot do.
    """
    action = chosen_selection(agent.spec.action, play)
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
        progress: Progress,
        interruption: Interruption,
    ) -> None:
        self._agent, self._device, self._writer = agent, device, writer
        self._progress, self._interruption = progress, interruption
        self._done = self._expected = 0

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
                writer.finish(last_screen=player.environment.screen, end=player.end)
                active.remove((player, writer))
                idle.append(player)
            self._interruption.check(kept)

    def _begin(self, player: Player, episode: int) -> tuple[Player, EpisodeWriter]:
        given = self._writer.header.seed
        seed = episode_seed(given, episode)
        player.begin(seed)
        check_observations(player.observation[None], player.spec.observation)
        return player, self._writer.episode(episode, seed=given, seed_words=seed.words)

    def _step(self, active: Sequence[tuple[Player, EpisodeWriter]]) -> None:
        """One decision of every active game."""
        outputs = evaluate(
            self._agent.policy,
            self._device,
            [player.observation for player, _ in active],
            [player.state for player, _ in active],
        )
        for (player, writer), output in zip(active, outputs, strict=True):
            action = choose_action(self._agent.spec.action, output, player.generator)
            writer.append(player.play(action, output))
            player.teach(writer)
        self._done += len(active)
        self._progress(self._done, self._expected)


def agent_files(agent: Agent, temporary: Path) -> list[Path]:
    """The files that make an agent, none of what else lies in its folder.

    An agent made in memory is written to ``temporary`` first.
    """
    folder = agent.folder
    if folder is None:
        folder = save_agent(agent, temporary / "agent")
    needed, beside = {"agent.toml", agent.spec.weights}, {"README.md", "LICENSE", "LICENSE.txt"}
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file()
        # What a text beside the agent links to may be anybody's private file.
        and (path.name in needed or (path.name in beside and not path.is_symlink()))
    )
