"""A few numbers of a layer that keep the policy, beside as many principal components.

Shape letters: T steps, C units of the layer, E numbers, A actions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.network.concepts import (
    Embedding,
    EmbeddingPlan,
    learn_embedding,
    learn_head,
    locality,
    orthogonality,
    policy_kl,
    sensitivities,
)
from agentlens.network.places import Place
from agentlens.network.taps import CHUNK, tap
from agentlens.policies.base import Policy
from agentlens.provenance import provenance
from agentlens.store.artefacts import Artefact, refuse_existing, write_artefact
from agentlens.store.recording import Episode, Recording, open_recording
from agentlens.store.tables import NUMBERS, refuse_existing_table, write_table
from agentlens.workflows.inside import MOST_LEARNED, Inside, look_inside

PURPOSE = "embedding"
"""What the artefact says that it is."""

_LEAST_IN_SIGHT = 10


@dataclass(frozen=True, kw_only=True)
class NamedNumber:
    """The coordinate of an object that one number follows best.

    ``correlation``: Pearson's, over the steps where the object is drawn; NaN where the number is
    constant. ``rolled``: the largest absolute correlation with any coordinate, the steps rolled
    by half of them: what a name is worth that means nothing.
    """

    number: int
    coordinate: str
    correlation: float
    rolled: float


@dataclass(frozen=True, kw_only=True)
class NumbersFit:
    """How well some numbers say the policy, on held-out steps.

    ``kl``: nats, from the policy to the one that the numbers give. ``orthogonality``: 1 less the
    mean absolute correlation between them. ``locality``: 1 where each depends on one unit, 0 where
    on all alike. ``named``: one a number.
    """

    kl: float
    orthogonality: float
    locality: float
    named: tuple[NamedNumber, ...]


@dataclass(frozen=True, kw_only=True)
class ConceptResult:
    """What ``find_concepts`` wrote and measured.

    ``path``: of the table, without a suffix, and of the artefact's folder. ``curves``: of the table
    with the numbers at every step, which the panel "numbers" of a video draws. ``learned``,
    ``held``: how many steps. ``components``: as many principal components with a linear map to the
    preferences. ``constant_kl``: of the mean policy, which needs no number at all.
    """

    path: Path
    curves: Path
    learned: int
    held: int
    embedding: NumbersFit
    components: NumbersFit
    constant_kl: float


def find_concepts(
    recording: Recording | Path | str,
    place: str,
    plan: EmbeddingPlan | None = None,
    *,
    compute: Compute = Compute(),
    output: Path | str | None = None,
    force: bool = False,
) -> ConceptResult:
    """Learn numbers on the first four fifths of the steps, measure them on the rest.

    Args:
        recording: or its folder, of an Atari game.
        place: a vector or memory, such as "torso.8".
        plan: how many numbers, how long; 5 if not given.
        compute: where.
        output: path without a suffix; ``concepts-PLACE`` in the recording's folder if not given.
        force: replace what is there already.

    Raises:
        UnknownName, InvalidArgument: no such place, more numbers than units, or what
            ``look_inside`` refuses.
        AlreadyExists: an embedding, its table or the place's curves are there, without ``force``.
    """
    plan, recording = plan or EmbeddingPlan(), open_recording(recording)
    path = Path(output) if output is not None else recording.folder / f"concepts-{place}"
    curves = recording.folder / NUMBERS / f"concepts-{place}"
    if not force:
        _refuse_existing(path, curves)
    inside = look_inside(recording, compute=compute, most=MOST_LEARNED)
    where = inside.vector_place(place)
    if plan.numbers > min(where.units, inside.learned.stop):
        raise InvalidArgument(
            f"{plan.numbers} numbers of {where.units} units on {inside.learned.stop} steps: "
            "expected at most as many."
        )
    layer, wanted = inside.layer(where), inside.preferences
    learned, held, spread = inside.learned, inside.held, layer[inside.held].std(0)
    model = learn_embedding(layer[learned], wanted[learned], plan)
    directions = principal_directions(layer[learned], plan.numbers)
    components = principal_numbers(layer, layer[learned], directions)
    head = learn_head(components[learned], wanted[learned], plan)
    with torch.no_grad():
        numbers = model.embed(torch.from_numpy(layer[held]))
        given = model.outputs(numbers).numpy()
        dense = head(torch.from_numpy(components[held])).numpy()
    coordinates = {name: v[held] for name, v in inside.steps.coordinates.items()}
    slopes = sensitivities(model, layer[held])
    result = ConceptResult(
        path=path,
        curves=curves,
        learned=len(wanted[learned]),
        held=len(wanted[held]),
        embedding=_fit(wanted[held], given, numbers.numpy(), coordinates, slopes),
        components=_fit(wanted[held], dense, components[held], coordinates, directions * spread),
        constant_kl=policy_kl(wanted[held], _mean_policy(wanted[learned], len(wanted[held]))),
    )
    _write(result, model, inside, place)
    _write_curves(result, model, inside, where)
    return result


def _refuse_existing(path: Path, curves: Path) -> None:
    """Refuse to write over an embedding, its table or a place's curves."""
    refuse_existing(path)
    refuse_existing_table(path)
    refuse_existing_table(curves)


