"""The causal test: play on with a region hidden or RAM held, beside an untouched twin."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.policies.agent import recorded_agent
from agentlens.policies.device import choose_device
from agentlens.progress import Progress, silent
from agentlens.provenance import provenance
from agentlens.rollout.intervene import Branch, PlayedStep, play_on
from agentlens.rollout.seeds import EpisodeSeed, episode_seed
from agentlens.store.recording import Recording, open_recording
from agentlens.store.tables import write_table
from agentlens.workflows.intervene_arms import arms_of
from agentlens.workflows.intervene_options import Intervention, PlayOn
from agentlens.workflows.intervene_result import InterventionResult
from agentlens.workflows.processes import in_processes, parts_for


def intervene(
    recording: Recording | Path | str,
    intervention: Intervention,
    play: PlayOn | None = None,
    *,
    compute: Compute | None = None,
    output: Path | str | None = None,
    progress: Progress = silent,
) -> InterventionResult:
    """Find out whether an agent's play depends on a region, the top of a map, or a byte of RAM.

    The recorded game is replayed bit for bit to the step; from there the agent plays on twice
    under the same chances: untouched, and with the change. Where something is hidden, a third
    arm hides a random region of the same shape and size. Whole games (start 0, steps 0) are
    those that ``record`` would play under the recording's seed.

    Args:
        recording: whose agent and game, or its folder.
        intervention: what is changed.
        play: from where, how long, how often; 20 whole games if not given.
        compute: ``threads``: processes that play side by side, 0 for one a core.
        output: where the table of decisions is written (``<output>.parquet`` and ``.csv``).
        progress: called with games finished and to play.

    Returns:
        Every decision of every arm, and the figures drawn from them.

    Raises:
        UnknownName, InvalidArgument: no such region, byte, method, step or episode.
        EmulatorError: the replay differs from the recording.
        DiskError: the table cannot be written.

    Notes:
        A whole game of Pong costs about 5 seconds of one core, a hidden one twice as much.
    """
    recording, play = open_recording(recording), play or PlayOn()
    compute = compute or Compute()
    device = choose_device(compute.device)
    agent = recorded_agent(recording)
    _check(recording, play)
    arms = arms_of(recording, agent, intervention, branches_of(recording, play, range(1)))
    run = functools.partial(
        _play_part, recording.folder, recording.trust_code, intervention, play, str(device)
    )
    rows, finished = [], 0
    for row in in_processes(run, parts_for(compute, device, play.repeats)):
        rows.append(row)
        if row.last:
            finished += 1
            progress(finished, len(arms) * play.repeats)
    result = InterventionResult.of(rows, agent.spec, intervention, play)
    if output is not None:
        made = provenance(device=str(device), recording=recording.header.identity)
        write_table(output, result.columns(), {**made, "changes": ", ".join(intervention.changes)})
    return result


def _play_part(
    folder: Path,
    trust_code: bool,
    intervention: Intervention,
    play: PlayOn,
    device: str,
    numbers: Sequence[int],
) -> Iterator[PlayedStep]:
    """Play all arms of some branches."""
    recording, where = open_recording(folder, trust_code=trust_code), choose_device(device)
    agent = recorded_agent(recording, device=device)
    branches = branches_of(recording, play, numbers)
    arms = arms_of(recording, agent, intervention, branches)
    yield from play_on(agent, branches, arms, steps=play.steps, device=where)


def _check(recording: Recording, play: PlayOn) -> None:
    """Refuse an episode or a step that is not there."""
    if play.whole_games:
        return
    lengths = {episode.index: len(episode) for episode in recording.episodes}
    if play.episode not in lengths:
        known = ", ".join(map(str, lengths)) or "none"
        raise InvalidArgument(f"episode {play.episode}: {recording.folder} holds {known}.")
    if play.start >= lengths[play.episode]:
        raise InvalidArgument(
            f"step {play.start}: episode {play.episode} has steps 0 to {lengths[play.episode] - 1}."
        )


def branches_of(recording: Recording, play: PlayOn, numbers: Sequence[int]) -> list[Branch]:
    """Where the pairs of these numbers begin, and with which chances."""
    if play.whole_games:
        seed = recording.header.seed
        return [Branch(number=number, seed=episode_seed(seed, number)) for number in numbers]
    episode = next(e for e in recording.episodes if e.index == play.episode)
    words = episode.seed_words
    return [
        Branch(
            number=number,
            seed=EpisodeSeed(words=(words[0], words[1], words[2], words[3])),
            episode=episode,
            step=play.start,
            redraw=number,
        )
        for number in numbers
    ]
