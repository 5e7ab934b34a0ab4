"""What holding bytes of Pong's RAM changes on the console's screen, beside what it is meant to.

    python -m benchmarks.ram_edits RECORDING [--states 40]

From states of a recorded game the recorded actions are played on with bytes held before every
emulator frame, and the screens are compared with the recorded ones: do they differ in nothing but
the pixels of the object that is meant, and for how long? Prints the table of docs/trust.md.

Shape letters: Y X screen.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from agentlens.envs.atari.regions import named_places
from agentlens.rollout.places import ram_edits
from agentlens.rollout.player import Player
from agentlens.rollout.seeds import EpisodeSeed
from agentlens.store.recording import Episode, open_recording
from benchmarks.results import INTERVENTIONS, write_result

COURT = slice(34, 194)
"""Rows of the court."""
LONGEST = 100
"""Decisions that an edit is followed for."""

Pixels = Callable[[np.ndarray], np.ndarray]
"""From a screen, uint8 [Y, X] palette indices, to the object's pixels, bool [Y, X]."""


def of_colour(index: int) -> Pixels:
    """The pixels of a colour within the court."""

    def pixels(screen: np.ndarray) -> np.ndarray:
        mask: np.ndarray = screen == index
        mask[: COURT.start] = mask[COURT.stop :] = False
        return mask

    return pixels


def score(screen: np.ndarray) -> np.ndarray:
    """The score's pixels: its whole region."""
    rows = slice(*map(int, named_places("pong").regions["score"].split(",")[0].split(":")))
    mask = np.zeros(screen.shape, bool)
    mask[rows] = True
    return mask


OPPONENT, OWN, BALL = of_colour(56), of_colour(200), of_colour(14)
EDITS: Mapping[str, Pixels] = {
    "score=freeze": score,
    "opponent=freeze": OPPONENT,
    "opponent=0": OPPONENT,
    "own-paddle=freeze": OWN,
    "own-paddle=0": OWN,
    "54=30": BALL,
}
"""Edits, and the object that each is to change. Byte 54 is the row of the ball, which has no name
since the opponent follows it."""


def steps_alike(
    episode: Episode, player: Player, start: int, edit: str, pixels: Pixels
) -> tuple[int, bool, bool]:
    """Play on from a step with an edit held.

    Returns:
        Decisions after which the screens still differed in nothing but the object, up to
        ``LONGEST``; whether the object changed at all after the first; whether the rewards were
        the recorded ones as long as the screens were alike.
    """
    world, words = player.environment, episode.seed_words
    player.begin(EpisodeSeed(words=(words[0], words[1], words[2], words[3])))
    for action in episode.actions[:start]:
        world.step(int(action))
    world.hold_ram(ram_edits([edit], "pong"))
    changed, rewards = False, True
    for step in range(start, min(start + LONGEST, len(episode) - 1)):
        outcome = world.step(int(episode.actions[step]))
        recorded = episode.screens.indices[step + 1]
        differs = world.screen != recorded
        if (differs & ~(pixels(world.screen) | pixels(recorded))).any():
            return step - start, changed, rewards
        changed = changed or bool(differs.any() and step == start)
        rewards = rewards and outcome.reward == episode.rewards[step]
    return LONGEST, changed, rewards


def figures(folder: Path, states: int) -> dict[str, dict[str, float]]:
    """By edit: share of states alike after one decision, share changed there, median decisions
    alike, share of states whose rewards stayed the recorded ones."""
    recording = open_recording(folder)
    episode = recording.episodes[0]
    player = Player(recording.header.agent, 0)
    starts = np.linspace(30, len(episode) - 2 - LONGEST, states).round().astype(int)
    table = {}
    for edit, pixels in EDITS.items():
        rows = [steps_alike(episode, player, int(start), edit, pixels) for start in starts]
        alike, changed, rewards = map(np.array, zip(*rows, strict=True))
        table[edit] = {
            "alike after one decision": float((alike >= 1).mean()),
            "changed after one decision": float(changed.mean()),
            "median decisions alike": float(np.median(alike)),
            "rewards as recorded": float(rewards.mean()),
        }
    return table


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recording", type=Path)
    parser.add_argument("--states", type=int, default=40)
    options = parser.parse_args()
    table = figures(options.recording, options.states)
    result = {"states": options.states, "edits": table}
    write_result("ram_edits", result, folder=INTERVENTIONS)
    headings = next(iter(table.values()))
    print("| edit | " + " | ".join(headings) + " |")
    print("|---" * (len(headings) + 1) + "|")
    for edit, row in table.items():
        cells = [f"{v:.0f}" if "median" in name else f"{v:.2f}" for name, v in row.items()]
        print(f"| `{edit}` | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
