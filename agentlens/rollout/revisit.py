"""Another agent asked about the states of a recording: a recording of its own outputs on them."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agentlens.compute import Compute
from agentlens.envs.alike import merge_groups
from agentlens.errors import EmulatorError, InvalidArgument
from agentlens.policies.agent import Agent, load_agent
from agentlens.policies.device import choose_device
from agentlens.progress import Progress, silent
from agentlens.provenance import provenance
from agentlens.rollout.interruption import Interruption
from agentlens.rollout.outputs import Outputs, evaluate, one_thread
from agentlens.rollout.play import Play
from agentlens.rollout.player import Player, recording_header
from agentlens.rollout.recorder import agent_files
from agentlens.rollout.replay import check_same_world
from agentlens.rollout.seeds import EpisodeSeed
from agentlens.spec import AgentSpec
from agentlens.store.recording import (
    Episode,
    EpisodeWriter,
    Recording,
    RecordingHeader,
    RecordingWriter,
    open_recording,
)


def revisit(
    recording: Recording | Path | str,
    agent: Agent | Path | str,
    *,
    output: Path | str,
    episodes: Sequence[int] | None = None,
    compute: Compute = Compute(),
    force: bool = False,
    progress: Progress = silent,
) -> Recording:
    """Ask an agent about every state that another one lived through.

    The recorded actions are played again in the emulator from each episode's start, and the agent
    is fed through its own preprocessing, its own rules of resetting stack and memory, and its own
    recurrent state from the episode's start. Its memory is off-policy: it runs through a game
    that the agent would not have played.

    Args:
        recording: whose states, or its folder; its finished episodes count.
        agent: who is asked; or what ``load_agent`` takes.
        output: folder of the new recording.
        episodes: indices; all finished ones if not given.
        compute: as in ``record``.
        force: replace a recording that is there.
        progress: told of decisions.

    Returns:
        A recording of ``agent`` with ``player`` set: screens, rewards and flags are those of the
        original, planes, memory and outputs are the agent's. Its actions are the player's, under
        the agent's own names; where the agent has no such action, what it would choose itself.

    Raises:
        InvalidArgument: another game or frame skip, no finished episode, or no such episode.
        EmulatorError: the replay differs from the recording, or the cartridge does.
        AlreadyExists, DiskError, NotFinite, Interrupted: as ``record``.

    Notes:
        About as long as recording took. Constant memory.
    """
    recording = open_recording(recording)
    agent = agent if isinstance(agent, Agent) else load_agent(agent)
    played = recording.header.agent
    _check(played, agent.spec)
    chosen = _chosen(recording, episodes)
    where = choose_device(compute.device)
    player = Player(
        _hybrid(played, agent.spec), agent.policy.state_size, trust_code=agent.trust_code
    )
    check_same_world(recording.header, player)
    made = provenance(device=str(where), revisits=recording.header.identity)
    header = _header(recording, agent, player, chosen, made)
    with tempfile.TemporaryDirectory(prefix="agentlens-") as folder, Interruption() as interruption:
        files = agent_files(agent, Path(folder))
        with RecordingWriter(Path(output), header, agent_files=files, force=force) as writer:
            visit = _Visit(agent.to(where), where, player, _own_actions(played, agent.spec))
            _visit_all(visit, chosen, writer, progress, interruption)
            if len(chosen) == header.episodes_wanted:
                writer.complete()
    return open_recording(output, trust_code=agent.trust_code)


def _header(
    recording: Recording,
    agent: Agent,
    player: Player,
    episodes: Sequence[Episode],
    made: Mapping[str, Any],
) -> RecordingHeader:
    """The header of the revisit: the guest's spec under the rules of the original."""
    play = Play(
        seed=recording.header.seed,
        episodes=max(episode.index for episode in episodes) + 1,
        max_steps=recording.header.max_steps,
    )
    name = recording.header.agent.name
    header = recording_header(player, play, made, revisited=name)
    spec = dataclasses.replace(agent.spec, environment=player.spec.environment)
    return dataclasses.replace(header, agent=spec)


