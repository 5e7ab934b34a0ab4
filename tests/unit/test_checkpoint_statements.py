"""What a checkpoint says of its input and its game is applied, refused, or listed as assumed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stable_baselines3
import torch
import yaml
from gymnasium import spaces
from stable_baselines3.common.torch_layers import NatureCNN
from torch import nn

from agentlens.errors import CheckpointError, NotFinite, UnsafeCheckpoint
from agentlens.policies.agent import load_agent
from agentlens.policies.importing import import_agent
from tests.contracts.test_formats import SIZE, Screens, build_sb3
from tests.unit.test_hostile_checkpoints import FIELDS, write_zip

WRAPPER = "stable_baselines3.common.atari_wrappers.AtariWrapper"


def box(shape: tuple[int, ...], dtype: Any = np.uint8, high: float = 255) -> type[Screens]:
    class Other(Screens):
        observation_space = spaces.Box(0, high, shape, dtype)

        def reset(self, *, seed: Any = None, options: Any = None) -> Any:
            return np.zeros(shape, dtype), {}

    return Other


def saved(path: Path, world: type[Screens], **kwargs: Any) -> Path:
    model = stable_baselines3.PPO("CnnPolicy", world(), device="cpu", policy_kwargs=kwargs)
    model.save(path)
    return path


def load(path: Path) -> Any:
    return load_agent(path, env="ALE/Pong-v5", preset="sb3-atari")


@pytest.mark.parametrize("planes", [3, 12])
def test_planes_that_may_be_colour_are_asked_about(tmp_path: Path, planes: int) -> None:
    path = saved(tmp_path / "rgb.zip", box((planes, SIZE, SIZE)))
    with pytest.raises(
        CheckpointError, match=f"reads {planes} planes: {planes // 3} frames in colour"
    ):
        load(path)
    manifest = tmp_path / "said.toml"
    for words, stack, channels in ((f"stack = {planes}", planes, 1), ("channels = 3", None, 3)):
        manifest.write_text(f"[observation]\n{words}\n")
        agent = load_agent(path, env="ALE/Pong-v5", manifest=manifest)
        observation = agent.spec.observation
        assert (observation.stack, observation.channels) == (stack or planes // 3, channels)
        assert observation.shape == (planes, SIZE, SIZE)


def test_a_whole_colour_screen_is_read_as_colour_and_said(tmp_path: Path) -> None:
    """What PPO("CnnPolicy", "ALE/Pong-v5") saves."""
    path = saved(tmp_path / "rgb.zip", box((3, 210, 160)))
    spec = load_agent(path, env="ALE/Pong-v5").spec
    observation = spec.observation
    assert (observation.channels, observation.stack, observation.pool) == (3, 1, "none")
    assert (observation.shape, observation.grayscale) == ((3, 210, 160), "none")
    assert (spec.preset, spec.environment.frame_skip_text) == ("", "4")
    assert spec.environment.repeat_action_probability == 0.25
    assert "observation.channels = 3: 3 planes, taken as colour frames" in spec.assumed
    assert any(line.startswith("environment.start") for line in spec.assumed)


class Elu(NatureCNN):
    """The Nature CNN's shapes, another function."""

    def __init__(self, space: spaces.Box) -> None:
        super().__init__(space, 24)
        self.cnn[1] = nn.ELU()


def test_an_extractor_of_ones_own_is_refused_and_sb3s_own_is_not(tmp_path: Path) -> None:
    world = box((4, SIZE, SIZE))
    path = saved(tmp_path / "a.zip", world, features_extractor_class=Elu)
    with pytest.raises(CheckpointError, match=r"features_extractor_class is .*Elu.*manifest"):
        load(path)
    path = saved(tmp_path / "b.zip", world, features_extractor_class=NatureCNN)
    assert load(path).spec.observation.scale_divisor == 255.0


