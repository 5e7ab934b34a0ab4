"""How much of each rung's saliency maps lies on the ball: four states of one Breakout run.

    python docs/ball_mass.py --output FOLDER
    python docs/ball_mass.py --output FOLDER --picture FILE.png

The last agent plays whole games from seed 0; every rung is asked about the same states of them, in
which the ball is in sight below the wall. A map's mass on the ball is the share of its values at
grid points in the ball's box, grown by one standard deviation of the discs that made the map: once
with the newest frame's ball, once with the ball of all four frames that the agent sees. Beside it
stand the energy control (how much hiding a place changes the picture itself), the share of the
grid that is counted, the mass on where the ball was at another state, and a network of the same
layers with weights drawn at random: what is no more than these says nothing about the ball. The
first column of figures is the median sum of a map, how much hiding places does at all. What FOLDER
holds already is used again; ``--picture`` draws one of its states as every rung sees it.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
from PIL import Image

import agentlens
from agentlens.comparison.screen_maps import ScreenMaps, to_screen_maps
from agentlens.drawing.draw import Draw
from agentlens.envs.atari.objects import boxes_of, objects_of, ram_of
from agentlens.metrics._randomised import randomised_policy
from agentlens.saliency.methods.perturbation import Perturbation

RUNGS = ("breakout-ppo-ladder-1", "breakout-ppo-ladder-2", "breakout-ppo-ladder-3", "breakout-ppo")
UNTRAINED = "untrained"
GAMES, STATES = 3, 20
"""Whole games of the last agent, and states of each."""
BELOW_THE_WALL = 93
"""Screen row; above it the ball takes the colours of the bricks."""
FRAMES = 4
BLOCK = 256
ROW = "{:<23}{:<8}{:>10}{:>13}{:>13}{:>13}{:>13}"


def ball_edges(recording: agentlens.Recording, game: int) -> tuple[np.ndarray, np.ndarray]:
    """The ball of every step: float64 [T, 4] (top, bottom, left, right), and where it is seen.

    Seen: bool [T], drawn below the wall in all of the last four frames.
    """
    episode, finder = recording.episodes[game], objects_of(recording).finder
    edges, seen = [], []
    for start in range(0, len(episode), BLOCK):
        screens = episode.screens.indices[start : start + BLOCK]
        boxes = boxes_of(screens, ram_of(episode)[start : start + BLOCK], finder)
        ball = boxes.names.index("ball")
        edges.append(boxes.edges[:, ball].astype(np.float64))
        seen.append(boxes.drawn[:, ball] & (edges[-1][:, 0] >= BELOW_THE_WALL))
    drawn = np.concatenate(seen)
    lasting = drawn.copy()
    for back in range(1, FRAMES):
        lasting[back:] &= drawn[:-back]
        lasting[:back] = False
    return np.concatenate(edges), lasting


def near(maps: ScreenMaps, boxes: np.ndarray, reach: tuple[float, float]) -> np.ndarray:
    """Grid points within ``reach`` screen pixels of any box: bool [T, gy, gx] of [T, K, 4]."""
    top, bottom, left, right = np.moveaxis(boxes, 2, 0)[..., None]
    rows, columns = np.array(maps.grid.rows), np.array(maps.grid.columns)
    high = (rows >= top - reach[0]) & (rows < bottom + reach[0])
    wide = (columns >= left - reach[1]) & (columns < right + reach[1])
    return (high[..., :, None] & wide[..., None, :]).any(axis=1)


def shares(values: np.ndarray, places: np.ndarray, games: np.ndarray) -> str:
    """Mean share of a map's mass in ``places``, with the least and greatest mean of a game."""
    total = values.sum(axis=(1, 2))
    kept = total > 0
    share = (values * places).sum(axis=(1, 2))[kept] / total[kept]
    means = [100 * share[games[kept] == game].mean() for game in np.unique(games[kept])]
    return f"{100 * share.mean():.0f} ({min(means):.0f}-{max(means):.0f}) %"


