"""Ids and presets resolve to complete protocols, in the documented order of precedence."""

from __future__ import annotations

import ale_py
import gymnasium
import pytest
from ale_py import roms

from agentlens.envs.atari.ids import GAMES, environment_ids
from agentlens.envs.atari.presets import PRESETS
from agentlens.envs.protocols import resolve
from agentlens.errors import InvalidArgument, ManifestError, UnknownName
from agentlens.policies.agent import load_agent, random_agent
from agentlens.spec import Phase


def test_ids_are_those_that_gymnasium_registers() -> None:
    gymnasium.register_envs(ale_py)
    registered = {
        name
        for name, spec in gymnasium.registry.items()
        if str(spec.entry_point).startswith("ale_py")
    }
    assert set(environment_ids()) == registered
    assert set(roms.get_all_rom_ids()) - set(GAMES) == {"combat", "joust", "maze_craze", "warlords"}


@pytest.mark.parametrize(
    "env_id", ["ALE/TicTacToe3D-v5", "Pong-v0", "QbertNoFrameskip-v0", "UpNDown-v4"]
)
def test_an_id_says_what_gymnasium_says(env_id: str) -> None:
    said = gymnasium.registry[env_id].kwargs
    spec = resolve(env_id).environment
    skip = said["frameskip"]
    assert spec.frame_skip == ((skip, skip) if isinstance(skip, int) else (skip[0], skip[1] - 1))
    assert spec.repeat_action_probability == said["repeat_action_probability"]
    assert (spec.game, spec.max_frames) == (said["game"], said["max_num_frames_per_episode"])
    assert spec.options["full_action_space"] == said["full_action_space"]


def test_override_beats_preset_beats_id() -> None:
    assert resolve("ALE/Pong-v5").environment.repeat_action_probability == 0.25
    vector = resolve("ALE/Pong-v5", preset="ale-vector")
    assert vector.environment.repeat_action_probability == 0.0
    chosen = resolve(
        "ALE/Pong-v5",
        preset="ale-vector",
        environment={"repeat_action_probability": 0.1},
        observation={"stack": 2},
    )
    assert chosen.environment.repeat_action_probability == 0.1
    assert chosen.observation.shape == (2, 84, 84)


def test_only_what_nobody_said_is_assumed() -> None:
    for name in PRESETS:
        assert resolve("PongNoFrameskip-v4", preset=name).assumed == ()
    assumed = resolve("Pong-v4", observation={"stack": 1}).assumed
    assert "environment.start = []" in assumed
    assert "observation.pool = 'rgb'" in assumed
    assert not any("frame_skip" in a or "observation.stack =" in a for a in assumed)


def test_what_a_preset_plays_otherwise_than_the_id_says_is_listed() -> None:
    assert resolve("ALE/Breakout-v5", preset="baby-a3c").overridden == (
        "environment.frame_skip = [2, 4]: as baby-a3c says; ALE/Breakout-v5 itself says [4, 4]",
        "environment.repeat_action_probability = 0.0: as baby-a3c says; ALE/Breakout-v5 itself "
        "says 0.25",
    )
    (line,) = resolve("PongNoFrameskip-v4", preset="ale-v5").overridden
    assert "0.25: as ale-v5 says; PongNoFrameskip-v4 itself says 0.0" in line
    said = {"repeat_action_probability": 0.0}
    assert resolve("ALE/Pong-v5", preset="ale-vector", environment=said).overridden == ()


def test_an_agent_elsewhere_says_what_its_preset_overrides() -> None:
    """The preset is the agent's own: nobody named it beside the id."""
    agent = load_agent("pong-ppo", env="ALE/SpaceInvaders-v5")
    (line,) = agent.spec.assumed
    assert line.startswith("environment.repeat_action_probability = 0.0: as ale-vector says")
    assert load_agent("pong-ppo", env="PongNoFrameskip-v4").spec.assumed == ()


@pytest.mark.parametrize(
    ("env_id", "frame_skip", "sticky"),
    [("PongNoFrameskip-v4", (4, 4), 0.0), ("ALE/Pong-v5", (4, 4), 0.25), ("Pong-v4", (2, 4), 0.0)],
)
def test_the_random_agent_plays_what_the_id_says(
    env_id: str, frame_skip: tuple[int, int], sticky: float
) -> None:
    environment = random_agent(env_id).spec.environment
    assert (environment.frame_skip, environment.repeat_action_probability) == (frame_skip, sticky)


def test_a_wrappers_frame_skip_counts_the_steps_of_what_it_wraps() -> None:
    wrapped = resolve("ALE/Breakout-v5", preset="sb3-atari")
    assert wrapped.environment.frame_skip == (16, 16)
    assert wrapped.environment.options["step_frames"] == 4
    assert wrapped.assumed == (
        "environment.frame_skip = 16: sb3-atari takes 4 steps of ALE/Breakout-v5, each of 4 frames",
    )
    said = {"frame_skip": 4}
    plain = resolve("ALE/Breakout-v5", preset="sb3-atari", environment=said)
    assert plain.environment.frame_skip == (4, 4)
    assert plain.assumed == ()
    with pytest.raises(InvalidArgument, match="itself skips 2 to 4 frames"):
        resolve("Breakout-v4", preset="cleanrl-atari")


def test_phases_and_single_frame_skips_can_be_given() -> None:
    start = (Phase(action="FIRE", least=1, most=30, unit="decision"),)
    spec = resolve("Breakout-v4", environment={"start": start, "frame_skip": 4}).environment
    assert spec.start == start
    assert spec.frame_skip == (4, 4)


@pytest.mark.parametrize(
    ("env_id", "message"),
    [
        ("Pong", "'ALE/Pong-v5'.*'PongNoFrameskip-v4'"),
        ("pong", "'ALE/Pong-v5'"),
        ("space_invaders", "'ALE/SpaceInvaders-v5'"),
        ("PongDeterministic-v4", "'PongNoFrameskip-v4' with frame_skip 4"),
        ("Pong-ram-v4", "'ALE/Pong-v5'"),
        ("ALE/Pnog-v5", "'ALE/Pong-v5'"),
    ],
)
def test_unknown_ids_get_a_suggestion(env_id: str, message: str) -> None:
    with pytest.raises(UnknownName, match=message):
        resolve(env_id)


def test_overrides_are_checked() -> None:
    with pytest.raises(ManifestError, match="frame_skp: unknown key; did you mean 'frame_skip'"):
        resolve("Pong-v4", environment={"frame_skp": 4})
    with pytest.raises(ManifestError, match=r"environment.frame_skip"):
        resolve("Pong-v4", environment={"frame_skip": True})
    with pytest.raises(UnknownName, match="sb3-atari"):
        resolve("Pong-v4", preset="sb3")