def test_scale_follows_dtype_bounds_and_normalize_images(tmp_path: Path) -> None:
    shape = (4, SIZE, SIZE)
    cases = {
        "raw": (box(shape), {"normalize_images": False}, 1.0),
        "unit": (box(shape, np.float32, 1), {"normalize_images": False}, 255.0),
        "floats": (box(shape, np.float32, 255), {"normalize_images": False}, 1.0),
    }
    for name, (world, kwargs, divisor) in cases.items():
        path = saved(tmp_path / f"{name}.zip", world, **kwargs)
        assert load(path).spec.observation.scale_divisor == divisor, name
    path = saved(tmp_path / "x.zip", box(shape, np.float32, 10), normalize_images=False)
    with pytest.raises(CheckpointError, match=r"float32 from 0.0 to 10.0; expected uint8"):
        load(path)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"policy_class": {"__module__": "mine.policies"}}, "a class of 'mine.policies'"),
        ({"policy_kwargs": {"lstm_kwargs": {"dropout": 1}}}, "lstm_kwargs"),
        ({"policy_kwargs": {"features_extractor_kwargs": {"depth": 3}}}, "has depth"),
        ({"action_space": {":type:": "<class 'gymnasium.spaces.box.Box'>"}}, "Gaussian heads"),
        ({"action_space": {"start": "1"}}, "counted from 1"),
        ({"observation_space": {":type:": "<class 'gymnasium.spaces.dict.Dict'>"}}, "one image"),
        ({"_vec_normalize_env": {"norm_obs": "True"}}, "VecNormalize.*never read"),
        ({"observation_space": {"_shape": "(128,)"}}, "128 numbers.*RAM.*out of scope"),
        ({"observation_space": {"_shape": [4, 84, 84], "high": "[[0 1] [255 255]]"}}, "to nan"),
    ],
)
def test_what_sb3_says_and_is_not_done_is_refused(
    tmp_path: Path, fields: dict[str, Any], message: str
) -> None:
    path = write_zip(tmp_path / "model.zip", {**FIELDS, **fields})
    with pytest.raises(CheckpointError, match=message):
        load(path)


def test_unknown_fields_are_listed(tmp_path: Path) -> None:
    fields = {**FIELDS, "own_trick": 7, "policy_kwargs": {"glimpses": 3}}
    assumed = load(write_zip(tmp_path / "model.zip", fields)).spec.assumed
    assert any(line.startswith("own_trick = 7: not known") for line in assumed)
    assert any(line.startswith("policy_kwargs.glimpses = 3: not known") for line in assumed)
    build_sb3("ppo").save(tmp_path / "real.zip")
    assert not [line for line in load(tmp_path / "real.zip").spec.assumed if "not known" in line]


def run_of_the_zoo(tmp_path: Path, config: dict[str, Any], env: str = "PongNoFrameskip-v4") -> Path:
    """logs/ppo/Env_1 as rl-zoo leaves it."""
    run, settings = tmp_path / "Env_1", tmp_path / "Env_1" / env.replace("/", "-")
    settings.mkdir(parents=True)
    (settings / "args.yml").write_text(yaml.safe_dump({"env": env, "algo": "ppo"}))
    (settings / "config.yml").write_text(yaml.safe_dump(config))
    write_zip(run / f"{settings.name}.zip")
    for name in ("best_model", "rl_model_1000_steps"):
        write_zip(run / f"{name}.zip")
    return run


@pytest.mark.parametrize("name", ["", "best_model.zip", "rl_model_1000_steps.zip"])
def test_a_runs_models_find_its_settings(tmp_path: Path, name: str) -> None:
    run = run_of_the_zoo(tmp_path, {"env_wrapper": [WRAPPER], "frame_stack": 4})
    spec = load_agent(run / name if name else run).spec
    assert (spec.environment.id, spec.preset) == ("PongNoFrameskip-v4", "sb3-atari")
    assert (spec.value.reward, spec.value.gamma) == ("clipped", 0.99)
    assert spec.assumed == ()


def test_the_wrappers_arguments_are_applied(tmp_path: Path) -> None:
    options = {"noop_max": 10, "frame_skip": 3, "terminal_on_life_loss": False}
    options |= {"clip_reward": False}
    config = {"env_wrapper": [{WRAPPER: options}], "frame_stack": 4}
    spec = load_agent(run_of_the_zoo(tmp_path, config) / "best_model.zip").spec
    environment = spec.environment
    assert environment.frame_skip == (3, 3)
    assert environment.start[0].most == 10
    assert (environment.after_life_loss, environment.terminal_on_life_loss) == ((), False)
    assert spec.value.reward == "raw"


