"""Training against the clock: the same mathematics as stable-baselines3's, and files that go on."""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import torch
from stable_baselines3 import PPO

pytest.importorskip("sb3_contrib")

AGENTS = Path(__file__).parents[2] / "agents"
sys.path.insert(0, str(AGENTS))
checkpoints = importlib.import_module("checkpoints")
collection = importlib.import_module("collection")
fast_ppo = importlib.import_module("fast_ppo")
recipes = importlib.import_module("recipe")
train = importlib.import_module("train")
sys.path.remove(str(AGENTS))

ENVS, STEPS = 4, 8


def small(name: str = "breakout-ppo", **environment: Any) -> Any:
    """A shipped recipe cut down to short episodes, float32 and a tiny network."""
    recipe = recipes.read_recipe(AGENTS / name / "train.toml")
    settings = dataclasses.replace(
        recipe.algorithm,
        features_dim=8,
        n_steps=STEPS,
        n_epochs=1,
        batch_size=ENVS * STEPS,
        learning_rate=1e-3,
    )
    return dataclasses.replace(
        recipe,
        name=name,
        run=dataclasses.replace(recipe.run, precision="float32"),
        environment=dataclasses.replace(recipe.environment, num_envs=ENVS, **environment),
        algorithm=settings,
    )


@pytest.fixture
def collected() -> Any:
    """A model, and the second batch that it plays: episodes end inside it."""
    recipe = small(max_frames=48)
    model = fast_ppo.untrained(recipe, "cpu")
    groups = [
        collection.EmulatorGroup(recipe.environment, num_envs=ENVS // 2, num_threads=1)
        for _ in range(2)
    ]
    collector = collection.Collector(groups, model.policy, steps=STEPS, gamma=0.99, gae_lambda=0.95)
    collector.reset(seed=5)
    collector.collect()
    batch, _ = collector.collect()
    for group in groups:
        group.close()
    return recipe, model, collector, batch


def fill(model: PPO, collector: Any, batch: Any) -> None:
    """Put what was collected into stable-baselines3's own buffer, environment by environment."""

    def by_step(values: torch.Tensor) -> torch.Tensor:
        """[G * T * B, ...] to [T, G * B, ...]."""
        values = values.unflatten(0, (2, STEPS, ENVS // 2)).transpose(0, 1)
        return values.flatten(1, 2)

    ends = 1.0 - by_step(collector._continues.flatten())
    values = by_step(collector._values.flatten())
    observations, actions, rewards, probabilities = (
        by_step(x)
        for x in (
            batch.observations,
            batch.actions,
            collector._rewards.flatten(),
            batch.log_probabilities,
        )
    )
    buffer = model.rollout_buffer
    buffer.reset()
    for t in range(STEPS):
        starts = ends[t - 1] if t else torch.zeros(ENVS)
        buffer.add(
            observations[t].numpy(),
            actions[t].numpy(),
            rewards[t].numpy(),
            starts.numpy(),
            values[t],
            probabilities[t],
        )
    with torch.no_grad():
        following = [collection.evaluate(model.policy, planes)[1] for planes in collector._next]
    buffer.compute_returns_and_advantage(torch.cat(following), ends[-1].numpy())
    expected = torch.from_numpy(buffer.advantages)
    torch.testing.assert_close(by_step(batch.advantages), expected, rtol=1e-5, atol=1e-6)


def test_an_update_is_that_of_stable_baselines3(collected: Any) -> None:
    recipe, model, collector, batch = collected
    assert (collector._continues == 0).any(), "no episode ended: the test proves too little"
    theirs = fast_ppo.untrained(recipe, "cpu")
    theirs.policy.load_state_dict(model.policy.state_dict())
    fill(theirs, collector, batch)
    theirs._logger = importlib.import_module("stable_baselines3.common.logger").configure(
        None, ["log"][:0]
    )
    theirs.train()
    fast_ppo.update(model, batch, recipe.algorithm, 1e-3)
    for name, weights in theirs.policy.state_dict().items():
        torch.testing.assert_close(
            model.policy.state_dict()[name], weights, rtol=1e-4, atol=2e-6, msg=name
        )


def test_what_comes_back_goes_on(tmp_path: Path) -> None:
    recipe = small()
    plan = fast_ppo.Plan(
        minutes=0.05,
        num_envs=ENVS,
        steps=STEPS,
        batch_size=16,
        threads=1,
        aim=None,
        device="cpu",
    )
    folder = checkpoints.RunFolder(path=tmp_path / "runs" / recipe.name)
    run = fast_ppo.FastRun(recipe, folder, plan, fast_ppo.Clock(plan.minutes))
    run.learn(tmp_path / "out", ladder=True)
    assert run.model.num_timesteps >= ENVS * STEPS
    with tarfile.open(tmp_path / "out" / f"{recipe.name}.tar") as archive:
        archive.extractall(tmp_path / "back", filter="data")
    back = checkpoints.RunFolder(path=tmp_path / "back" / recipe.name)
    newest = back.newest()
    assert newest is not None
    assert newest[1] == run.model.num_timesteps
    loaded = PPO.load(newest[0], device="cpu")
    for name, weights in run.model.policy.state_dict().items():
        assert torch.equal(loaded.policy.state_dict()[name], weights), name

    note = json.loads((back.path / "run.json").read_text())
    assert note["parts"][0]["plan"]["num_envs"] == ENVS
    longer = recipe.override(total_steps=newest[1] + ENVS * STEPS)
    machine = train.Machine(device="cpu", threads=1)
    last = train.train(longer, back, machine, resume=True, start=None, report=lambda row: None)
    assert last.name == f"checkpoint-{newest[1] + ENVS * STEPS:09d}.zip"


def test_the_rate_falls_with_the_clock() -> None:
    assert fast_ppo.Clock(1.0, gone=15.0).left == pytest.approx(0.75, abs=0.01)
    assert fast_ppo.Clock(1.0, gone=61.0).left == 0.0


def test_a_run_stops_at_its_aim(tmp_path: Path) -> None:
    recipe = small("pong-ppo", max_frames=48)
    plan = fast_ppo.Plan(
        minutes=10.0, num_envs=20, steps=STEPS, batch_size=80, threads=1, aim=-3.0, device="cpu"
    )
    folder = checkpoints.RunFolder(path=tmp_path)
    run = fast_ppo.FastRun(recipe, folder, plan, fast_ppo.Clock(plan.minutes))
    run.learn(None, ladder=False)
    rows = checkpoints.read_curve(folder.curve_path)
    assert rows[-1].window == 100
    assert all(row.window < 100 for row in rows[:-1])


def test_other_algorithms_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fast_ppo.main(["pong-dqn", "--runs", str(tmp_path)]) == 2
    assert "expected PPO" in capsys.readouterr().err
