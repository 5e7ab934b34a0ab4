"""Why an agent did one thing and not another at a step: odds, and the places that speak for each.

Shape letters: gy gx grid, H W observation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument, UnknownName
from agentlens.metrics._pixels import to_pixels
from agentlens.metrics._recorded import frames_of, median_picture
from agentlens.metrics._states import States
from agentlens.policies.agent import recorded_agent
from agentlens.rollout.distances import softmax
from agentlens.saliency.explain import explain
from agentlens.saliency.methods.perturbation import Perturbation
from agentlens.store.map_set import MapSet
from agentlens.store.recording import Episode, Recording, open_recording

TARGET = "contrast"
PLACES = 3
"""Places named for each action at most."""
_SHARE = 0.25
"""A place counts down to this share of the largest effect."""
_APART_PX = 8.0
"""Observation pixels between places that are told apart."""


@dataclass(frozen=True, kw_only=True)
class SpeakingPlace:
    """A place of the screen that speaks for one of the two actions.

    ``row``, ``column``: its middle on the native screen. ``effect``: by how much hiding it in
    every plane lowers the margin of the taken action over the other (logits, or Q); negative
    where it speaks for the other. ``odds_hidden``: how much the policy wants the two actions
    with the place hidden.
    """

    row: float
    column: float
    effect: float
    odds_hidden: tuple[float, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class WhyNot:
    """The answer for one step.

    ``taken``, ``other``: action meanings. ``odds``: how much the policy wants them:
    probabilities, or Q-values less their mean. ``pro``, ``contra``: places that speak for the
    taken action and for the other, the strongest first. ``maps``: the contrast map.
    """

    agent: str
    episode: int
    step: int
    taken: str
    other: str
    odds: tuple[float, float]
    unit: str
    pro: tuple[SpeakingPlace, ...]
    contra: tuple[SpeakingPlace, ...]
    maps: MapSet

    @property
    def sentence(self) -> str:
        """The answer in words."""
        first = (
            f"At step {self.step} {self.agent} takes {self.taken} ({self.odds[0]:.2f}) and not "
            f"{self.other} ({self.odds[1]:.2f})."
        )
        parts = [
            _spoken(name, places)
            for name, places in ((self.taken, self.pro), (self.other, self.contra))
        ]
        return " ".join([first, *parts])

    def as_json(self) -> dict[str, Any]:
        """The answer as plain values."""
        return {
            "agent": self.agent,
            "episode": self.episode,
            "step": self.step,
            "taken": self.taken,
            "other": self.other,
            "odds": list(self.odds),
            "unit": self.unit,
            "sentence": self.sentence,
            "pro": [dict(vars(place)) for place in self.pro],
            "contra": [dict(vars(place)) for place in self.contra],
        }


def whynot(
    recording: Recording | Path | str,
    other: str,
    *,
    step: int,
    episode: int = 0,
    compute: Compute = Compute(),
    output: Path | str | None = None,
) -> WhyNot:
    """Answer why an agent did not take another action.

    Args:
        recording: or its folder.
        other: the action it did not take, such as "LEFT".
        step: of the episode.
        episode: its index.
        compute: device, threads and engine.
        output: folder of the contrast map; ``maps/whynot-EPISODE-STEP-OTHER`` in the recording
            if not given.

    Returns:
        The odds of both actions, the contrast map, and the places that speak for each, every one
        hidden in turn to see what the policy wants then.

    Raises:
        UnknownName: the agent has no such action.
        InvalidArgument: no such episode or step, or the action is the one that was taken.
        AlreadyExists: other maps are in the folder.

    Notes:
        About 300 forward passes.
    """
    recording = open_recording(recording)
    spec, played = recording.header.agent, _episode(recording, episode, step)
    meanings = spec.action.meanings
    taken = _taken(played, step, meanings, other)
    method = Perturbation(targets=(TARGET,), action=taken, contrast=other)
    folder = Path(output or recording.folder / "maps" / f"whynot-{episode}-{step}-{other.lower()}")
    maps = explain(recording, method, steps={episode: [step]}, compute=compute, output=folder)
    agent = recorded_agent(recording)
    frames = frames_of(played, [step])
    median, explained = median_picture(recording), frames.actions.numpy()
    states = States(policy=agent.policy, frames=frames, median=median, explained=explained)
    pair = (meanings.index(taken), meanings.index(other))
    row = int(np.flatnonzero((maps.steps == step) & (maps.episodes == episode))[0])
    pixels = to_pixels(maps.values[row, 0, :1].astype(np.float64), maps.grid)[0]
    logits = agent.policy.kind == "logits"
    return WhyNot(
        agent=spec.name,
        episode=episode,
        step=step,
        taken=taken,
        other=other,
        odds=_odds(states.preferences[0], pair, logits=logits),
        unit="probability" if logits else "Q less its mean",
        pro=_places(pixels, 1.0, recording, states, pair),
        contra=_places(pixels, -1.0, recording, states, pair),
        maps=maps,
    )


def _taken(played: Episode, step: int, meanings: Sequence[str], other: str) -> str:
    """The action that was taken, once it is clear that the other is another."""
    if other not in meanings:
        raise UnknownName("action", other, meanings)
    taken = meanings[int(played.actions[step])]
    if other == taken:
        raise InvalidArgument(f"step {step}: {other} is what it took; name another action.")
    return taken


def _episode(recording: Recording, index: int, step: int) -> Episode:
    episodes: Mapping[int, Episode] = {e.index: e for e in recording.episodes}
    if index not in episodes:
        known = ", ".join(map(str, episodes)) or "none"
        raise InvalidArgument(f"episode {index}: {recording.folder} holds {known}.")
    if not 0 <= step < len(episodes[index]):
        raise InvalidArgument(
            f"step {step}: episode {index} has steps 0 to {len(episodes[index]) - 1}."
        )
    return episodes[index]


def _odds(preferences: np.ndarray, pair: tuple[int, int], *, logits: bool) -> tuple[float, float]:
    wanted = softmax(preferences) if logits else preferences - preferences.mean()
    return float(wanted[pair[0]]), float(wanted[pair[1]])


def _places(
    pixels: np.ndarray,
    sign: float,
    recording: Recording,
    states: States,
    pair: tuple[int, int],
) -> tuple[SpeakingPlace, ...]:
    """The peaks of one sign, with what the policy wants when a square there is hidden."""
    signed, largest = sign * pixels, float(np.abs(pixels).max())
    spec, logits = recording.header.agent.observation, states.policy.kind == "logits"
    rows, columns = np.indices(pixels.shape)
    places: list[SpeakingPlace] = []
    left = signed.copy()
    while len(places) < PLACES and largest > 0 and left.max() >= _SHARE * largest:
        row, column = np.unravel_index(left.argmax(), left.shape)
        near = np.maximum(np.abs(rows - row), np.abs(columns - column)) <= _APART_PX
        hidden = states.erase(near[None].astype(np.float32), np.zeros(1, np.int64))[0]
        screen = (recording.header.screen_shape[0], recording.header.screen_shape[1])
        on_screen = spec.to_screen(float(row), float(column), screen)
        places.append(
            SpeakingPlace(
                row=on_screen[0],
                column=on_screen[1],
                effect=float(pixels[row, column]),
                odds_hidden=_odds(hidden, pair, logits=logits),
            )
        )
        left[near] = -np.inf
    return tuple(places)


def _spoken(action: str, places: tuple[SpeakingPlace, ...]) -> str:
    if not places:
        return f"No place speaks for {action}."
    first = places[0]
    more = f" (and {len(places) - 1} more)" if len(places) > 1 else ""
    return (
        f"For {action} speaks the place at row {first.row:.0f}, column {first.column:.0f} of the "
        f"screen{more}: with it hidden they are {first.odds_hidden[0]:.2f} and "
        f"{first.odds_hidden[1]:.2f}."
    )
