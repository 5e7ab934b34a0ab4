"""The training script: environments, recipes, checkpoints, scores. Networks here are tiny."""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3.common.torch_layers import NatureCNN

from agentlens.policies.manifest import read_manifest
from agentlens.rollout.outputs import Outputs
from agentlens.rollout.player import Player
from agentlens.rollout.seeds import episode_seed

pytest.importorskip("sb3_contrib")

AGENTS = Path(__file__).parents[2] / "agents"
sys.path.insert(0, str(AGENTS))
checkpoints = importlib.import_module("checkpoints")
curve = importlib.import_module("curve")
evaluation = importlib.import_module("evaluation")
learning = importlib.import_module("learning")
recipes = importlib.import_module("recipe")
train = importlib.import_module("train")
vector_env = importlib.import_module("vector_env")
sys.path.remove(str(AGENTS))

MACHINE = train.Machine(device="cpu", threads=1)


def settings(**changes: Any) -> Any:
    recipe = recipes.read_recipe(AGENTS / "pong-ppo" / "train.toml")
    return dataclasses.replace(recipe.environment, num_envs=2, **changes)


def small(name: str = "pong-ppo", **algorithm: Any) -> Any:
    """A shipped recipe cut down to two environments, 400-frame episodes and a tiny network."""
    recipe = recipes.read_recipe(AGENTS / name / "train.toml")
    sizes = {"features_dim": 8, "batch_size": 8} | algorithm
    if "PPO" in recipe.algorithm.name:
        sizes |= {"n_steps": 8, "n_epochs": 2}
    return dataclasses.replace(
        recipe,
        name="small",
        stop_at=96,
        run=recipes.RunSettings(
            seed=3, precision="float32", total_steps=96, checkpoint_every=48, curve_every=16
        ),
        environment=dataclasses.replace(recipe.environment, num_envs=2, max_frames=100),
        algorithm=dataclasses.replace(recipe.algorithm, **sizes),
    )


def run(recipe: Any, folder: Any, *, resume: bool = False, start: Any = None) -> Path:
    rows: list[Any] = []
    return train.train(recipe, folder, MACHINE, resume=resume, start=start, report=rows.append)


# --- environments ---------------------------------------------------------------------------


@pytest.mark.parametrize("game", ["breakout", "space_invaders"])
def test_an_end_is_reset_within_the_step_and_keeps_the_last_observation(game: str) -> None:
    chosen = settings(game=game, max_frames=600)
    env = vector_env.AtariVecEnv(chosen, num_threads=1)
    oracle = vector_env.AtariVectorEnv(
        game,
        2,
        num_threads=1,
        max_num_frames_per_episode=600,
        autoreset_mode="NextStep",
        reward_clipping=False,
    )
    env.seed(11)
    first = env.reset()
    np.testing.assert_array_equal(first, oracle.reset(seed=11)[0])
    actions = np.random.default_rng(0).integers(0, 4, (400, 2))
    total = np.zeros(2)
    length = 0
    for action in actions:
        length += 1
        observations, rewards, dones, infos = env.step(action)
        seen, points, terminated, truncated, _ = oracle.step(action)
        total += points
        assert rewards.dtype == np.float32
        np.testing.assert_array_equal(rewards, np.sign(points))
        np.testing.assert_array_equal(dones, terminated | truncated)
        if dones.any():
            break
        np.testing.assert_array_equal(observations, seen)
        assert infos == [{}, {}]
    assert dones.any()
    assert total.any()
    begun, *_ = oracle.step(action)
    for i in np.flatnonzero(dones):
        np.testing.assert_array_equal(infos[i]["terminal_observation"], seen[i])
        np.testing.assert_array_equal(observations[i], begun[i])
        assert infos[i]["TimeLimit.truncated"] == (not terminated[i])
        assert infos[i]["episode"]["r"] == total[i]
        assert infos[i]["episode"]["l"] == length
    env.close()


def test_a_lost_life_ends_the_learners_episode_and_not_the_game() -> None:
    env = vector_env.AtariVecEnv(
        settings(game="breakout", terminal_on_life_loss=True), num_threads=1
    )
    env.seed(2)
    env.reset()
    draws = np.random.default_rng(1)
    ends: list[dict[str, Any]] = []
    points = 0.0
    while True:
        observations, rewards, dones, infos = env.step(draws.integers(0, 4, 2))
        points += float(rewards[0])
        if dones[0]:
            ends.append(infos[0])
            if "episode" in infos[0]:
                break
            np.testing.assert_array_equal(infos[0]["terminal_observation"], observations[0])
    assert len(ends) == 5
    assert not any(end["TimeLimit.truncated"] for end in ends)
    assert ends[-1]["episode"]["r"] >= points
    env.close()


