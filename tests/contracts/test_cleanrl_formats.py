"""CleanRL's models beside the networks of its scripts, written here as torch modules."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from agentlens.errors import CheckpointError
from agentlens.policies.agent import load_agent
from tests.contracts.test_formats import Wrapped, c51_file, nature

SCREENS = torch.rand(3, 4, 84, 84, generator=torch.Generator().manual_seed(0))


def run_folder(tmp_path: Path, script: str) -> Path:
    folder = tmp_path / f"BreakoutNoFrameskip-v4__{script}__1__1700000000"
    folder.mkdir()
    return folder / f"{script}.cleanrl_model"


class Ppo(Wrapped):
    def __init__(self) -> None:
        super().__init__(0)
        self.actor, self.critic = nn.Linear(512, 4), nn.Linear(512, 1)


def test_ppo_and_the_environment_of_its_folder(tmp_path: Path) -> None:
    module, path = Ppo(), run_folder(tmp_path, "ppo_atari")
    torch.save(module.state_dict(), path)
    agent = load_agent(path)
    with torch.no_grad():
        hidden = module.network(SCREENS)
        output = agent.policy(SCREENS)
        torch.testing.assert_close(output.preferences, module.actor(hidden))
        torch.testing.assert_close(output.value, module.critic(hidden).squeeze(1))
    spec = agent.spec
    assert (spec.environment.id, spec.preset) == ("BreakoutNoFrameskip-v4", "cleanrl-atari")
    assert (spec.algorithm, spec.value.reward) == ("PPO", "clipped")
    assert "cleanrl" in spec.source
    assert any(line.startswith("environment.id = Breakout") for line in spec.assumed)
    assert load_agent(path, env="ALE/Breakout-v5").spec.environment.id == "ALE/Breakout-v5"


def test_dqn_greedy_without_a_folder_asks_for_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "dqn_atari.cleanrl_model"
    module = Wrapped(4)
    torch.save(module.state_dict(), path)
    agent = load_agent(path, env="BreakoutNoFrameskip-v4")
    with torch.no_grad():
        torch.testing.assert_close(agent.policy(SCREENS).preferences, module.network(SCREENS))
    assert agent.spec.action.selection == "greedy"


class PpoLstm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.network = nature(0)
        self.network[0] = nn.Conv2d(1, 32, 8, 4)
        self.lstm = nn.LSTM(512, 128)
        self.actor, self.critic = nn.Linear(128, 4), nn.Linear(128, 1)


def test_ppo_with_an_lstm_reads_one_plane_and_carries_its_state(tmp_path: Path) -> None:
    module, path = PpoLstm(), run_folder(tmp_path, "ppo_atari_lstm")
    torch.save(module.state_dict(), path)
    agent = load_agent(path)
    assert agent.spec.observation.shape == (1, 84, 84)
    memory = (torch.rand(1, 3, 128), torch.rand(1, 3, 128))
    state = torch.cat([part[0] for part in memory], 1)
    planes = SCREENS[:, :1]
    with torch.no_grad():
        hidden, after = module.lstm(module.network(planes)[None], memory)
        output = agent.policy(planes, state)
        torch.testing.assert_close(output.preferences, module.actor(hidden[0]))
        torch.testing.assert_close(output.state, torch.cat([part[0] for part in after], 1))


def test_pqn_with_layer_norms_under_envpools_protocol(tmp_path: Path) -> None:
    layers: list[nn.Module] = []
    shapes = {0: [32, 20, 20], 2: [64, 9, 9], 4: [64, 7, 7], 7: [512]}
    for index, layer in enumerate(nature(4)):
        layers += [layer, nn.LayerNorm(shapes[index])] if index in shapes else [layer]
    module = nn.Module()
    module.network = nn.Sequential(*layers)
    path = tmp_path / "Breakout-v5__pqn_atari_envpool__1__1" / "pqn.cleanrl_model"
    path.parent.mkdir()
    torch.save(module.state_dict(), path)
    agent = load_agent(path)
    with torch.no_grad():
        torch.testing.assert_close(agent.policy(SCREENS).preferences, module.network(SCREENS))
    environment, observation = agent.spec.environment, agent.spec.observation
    assert (environment.id, agent.spec.preset) == ("ALE/Breakout-v5", "envpool")
    assert environment.repeat_action_probability == 0.0
    assert environment.after_life_loss == environment.start
    assert (observation.pool, observation.stack_fill) == ("grey", "repeat")


def test_c51_gives_the_scripts_q_values_and_keeps_the_spread(tmp_path: Path) -> None:
    path = tmp_path / "c51_atari.cleanrl_model"
    c51_file(path)
    agent = load_agent(path)
    weights = torch.load(path, weights_only=True)["model_weights"]
    module = Wrapped(30)
    module.load_state_dict({k: v for k, v in weights.items() if k != "atoms"})
    with torch.no_grad():
        pmf = module.network(SCREENS).view(3, 6, 5).softmax(2)
        wanted: Tensor = (pmf * weights["atoms"]).sum(2)
        output = agent.policy(SCREENS)
    torch.testing.assert_close(output.preferences, wanted, rtol=0, atol=1e-5)
    assert output.quantiles is not None
    assert output.quantiles.shape == (3, 6, 5)
    assert set(output.quantiles.unique().tolist()) <= {-10.0, -5.0, 0.0, 5.0, 10.0}
    assert (agent.spec.environment.id, agent.spec.algorithm) == ("PongNoFrameskip-v4", "C51")
    assert (agent.spec.action.selection, agent.spec.action.epsilon) == ("epsilon", 0.01)


@pytest.mark.parametrize("args", [{}, {"n_atoms": 5, "v_min": "x", "v_max": 1}])
def test_c51_without_its_support_is_refused(tmp_path: Path, args: dict[str, object]) -> None:
    path = tmp_path / "c51.cleanrl_model"
    torch.save({"model_weights": Wrapped(30).state_dict(), "args": args}, path)
    with pytest.raises(CheckpointError, match="n_atoms"):
        load_agent(path, env="ALE/Pong-v5", format="cleanrl-c51")
