"""Strict decoding: what is declared goes in and comes out unchanged, anything else is named."""

from __future__ import annotations

import pytest

from agentlens.errors import ManifestError, UnknownName
from agentlens.mapping import decode, encode
from agentlens.spec import EnvironmentSpec, ObservationSpec, Phase

PONG = EnvironmentSpec(
    id="ALE/Pong-v5",
    game="pong",
    frame_skip=(2, 4),
    repeat_action_probability=0.25,
    start=(Phase(action="NOOP", least=0, most=30), Phase(action="FIRE")),
)


def test_round_trip_is_identity() -> None:
    assert decode(EnvironmentSpec, encode(PONG)) == PONG


def test_integers_become_floats_and_nothing_else_is_coerced() -> None:
    plain = encode(PONG) | {"repeat_action_probability": 0}
    assert decode(EnvironmentSpec, plain).repeat_action_probability == 0.0
    with pytest.raises(ManifestError, match="max_frames: expected int, got str '5'"):
        decode(EnvironmentSpec, encode(PONG) | {"max_frames": "5"})
    with pytest.raises(ManifestError, match="terminal_on_life_loss: expected bool, got int 1"):
        decode(EnvironmentSpec, encode(PONG) | {"terminal_on_life_loss": 1})
    with pytest.raises(ManifestError, match="finite"):
        decode(EnvironmentSpec, encode(PONG) | {"repeat_action_probability": float("nan")})


def test_unknown_and_missing_keys_are_named_with_their_path() -> None:
    plain = encode(PONG)
    plain["start"][0]["leats"] = 3
    with pytest.raises(ManifestError, match=r"start\[0\].leats: unknown key; did you mean 'least'"):
        decode(EnvironmentSpec, plain)
    with pytest.raises(ManifestError, match="game: missing"):
        decode(EnvironmentSpec, {k: v for k, v in encode(PONG).items() if k != "game"})


def test_a_value_the_class_refuses_is_a_manifest_error() -> None:
    with pytest.raises(ManifestError, match="frame_skip 4 to 2"):
        decode(EnvironmentSpec, encode(PONG) | {"frame_skip": [4, 2]})


def test_observation_maps_to_the_screen() -> None:
    spec = ObservationSpec(
        pool="none",
        grayscale="mean",
        resize=(80, 80),
        interpolation="pillow-bilinear",
        stack=1,
        crop=(35, 195, 0, 160),
    )
    assert spec.to_screen(0, 0) == (35.5, 0.5)
    assert spec.to_screen(79, 79) == (193.5, 158.5)
    assert spec.to_screen(39.5, 39.5) == (114.5, 79.5)


def test_unknown_names_list_the_nearest() -> None:
    assert "'pong-ppo'" in str(UnknownName("agent", "pong-pp", ["pong-ppo", "breakout"]))
    assert str(UnknownName("agent", "x", [])) == "unknown agent 'x': there is none."
