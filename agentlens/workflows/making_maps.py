"""Maps as a stage of a longer job: refused early, with an estimate soon, found again later."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from agentlens.compute import Compute
from agentlens.envs.alike import merge_groups
from agentlens.errors import InvalidArgument
from agentlens.policies.agent import Agent
from agentlens.progress import Progress, silent
from agentlens.saliency.base import RecordingFacts, SaliencyMethod
from agentlens.saliency.configure import configure
from agentlens.saliency.map_run import MapRun, finished_maps, learned_artefact, make_maps
from agentlens.store.maps import MapSet, open_maps
from agentlens.store.recording import Recording

WORTH_SAYING_S = 10.0
MEASURED_FOR_S = 1.0


def explain_aloud(
    run: MapRun,
    *,
    force: bool = False,
    progress: Progress = silent,
    say: Callable[[str], None] = lambda line: None,
) -> MapSet:
    """Explain, and say as soon as the first maps tell how long it will take, or that nothing is to
    do.

    Args:
        run: from ``prepare_maps``.
        force, progress: as ``explain``.
        say: called with a line for the user.

    Raises:
        InvalidArgument: whatever ``explain`` raises.
    """
    if not force and finished_maps(run) is not None:
        say(f"nothing to do: the {len(run)} maps are there already")
    return make_maps(run, force=force, progress=_Forecast(progress, say))


class _Forecast:
    """Passes reports on, and says once how long the rest will take, from the maps made so far."""

    def __init__(self, progress: Progress, say: Callable[[str], None]) -> None:
        self._progress, self._say = progress, say
        self._first: tuple[int, float] | None = None
        self._told = False

    def __call__(self, done: int, total: int) -> None:
        self._progress(done, total)
        now = time.monotonic()
        if self._first is None:
            self._first = (done, now)
        maps, spent = done - self._first[0], now - self._first[1]
        if self._told or maps <= 0 or spent < MEASURED_FOR_S:
            return
        self._told = True
        left = spent / maps * (total - done)
        if left > WORTH_SAYING_S:
            self._say(f"explaining the other {total - done} steps takes about {_duration(left)}")


def check_method(
    method: str | SaliencyMethod, agent: Agent, compute: Compute = Compute()
) -> SaliencyMethod:
    """The method with checked options, once it is clear that it can explain this agent.

    For use before the first game is played: whatever of a method can be refused is refused here.

    Raises:
        UnknownName: no such method, target or action.
        InvalidArgument: an impossible option, or one that this agent does not allow, such as a mask
            network of another agent.
        MissingExtra: the method needs a package that is not installed.
    """
    configured, spec = configure(method), agent.spec
    groups = merge_groups(spec.environment.game, spec.action.meanings)
    named = configured.artefact
    learned = None if named is None else learned_artefact(named, agent)
    configured.bind(agent.policy, compute, RecordingFacts(action_groups=groups, artefact=learned))
    return configured


def maps_of(recording: Recording, folder: Path | None) -> MapSet | None:
    """Open the named map set, or the recording's only one; ``None`` where it has none.

    Raises:
        InvalidArgument: several map sets and none named.
    """
    if folder is not None:
        return open_maps(folder)
    folders = sorted(p.parent for p in (recording.folder / "maps").glob("*/maps.json"))
    if len(folders) > 1:
        names = ", ".join(str(p) for p in folders)
        raise InvalidArgument(
            f"{recording.folder} has {len(folders)} map sets ({names}): name one with --maps."
        )
    return open_maps(folders[0]) if folders else None


def completeness_lines(maps: MapSet) -> list[str]:
    """By how much the sums of maps miss what they should add up to, a line a target."""
    if maps.gaps is None:
        return []
    lines = []
    for index, target in enumerate(maps.header.targets):
        gaps = maps.gaps[:, index]
        mass = np.abs(maps.values[:, index].astype(np.float64)).sum((1, 2, 3)).max(initial=0)
        share = f" ({gaps.max() / mass:.2g} of the largest map's mass)" if mass > 0 else ""
        lines.append(
            f"completeness of {target.name}: sums miss the output's difference by "
            f"{np.median(gaps):.2g} {target.unit} in the middle, {gaps.max():.2g} at most{share}"
        )
    return lines


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