def test_a_wrapper_counts_steps_of_the_id_below(tmp_path: Path) -> None:
    run = run_of_the_zoo(tmp_path, {"env_wrapper": WRAPPER, "frame_stack": 4}, "ALE/Pong-v5")
    spec = load_agent(run / "best_model.zip").spec
    assert spec.environment.frame_skip == (16, 16)
    config = {"env_wrapper": WRAPPER, "env_kwargs": {"frameskip": 2, "full_action_space": False}}
    run = run_of_the_zoo(tmp_path / "b", {**config, "frame_stack": 4}, "ALE/Pong-v5")
    assert load_agent(run / "best_model.zip").spec.environment.frame_skip == (8, 8)


@pytest.mark.parametrize(
    ("normalize", "reward"),
    [
        (False, "clipped"),
        (None, "clipped"),
        ("{'norm_obs': False, 'norm_reward': False}", "clipped"),
        ("{'norm_obs': False}", "normalised"),
        ({"norm_obs": False, "norm_reward": True}, "normalised"),
    ],
)
def test_normalize_as_a_literal(tmp_path: Path, normalize: Any, reward: str) -> None:
    config = {"env_wrapper": [WRAPPER], "frame_stack": 4, "normalize": normalize}
    spec = load_agent(run_of_the_zoo(tmp_path, config) / "best_model.zip").spec
    assert spec.value.reward == reward


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"normalize": True}, "VecNormalize.*pickle"),
        ({"normalize": "{'norm_reward': False}"}, "VecNormalize"),
        ({"normalize_kwargs": {"norm_obs": True}}, "VecNormalize"),
        ({"env_wrapper": [{WRAPPER: {"screen_size": 64}}]}, "screen_size is 64"),
        ({"env_wrapper": ["gym.wrappers.Mine"]}, "'gym.wrappers.Mine' is not known"),
        ({"env_wrapper": [{WRAPPER: {"tint": 3}}]}, "tint"),
        ({"env_wrapper": [{WRAPPER: {"noop_max": "many"}}]}, "noop_max"),
        ({"vec_env_wrapper": "VecFrameStack"}, "vec_env_wrapper"),
        ({"env_kwargs": {"obs_type": "ram"}}, "obs_type"),
        ({"env_kwargs": "dict(mode=3)"}, "env_kwargs is an expression"),
        ({"frame_stack": 2}, "frame_stack is 2"),
    ],
)
def test_settings_that_are_not_done_are_refused(
    tmp_path: Path, config: dict[str, Any], message: str
) -> None:
    run = run_of_the_zoo(tmp_path, {"frame_stack": 4, **config})
    with pytest.raises((CheckpointError, UnsafeCheckpoint), match=message):
        load_agent(run / "best_model.zip")


def test_other_settings_are_listed(tmp_path: Path) -> None:
    config = {"env_wrapper": [WRAPPER], "frame_stack": 4, "n_timesteps": 1e7, "tail_light": "red"}
    spec = load_agent(run_of_the_zoo(tmp_path, config) / "best_model.zip").spec
    assert [line for line in spec.assumed if re.match(r"tail_light = red .*not known", line)]


def test_a_preset_says_what_rewards_the_critic_saw(tmp_path: Path) -> None:
    build_sb3("ppo").save(tmp_path / "ppo.zip")
    folder = import_agent(tmp_path / "ppo.zip", tmp_path / "x", env="ALE/Pong-v5")
    spec = load_agent(folder).spec
    assert spec.value.reward == "clipped"
    assert spec.source.startswith("ppo.zip (sb3), sha256 ")


def test_finite_weights_with_infinite_outputs_are_refused(tmp_path: Path) -> None:
    shapes = {"conv1": (16, 4, 8, 8), "conv2": (32, 16, 4, 4), "fc": (256, 2592)}
    shapes |= {"actor": (6, 256), "critic": (1, 256)}
    tensors = {f"{n}.weight": torch.full(s, 1e20) for n, s in shapes.items()}
    tensors |= {f"{n}.bias": torch.zeros(s[0]) for n, s in shapes.items()}
    torch.save(tensors, tmp_path / "net.pt")
    with pytest.raises(NotFinite, match="preferences is not finite on a black, a white"):
        load(tmp_path / "net.pt")
    tensors["fc.weight"] = torch.full(shapes["fc"], 1e300, dtype=torch.float64)
    torch.save(tensors, tmp_path / "net.pt")
    with pytest.raises(NotFinite, match=r"'torso\.5\.weight' holds 1e\+300.*no finite float32"):
        load(tmp_path / "net.pt")
