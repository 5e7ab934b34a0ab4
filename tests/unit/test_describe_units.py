"""The named units that fire: what a sentence tells of them, and their table."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from agentlens.errors import Corrupt
from agentlens.layer_spec import ChainSpec, LayerSpec, NetworkSpec
from agentlens.network.places import find_place
from agentlens.policies.networks import build_policy
from agentlens.spec import ActionSpec, ObservationSpec
from agentlens.store.tables import write_table
from agentlens.words.description import Description
from agentlens.workflows.describe_units import (
    Firing,
    NamedUnits,
    firing,
    read_named_units,
    unit_columns,
    with_units,
)

NAMES = ("torso.1.unit.0", "torso.1.unit.1", "torso.4.unit.2", "torso.4.unit.3", "torso.4.unit.4")
CONCEPTS = ("ball", "ball", "opponent", "own paddle", "score")


def named(**changed: Any) -> NamedUnits:
    values: dict[str, Any] = {
        "policy": None,
        "places": (),
        "columns": (),
        "names": NAMES,
        "concepts": CONCEPTS,
        "excess": np.arange(5) / 10,
        "limits": np.ones(5, np.float32),
        "spans": np.full(5, 2, np.float32),
    }
    return NamedUnits(**{**values, **changed})


def fired(strength: np.ndarray) -> Firing:
    return Firing(
        episode=3,
        steps=np.arange(7, 7 + len(strength)),
        values=1 + 2 * strength,
        fires=strength > 0,
        strength=strength,
    )


def described(sentences: tuple[str, ...]) -> Description:
    fields = dict.fromkeys(Description.__dataclass_fields__)
    return Description(**cast(Any, {**fields, "episode": 3, "sentences": sentences}))


def test_a_sentence_tells_each_concept_once_and_three_at_most() -> None:
    strength = np.array([[0.2, 0.9, 0.5, 0.4, 0.3], [-1, -1, -1, 0.1, -1], [-1.0] * 5])
    part = with_units(named(), described(("UP.", "DOWN.", "NOOP.")), fired(strength))
    assert part.sentences == (
        "UP. Units for ball (torso.1.unit.1), opponent (torso.4.unit.2), own paddle "
        "(torso.4.unit.3) fire.",
        "DOWN. Units for own paddle (torso.4.unit.3) fire.",
        "NOOP.",
    )


def test_the_table_has_a_row_a_step_and_firing_unit() -> None:
    strength = np.array([[0.5, -1, -1, -1, -1], [-1, -1, -1, 0.25, 1.0]])
    columns = unit_columns(named(), [fired(strength)])
    assert columns["step"].tolist() == [7, 8, 8]
    assert columns["unit"].tolist() == [NAMES[0], NAMES[3], NAMES[4]]
    assert columns["stands_for"].tolist() == ["ball", "own paddle", "score"]
    np.testing.assert_allclose(columns["value"], [2, 1.5, 3])


def test_a_planted_unit_fires_where_its_pixel_is_lit() -> None:
    network = NetworkSpec(
        chains=(
            ChainSpec(
                name="torso",
                layers=(LayerSpec(kind="flatten"), LayerSpec(kind="linear", out=3)),
                output="logits",
            ),
        )
    )
    observation = ObservationSpec(
        pool="none", grayscale="cv2", resize=(4, 4), interpolation="cv2-area", stack=1
    )
    actions = ActionSpec(meanings=("NOOP", "RIGHT", "LEFT"), selection="sample")
    policy = build_policy(network, observation, actions, seed=0)
    linear = cast(Any, policy).chains[0][1]
    linear.weight.zero_()
    linear.bias.zero_()
    linear.weight[1, 5] = 2.0
    screens = np.zeros((6, 1, 4, 4), np.float32)
    screens[2, 0, 1, 1] = screens[4, 0, 1, 1] = 1
    episode = SimpleNamespace(index=0, steps=np.arange(6), observations=screens, states=None)
    watched = named(
        policy=policy,
        places=(find_place(policy, "torso.1"),),
        columns=(("torso.1", 0), ("torso.1", 1)),
        limits=np.ones(2),
        spans=np.ones(2),
    )
    part = firing(watched, cast(Any, episode), np.arange(1, 6))
    assert np.argwhere(part.fires).tolist() == [[1, 1], [3, 1]]
    assert part.values[1, 1] == 2
    assert part.strength[1, 1] == 1


def test_an_older_table_and_none_are_refused(tmp_path: Any) -> None:
    recording = cast(Any, SimpleNamespace(folder=tmp_path, header=SimpleNamespace(identity="x")))
    with pytest.raises(Corrupt, match="not dissected yet"):
        read_named_units(recording, cast(Any, None))
    write_table(tmp_path / "units", {"place": ["a"], "excess": [0.1]}, {"recording": "x"})
    with pytest.raises(Corrupt, match="older version"):
        read_named_units(recording, cast(Any, None))
