"""Does a network that also has to say where the objects are look at them more?

    python -m agents.attribute_loss RECORDING [--seeds 3] [--updates 150] [--weight 0.1]

The recorded agent learns on from its own weights: to keep its policy (KL to what it was), and to
say where the objects are (squared error of their standardised places where they are drawn, read
linearly from its last layer, times a weight). The control learns the places of other steps with
the same loss: what it changes too is not due to the objects. On steps that none learned from: the
KL to the agent as it was, the share of equal preferred actions, and how much of the perturbation
maps (KL) lies on objects.

After Xu et al. 2020 (EAT): attribute prediction as a second task. Deviations: a trained policy that
is kept, instead of training from reward or class labels; places instead of class attributes.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from agentlens.compute import Compute
from agentlens.metrics._recorded import bind, median_picture
from agentlens.network.places import Place, find_place
from agentlens.network.students import imitation_loss
from agentlens.network.taps import read_places
from agentlens.policies.agent import load_agent
from agentlens.policies.base import Policy
from agentlens.saliency.base import FrameBatch
from agentlens.saliency.methods.perturbation import Perturbation
from agentlens.store.recording import Recording, open_recording
from agentlens.workflows.dissect import SampledSteps, sample_steps, usual_places

LEARNED_SHARE = 0.8
METHOD = Perturbation(targets=("kl",), reference="blur", radius=4, stride=6)
"""Blur: the median background differs from a frame at objects alone, so any map would lie there."""

NOTHING, PLACES, OTHERS = "nothing", "places", "places of other steps"
_RIDGE = 100.0
_GROWN_PX = 4
"""Observation pixels around an object that count as on it: the discs' radius."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One network on the held steps.

    ``labels``: what it learned to say, "nothing" for the agent as it was. ``kl``: from that, nats.
    ``agreement``: share of equal preferred actions. ``mass``: mean share of a map on objects.
    ``places``: R^2 of the places that it says, NaN for nothing.
    """

    labels: str
    seed: int
    kl: float
    agreement: float
    mass: float
    places: float


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """How long and how strongly: ``updates`` of Adam, ``batch`` steps each, ``weight`` of the
    places' loss."""

    updates: int = 150
    batch: int = 64
    learning_rate: float = 1e-4
    weight: float = 0.1
    seed: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Material:
    """An agent's policy, the steps of its recording, and the layer that places are read from.

    ``places``: float32 [T, D], standardised, NaN where an object is not drawn.
    """

    recording: Recording
    teacher: Policy
    steps: SampledSteps
    places: Tensor
    layer: Place

    @property
    def learned(self) -> int:
        """The first steps, which are learned from; the rest is judged on."""
        return int(LEARNED_SHARE * len(self.places))


def prepare(recording: Recording, most: int = 1600) -> Material:
    """What all networks of a recording share."""
    teacher = load_agent(recording.agent_folder).policy
    steps = sample_steps(recording, most)
    return Material(
        recording=recording,
        teacher=teacher,
        steps=steps,
        places=standardised(steps),
        layer=find_place(teacher, usual_places(teacher)[-1]),
    )


def learn(material: Material, places: Tensor, lesson: Lesson) -> tuple[Policy, nn.Linear]:
    """The agent's policy after learning on, and what reads places [T, D] from its layer."""
    count, layer = material.learned, material.layer
    observations = torch.from_numpy(material.steps.observations[:count])
    policy = copy.deepcopy(material.teacher).requires_grad_(True)
    with torch.no_grad():
        parts = [look(material.teacher, layer, part) for part in observations.split(64)]
    wanted = torch.cat([logits for logits, _ in parts])
    head = fitted(torch.cat([values for _, values in parts]), places[:count])
    optimiser = torch.optim.Adam([*policy.parameters(), *head.parameters()], lesson.learning_rate)
    generator = torch.Generator().manual_seed(lesson.seed)
    for _ in range(lesson.updates):
        rows = torch.randint(count, (min(lesson.batch, count),), generator=generator)
        logits, values = look(policy, layer, observations[rows])
        drawn = ~places[rows].isnan()
        loss = imitation_loss(wanted[rows], logits, policy.kind)
        loss = loss + lesson.weight * (head(values) - places[rows])[drawn].square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return policy.requires_grad_(False), head.requires_grad_(False)


def look(policy: Policy, layer: Place, observations: Tensor) -> tuple[Tensor, Tensor]:
    """Logits [B, A] and the layer [B, C]."""
    output, values = read_places(policy, [layer], observations, None)
    return output.preferences, values[layer.name]


def fitted(layer: Tensor, places: Tensor) -> nn.Linear:
    """The ridge that reads places [T, D] from a layer [T, C], where learning begins; missing places
    count as their mean."""
    wide = layer.double()
    mean = wide.mean(0)
    gram = (wide - mean).T @ (wide - mean) + _RIDGE * torch.eye(wide.shape[1]).double()
    weights = torch.linalg.solve(gram, (wide - mean).T @ places.nan_to_num().double())
    head = nn.Linear(wide.shape[1], places.shape[1])
    head.weight.data, head.bias.data = weights.T.float(), -(mean @ weights).float()
    return head


