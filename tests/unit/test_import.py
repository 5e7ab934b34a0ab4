"""Checkpoints become agent folders: the real public ones reproduce their recorded outputs."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agentlens import cli
from agentlens.errors import AlreadyExists, CheckpointError, DiskError, InvalidArgument
from agentlens.policies.agent import load_agent
from agentlens.policies.importing import import_agent, save_agent
from agentlens.policies.manifest import MANIFEST
from agentlens.policies.probes import check_observations

RECIPES = Path(__file__).resolve().parent.parent / "recipes"
TOLERANCE = 1e-4


def worst(got: Tensor | None, wanted: np.ndarray) -> float:
    assert got is not None
    return float(np.abs(got.numpy() - wanted.reshape(tuple(got.shape))).max())


@pytest.mark.policies
@pytest.mark.parametrize("game", ["pong", "breakout"])
def test_baby_a3c_reproduces_its_rollout(policies_folder: Path, tmp_path: Path, game: str) -> None:
    source = policies_folder / "baby-a3c" / game
    folder = import_agent(source / "model.80.tar", tmp_path / "it", env=f"{game.title()}-v4")
    agent = load_agent(folder)
    rollout = np.load(source / "rollout.npz")
    observations, states = torch.tensor(rollout["obs"]), torch.tensor(rollout["hidden"])
    check_observations(rollout["obs"], agent.spec.observation)
    output = agent.policy(observations, states[:-1])
    assert worst(output.preferences, rollout["logits"]) < TOLERANCE
    assert worst(output.value, rollout["value"]) < TOLERANCE
    assert worst(output.state, rollout["hidden"][1:]) < TOLERANCE
    assert agent.spec.environment.frame_skip == (2, 4)
    assert agent.spec.action.meanings == tuple(str(m) for m in rollout["action_meanings"])
    assert agent.spec.assumed == ()


@pytest.mark.policies
@pytest.mark.parametrize("stage", ["early", "late"])
def test_pong_nature_reproduces_its_rollout(policies_folder: Path, stage: str) -> None:
    source = policies_folder / "pong-nature" / stage
    agent = load_agent(source / "model.zip", manifest=RECIPES / "pong-ppo.toml")
    rollout = np.load(source / "rollout.npz")
    planes = rollout["planes"].astype(np.float32) / 255
    stacks = np.stack([planes[i : i + 4] for i in range(len(planes) - 3)])
    check_observations(stacks, agent.spec.observation)
    output = agent.policy(torch.tensor(stacks))
    assert worst(output.preferences, rollout["logits"]) < TOLERANCE
    assert worst(output.value, rollout["value"]) < TOLERANCE
    assert agent.spec.algorithm == "PPO"
    assert agent.spec.assumed == ()


@pytest.mark.policies
def test_async_rl_reproduces_its_rollout(policies_folder: Path, tmp_path: Path) -> None:
    source = policies_folder / "async-rl-breakout-ff"
    folder = import_agent(
        source / "a3c_ff_80M.pt",
        tmp_path / "it",
        manifest=RECIPES / "async-rl-breakout.toml",
    )
    agent = load_agent(folder)
    rollout = np.load(source / "rollout.npz")
    frames = rollout["frames"].astype(np.float32) / 255
    stacks = np.stack([frames[i : i + 4] for i in range(len(frames) - 3)])
    output = agent.policy(torch.tensor(stacks))
    assert worst(output.preferences, rollout["logits"]) < TOLERANCE
    assert worst(output.value, rollout["value"]) < TOLERANCE
    assert agent.spec.assumed == ()


@pytest.mark.policies
@pytest.mark.parametrize("stage", [1, 3, 4, 5])
def test_rlcode_equals_a_module_written_by_hand(policies_folder: Path, stage: int) -> None:
    path = policies_folder / "rlcode-breakout-a3c" / f"stage{stage}.pt"
    agent = load_agent(path, manifest=RECIPES / "rlcode-breakout.toml")
    w = torch.load(path, weights_only=True)
    x = torch.rand(9, 4, 84, 84, generator=torch.Generator().manual_seed(stage))
    with torch.no_grad():
        newest_first = x[:, [3, 2, 1, 0]]
        y = nn.functional.conv2d(newest_first, w["conv1.weight"], w["conv1.bias"], 4).relu()
        y = nn.functional.conv2d(y, w["conv2.weight"], w["conv2.bias"], 2).relu().flatten(1)
        y = (y @ w["fc.weight"].T + w["fc.bias"]).relu()
        logits = y @ w["actor.weight"].T + w["actor.bias"]
        value = y @ w["critic.weight"].T + w["critic.bias"]
    output = agent.policy(x)
    assert worst(output.preferences, logits.numpy()) < TOLERANCE
    assert worst(output.value, value.numpy()) < TOLERANCE
    assert agent.spec.action.meanings == ("FIRE", "RIGHT", "LEFT")
    trunk = agent.policy.trunk()
    assert trunk is not None
    features = trunk.evaluate(x)
    assert worst(agent.policy.head(features).preferences, logits.numpy()) < TOLERANCE


class Dueling(nn.Module):
    """The network of OpenAIPong-DQN, after its description."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(4, 32, 8, 4), nn.BatchNorm2d(32)
        self.conv2, self.bn2 = nn.Conv2d(32, 64, 4, 2), nn.BatchNorm2d(64)
        self.conv3, self.bn3 = nn.Conv2d(64, 64, 3, 1), nn.BatchNorm2d(64)
        self.Alinear1, self.Alinear2 = nn.Linear(1536, 128), nn.Linear(128, 6)
        self.Vlinear1, self.Vlinear2 = nn.Linear(1536, 128), nn.Linear(128, 1)

    def forward(self, x: Tensor) -> Tensor:
        for conv, norm in (
            (self.conv1, self.bn1),
            (self.conv2, self.bn2),
            (self.conv3, self.bn3),
        ):
            x = torch.relu(norm(conv(x)))
        x = x.flatten(1)
        advantage = self.Alinear2(nn.functional.leaky_relu(self.Alinear1(x), 0.01))
        value = self.Vlinear2(nn.functional.leaky_relu(self.Vlinear1(x), 0.01))
        return value + advantage - advantage.mean(dim=1, keepdim=True)


