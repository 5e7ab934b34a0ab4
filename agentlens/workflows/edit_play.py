"""Edits in play: whole games with units edited, paired with untouched ones under the same chances.

Shape letters: C units of a place.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agentlens.compute import Compute
from agentlens.errors import Interrupted, InvalidArgument
from agentlens.network.edits import EditedPolicy
from agentlens.policies.agent import recorded_agent
from agentlens.policies.device import choose_device
from agentlens.progress import SILENT_STAGES, StageReporter
from agentlens.provenance import package_versions
from agentlens.rollout import intervene
from agentlens.rollout.intervene import Branch, PlayedStep, play_on
from agentlens.rollout.outputs import one_thread
from agentlens.rollout.seeds import episode_seed
from agentlens.store.recording import Recording, open_recording
from agentlens.workflows.edit import MOST_STEPS, arms_of_units
from agentlens.workflows.edit_arms import EditArm, arms_digest
from agentlens.workflows.edit_choice import ChosenUnits
from agentlens.workflows.edit_games import ORDER, UNTOUCHED, EditedGame, EditedGames, GamesSoFar
from agentlens.workflows.edit_plan import ABLATE, EditPlan
from agentlens.workflows.inside import look_inside
from agentlens.workflows.processes import in_processes, parts_for

FIRST_GAME = 1000
"""Number of the first game under the recording's seed: others than those that it recorded."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Work:
    """What every process plays. ``kept``: arms and numbers of games that are there already."""

    folder: Path
    trust_code: bool
    arms: tuple[EditArm, ...]
    device: str
    kept: frozenset[tuple[str, int]]

    def groups(self, numbers: Sequence[int]) -> Iterator[tuple[str, EditArm | None, list[int]]]:
        """Games of one arm with one draw of units, of these numbers and not kept."""
        for name in ORDER:
            draws: list[EditArm | None] = [arm for arm in self.arms if arm.arm == name]
            if name == UNTOUCHED:
                draws = [None]
            for index, arm in enumerate(draws):
                of_draw = [
                    number
                    for number in numbers
                    if number % len(draws) == index and (name, number) not in self.kept
                ]
                if of_draw:
                    yield name, arm, of_draw


def play_edits(
    recording: Recording | Path | str,
    units: ChosenUnits | Sequence[str],
    plan: EditPlan = ABLATE,
    *,
    games: int = 20,
    compute: Compute = Compute(),
    output: Path | str | None = None,
    force: bool = False,
    progress: StageReporter = SILENT_STAGES,
) -> EditedGames:
    """Play whole games with units edited, each paired with an untouched game.

    Args:
        recording: whose agent and game, or its folder; means and directions are of its steps.
        units: names such as "torso.5.unit.3", or what ``best_units`` chose.
        plan: what is done to them.
        games: of each arm; the random units and those of the wrong layer are drawn anew for every
            game, up to 20; then the same sets come again.
        compute: ``threads``: processes that play side by side, 0 for one a core.
        output: path of the table, without a suffix; ``edit-games`` in the recording's folder if
            not given. Finished games are in ``<output>-unfinished`` until all are played: asked
            the same again, a run that was stopped goes on from them.
        force: play from the start whatever is there.
        progress: told of every arm's games.

    Raises:
        UnknownName, InvalidArgument: no such unit, memory, no units left to draw from, or fewer
            than two games.
        AlreadyExists: unfinished games are of another question.
        Interrupted: Ctrl-C or SIGTERM; the finished games are kept.

    Notes:
        Five or six games for each of ``games``; drawn ones cost three times an untouched one on
        a CPU, since they are played one at a time.
    """
    if type(games) is not int or games < 2:
        raise InvalidArgument(f"{games!r} games: expected 2 or more; a game has no interval.")
    device = choose_device(compute.device)
    with one_thread():  # values that are put in do not depend on how many processes play
        inside = look_inside(recording, compute=compute, most=MOST_STEPS)
        arms = arms_of_units(inside, units, plan)
    recording = inside.recording
    path = Path(output) if output is not None else recording.folder / "edit-games"
    question = _question(recording, plan, arms, games, device)
    so_far = GamesSoFar(path, question, force=force)
    work = _Work(
        folder=recording.folder,
        trust_code=recording.trust_code,
        arms=arms,
        device=str(device),
        kept=frozenset((game.arm, game.game) for game in so_far.games),
    )
    parts = parts_for(compute, device, games)
    _play_all(work, parts, so_far, progress)
    return so_far.finish()


