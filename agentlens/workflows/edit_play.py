"""Edits in play: whole games with units edited, paired with untouched ones under the same chances.

Shape letters: C units of a place.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agentlens.comparison.statistics import Interval, bootstrap, mean, of_values
from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.network.edits import EditedPolicy
from agentlens.policies.agent import recorded_agent
from agentlens.policies.device import choose_device
from agentlens.progress import Progress, silent
from agentlens.provenance import provenance
from agentlens.rollout import intervene
from agentlens.rollout.intervene import Branch, play_on
from agentlens.rollout.seeds import episode_seed
from agentlens.store.recording import Recording, open_recording
from agentlens.store.tables import write_table
from agentlens.workflows.edit import MOST_STEPS, arms_of_units
from agentlens.workflows.edit_arms import ABLATE, ARMS, EditArm, EditPlan
from agentlens.workflows.edit_choice import ChosenUnits
from agentlens.workflows.inside import look_inside
from agentlens.workflows.processes import in_processes

UNTOUCHED = "untouched"

FIRST_GAME = 1000
"""Number of the first game under the recording's seed: others than those that it recorded."""


@dataclass(frozen=True, kw_only=True)
class EditedGame:
    """One whole game of one arm. ``game``: its number; games of the same number are paired.

    ``actions``: a digest of all actions: equal where the very same game was played.
    """

    arm: str
    draw: int
    game: int
    units: str
    total: float
    steps: int
    actions: int


@dataclass(frozen=True, kw_only=True)
class EditedGames:
    """What ``play_edits`` wrote and measured: ``path`` of the table, without a suffix."""

    path: Path
    games: tuple[EditedGame, ...]

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms that were played, untouched first."""
        played = {game.arm for game in self.games}
        return tuple(arm for arm in (UNTOUCHED, *ARMS) if arm in played)

    def of(self, arm: str) -> tuple[EditedGame, ...]:
        """The games of one arm, in order."""
        return tuple(sorted((g for g in self.games if g.arm == arm), key=lambda g: g.game))

    def returns(self, arm: str) -> np.ndarray:
        """Their returns: float64 [games]."""
        return np.array([game.total for game in self.of(arm)], np.float64)

    def mean_return(self, arm: str) -> Interval:
        """The mean return with its 95 % BCa interval over games."""
        return _interval(self.returns(arm))

    def difference(self, arm: str, other: str = UNTOUCHED) -> Interval:
        """The mean of the paired differences, ``arm`` less ``other``, with its interval."""
        return _interval(self.returns(arm) - self.returns(other))

    @property
    def sham_agrees(self) -> bool:
        """Whether every sham game is the untouched one, action for action."""
        pairs = zip(self.of("sham"), self.of(UNTOUCHED), strict=True)
        return all(sham.actions == untouched.actions for sham, untouched in pairs)


def play_edits(
    recording: Recording | Path | str,
    units: ChosenUnits | Sequence[str],
    plan: EditPlan = ABLATE,
    *,
    games: int = 20,
    compute: Compute = Compute(),
    output: Path | str | None = None,
    progress: Progress = silent,
) -> EditedGames:
    """Play whole games with units edited, each paired with an untouched game.

    Args:
        recording: whose agent and game, or its folder; means and directions are of its steps.
        units: names such as "torso.5.unit.3", or what ``best_units`` chose.
        plan: what is done to them.
        games: of each arm; the random units and those of the wrong layer are drawn anew for every
            game.
        compute: ``threads``: processes that play side by side, 0 for one a core.
        output: path of the table, without a suffix; ``edit-games`` in the recording's folder if
            not given.
        progress: called with games finished and to play.

    Raises:
        UnknownName, InvalidArgument: no such unit, memory, no units left to draw from, or fewer
            than two games.

    Notes:
        Five or six games for each of ``games``; drawn ones cost three times an untouched one on
        a CPU, since they are played one at a time.
    """
    if type(games) is not int or games < 2:
        raise InvalidArgument(f"{games!r} games: expected 2 or more; a game has no interval.")
    inside = look_inside(recording, compute=compute, most=MOST_STEPS)
    recording = inside.recording
    arms = arms_of_units(inside, units, plan)
    device = choose_device(compute.device)
    workers = 1
    if device.type == "cpu":
        workers = min(compute.threads or os.cpu_count() or 1, games)
    parts = [range(games)[worker::workers] for worker in range(workers)]
    run = functools.partial(_play_part, recording.folder, recording.trust_code, arms, str(device))
    played = in_processes(run, parts, progress) if workers > 1 else run(parts[0], progress)
    path = Path(output) if output is not None else recording.folder / "edit-games"
    result = EditedGames(path=path, games=tuple(played))
    about = {"recording": recording.header.identity, "plan": dataclasses.asdict(plan)}
    write_table(path, _columns(result), {**about, **provenance(device=str(device))})
    return result


def _play_part(
    folder: Path,
    trust_code: bool,
    arms: Sequence[EditArm],
    device: str,
    numbers: Sequence[int],
    progress: Progress = silent,
) -> list[EditedGame]:
    """Play all arms of some games."""
    recording = open_recording(folder, trust_code=trust_code)
    seed, agent = recording.header.seed, recorded_agent(recording, device=device)
    by_arm = {name: [arm for arm in arms if arm.arm == name] for name in ARMS}
    groups: list[tuple[str, EditArm | None, list[int]]] = [(UNTOUCHED, None, list(numbers))]
    for kind, draws in by_arm.items():
        for index, drawn in enumerate(draws):
            of_draw = [number for number in numbers if number % len(draws) == index]
            groups += [(kind, drawn, of_draw)] if of_draw else []
    total, done = sum(len(of_draw) for *_, of_draw in groups), 0
    games: list[EditedGame] = []
    for name, arm, of_draw in groups:
        policy = agent.policy if arm is None else EditedPolicy(agent.policy, arm.edits)
        branches = [
            Branch(number=number, seed=episode_seed(seed, FIRST_GAME + number))
            for number in of_draw
        ]
        edited = dataclasses.replace(agent, policy=policy)
        lived = play_on(edited, branches, [intervene.Arm(name=name)], device=choose_device(device))
        rewards: dict[int, list[float]] = {number: [] for number in of_draw}
        actions: dict[int, list[int]] = {number: [] for number in of_draw}
        for step in lived:
            rewards[step.branch].append(step.reward)
            actions[step.branch].append(step.action)
        games += [
            EditedGame(
                arm=name,
                draw=0 if arm is None else arm.draw,
                game=number,
                units="" if arm is None else arm.units,
                total=sum(rewards[number]),
                steps=len(rewards[number]),
                actions=hash(tuple(actions[number])),
            )
            for number in of_draw
        ]
        done += len(of_draw)
        progress(done, total)
    return games


def _columns(result: EditedGames) -> dict[str, list[Any]]:
    rows = [game for arm in result.arms for game in result.of(arm)]
    names = ("arm", "draw", "game", "units", "total", "steps")
    return {name: [getattr(row, name) for row in rows] for name in names}


def _interval(values: np.ndarray) -> Interval:
    return bootstrap(of_values(values, mean), len(values), np.random.default_rng(0)).interval()