@pytest.mark.policies
def test_openaipong_equals_a_module_written_by_hand(policies_folder: Path) -> None:
    path = policies_folder / "openaipong-dqn" / "pong-cnn-900.pkl"
    agent = load_agent(path, manifest=RECIPES / "openaipong-dqn.toml")
    theirs = Dueling()
    theirs.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"), strict=True)
    x = torch.rand(9, 4, 80, 64, generator=torch.Generator().manual_seed(0))
    scrambled = torch.stack([x[:, k].reshape(9, 64, 80) for k in (3, 2, 1, 0)], dim=1)
    with torch.no_grad():
        wanted = theirs.eval()(scrambled)
    output = agent.policy(x)
    assert worst(output.preferences, wanted.numpy()) < TOLERANCE
    assert (output.kind, output.value) == ("q_values", None)
    assert "observation.stack_fill = 'zeros'" in agent.spec.assumed
    assert agent.policy.trunk() is None


def test_an_import_never_overwrites_and_is_whole_or_not_there(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    def run(force: bool = False) -> Path:
        return import_agent(
            tiny_checkpoint,
            tmp_path / "out" / "tiny",
            manifest=tiny_checkpoint.with_suffix(".toml"),
            force=force,
        )

    folder = run()
    assert sorted(p.name for p in folder.iterdir()) == ["README.md", MANIFEST, "policy.safetensors"]
    before = (folder / "policy.safetensors").read_bytes()
    with pytest.raises(AlreadyExists, match="--force"):
        run()
    (folder / "train.toml").write_text("mine")
    (folder / "more").mkdir()
    (folder / "more" / "curve.csv").write_text("mine too")
    for manifest in ("as it is", "broken", None):
        if manifest is None:
            (folder / MANIFEST).unlink()
        elif manifest == "broken":
            (folder / MANIFEST).write_text("broken [")
        assert run(force=True) == folder
        assert (folder / "train.toml").read_text() == "mine"
        assert (folder / "more" / "curve.csv").read_text() == "mine too"
    assert (folder / "policy.safetensors").read_bytes() == before
    broken = torch.load(tiny_checkpoint, weights_only=True)
    broken["q.bias"][0] = float("nan")
    torch.save(broken, tiny_checkpoint)
    with pytest.raises(Exception, match=r"'q\.1\.bias' holds nan"):
        run(force=True)
    assert (folder / "policy.safetensors").read_bytes() == before
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["tiny"]


def test_an_imported_agent_says_everything(tiny_checkpoint: Path, tmp_path: Path) -> None:
    recipe = tiny_checkpoint.with_suffix(".toml")
    folder = import_agent(tiny_checkpoint, tmp_path / "tiny", manifest=recipe)
    in_memory = load_agent(tiny_checkpoint, manifest=recipe)
    again = load_agent(folder)
    assert again.spec.observation == in_memory.spec.observation
    assert again.spec.environment == in_memory.spec.environment
    assert again.spec.network == in_memory.spec.network
    x = torch.rand(3, *again.spec.observation.shape)
    assert torch.equal(again.policy(x).preferences, in_memory.policy(x).preferences)
    assert "sha256" in again.spec.source
    copy = save_agent(again, tmp_path / "copy")
    assert load_agent(copy).spec == again.spec


def test_bad_requests_are_refused_before_anything_is_written(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for name in ("..", ".hidden", "a" * 65, "a\nb"):
        with pytest.raises(InvalidArgument, match="agent name"):
            import_agent(tiny_checkpoint, out / name, env="ALE/Pong-v5")
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        import_agent(tmp_path / "none.zip", out / "x", env="ALE/Pong-v5")
    with pytest.raises(CheckpointError, match="no known layout"):
        import_agent(tiny_checkpoint, out / "x", env="ALE/Pong-v5")
    assert not out.exists()
    out.write_text("a file where the folder should be")
    with pytest.raises(DiskError, match="cannot be written"):
        import_agent(tiny_checkpoint, out / "x", manifest=tiny_checkpoint.with_suffix(".toml"))


def test_a_disk_that_takes_no_more_is_said_and_leaves_nothing(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    out, recipe = tmp_path / "out", tiny_checkpoint.with_suffix(".toml")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (512, hard))
    try:
        with pytest.raises(DiskError, match="File too large"):
            import_agent(tiny_checkpoint, out / "x", manifest=recipe)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(out.iterdir()) == []


def test_outputs_must_fit_the_games_actions(tiny_checkpoint: Path, tmp_path: Path) -> None:
    recipe = tiny_checkpoint.with_suffix(".toml")
    text = recipe.read_text()
    recipe.write_text(text.replace("ALE/Breakout-v5", "ALE/Pong-v5"))
    with pytest.raises(InvalidArgument, match=r"4 outputs, but ALE/Pong-v5 has 6 .*RIGHTFIRE"):
        load_agent(tiny_checkpoint, manifest=recipe)
    recipe.write_text(text.replace("[environment]", "[environment]\nfull_action_space = true"))
    with pytest.raises(InvalidArgument, match="4 outputs, but ALE/Breakout-v5 has 18"):
        load_agent(tiny_checkpoint, manifest=recipe)
    recipe.write_text(text + '\n[action]\nmeanings = ["NOOP", "FIRE", "RIGHT", "UP"]\n')
    with pytest.raises(InvalidArgument, match="'UP' is none of ALE/Breakout-v5"):
        load_agent(tiny_checkpoint, manifest=recipe)


def test_a_missing_environment_is_asked_for(tiny_checkpoint: Path) -> None:
    recipe = tiny_checkpoint.with_suffix(".toml")
    recipe.write_text(
        recipe.read_text().replace('id = "ALE/Breakout-v5"', "")
        + '\n[action]\nmeanings = ["NOOP", "FIRE", "RIGHT", "LEFT"]\n'
    )
    with pytest.raises(InvalidArgument, match="does not say which environment"):
        load_agent(tiny_checkpoint, manifest=recipe)
    agent = load_agent(tiny_checkpoint, manifest=recipe, env="BreakoutNoFrameskip-v4")
    assert agent.spec.environment.id == "BreakoutNoFrameskip-v4"


@pytest.mark.parametrize("name", ["", "a/b", "../b", "a\nb"])
def test_the_command_takes_a_name_and_no_path(
    tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    words = ["import", str(tiny_checkpoint), "--name", name, "--output", str(tmp_path / "out")]
    assert cli.main(words) == 1
    assert "agent name" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
