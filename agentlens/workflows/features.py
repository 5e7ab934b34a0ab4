"""Learn sparse features of a layer and name them, beside principal components and a twin.

Shape letters: T steps, C units of the layer, F features, N attributes.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from agentlens.compute import Compute
from agentlens.network.concepts import policy_kl
from agentlens.network.dissect import UnitMatch, attribute_auc, best_matches, rises_with
from agentlens.network.features import (
    FeaturePlan,
    SparseFeatures,
    dead_share,
    explained_variance,
    learn_features,
    principal_rebuild,
)
from agentlens.provenance import provenance
from agentlens.store.artefacts import Artefact, refuse_existing, write_artefact
from agentlens.store.recording import Recording
from agentlens.store.tables import refuse_existing_table, write_table
from agentlens.workflows.inside import MOST_LEARNED, Inside, look_inside, patched_preferences

PURPOSE = "sparse features"
"""What the artefact says that it is."""

_TWIN_QUANTILE = 0.99


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """How well a layer is rebuilt on held-out steps.

    ``explained``: share of its variance. ``kl``: nats, from the policy to the policy with the
    rebuilt layer; None for memory, where nothing changes in the same step.
    """

    explained: float
    kl: float | None


@dataclass(frozen=True, kw_only=True)
class FeatureResult:
    """What ``find_features`` wrote and measured.

    ``path``: of the table, without a suffix, and of the artefact's folder. ``learned``, ``held``:
    how many steps. ``components``: as many principal components as features are active. ``dead``:
    share of features that are zero on all held steps. ``matches``: one a feature.
    """

    path: Path
    learned: int
    held: int
    sparse: Rebuilt
    components: Rebuilt
    dead: float
    matches: tuple[UnitMatch, ...]


def find_features(
    recording: Recording | Path | str,
    place: str,
    plan: FeaturePlan | None = None,
    *,
    compute: Compute = Compute(),
    output: Path | str | None = None,
    force: bool = False,
) -> FeatureResult:
    """Learn sparse features on the first four fifths of the steps, measure them on the rest.

    Args:
        recording: or its folder, of an Atari game.
        place: a vector or memory, such as "torso.8".
        plan: how many features, how sparse, how long; 16 of 256 if not given.
        compute: where.
        output: path without a suffix; ``features-PLACE`` in the recording's folder if not given.
        force: replace features that are there already.

    Raises:
        UnknownName, InvalidArgument: no such place, or what ``look_inside`` refuses.
        AlreadyExists: features lie there, and ``force`` was not given.

    Notes:
        Two networks of ``plan`` are learned, one on the untrained twin's layer: three minutes for
        512 units and 2000 updates on two busy cores.
    """
    plan = plan or FeaturePlan()
    inside = look_inside(recording, compute=compute, most=MOST_LEARNED)
    where = inside.vector_place(place)
    path = Path(output) if output is not None else inside.recording.folder / f"features-{place}"
    if not force:
        refuse_existing(path)
        refuse_existing_table(path)
    layer, untrained = inside.layer(where), inside.layer(where, untrained=True)
    learned, held = layer[inside.learned], layer[inside.held]
    model = learn_features(learned, plan)
    twin = learn_features(untrained[inside.learned], plan)
    features = _encode(model, held)
    sparse = model.decode(torch.from_numpy(features)).numpy()
    dense = principal_rebuild(held, plan.active, learned)

    def rebuilt(values: np.ndarray) -> Rebuilt:
        given = patched_preferences(inside, where, values)
        kl = None if given is None else policy_kl(inside.preferences[inside.held], given)
        return Rebuilt(explained=explained_variance(held, values), kl=kl)

    attributes = {k: v[inside.held] for k, v in inside.steps.attributes.items()}
    result = FeatureResult(
        path=path,
        learned=len(learned),
        held=len(held),
        sparse=rebuilt(sparse),
        components=rebuilt(dense),
        dead=dead_share(features),
        matches=feature_matches(features, _encode(twin, untrained[inside.held]), attributes),
    )
    _write(result, model, features, inside, place)
    return result


def feature_matches(
    own: np.ndarray, twin: np.ndarray, attributes: dict[str, np.ndarray]
) -> tuple[UnitMatch, ...]:
    """The best attribute of every feature: AUC.

    Features of the twin have an order of their own: beside every feature stands the 99th
    percentile of the twin's features for the same attribute.

    Args:
        own, twin: [T, F] of the agent and of the same network untrained.
        attributes: by name bool [T].
    """
    stacked = np.stack(list(attributes.values()), 1)
    rolled = np.roll(stacked, len(stacked) // 2, axis=0)
    controls = np.quantile(attribute_auc(twin, stacked), _TWIN_QUANTILE, axis=0)
    scores = attribute_auc(own, stacked)
    return best_matches(
        scores,
        np.broadcast_to(controls, scores.shape),
        attribute_auc(own, rolled),
        tuple(attributes),
        rises_with(own, stacked),
    )


def _encode(model: SparseFeatures, layer: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return np.asarray(model.encode(torch.from_numpy(layer)).numpy())


def _write(
    result: FeatureResult, model: SparseFeatures, features: np.ndarray, inside: Inside, place: str
) -> None:
    """The table of features, and the network as an artefact."""
    about = {
        "recording": inside.recording.header.identity,
        "place": place,
        "plan": dataclasses.asdict(model.plan),
        "learned_steps": result.learned,
        "held_steps": result.held,
        "sparse": dataclasses.asdict(result.sparse),
        "components": dataclasses.asdict(result.components),
        "dead": result.dead,
        **provenance(),
    }
    columns = {
        "feature": [match.unit for match in result.matches],
        "attribute": [match.concept for match in result.matches],
        **{
            name: [getattr(match, name) for match in result.matches]
            for name in ("score", "twin", "shuffled", "purity", "rises", "excess")
        },
        "active_share": (features != 0).mean(0),
        "mean_when_active": features.sum(0) / np.maximum((features != 0).sum(0), 1),
    }
    tensors = {name: value.cpu().numpy() for name, value in model.state_dict().items()}
    artefact = Artefact(
        purpose=PURPOSE, agent=inside.agent.spec.sha256, about=about, tensors=tensors
    )
    write_artefact(result.path, artefact, force=True)
    write_table(result.path, columns, about)