def _question(
    recording: Recording,
    plan: EditPlan,
    arms: Sequence[EditArm],
    games: int,
    device: torch.device,
) -> dict[str, Any]:
    """All that decides the games, as JSON gives it back."""
    asked = {
        "recording": recording.header.identity,
        "plan": dataclasses.asdict(plan),
        "units": arms[0].units,
        "values and draws": arms_digest(arms),
        "games": games,
        "first_game": FIRST_GAME,
        "device": device.type,
        "versions": package_versions(),
    }
    return dict(json.loads(json.dumps(asked)))


def _play_all(
    work: _Work, parts: Sequence[Sequence[int]], so_far: GamesSoFar, progress: StageReporter
) -> None:
    """Play what is not kept, and keep each game as it ends."""
    left: Counter[str] = Counter()
    for part in parts:
        for name, _, numbers in work.groups(part):
            left[name] += len(numbers)
    kept = f"{len(work.kept)} games of the run that was stopped are kept; " if work.kept else ""
    progress.say(f"{kept}{left.total()} games to play, in {len(parts)} processes.")
    if not left:
        return
    played = in_processes(functools.partial(_play_part, work), parts)
    try:
        with contextlib.closing(played):
            for game in _told(played, left, progress):
                so_far.add(game)
    except KeyboardInterrupt as error:
        raise Interrupted(f"stopped; {so_far}") from error


def _told(
    played: Iterable[EditedGame], left: Counter[str], progress: StageReporter
) -> Iterator[EditedGame]:
    """Pass games on as they come; each is counted in the stage of its arm, arms one by one."""
    finished: Counter[str] = Counter()
    waiting = iter(played)
    arms = [name for name in ORDER if left[name]]
    for place, arm in enumerate(arms, 1):
        with progress.stage(f"{arm}, arm {place} of {len(arms)}", "games") as report:
            report(0, left[arm])
            while finished[arm] < left[arm]:
                game = next(waiting)
                finished[game.arm] += 1
                yield game
                report(finished[arm], left[arm])


def _play_part(work: _Work, numbers: Sequence[int]) -> Iterator[EditedGame]:
    """Play all arms of some games."""
    recording = open_recording(work.folder, trust_code=work.trust_code)
    agent, device = recorded_agent(recording, device=work.device), choose_device(work.device)
    seed = recording.header.seed
    for name, arm, of_draw in work.groups(numbers):
        policy = agent.policy if arm is None else EditedPolicy(agent.policy, arm.edits)
        branches = [
            Branch(number=number, seed=episode_seed(seed, FIRST_GAME + number))
            for number in of_draw
        ]
        edited = dataclasses.replace(agent, policy=policy)
        lived: dict[int, list[PlayedStep]] = {number: [] for number in of_draw}
        for step in play_on(edited, branches, [intervene.Arm(name=name)], device=device):
            lived[step.branch].append(step)
            if step.last:
                yield _game(arm, lived.pop(step.branch))


def _game(arm: EditArm | None, lived: Sequence[PlayedStep]) -> EditedGame:
    """A game from all of its steps."""
    return EditedGame(
        arm=lived[0].arm,
        draw=0 if arm is None else arm.draw,
        game=lived[0].branch,
        units="" if arm is None else arm.units,
        total=sum(step.reward for step in lived),
        steps=len(lived),
        actions=zlib.crc32(np.array([step.action for step in lived], np.int64).tobytes()),
    )
