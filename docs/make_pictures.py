"""Make the pictures of README.md and of the pages of docs.

    python docs/make_pictures.py readme
    python docs/make_pictures.py masks
    python docs/make_pictures.py words
    python docs/make_pictures.py intervention
    python docs/make_pictures.py gallery --policies FOLDER
    python docs/make_pictures.py methods [--names lan extremal]

FOLDER holds the public checkpoints named below, which only the gallery needs; they are not part of
this repository (their origins are in docs/gallery.md). ``--names`` makes some pictures only: scenes
of the gallery, or methods.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import av

import agentlens
from agentlens.cli import demo
from agentlens.drawing.draw import Draw
from agentlens.errors import AgentlensError
from agentlens.saliency.base import METHODS
from agentlens.saliency.methods.perturbation import Perturbation

DOCS = Path(__file__).resolve().parent
RECIPES = DOCS.parent / "tests" / "recipes"


@dataclass(frozen=True, kw_only=True)
class Scene:
    """An agent at one step of one seed; ``span`` steps around it share the picture's scale."""

    name: str
    agent: str
    step: int
    seed: int
    env: str | None = None
    format: str | None = None
    manifest: str | None = None
    planes: str = "all"
    span: int = 16


PONG = Scene(name="pong", agent="pong-ppo", step=124, seed=2, planes="each")
BREAKOUT = Scene(name="breakout-ppo", agent="breakout-ppo", step=150, seed=3)
INVADERS = Scene(name="spaceinvaders-ppo", agent="spaceinvaders-ppo", step=150, seed=3)
RECURRENT = Scene(name="pong-recurrent", agent="pong-recurrent", step=124, seed=2)
CROPPED = Scene(
    name="breakout",
    agent="baby-a3c/breakout/model.80.tar",
    step=150,
    seed=3,
    env="Breakout-v4",
    format="baby-a3c",
)
DQN = Scene(
    name="pong-dqn",
    agent="openaipong-dqn/pong-cnn-900.pkl",
    step=140,
    seed=1,
    manifest="openaipong-dqn.toml",
)
STACKED = Scene(
    name="breakout-a3c-ff",
    agent="async-rl-breakout-ff/a3c_ff_80M.pt",
    step=148,
    seed=4,
    manifest="async-rl-breakout.toml",
    planes="each",
)

KEPT = Scene(name="pong-lan", agent="pong-ppo", step=240, seed=1)

WORDS = (
    Scene(name="pong-words", agent="pong-ppo", step=706, seed=1, span=10),
    Scene(name="breakout-words", agent="breakout-ppo", step=150, seed=3, span=10),
)

GALLERY = (PONG, BREAKOUT, INVADERS, CROPPED, STACKED, DQN)
GAMES = {"pong": (PONG, RECURRENT), "breakout": (BREAKOUT,), "space-invaders": (INVADERS,)}
"""For the methods: agents of each game, the next where a method does not suit the first."""

SLOW = ("extremal", "fido", "lan", "meaningful-perturbation")
"""Methods that take seconds a step: two steps set the scale of their pictures, not six."""


def record(scene: Scene, policies: Path, folder: Path) -> agentlens.Recording:
    """Play the scene's episode a little past its step."""
    known = {entry.spec.name for entry in agentlens.list_agents()}
    name = scene.agent if scene.agent in known else str(policies / scene.agent)
    manifest = RECIPES / scene.manifest if scene.manifest else None
    agent = agentlens.load_agent(name, env=scene.env, format=scene.format, manifest=manifest)
    return agentlens.record(
        agent,
        output=folder / scene.name,
        play=agentlens.Play(seed=scene.seed, max_steps=scene.step + scene.span),
    )


def steps_around(scene: Scene) -> range:
    """The steps whose maps set the scale."""
    return range(scene.step - scene.span, scene.step + scene.span)


def gallery(policies: Path, folder: Path, names: list[str]) -> None:
    """One still an agent."""
    for scene in (scene for scene in GALLERY if not names or scene.name in names):
        recording = record(scene, policies, folder)
        maps = agentlens.explain(
            recording,
            Perturbation(planes=scene.planes, reference="blur"),
            steps=steps_around(scene),
        )
        output = DOCS / "images" / "gallery" / f"{scene.name}.png"
        agentlens.still(recording, maps, output, step=scene.step, draw=Draw(scale=2), force=True)
        print(output)


