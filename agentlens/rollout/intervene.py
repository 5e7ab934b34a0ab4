"""Play on from a step as it was and with something changed, under the same chances.

The arms of a comparison (untouched, hidden, a random region hidden, RAM held) begin at the same
state, reached by replaying the recorded game from its start, and draw the same numbers: the
agent's for each decision, the rules' for each frame skip, the emulator's for each frame.

Shape letters: K planes, H W observation, A actions, S recurrent state.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from agentlens.envs.alike import merge_groups
from agentlens.errors import EmulatorError
from agentlens.policies.agent import Agent
from agentlens.progress import Progress, silent
from agentlens.rollout.distances import Change, action_change
from agentlens.rollout.hiding import Cover, HiddenStack, Hide, Sight
from agentlens.rollout.outputs import Outputs, evaluate, one_thread
from agentlens.rollout.play import Play
from agentlens.rollout.player import Player
from agentlens.rollout.replay import replay
from agentlens.rollout.seeds import EpisodeSeed
from agentlens.rollout.selection import draw_chances, pick
from agentlens.store.recording import Episode, StepRow

ROWS = 8
"""Rows of every forward pass on a CPU, padded: outputs do not depend on what is played beside."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Arm:
    """One way to play on.

    ``name``: for the table. ``hide``: what is hidden in every frame, by branch, so that each
    branch can have its own random region; ``None`` hides nothing. ``ram``: bytes held from here
    on, by address; ``None`` at the value they have.
    """

    name: str
    hide: Mapping[int, Hide] | None = None
    ram: Mapping[int, int | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Branch:
    """Where and with which chances all arms play on.

    ``number``: of the branch; its arms are compared with each other. ``seed``: of the game.
    ``episode``, ``step``: replay that recorded episode up to the step; ``None`` and 0 for the
    start of a game. ``redraw``: 0 draws what the recorded game drew, another number draws anew.
    """

    number: int
    seed: EpisodeSeed
    episode: Episode | None = None
    step: int = 0
    redraw: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """What a decision looked like.

    ``screen``: uint8 [Y, X, 3]. ``hidden``: float32 [H, W], the region hidden in its newest frame,
    or ``None``. ``frames``: that the world then played.
    """

    screen: np.ndarray
    hidden: np.ndarray | None
    frames: int


@dataclass(frozen=True, kw_only=True)
class PlayedStep:
    """One decision of one arm.

    ``change``: between what the policy chooses with and without what is hidden in this very
    state, its memory run along in both; ``None`` where nothing is hidden. ``probabilities``:
    float64 [A] of the actions, for arms whose states are compared with each other. ``scene``: where
    it was asked for. ``last``: whether its arm ended with it.
    """

    branch: int
    arm: str
    step: int
    action: int
    reward: float
    probabilities: np.ndarray
    change: Change | None
    scene: Scene | None = None
    last: bool = False


def play_on(
    agent: Agent,
    branches: Sequence[Branch],
    arms: Sequence[Arm],
    *,
    steps: int = 0,
    device: torch.device,
    side_by_side: int = ROWS,
    watch: bool = False,
    progress: Progress = silent,
) -> Iterator[PlayedStep]:
    """Play every arm of every branch and tell each decision.

    Args:
        agent: on ``device``; the one that is recorded.
        branches: where to begin.
        arms: how to go on.
        steps: decisions to play, fewer where the game ends before; 0 for the rest of the game.
        device: the policy's.
        side_by_side: games in play at once; the result does not depend on it.
        watch: tell what each decision looked like, too.
        progress: called with games finished and to play.

    Yields:
        The decisions, those of one game in order.

    Raises:
        EmulatorError: the replay differs from the recording.

    Notes:
        Two forward passes a decision where something is hidden, one elsewhere, in batches of
        ``ROWS``; a replay costs no forward pass.
    """
    new_player = functools.partial(
        Player, agent.spec, agent.policy.state_size, play=Play(), trust_code=agent.trust_code
    )
    waiting = [(branch, arm) for branch in branches for arm in arms]
    total, finished = len(waiting), 0
    idle = [new_player() for _ in range(min(side_by_side, total))]
    active: list[_Game] = []
    with one_thread():
        while waiting or active:
            while idle and waiting:
                branch, arm = waiting.pop(0)
                active.append(_Game(agent, idle.pop(), branch, arm, steps))
            yield from _advance(agent, device, active, watch=watch)
            for game in [game for game in active if game.over]:
                active.remove(game)
                idle.append(game.player)
                finished += 1
                progress(finished, total)


class _Game:
    """One arm of one branch in play, for so many ``steps``, 0 for the rest of the game."""

    def __init__(self, agent: Agent, player: Player, branch: Branch, arm: Arm, steps: int) -> None:
        self.player, self.branch, self.arm, self.played = player, branch, arm, 0
        self._steps = steps
        spec = agent.spec
        self._cover = arm.hide[branch.number] if arm.hide is not None else None
        self._hidden = HiddenStack(spec.observation, self._cover) if self._cover else None
        if branch.episode is None:
            player.begin(branch.seed)
        else:
            _replay_to(player, branch.episode, branch.step)
            self._catch_up(branch.episode, branch.step)
        self._generator = _chances(agent, branch)
        self.shadow = player.state
        if arm.ram:
            player.hold_ram(arm.ram)

    @property
    def over(self) -> bool:
        """Whether there is nothing left to play."""
        return bool(self.player.end) or 0 < self._steps <= self.played

    def _catch_up(self, episode: Episode, step: int) -> None:
        """Hide the region in the frames that are on the stack already, each at its own time."""
        if self._hidden is None:
            return
        states, spec = episode.states, self.player.spec.observation
        for t in range(max(0, step - spec.stack + 1), step):
            self._hidden.push(
                Sight(
                    observation=episode.observations[t],
                    state=None if states is None else states[t],
                    episode=episode.index,
                    step=t,
                    reset=bool(episode.stack_resets[t]),
                    channels=spec.channels,
                )
            )

    def look(self) -> tuple[np.ndarray, np.ndarray | None]:
        """The stack as it is and, where something is hidden, as the agent sees it."""
        player = self.player
        observation = player.observation.copy()
        if player.state_reset:
            self.shadow = player.state
        if self._hidden is None:
            return observation, None
        index = self.branch.number if self.branch.episode is None else self.branch.episode.index
        sight = Sight(
            observation=observation,
            state=self.shadow,
            episode=index,
            step=self.branch.step + self.played,
            reset=player.stack_reset,
            channels=player.spec.observation.channels,
        )
        return observation, self._hidden.push(sight)

    def play(
        self, agent: Agent, outputs: Outputs, shown: Outputs | None, *, watch: bool
    ) -> PlayedStep:
        """One decision; ``shown``: what the policy says with nothing hidden."""
        action_spec, meanings = agent.spec.action, agent.spec.action.meanings
        action = pick(action_spec, outputs, draw_chances(action_spec, self._generator))
        step = self.branch.step + self.played
        row = self.player.play(action, outputs)
        self.played += 1
        self.shadow = outputs.state if shown is None else shown.state
        groups = merge_groups(agent.spec.environment.game, meanings)
        probabilities, change = action_change(action_spec, groups, outputs, shown)
        return PlayedStep(
            branch=self.branch.number,
            arm=self.arm.name,
            step=step,
            action=action,
            reward=row.reward,
            probabilities=probabilities,
            change=change,
            scene=self._scene(row) if watch else None,
            last=self.over,
        )

    def _scene(self, row: StepRow) -> Scene:
        return Scene(
            screen=self.player.rgb(row.screen),
            hidden=self._cover.region if isinstance(self._cover, Cover) else None,
            frames=row.frames_advanced,
        )


def _advance(
    agent: Agent, device: torch.device, games: Sequence[_Game], *, watch: bool
) -> Iterator[PlayedStep]:
    """One decision of every game."""
    sights = [game.look() for game in games]
    observations = [shown if hidden is None else hidden for shown, hidden in sights]
    states = [game.player.state for game in games]
    asked = [i for i, game in enumerate(games) if _differs(game, *sights[i])]
    observations += [sights[i][0] for i in asked]
    states += [games[i].shadow for i in asked]
    rows = ROWS if device.type == "cpu" else 0
    outputs = evaluate(agent.policy, device, observations, states, rows=rows)
    shown = dict(zip(asked, outputs[len(games) :], strict=True))
    for i, (game, (_, hidden)) in enumerate(zip(games, sights, strict=True)):
        unhidden = None if hidden is None else shown.get(i, outputs[i])
        yield game.play(agent, outputs[i], unhidden, watch=watch)


def _differs(game: _Game, shown: np.ndarray, hidden: np.ndarray | None) -> bool:
    """Whether hiding changes anything here; if not, one row serves both: rows may round apart."""
    if hidden is None:
        return False
    state = game.player.state
    same_memory = state is None or np.array_equal(state, np.asarray(game.shadow))
    return not (same_memory and np.array_equal(shown, hidden))


def _replay_to(player: Player, episode: Episode, step: int) -> None:
    """Replay an episode up to the decision ``step`` and take over its recorded memory.

    The recorded game went on from there, however long nothing new had come before.
    """
    replayed, told = replay(player, episode), episode.fingerprints
    for t in range(step):
        row = next(replayed)
        if not np.array_equal(row.told, told[t]):
            raise EmulatorError(
                f"episode {episode.index}, step {t}: the replay differs from the recording; "
                "`agentlens verify` says where, and recording.json which ale-py made it."
            )
    player.go_on()
    if step == 0:
        words = episode.seed_words
        player.begin(EpisodeSeed(words=(words[0], words[1], words[2], words[3])))
    states = episode.states
    if states is not None:
        player.state = states[step].astype(np.float32)


def _chances(agent: Agent, branch: Branch) -> np.random.Generator:
    """The agent's draws from the branch on, the same for each of its arms."""
    if branch.redraw:
        return np.random.default_rng((*branch.seed.words[2:], branch.redraw))
    generator = branch.seed.actions()
    for _ in range(branch.step):
        draw_chances(agent.spec.action, generator)
    return generator