@torch.no_grad()
def judge(
    material: Material, policy: Policy, head: nn.Linear | None, places: Tensor, *, states: int
) -> dict[str, float]:
    """The figures of a ``Trial`` on the held steps; maps of some of them."""
    held = np.arange(material.learned, len(places))
    observations = torch.from_numpy(material.steps.observations[held])
    wanted, _ = look(material.teacher, material.layer, observations)
    given, values = look(policy, material.layer, observations)
    fit = float("nan")
    if head is not None:
        target = places[material.learned :]
        drawn = ~target.isnan()
        misses = (head(values) - target)[drawn].square().mean()
        fit = float(1 - misses / (target[drawn] - target[drawn].mean()).square().mean())
    mapped = held[np.unique(np.linspace(0, len(held) - 1, states).astype(int))]
    return {
        "kl": float(imitation_loss(wanted, given, policy.kind)),
        "agreement": float((wanted.argmax(1) == given.argmax(1)).float().mean()),
        "mass": mass_on_objects(policy, material.recording, material.steps, mapped),
        "places": fit,
    }


def mass_on_objects(
    policy: Policy, recording: Recording, steps: SampledSteps, rows: np.ndarray
) -> float:
    """The mean share of KL maps at grid points on or near an object of the newest frame."""
    explainer = bind(METHOD, policy, median_picture(recording), Compute(threads=1))
    observations = torch.from_numpy(steps.observations[rows])
    frames = FrameBatch(
        observations=observations,
        actions=policy(observations, None).preferences.argmax(1),
        states=None,
        episodes=np.zeros(len(rows), np.int64),
        steps=rows,
    )
    values = explainer(frames).values[:, 0, 0].clamp(min=0).double().numpy()
    near = torch.from_numpy(np.any(list(steps.masks.values()), axis=0)[rows]).float()[:, None]
    size = 2 * _GROWN_PX + 1
    grown = nn.functional.max_pool2d(near, size, stride=1, padding=_GROWN_PX)[:, 0].numpy() > 0
    grid = explainer.grid
    at = np.ix_(np.round(grid.rows).astype(int), np.round(grid.columns).astype(int))
    on = np.stack([picture[at] for picture in grown])
    sums = np.maximum(values.sum((1, 2)), 1e-300)
    return float(((values * on).sum((1, 2)) / sums).mean())


def standardised(steps: SampledSteps) -> Tensor:
    """The objects' places: float32 [T, D], NaN where not drawn; those that change."""
    columns = np.stack(list(steps.coordinates.values()), 1)
    spread = np.nanstd(columns, axis=0)
    moving = spread >= 1
    table = (columns - np.nanmean(columns, axis=0)) / np.where(moving, spread, 1)
    return torch.from_numpy(table[:, moving].astype(np.float32))


def trials(material: Material, lesson: Lesson, *, seeds: int, states: int) -> list[Trial]:
    """The agent as it was, then both networks of every seed, each line printed as it comes."""
    rows = []
    rolled = torch.roll(material.places, len(material.places) // 2, 0)
    print(f"{'learned to say':26} seed      KL  agrees  on objects  places R^2")
    plan = [(NOTHING, 0, material.places)]
    for seed in range(seeds):
        plan += [(PLACES, seed, material.places), (OTHERS, seed, rolled)]
    for labels, seed, places in plan:
        policy, head = material.teacher, None
        if labels != NOTHING:
            policy, head = learn(material, places, replace(lesson, seed=seed))
        figures = judge(material, policy, head, places, states=states)
        row = Trial(labels=labels, seed=seed, **figures)
        rows.append(row)
        print(
            f"{labels:26} {seed:4d} {row.kl:7.3f} {row.agreement:7.1%} {row.mass:11.1%} "
            f"{row.places:11.2f}",
            flush=True,
        )
    return rows


def summary(rows: Sequence[Trial]) -> str:
    """Changes of the mass on objects, in points."""
    before = next(row.mass for row in rows if row.labels == NOTHING)
    parts = []
    for labels in (PLACES, OTHERS):
        gains = [100 * (row.mass - before) for row in rows if row.labels == labels]
        each = ", ".join(f"{gain:+.1f}" for gain in gains)
        parts.append(f"{labels} {np.mean(gains):+.1f} points ({each})")
    return f"mass on objects, {100 * before:.1f} % before: {'; '.join(parts)}"


def main() -> None:
    """Print a line a network and the summary."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("recording", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=150)
    parser.add_argument("--weight", type=float, default=0.1)
    parser.add_argument("--states", type=int, default=40)
    options = parser.parse_args()
    torch.set_num_threads(1)
    material = prepare(open_recording(options.recording))
    lesson = Lesson(updates=options.updates, weight=options.weight)
    print(summary(trials(material, lesson, seeds=options.seeds, states=options.states)))


if __name__ == "__main__":
    main()