def principal_directions(layer: np.ndarray, count: int) -> np.ndarray:
    """The first principal components of a layer [N, C], each over its spread: float64 [E, C]."""
    centre = layer.mean(0, dtype=np.float64)
    _, sizes, directions = np.linalg.svd(layer - centre, full_matrices=False)
    spread = np.maximum(sizes[:count] / np.sqrt(len(layer)), 1e-6)
    return np.asarray(directions[:count] / spread[:, None])


def principal_numbers(
    layer: np.ndarray, fitted_on: np.ndarray, directions: np.ndarray
) -> np.ndarray:
    """A layer [T, C] along directions [E, C], from the mean of the steps that they are fitted on:
    float32 [T, E], each of spread 1 on those."""
    return np.asarray((layer - fitted_on.mean(0, dtype=np.float64)) @ directions.T, np.float32)


def name_numbers(
    numbers: np.ndarray, coordinates: Mapping[str, np.ndarray]
) -> tuple[NamedNumber, ...]:
    """The coordinate that each number [T, E] follows best, by absolute correlation.

    Args:
        numbers: [T, E].
        coordinates: by name [T], NaN where the object is not drawn.

    Raises:
        InvalidArgument: no coordinate changes.
    """
    if not coordinates:
        raise InvalidArgument("no object moves in these steps: record a longer game.")
    named = []
    for number, values in enumerate(numbers.T):
        own = {name: _correlation(values, given) for name, given in coordinates.items()}
        rolled = [
            _correlation(np.roll(values, len(values) // 2), given) for given in coordinates.values()
        ]
        best = max(own, key=lambda name: np.nan_to_num(abs(own[name]), nan=-1.0))
        largest = float(np.max(np.abs(np.nan_to_num(rolled))))
        named.append(
            NamedNumber(number=number, coordinate=best, correlation=own[best], rolled=largest)
        )
    return tuple(named)


def _correlation(values: np.ndarray, given: np.ndarray) -> float:
    seen = np.isfinite(given)
    if seen.sum() < _LEAST_IN_SIGHT or values[seen].std() == 0 or given[seen].std() == 0:
        return float("nan")
    return float(np.corrcoef(values[seen].astype(np.float64), given[seen])[0, 1])


def _fit(
    wanted: np.ndarray,
    given: np.ndarray,
    numbers: np.ndarray,
    coordinates: Mapping[str, np.ndarray],
    slopes: np.ndarray,
) -> NumbersFit:
    return NumbersFit(
        kl=policy_kl(wanted, given),
        orthogonality=orthogonality(numbers),
        locality=locality(slopes),
        named=name_numbers(numbers, coordinates),
    )


def _mean_policy(preferences: np.ndarray, count: int) -> np.ndarray:
    """The logits of the mean action probabilities, for ``count`` steps: [count, A]."""
    mean = torch.from_numpy(preferences).double().softmax(1).mean(0).clamp_min(1e-12)
    return np.tile(mean.log().numpy(), (count, 1))


def _write(result: ConceptResult, model: Embedding, inside: Inside, place: str) -> None:
    """The table of numbers, and the network as an artefact."""
    rows = [
        {"kind": kind, **dataclasses.asdict(named)}
        for kind, fit in (("embedding", result.embedding), ("components", result.components))
        for named in fit.named
    ]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    about = {
        "recording": inside.recording.header.identity,
        "place": place,
        "plan": dataclasses.asdict(model.plan),
        "learned_steps": result.learned,
        "held_steps": result.held,
        "kl": result.embedding.kl,
        "orthogonality": result.embedding.orthogonality,
        "locality": result.embedding.locality,
        "locality_components": result.components.locality,
        "kl_components": result.components.kl,
        "orthogonality_components": result.components.orthogonality,
        "kl_constant": result.constant_kl,
        **provenance(),
    }
    tensors = {name: value.cpu().numpy() for name, value in model.state_dict().items()}
    artefact = Artefact(
        purpose=PURPOSE, agent=inside.agent.spec.sha256, about=about, tensors=tensors
    )
    write_artefact(result.path, artefact, force=True)
    write_table(result.path, columns, about)


def _write_curves(result: ConceptResult, model: Embedding, inside: Inside, place: Place) -> None:
    """The learned numbers at every step, each with what it follows and how closely."""
    episodes = [episode for episode in inside.recording.episodes if len(episode)]
    numbers = np.concatenate([_numbers_of(model, inside.agent.policy, place, e) for e in episodes])
    columns: dict[str, np.ndarray] = {
        "episode": np.concatenate([np.full(len(e), e.index) for e in episodes]),
        "step": np.concatenate([np.asarray(e.steps) for e in episodes]),
    }
    for named, values in zip(result.embedding.named, numbers.T, strict=True):
        follows = abs(named.correlation) > named.rolled
        what = f"{named.coordinate} {named.correlation:+.2f}" if follows else "no object"
        columns[f"{place.name} {named.number}: {what}"] = values
    about = {"recording": inside.recording.header.identity, "place": place.name, **provenance()}
    write_table(result.curves, columns, about)


@torch.no_grad()
def _numbers_of(model: Embedding, policy: Policy, place: Place, episode: Episode) -> np.ndarray:
    """The numbers at every step of an episode: float32 [T, E]."""
    parts = []
    for start in range(0, len(episode), CHUNK):
        rows = slice(start, start + CHUNK)
        states = None if episode.states is None else np.asarray(episode.states[rows])
        layer = tap(policy, [place], episode.observations[rows], states)[place.name]
        parts.append(model.embed(torch.from_numpy(layer.astype(np.float32))).numpy())
    return np.concatenate(parts)