def methods(policies: Path, folder: Path, names: list[str]) -> None:
    """One still a method on one state of each game, of the first agent that it suits."""
    for game, scenes in GAMES.items():
        recordings = [record(scene, policies, folder) for scene in scenes]
        for name in names or METHODS.names():
            output = DOCS / "images" / "methods" / f"{name}-{game}.png"
            for scene, recording in zip(scenes, recordings, strict=True):
                around = 1 if name in SLOW else 3
                few = range(scene.step - around, scene.step + around)
                place = folder / scene.name / "of-methods" / name
                try:
                    maps = agentlens.explain(recording, name, steps=few, output=place)
                except AgentlensError as error:
                    print(f"{name} on {scene.name}: {error}")
                    continue
                agentlens.still(
                    recording,
                    maps,
                    output,
                    step=scene.step,
                    draw=Draw(scale=1, layout="compact"),
                    force=True,
                )
                print(output)
                break


def readme(policies: Path, folder: Path, names: list[str]) -> None:
    """The README's picture, which is the demo's."""
    recording, maps = demo.explained(
        agentlens.load_agent(demo.AGENT), agentlens.Compute(), folder / "demo"
    )
    _, picture = demo.drawn(recording, maps)
    print(demo.discovery(recording, maps))
    print(shutil.copy(picture, DOCS / "images" / picture.name))


def masks(policies: Path, folder: Path, names: list[str]) -> None:
    """The README's second picture: what pong-ppo's mask network says must stay."""
    play = agentlens.Play(seed=KEPT.seed, max_steps=KEPT.step + KEPT.span)
    recording = agentlens.record(KEPT.agent, output=folder / KEPT.name, play=play)
    network = DOCS.parent / "agents" / KEPT.agent / "masks"
    maps = agentlens.explain(recording, agentlens.methods.Lan(network=str(network)))
    output = DOCS / "images" / f"{KEPT.name}.png"
    draw = Draw(scale=2, layout="compact")
    agentlens.still(recording, maps, output, step=KEPT.step, draw=draw, force=True)
    print(output)


def words(policies: Path, folder: Path, names: list[str]) -> None:
    """The pictures of docs/objects.md: boxes, the map of erased objects, and the sentence."""
    for scene in WORDS:
        recording = record(scene, policies, folder)
        steps = steps_around(scene)
        agentlens.objects(recording)
        agentlens.describe(recording, steps=slice(steps.start, steps.stop))
        maps = agentlens.explain(recording, "objects", steps=steps)
        output = DOCS / "images" / f"{scene.name}.png"
        panels = ("header", "game", "heat", "caption", "actions")
        draw = Draw(scale=2, boxes=True, panels=panels)
        agentlens.still(recording, maps, output, step=scene.step, draw=draw, force=True)
        print(output)


def intervention(policies: Path, folder: Path, names: list[str]) -> None:
    """A picture from the video of an intervention: both continuations, what is hidden outlined."""
    recording = agentlens.record(
        "pong-ppo", output=folder / "pong", play=agentlens.Play(seed=1, max_steps=500)
    )
    change = agentlens.Intervention(hide=("court", "own-paddle"), random=False)
    play = agentlens.PlayOn(start=400, steps=90, repeats=2)
    result = agentlens.intervene(recording, change, play)
    video = agentlens.intervention_video(recording, result, folder / "pong.mp4")
    output = DOCS / "images" / "pong-intervention.png"
    with av.open(str(video)) as file:
        list(file.decode(video=0))[60].to_image().save(output)
    print(output)


SETS = {
    "readme": readme,
    "masks": masks,
    "words": words,
    "intervention": intervention,
    "gallery": gallery,
    "methods": methods,
}


def main() -> None:
    """Make one set of pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=list(SETS))
    parser.add_argument("--policies", type=Path, default=Path("policies"))
    parser.add_argument("--names", nargs="+", default=[])
    options = parser.parse_args()
    if options.what in ("gallery", "methods"):
        (DOCS / "images" / options.what).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        SETS[options.what](options.policies, Path(folder), options.names)


if __name__ == "__main__":
    main()