def test_seeds_decide_the_episodes() -> None:
    env = vector_env.AtariVecEnv(settings(), num_threads=1)
    env.seed(5)
    first = env.reset()
    env.seed(5)
    np.testing.assert_array_equal(env.reset(), first)
    env.close()


def test_actions_are_asked_for_before_a_step() -> None:
    env = vector_env.AtariVecEnv(settings(), num_threads=1)
    with pytest.raises(RuntimeError, match="step_async"):
        env.step_wait()
    with pytest.raises(AttributeError, match="no attributes to set"):
        env.set_attr("frame_skip", 3)
    assert env.get_attr("num_envs", indices=[0]) == [2]
    assert env.env_is_wrapped(object) == [False, False]  # type: ignore[arg-type]
    env.close()


# --- recipes --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(AGENTS.glob("*/train.toml")), ids=lambda p: p.parent.name)
def test_shipped_recipes_are_complete(path: Path) -> None:
    recipe = recipes.read_recipe(path)
    assert 0 < recipe.stop_at <= recipe.run.total_steps
    sticky = 0.25 if path.parent.name.endswith("-sticky") else 0.0
    assert recipe.environment.repeat_action_probability == sticky
    if "PPO" in recipe.algorithm.name:
        rollout = recipe.algorithm.n_steps * recipe.environment.num_envs
        assert rollout % recipe.algorithm.batch_size == 0


def test_the_second_seed_differs_in_nothing_else() -> None:
    one = recipes.read_recipe(AGENTS / "pong-ppo" / "train.toml")
    two = recipes.read_recipe(AGENTS / "pong-ppo-seed2" / "train.toml")
    assert two.run.seed != one.run.seed
    assert two.override(seed=one.run.seed) == dataclasses.replace(one, name=two.name)