def _visit_all(
    visit: _Visit,
    episodes: Sequence[Episode],
    writer: RecordingWriter,
    progress: Progress,
    interruption: Interruption,
) -> None:
    done, total = 0, sum(map(len, episodes))
    for episode in episodes:
        words = episode.seed_words
        new = writer.episode(episode.index, seed=episode.seed, seed_words=words)
        with one_thread():
            for _ in visit.walk(episode, new):
                done += 1
                progress(done, total)
                interruption.check("the revisit is unfinished; give the command again.")
        new.finish(last_screen=visit.player.environment.screen, end=episode.end)


class _Visit:
    """Walks an agent through recorded episodes; ``player`` is where it stands."""

    def __init__(
        self,
        agent: Agent,
        device: torch.device,
        player: Player,
        own_actions: tuple[int | None, ...],
    ) -> None:
        self._policy, self._device, self.player = agent.policy, device, player
        self._own_actions = own_actions

    def walk(self, episode: Episode, writer: EpisodeWriter) -> Iterator[int]:
        """Replay one episode and write what the agent says; yields each step when it is done."""
        player = self.player
        words = episode.seed_words
        player.begin(EpisodeSeed(words=(words[0], words[1], words[2], words[3])))
        told = episode.fingerprints
        for step, action in enumerate(episode.actions):
            output = evaluate(self._policy, self._device, [player.observation], [player.state])[0]
            row = player.play(int(action), output)
            if not np.array_equal(row.told, told[step]):
                raise EmulatorError(
                    f"episode {episode.index}, step {step}: the replay differs from the recording; "
                    "`agentlens verify` says where, and recording.json which ale-py made it."
                )
            writer.append(dataclasses.replace(row, action=self._action(int(action), output)))
            player.teach(writer)
            yield step

    def _action(self, played: int, output: Outputs) -> int:
        own = self._own_actions[played]
        if own is not None:
            return own
        return int(np.argmax(output.preferences))


def _check(played: AgentSpec, asked: AgentSpec) -> None:
    if played.environment.game != asked.environment.game:
        raise InvalidArgument(
            f"{asked.name} plays {asked.environment.game} and the recording is of "
            f"{played.environment.game}: only an agent of the same game can be asked."
        )
    if played.environment.frame_skip != asked.environment.frame_skip:
        raise InvalidArgument(
            f"{asked.name} decides every {asked.environment.frame_skip_text} frames and "
            f"{played.name} every {played.environment.frame_skip_text}: their decisions cannot be "
            "held against each other."
        )


def _chosen(recording: Recording, episodes: Sequence[int] | None) -> list[Episode]:
    finished = {e.index: e for e in recording.episodes if e.complete and len(e)}
    wanted = sorted(finished if episodes is None else set(episodes))
    unknown = [index for index in wanted if index not in finished]
    if unknown or not wanted:
        known = ", ".join(map(str, finished)) or "none"
        raise InvalidArgument(
            f"episode {unknown[0] if unknown else 'to revisit'}: {recording.folder} has finished "
            f"episodes {known}."
        )
    return [finished[index] for index in wanted]


def _hybrid(played: AgentSpec, asked: AgentSpec) -> AgentSpec:
    """The player's game and actions with the guest's eyes and its own rules of forgetting."""
    own = asked.environment
    environment = dataclasses.replace(
        played.environment,
        stack_after_life_loss=own.stack_after_life_loss,
        terminal_on_life_loss=own.terminal_on_life_loss,
    )
    return dataclasses.replace(asked, environment=environment, action=played.action)


def _own_actions(played: AgentSpec, asked: AgentSpec) -> tuple[int | None, ...]:
    """For each of the player's actions the guest's own of that name, or one that does the same."""
    names = (*played.action.meanings, *asked.action.meanings)
    union = tuple(dict.fromkeys(names))
    groups = merge_groups(played.environment.game, union)
    home = {union[i]: group for group in groups for i in group}
    indices: list[int | None] = []
    for meaning in played.action.meanings:
        alike = [meaning, *(union[i] for i in home[meaning])]
        own = [asked.action.meanings.index(n) for n in alike if n in asked.action.meanings]
        indices.append(own[0] if own else None)
    return tuple(indices)
