"""Training against the clock: the same mathematics as stable-baselines3's, and files that go on."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import torch
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.logger import Logger

pytest.importorskip("sb3_contrib")

AGENTS = Path(__file__).parents[2] / "agents"
sys.path.insert(0, str(AGENTS))
actors = importlib.import_module("actors")
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


@pytest.fixture(params=["breakout-ppo", "pong-recurrent"])
def collected(request: pytest.FixtureRequest) -> Any:
    """A recipe, its model, and the second batch that it plays: episodes end inside it."""
    recipe = small(request.param, max_frames=48)
    model = fast_ppo.untrained(recipe, "cpu")
    groups = [
        collection.EmulatorGroup(recipe.environment, num_envs=ENVS // 2, num_threads=1)
        for _ in range(2)
    ]
    actor = actors.actor_of(model.policy)
    collector = collection.Collector(groups, actor, steps=STEPS, gamma=0.99, gae_lambda=0.95)
    collector.reset(seed=5)
    collector.collect()
    batch, _ = collector.collect()
    for group in groups:
        group.close()
    assert batch.starts.any(), "no episode ended: the test would prove too little"
    return recipe, actor, collector, batch


def test_all_decisions_are_learned_once_and_answered_as_when_they_were_taken(
    collected: Any,
) -> None:
    _, actor, _, batch = collected
    rows = list(actor.minibatches(batch, 2 * STEPS))
    assert len(rows) == 2
    assert sorted(torch.cat(rows).tolist()) == list(range(ENVS * STEPS))
    for part in rows:
        logits = actor.answer_again(batch, part).logits
        again = logits.log_softmax(dim=1).gather(1, batch.actions.flatten()[part, None])[:, 0]
        torch.testing.assert_close(
            again, batch.log_probabilities.flatten()[part], rtol=1e-5, atol=1e-5
        )


def fill(buffer: RolloutBuffer, collector: Any, batch: Any) -> None:
    """Put what was collected into stable-baselines3's own buffer."""
    for t in range(STEPS):
        buffer.add(
            batch.observations[t].numpy(),
            batch.actions[t].numpy(),
            collector._rewards[t].numpy(),
            batch.starts[t].float().numpy(),
            collector._values[t],
            batch.log_probabilities[t],
        )
    with torch.no_grad():
        following = collector._answer(slice(0, ENVS), STEPS).values
    buffer.compute_returns_and_advantage(following, collector._starts[-1].float().numpy())


@pytest.mark.parametrize("collected", ["breakout-ppo"], indirect=True)
def test_an_update_is_that_of_stable_baselines3(collected: Any) -> None:
    recipe, actor, collector, batch = collected
    theirs = fast_ppo.untrained(recipe, "cpu")
    theirs.policy.load_state_dict(actor.policy.state_dict())
    fill(theirs.rollout_buffer, collector, batch)
    torch.testing.assert_close(
        batch.advantages,
        torch.from_numpy(theirs.rollout_buffer.advantages),
        rtol=1e-5,
        atol=1e-6,
    )
    theirs.set_logger(Logger(folder=None, output_formats=[]))
    theirs.train()
    fast_ppo.update(actor, batch, recipe.algorithm, 1e-3)
    for name, weights in theirs.policy.state_dict().items():
        torch.testing.assert_close(
            actor.policy.state_dict()[name], weights, rtol=1e-4, atol=2e-6, msg=name
        )


@pytest.mark.parametrize("name", ["breakout-ppo", "pong-recurrent"])
def test_what_comes_back_goes_on(tmp_path: Path, name: str) -> None:
    recipe = small(name)
    plan = fast_ppo.Plan(
        minutes=0.02,
        num_envs=ENVS,
        steps=STEPS,
        batch_size=16,
        threads=1,
        learning_rate=None,
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
    loaded = train.CLASSES[recipe.algorithm.name].load(newest[0], device="cpu")
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
    recipe = small("pong-ppo", max_frames=16)
    plan = fast_ppo.Plan(
        minutes=10.0,
        num_envs=20,
        steps=STEPS,
        batch_size=80,
        threads=1,
        learning_rate=None,
        aim=-3.0,
        device="cpu",
    )
    folder = checkpoints.RunFolder(path=tmp_path)
    run = fast_ppo.FastRun(recipe, folder, plan, fast_ppo.Clock(plan.minutes))
    run.learn(None, ladder=False)
    rows = checkpoints.read_curve(folder.curve_path)
    assert rows[-1].window == 100
    assert all(row.window < 100 for row in rows[:-1])


def test_the_script_trains_what_is_named_and_packs_it(tmp_path: Path) -> None:
    options = f"--envs {ENVS} --steps {STEPS} --batch-size 16 --threads 1 --device cpu"
    subprocess.run(
        ["bash", AGENTS / "train_on_gpu.sh", tmp_path / "out", "0.001", "", "pong-recurrent"],
        env=os.environ
        | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        | {"FAST_PPO_OPTIONS": options, "TMPDIR": str(tmp_path)},
        check=True,
    )
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["log.txt", "pong-recurrent.tar"]
    with tarfile.open(tmp_path / "out" / "pong-recurrent.tar") as archive:
        assert f"pong-recurrent/checkpoint-{ENVS * STEPS:09d}.zip" in archive.getnames()


def test_other_algorithms_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fast_ppo.main(["pong-dqn", "--runs", str(tmp_path)]) == 2
    assert "expected PPO" in capsys.readouterr().err
