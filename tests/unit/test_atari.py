"""The emulator does what the spec says and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from agentlens.envs.atari.emulator import Emulator, rom_md5
from agentlens.envs.preprocess import Preprocessor
from agentlens.envs.protocols import resolve
from agentlens.errors import DtypeError, EmulatorError, InvalidArgument, ShapeError, UnknownName
from agentlens.spec import EnvironmentSpec, ObservationSpec, Phase
from tests.rollout_agents import MEANINGS


def breakout(**environment: Any) -> EnvironmentSpec:
    said = {"repeat_action_probability": 0.0, **environment}
    return resolve("ALE/Breakout-v5", environment=said).environment


def started(spec: EnvironmentSpec, seed: int = 1) -> Emulator:
    emulator = Emulator(spec, MEANINGS[spec.game])
    emulator.reset(seed=seed, rules=np.random.default_rng(seed))
    return emulator


@pytest.mark.parametrize("action", [-1, 4, True, 1.0, "FIRE", None, np.float32(1), np.bool_(True)])
def test_only_integers_in_range_are_actions(action: Any) -> None:
    emulator = started(breakout())
    with pytest.raises(InvalidArgument, match="action"):
        emulator.step(action)
    assert emulator.tick == 0
    assert emulator.step(np.int64(1)).frames == 4


def test_frame_skip_covers_its_range_and_nothing_more() -> None:
    emulator = started(breakout(frame_skip=(2, 4)))
    frames = [emulator.step(1).frames for _ in range(60)]
    assert set(frames) == {2, 3, 4}
    assert emulator.tick == sum(frames)


def test_forced_phases_are_run_and_reported() -> None:
    spec = breakout(
        start=(Phase(action="NOOP", least=3, most=3), Phase(action="#1", unit="decision")),
        after_life_loss=(Phase(action="FIRE", least=2, most=2),),
    )
    emulator = Emulator(spec, MEANINGS["breakout"])
    forced = emulator.reset(seed=1, rules=np.random.default_rng(0))
    assert forced == ((0, 1), (0, 1), (0, 1), (1, 4))
    assert emulator.tick == 7
    for _ in range(300):
        lives, before = emulator.lives, emulator.tick
        outcome = emulator.step(0)
        assert outcome.life_lost == (emulator.lives < lives)
        assert outcome.frames == emulator.tick - before
        assert outcome.forced == (((1, 1), (1, 1)) if outcome.life_lost else ())
        if outcome.life_lost:
            assert outcome.frames == 6
            return
    pytest.fail("no life was lost")


def test_phases_depend_on_the_action_set() -> None:
    phases = (
        Phase(action="FIRE", when="FIRE"),
        Phase(action="UP", least=2, most=2, when="no FIRE"),
    )
    freeway = resolve("ALE/Freeway-v5", environment={"start": phases}).environment
    emulator = Emulator(freeway, ("NOOP", "UP", "DOWN"))
    assert len(emulator.reset(seed=1, rules=np.random.default_rng(0))) == 2
    with pytest.raises(EmulatorError, match="presses FIRE, which is not among its actions NOOP"):
        Emulator(replace(freeway, start=(Phase(action="FIRE"),)), ("NOOP", "UP", "DOWN"))


def test_the_last_two_screens_of_a_decision() -> None:
    whole, single = started(breakout(frame_skip=4)), started(breakout(frame_skip=1))
    for _ in range(5):
        previous = whole.screen.copy()
        whole.step(1)
        frames = []
        for _ in range(4):
            single.step(1)
            frames.append(single.screen.copy())
        np.testing.assert_array_equal(whole.screen, frames[3])
        np.testing.assert_array_equal(whole.screen_before, frames[2])
        np.testing.assert_array_equal(whole.previous_screen, previous)
        np.testing.assert_array_equal(single.screen_before, single.screen)


def test_a_step_leaves_earlier_screens_alone() -> None:
    emulator = started(breakout(frame_skip=4))
    emulator.step(1)
    kept = emulator.screen, emulator.screen_before
    as_they_were = [screen.copy() for screen in kept]
    for _ in range(5):
        emulator.step(2)
    assert not np.array_equal(emulator.screen, kept[0])
    for screen, before in zip(kept, as_they_were, strict=True):
        np.testing.assert_array_equal(screen, before)


def test_the_palette_gives_the_emulators_own_colours() -> None:
    emulator = started(breakout())
    for _ in range(20):
        emulator.step(1)
        np.testing.assert_array_equal(emulator.palette.rgb[emulator.screen], emulator.rgb())


@pytest.mark.parametrize("env_id", ["ALE/Adventure-v5", "ALE/JourneyEscape-v5"])
def test_other_screen_heights(env_id: str) -> None:
    protocol = resolve(env_id, preset="ale-v5")
    emulator = Emulator(protocol.environment, ("NOOP",))
    preprocessor = Preprocessor(protocol.observation, emulator.screen_shape, emulator.palette)
    emulator.reset(seed=1, rules=np.random.default_rng(0))
    emulator.step(0)
    assert emulator.screen_shape[0] in (230, 250)
    assert preprocessor.plane(emulator.screen, emulator.screen_before).shape == (84, 84)


def test_sticky_actions_follow_the_emulators_seed() -> None:
    def screens(seed: int) -> list[bytes]:
        emulator = Emulator(breakout(repeat_action_probability=0.25), MEANINGS["breakout"])
        emulator.reset(seed=seed, rules=np.random.default_rng(0))
        return [(emulator.step(2 + t % 2), emulator.fingerprint())[1] for t in range(60)]

    assert screens(3) == screens(3)
    assert screens(3) != screens(4)


def test_a_handle_begins_anew_with_nothing_left_over() -> None:
    emulator = started(breakout(repeat_action_probability=0.25), seed=5)
    first = [(emulator.step(t % 4), emulator.fingerprint())[1] for t in range(40)]
    for _ in range(25):
        emulator.step(1)
    emulator.reset(seed=5, rules=np.random.default_rng(5))
    assert [(emulator.step(t % 4), emulator.fingerprint())[1] for t in range(40)] == first


def test_action_names_must_fit_the_action_set() -> None:
    with pytest.raises(EmulatorError, match=r"UP.*minimal action set of ALE/Breakout-v5"):
        Emulator(breakout(), ("NOOP", "UP"))
    with pytest.raises(EmulatorError, match=r"4 actions .* do not fit the full action set"):
        Emulator(breakout(full_action_space=True), MEANINGS["breakout"])
    subset = Emulator(breakout(), ("FIRE", "RIGHT", "LEFT"))
    assert subset.actions == MEANINGS["breakout"]


def test_max_frames_truncate() -> None:
    emulator = started(breakout(max_frames=42))
    outcomes = [emulator.step(1) for _ in range(11)]
    assert [o.truncated for o in outcomes] == [False] * 10 + [True]
    assert not outcomes[-1].terminated
    assert sum(o.frames for o in outcomes) == 42


@pytest.mark.parametrize("seed", [0, -1, 2**31, True, 1.0])
def test_emulator_seeds_are_checked(seed: Any) -> None:
    with pytest.raises(InvalidArgument, match="emulator seed"):
        started(breakout()).reset(seed=seed, rules=np.random.default_rng(0))


def test_unknown_games() -> None:
    with pytest.raises(UnknownName, match="'pong'"):
        rom_md5("pongg")
    assert rom_md5("pong") == "60e0ea3cbe0913d39803477945e9e5ec"


def test_screens_are_checked() -> None:
    protocol = resolve("ALE/Breakout-v5", preset="sb3-atari")
    emulator = started(breakout())
    preprocessor = Preprocessor(protocol.observation, emulator.screen_shape, emulator.palette)
    with pytest.raises(ShapeError, match=r"screen has shape \(160, 210\)"):
        preprocessor.plane(emulator.screen.T, emulator.screen)
    with pytest.raises(DtypeError, match="partner is float32"):
        preprocessor.plane(emulator.screen, emulator.screen.astype(np.float32))
    with pytest.raises(InvalidArgument, match="does not fit the game's screen"):
        Preprocessor(
            replace(protocol.observation, crop=(0, 211, 0, 160)), (210, 160), emulator.palette
        )


@pytest.mark.parametrize("preset", ["sb3-atari", "baby-a3c"])
@pytest.mark.parametrize(("row", "column"), [(40, 10), (120, 80), (190, 150)])
def test_geometry_finds_a_spot_on_the_screen(preset: str, row: int, column: int) -> None:
    spec: ObservationSpec = resolve("ALE/Pong-v5", preset=preset).observation
    emulator = started(breakout())
    preprocessor = Preprocessor(spec, (210, 160), emulator.palette)
    bright = int(np.argmax(np.where(emulator.palette.known, emulator.palette.grey, 0)))
    screen = np.zeros((210, 160), np.uint8)
    assert emulator.palette.known[0]
    screen[row - 3 : row + 4, column - 3 : column + 4] = bright
    plane = preprocessor.plane(screen, screen).astype(np.float64)
    weights = plane / plane.sum()
    centre = ((weights.sum(axis=i) * np.arange(spec.resize[1 - i])).sum() for i in (1, 0))
    at_row, at_column = spec.to_screen(*centre)
    assert abs(at_row - row) < 0.5
    assert abs(at_column - column) < 0.5