def told(name: str, maps: agentlens.MapSet, agent: agentlens.Agent, balls: np.ndarray) -> None:
    """One line a map: balls float64 [T, 4 frames, 4 edges], newest last."""
    observation = agent.spec.observation
    unit = [observation.to_screen(1.0, 1.0)[i] - observation.to_screen(0.0, 0.0)[i] for i in (0, 1)]
    reach = (5.0 * unit[0], 5.0 * unit[1])
    for role in ("actor", "critic"):
        own = to_screen_maps(maps, role, observation)
        if own is None:
            continue
        newest, every = near(own, balls[:, -1:], reach), near(own, balls, reach)
        elsewhere = np.roll(every, len(every) // 2, axis=0)
        parts = [shares(own.values, part, own.episodes) for part in (newest, every, elsewhere)]
        total = f"{np.median(own.values.sum(axis=(1, 2))):.2g}"
        print(ROW.format(name, role, total, *parts, f"{100 * every.mean():.0f} %"), flush=True)
    if own is not None and own.energy is not None and name == RUNGS[-1]:
        parts = [shares(own.energy, part, own.episodes) for part in (newest, every, elsewhere)]
        print(ROW.format("(no agent)", "energy", "", *parts, f"{100 * every.mean():.0f} %"))


def rungs() -> dict[str, agentlens.Agent]:
    """The agents by name, first one whose every layer is drawn at random (seed 0)."""
    agents = {name: agentlens.load_agent(name) for name in RUNGS}
    last = agents[RUNGS[-1]]
    forgetful = dataclasses.replace(last, policy=randomised_policy(last.policy, 0), folder=None)
    return {UNTRAINED: forgetful, **agents}


def seat(
    home: agentlens.Recording, agent: agentlens.Agent, folder: Path, compute: agentlens.Compute
) -> agentlens.Recording:
    """The agent asked about every state of ``home``."""
    if folder.exists():
        return agentlens.open_recording(folder)
    return agentlens.revisit(home, agent, output=folder, compute=compute)


def picture(folder: Path, output: Path, game: int = 1, place: int = 6) -> None:
    """Draw one state, a column a rung: the actor's heat above the critic's, each on its own scale.

    Args:
        folder: as the measurement left it.
        output: png.
        game: index of the game; place: of the state among those of the game.
    """
    columns = []
    for name in (*RUNGS[:-1], "home"):
        recording = agentlens.open_recording(folder / name)
        maps = agentlens.open_maps(recording.folder / "maps" / "perturbation")
        step = int(maps.steps[maps.episodes == game][place])
        part = folder / f"{name}.png"
        draw = Draw(panels=["heat"], scale=1)
        agentlens.still(recording, maps, part, step=step, episode=game, draw=draw, force=True)
        with Image.open(part) as drawn:
            actor, _, critic = np.split(
                np.asarray(drawn.convert("RGB"))[:, 8:-8], [256, 256], axis=1
            )
        columns.append(np.concatenate([actor, critic]))
    Image.fromarray(np.concatenate(columns, axis=1)).quantize(128).save(output, optimize=True)
    print(f"{output}: game {game}, step {step}")


def main() -> None:
    """Play, ask, explain, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("recordings/ball-mass"))
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--picture", type=Path, default=None)
    options = parser.parse_args()
    if options.picture is not None:
        picture(options.output, options.picture)
        return
    compute = agentlens.Compute(threads=options.threads)
    agents = rungs()
    place = options.output / "home"
    if not place.exists():
        play = agentlens.Play(episodes=GAMES, seed=0)
        agentlens.record(agents[RUNGS[-1]], output=place, play=play, compute=compute)
    home = agentlens.open_recording(place)
    steps, balls = [], []
    for game in range(GAMES):
        edges, seen = ball_edges(home, game)
        there = np.flatnonzero(seen)
        chosen = there[np.linspace(0, len(there) - 1, STATES).astype(int)]
        steps.append([int(home.episodes[game].steps[row]) for row in chosen])
        balls += [edges[row - FRAMES + 1 : row + 1] for row in chosen]
    print(f"{GAMES * STATES} states of {RUNGS[-1]}'s play, perturbation, median of the recording")
    print(
        ROW.format(
            "agent", "map", "sum", "newest ball", "four frames", "other state", "of the grid"
        )
    )
    for name, agent in agents.items():
        asked = home
        if name != RUNGS[-1]:
            asked = seat(home, agent, options.output / name, compute)
        for game in range(GAMES):
            maps = agentlens.explain(
                asked, Perturbation(), steps=steps[game], episodes=[game], compute=compute
            )
        wanted = [(game, step) for game in range(GAMES) for step in steps[game]]
        if list(zip(maps.episodes.tolist(), maps.steps.tolist(), strict=True)) != wanted:
            raise SystemExit(f"{options.output} holds maps of other states: name another folder.")
        told(name, maps, agent, np.array(balls))


if __name__ == "__main__":
    main()