def test_a_snapshot_is_the_other_agents_run() -> None:
    early = recipes.read_recipe(AGENTS / "pong-ppo-early" / "train.toml")
    whole = recipes.read_recipe(AGENTS / "pong-ppo" / "train.toml")
    assert early == dataclasses.replace(whole, stop_at=early.stop_at)
    assert early.stop_at < whole.stop_at
    assert early.override(total_steps=5000).stop_at == 5000


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("pong-ppo", "[run]", "[run]\nsteps = 9", r"\[run\]: got the unknown key steps"),
        (
            "pong-ppo",
            '"bfloat16"',
            '"float16"',
            "got precision = 'float16', expected one of float32",
        ),
        ("pong-ppo", "stack = 4", "", r"\[environment\]: stack is missing"),
        ("pong-ppo", "stack = 4", 'stack = "4"', r"stack: got '4', expected int"),
        ("pong-ppo", "max_pool = true", "max_pool = 1", "max_pool: got 1, expected bool"),
        ("pong-ppo", '"PPO"', '"A2C"', "got name = 'A2C', expected one of PPO, RecurrentPPO, DQN"),
        ("pong-ppo", '"sample"', '"best"', "got selection = 'best', expected one of sample"),
        ("pong-dqn", '"epsilon"', '"sample"', "a DQN, which has Q-values"),
        ("pong-ppo", "[evaluation]", "[extra]", "got the sections"),
    ],
)
def test_a_wrong_recipe_says_what_is_wrong(
    tmp_path: Path, name: str, old: str, new: str, message: str
) -> None:
    text = (AGENTS / name / "train.toml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "train.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(recipes.RecipeError, match=message):
        recipes.read_recipe(path)


def test_an_unknown_agent_lists_those_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(["pong-pro"]) == 2
    assert "pong-ppo, pong-ppo-early" in capsys.readouterr().err


# --- runs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pong-ppo", "pong-recurrent"])
def test_a_resumed_run_ends_where_an_uninterrupted_one_does(tmp_path: Path, name: str) -> None:
    recipe = dataclasses.replace(small(name), stop_at=80)
    whole = checkpoints.RunFolder(path=tmp_path / "whole")
    parts = checkpoints.RunFolder(path=tmp_path / "parts")
    end = run(recipe, whole)
    run(dataclasses.replace(recipe, stop_at=40), parts)
    assert parts.newest()[1] == 48
    assert run(recipe, parts, resume=True).name == end.name == "checkpoint-000000080.zip"
    cls = train.CLASSES[recipe.algorithm.name]
    one = cls.load(end, device="cpu")
    two = cls.load(parts.checkpoint_path(80), device="cpu")
    assert one.num_timesteps == two.num_timesteps == 80
    assert one._n_updates == two._n_updates
    first, second = (model.policy.optimizer.state_dict() for model in (one, two))
    assert first["param_groups"] == second["param_groups"]
    assert first["param_groups"][0]["lr"] == pytest.approx(recipe.algorithm.learning_rate / 6)
    steps = [{float(s["step"]) for s in state["state"].values()} for state in (first, second)]
    assert steps[0] == steps[1] == {5.0 * 2 * 2}


@pytest.mark.parametrize("name", ["pong-ppo", "pong-recurrent", "pong-dqn"])
def test_bfloat16_is_for_the_convolutions_alone(tmp_path: Path, name: str) -> None:
    recipe = small(name, **({"learning_starts": 16} if name == "pong-dqn" else {}))
    recipe = dataclasses.replace(
        recipe, run=dataclasses.replace(recipe.run, precision="bfloat16"), stop_at=48
    )
    env = vector_env.AtariVecEnv(recipe.environment, num_threads=1)
    model = train.build_model(recipe, env, device="cpu")
    plain = {key: value.dtype for key, value in model.policy.state_dict().items()}
    extractor = next(m for m in model.policy.modules() if isinstance(m, NatureCNN))
    planes = torch.rand(3, *env.observation_space.shape)
    exact = extractor(planes)
    learning.compute_in_bfloat16(model)
    rough = extractor(planes)
    assert rough.dtype == torch.float32
    assert not torch.equal(rough, exact)
    torch.testing.assert_close(rough, exact, rtol=0.05, atol=0.01)
    env.close()
    end = run(recipe, checkpoints.RunFolder(path=tmp_path))
    loaded = train.CLASSES[recipe.algorithm.name].load(end, device="cpu")
    assert {key: value.dtype for key, value in loaded.policy.state_dict().items()} == plain
    assert set(plain.values()) == {torch.float32}


def test_the_cnn_of_another_algorithm_is_a_beginning(tmp_path: Path) -> None:
    """One plane gets the sum over four; a narrower CNN the first outputs; the heads stay fresh."""
    source = run(small(features_dim=12), checkpoints.RunFolder(path=tmp_path))
    taken = train.CLASSES["PPO"].load(source, device="cpu").policy.features_extractor.state_dict()
    for name in ("pong-dqn", "pong-recurrent"):
        recipe = small(name, **({"learning_starts": 16} if name == "pong-dqn" else {}))
        env = vector_env.AtariVecEnv(recipe.environment, num_threads=1)
        model, fresh = (train.build_model(recipe, env, device="cpu") for _ in range(2))
        train.load_features(model, source)
        env.close()
        before = fresh.policy.state_dict()
        for key, value in model.policy.state_dict().items():
            _, inside, part = key.rpartition("features_extractor.")
            if not inside:
                assert torch.equal(value, before[key]), key
                continue
            wanted = taken[part]
            if part == "cnn.0.weight" and name == "pong-recurrent":
                wanted = wanted.sum(1, keepdim=True)
            assert torch.equal(value, wanted[: len(value)]), key


def test_a_checkpoint_holds_weights_and_optimiser_bit_for_bit(tmp_path: Path) -> None:
    recipe = small()
    folder = checkpoints.RunFolder(path=tmp_path)
    env = vector_env.AtariVecEnv(recipe.environment, num_threads=1)
    model = train.build_model(recipe, env, device="cpu")
    model.learn(16, log_interval=None)
    path = folder.save(model)
    loaded = train.load_model(recipe, env, folder, path=path, device="cpu")
    tensors = [model.policy.state_dict(), loaded.policy.state_dict()]
    moments = [
        {
            (key, name): value
            for key, state in made.policy.optimizer.state_dict()["state"].items()
            for name, value in state.items()
        }
        for made in (model, loaded)
    ]
    for one, two in (tensors, moments):
        assert one.keys() == two.keys()
        assert all((one[key] == two[key]).all() for key in one)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-000000016.zip"]
    env.close()


def test_dqn_goes_on_with_its_replay_memory(tmp_path: Path) -> None:
    recipe = small("pong-dqn", buffer_size=128, learning_starts=16, target_update_interval=16)
    folder = checkpoints.RunFolder(path=tmp_path / "small")
    run(dataclasses.replace(recipe, stop_at=48), folder)
    assert run(recipe, folder, resume=True).name == "checkpoint-000000096.zip"
    model = train.CLASSES["DQN"].load(folder.checkpoint_path(96), device="cpu")
    model.load_replay_buffer(folder.path / "replay.pkl")
    assert model.replay_buffer.size() in (47, 48, 49)
    score = evaluation.play_episodes(
        model, recipe.environment, recipe.evaluation, episodes=2, seed=0, num_threads=1
    )
    assert len(score) == 2


def test_other_settings_cannot_go_on_with_a_run(tmp_path: Path) -> None:
    recipe = small()
    folder = checkpoints.RunFolder(path=tmp_path / "small")
    run(dataclasses.replace(recipe, stop_at=16), folder)
    with pytest.raises(checkpoints.RunError, match=r"run.seed: 3 then, 4 now"):
        run(recipe.override(seed=4), folder, resume=True)
    with pytest.raises(checkpoints.RunError, match="already holds checkpoints"):
        run(recipe, folder)
    nothing = checkpoints.RunFolder(path=tmp_path / "nothing")
    with pytest.raises(checkpoints.RunError, match="no checkpoint to resume"):
        run(recipe, nothing, resume=True)


def test_a_schedule_can_be_stretched_and_the_note_says_so(tmp_path: Path) -> None:
    recipe = small()
    folder = checkpoints.RunFolder(path=tmp_path / "small")
    run(dataclasses.replace(recipe, stop_at=48), folder)
    last = run(recipe.override(total_steps=192), folder, resume=True)
    assert last.name == "checkpoint-000000192.zip"
    note = json.loads((folder.path / "run.json").read_text(encoding="utf-8"))
    assert [(part["from"], part["total_steps"]) for part in note["parts"]] == [(0, 96), (48, 192)]


def test_a_run_can_begin_with_given_weights(tmp_path: Path) -> None:
    recipe = small()
    given = run(dataclasses.replace(recipe, stop_at=16), checkpoints.RunFolder(path=tmp_path))
    start = train.Start(zip_path=given, decisions=64)
    folder = checkpoints.RunFolder(path=tmp_path / "begun")
    env = vector_env.AtariVecEnv(recipe.environment, num_threads=1)
    model = train.build_model(recipe.override(seed=9), env, device="cpu")
    train.load_start(model, start, seed=9)
    source = train.CLASSES["PPO"].load(given, device="cpu").policy.state_dict()
    assert all((source[key] == value).all() for key, value in model.policy.state_dict().items())
    env.close()
    assert run(recipe, folder, start=start).name == "checkpoint-000000096.zip"
    part = json.loads((folder.path / "run.json").read_text(encoding="utf-8"))["parts"][0]
    assert (part["from"], part["weights_from"]) == (64, given.name)


def test_a_run_ends_at_its_aim(tmp_path: Path) -> None:
    recipe = small()
    long = dataclasses.replace(
        recipe,
        stop_at=10**6,
        run=dataclasses.replace(recipe.run, total_steps=10**6, checkpoint_every=10**6),
        environment=dataclasses.replace(recipe.environment, num_envs=16, max_frames=20),
    )
    folder = checkpoints.RunFolder(path=tmp_path)
    train.train(long, folder, MACHINE, resume=False, start=None, report=lambda row: None, aim=-21.0)
    rows = checkpoints.read_curve(folder.curve_path)
    assert rows[-1].window == 100
    assert rows[-1].decisions < 2000


def test_the_parts_of_a_run_begin_with_other_episodes() -> None:
    seeds = {train.part_seed(seed, decisions) for seed in (1, 2, 3) for decisions in (0, 48, 96)}
    assert len(seeds) == 9
    assert all(0 <= seed < 2**30 for seed in seeds)


# --- the curve ------------------------------------------------------------------------------


def row(decisions: int) -> Any:
    return checkpoints.CurveRow(
        decisions=decisions,
        episodes=decisions // 10,
        mean_return=-20.5,
        sd_return=0.25,
        window=10,
        learning_rate=5e-4,
        seconds=1.5,
    )


def test_a_curve_is_read_back_and_cut_where_a_run_goes_on(tmp_path: Path) -> None:
    folder = checkpoints.RunFolder(path=tmp_path / "run")
    for decisions in (100, 200, 300):
        folder.append_curve(row(decisions))
    with folder.curve_path.open("a", encoding="utf-8") as file:
        file.write("400,40,-2")
    assert checkpoints.read_curve(folder.curve_path) == [row(100), row(200), row(300)]
    assert folder.cut_curve(200) == row(200)
    assert checkpoints.read_curve(folder.curve_path) == [row(100), row(200)]
    assert folder.cut_curve(50) is None


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old", encoding="utf-8")

    def fail(temporary: Path) -> None:
        temporary.write_text("ne", encoding="utf-8")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        checkpoints.write_atomically(path, fail)
    assert path.read_text(encoding="utf-8") == "old"


def test_the_curve_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    folder = checkpoints.RunFolder(path=tmp_path)
    for decisions in (1000, 2000):
        folder.append_curve(row(decisions))
    picture = tmp_path / "curve.png"
    assert curve.main([str(folder.curve_path), str(picture), "--title", "small"]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert curve.main([str(tmp_path / "none.csv"), str(picture)]) == 2


# --- scores ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pong-ppo", "pong-recurrent"])
def test_an_episode_depends_on_its_index_and_not_on_how_many_are_played(name: str) -> None:
    recipe = small(name)
    env = vector_env.AtariVecEnv(recipe.environment, num_threads=1)
    model = train.build_model(recipe, env, device="cpu")
    env.close()

    def play(episodes: int) -> list[Any]:
        played: list[Any] = evaluation.play_episodes(
            model,
            recipe.environment,
            recipe.evaluation,
            episodes=episodes,
            seed=7,
            num_threads=1,
        )
        return played

    three = play(3)
    assert play(2) == three[:2]
    assert [episode.index for episode in three] == [0, 1, 2]
    assert evaluation.summarise(three).distinct == 3


def test_a_score_counts_distinct_episodes() -> None:
    episodes = [
        evaluation.Episode(index=i, raw_return=points, decisions=9, digest=digest)
        for i, (points, digest) in enumerate([(1.0, "a"), (3.0, "b"), (3.0, "b")])
    ]
    score = evaluation.summarise(episodes)
    assert (score.episodes, score.distinct) == (3, 2)
    assert score.mean == pytest.approx(7 / 3)
    assert score.sd == pytest.approx(np.std([1, 3, 3], ddof=1))


# --- the adapter and the shipped protocol -------------------------------------------------------


def played_here(spec: Any, actions: np.ndarray) -> tuple[np.ndarray, list[float], list[bool]]:
    """The same actions under the project's own preprocessing: one game after another.

    Returns observations uint8 [T + 1, K, H, W], raw rewards and ends, T each.
    """
    player = Player(spec, 0)
    player.begin(episode_seed(0, 0))
    said = Outputs(np.zeros(len(spec.action.meanings), np.float32), "logits")
    observations, rewards, ends = [player.observation.copy()], [], []
    for action in actions:
        rewards.append(player.play(int(action), said).reward)
        ends.append(bool(player.end))
        if player.end:
            player.begin(episode_seed(0, 0))
        observations.append(player.observation.copy())
    return np.rint(np.array(observations) * 255).astype(np.uint8), rewards, ends


@pytest.mark.parametrize(("game", "drawn", "still"), [("pong", 200, 800), ("breakout", 400, 0)])
def test_the_adapter_shows_what_the_agents_protocol_says(game: str, drawn: int, still: int) -> None:
    """Every observation that is acted on, over ends of games; no no-ops on either side.

    (The last observation of an ended game may differ: it pools whatever screens came before.)
    """
    spec = read_manifest(AGENTS / "pong-ppo" / "agent.toml")
    env = vector_env.AtariVecEnv(settings(game=game, noop_max=0), num_threads=1)
    count = int(env.action_space.n)
    environment = dataclasses.replace(
        spec.environment, game=game, id=game, start=spec.environment.start[:1]
    )
    action = dataclasses.replace(spec.action, meanings=spec.action.meanings[:count])
    spec = dataclasses.replace(spec, environment=environment, action=action)
    actions = np.random.default_rng(6).integers(0, count, drawn + still)
    actions[drawn:] = 0
    env.seed(1)
    seen, rewards, ends = [env.reset()[0]], [], []
    for chosen in actions:
        observation, reward, done, _ = env.step(np.array([chosen, 0]))
        seen.append(observation[0])
        rewards.append(float(reward[0]))
        ends.append(bool(done[0]))
    env.close()
    ours, raw, our_ends = played_here(spec, actions)
    assert any(ends)
    assert our_ends == ends
    np.testing.assert_array_equal(np.array(seen), ours)
    np.testing.assert_array_equal(rewards, np.sign(raw))
