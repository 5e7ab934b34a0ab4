"""Trains the agents that ship with the project, and scores their checkpoints.

    python agents/train.py pong-ppo                       start a run
    python agents/train.py pong-ppo --resume              go on from its newest checkpoint
    python agents/train.py pong-ppo --evaluate ZIP --episodes 20

The recipe is `agents/<name>/train.toml`; what a run writes goes to `<runs>/<name>/`, outside the
project's history. This script stands alone: it needs stable-baselines3, sb3-contrib and ale-py.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from checkpoints import CurveRow, RunError, RunFolder
from evaluation import play_episodes, summarise
from learning import RunWriter, compute_in_bfloat16, learn
from recipe import Algorithm, DqnSettings, Recipe, RecipeError, RecurrentPpoSettings, read_recipe
from sb3_contrib import RecurrentPPO
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.save_util import load_from_zip_file
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.utils import LinearSchedule
from vector_env import AtariVecEnv

CLASSES: dict[str, type[BaseAlgorithm]] = {"PPO": PPO, "RecurrentPPO": RecurrentPPO, "DQN": DQN}


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where a run computes: torch device, torch threads, emulator threads."""

    device: str
    threads: int


@dataclass(frozen=True, kw_only=True)
class Start:
    """Weights that a run begins with instead of fresh ones.

    Attributes:
        zip_path: A stable-baselines3 zip with the same network; for features, the same CNN.
        decisions: Decisions that made those weights; the schedule goes on from there.
        features_only: Whether the CNN alone is taken: see `load_features`.
    """

    zip_path: Path
    decisions: int
    features_only: bool = False


def part_seed(seed: int, decisions: int) -> int:
    """Return the seed of a part of a run that begins after so many decisions.

    A resumed run begins new episodes, and must not replay the ones that the first part began with.
    """
    return int(np.random.SeedSequence([seed, decisions]).generate_state(1)[0] >> 2)


def policy_kwargs(algorithm: Algorithm) -> dict[str, Any]:
    """Return the network's sizes as stable-baselines3 is told them."""
    sizes: dict[str, Any] = {
        "features_extractor_kwargs": {"features_dim": algorithm.features_dim},
        "net_arch": [],
    }
    if isinstance(algorithm, RecurrentPpoSettings):
        sizes |= {
            "lstm_hidden_size": algorithm.lstm_hidden_size,
            "n_lstm_layers": 1,
            "shared_lstm": True,
            "enable_critic_lstm": False,
        }
    return sizes


def build_model(recipe: Recipe, env: AtariVecEnv, *, device: str) -> BaseAlgorithm:
    """Make the untrained model of a recipe."""
    options = asdict(recipe.algorithm)
    cls = CLASSES[options.pop("name")]
    options.pop("features_dim")
    options.pop("lstm_hidden_size", None)
    start, end = options.pop("learning_rate"), options.pop("final_learning_rate")
    if isinstance(recipe.algorithm, DqnSettings):
        options |= {
            "optimize_memory_usage": True,
            "replay_buffer_kwargs": {"handle_timeout_termination": False},
        }
    return cls(
        "CnnLstmPolicy" if cls is RecurrentPPO else "CnnPolicy",
        env,
        learning_rate=LinearSchedule(start, end, 1.0),
        policy_kwargs=policy_kwargs(recipe.algorithm),
        seed=part_seed(recipe.run.seed, 0),
        device=device,
        **options,
    )


def load_model(
    recipe: Recipe, env: AtariVecEnv, folder: RunFolder, *, path: Path, device: str
) -> BaseAlgorithm:
    """Load a checkpoint: weights, optimiser, counters, schedules, and DQN's replay memory.

    The emulators' state is not in it: every environment begins a new episode, and random numbers
    go on from a seed made of the run's seed and the decision count.
    """
    model = CLASSES[recipe.algorithm.name].load(path, env=env, device=device)
    if isinstance(model, DQN):
        model.load_replay_buffer(folder.path / "replay.pkl")
    model.set_random_seed(part_seed(recipe.run.seed, model.num_timesteps))
    return model


def load_start(model: BaseAlgorithm, start: Start, *, seed: int) -> None:
    """Put another zip's policy weights into a fresh model; only tensors are read from it."""
    _, tensors, _ = load_from_zip_file(start.zip_path, load_data=False, device=model.device)
    model.policy.load_state_dict(tensors["policy"], strict=True)
    model.num_timesteps = start.decisions
    model.set_random_seed(part_seed(seed, start.decisions))


def load_features(model: BaseAlgorithm, zip_path: Path) -> None:
    """Begin with the CNN of another algorithm's zip; the heads, or the memory, stay fresh.

    A model of one plane gets the sum over the zip's planes, as if they were alike; a narrower CNN
    gets the first of the zip's outputs.
    """
    _, tensors, _ = load_from_zip_file(zip_path, load_data=False, device=model.device)
    prefix = "features_extractor."
    features = {
        k.removeprefix(prefix): v for k, v in tensors["policy"].items() if k.startswith(prefix)
    }
    for module in model.policy.modules():
        if isinstance(module, BaseFeaturesExtractor):
            own = module.state_dict()
            module.load_state_dict({key: _fitted(features[key], own[key]) for key in own})


def _fitted(tensor: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    if tensor.ndim == 4 and own.shape[1] == 1:
        tensor = tensor.sum(dim=1, keepdim=True)
    return tensor[: len(own)]


def train(
    recipe: Recipe,
    folder: RunFolder,
    machine: Machine,
    *,
    resume: bool,
    start: Start | None,
    report: Callable[[CurveRow], None],
    aim: float | None = None,
) -> Path:
    """Train a recipe up to its `stop_at` and return the last checkpoint.

    Args:
        recipe: What to train.
        folder: Where checkpoints and curve go.
        machine: Where to compute.
        resume: Go on from the newest checkpoint of the folder.
        start: Weights to begin with; ignored when resuming, since the checkpoint has them.
        report: Called with every row of the curve.
        aim: Mean raw return of the last 100 games at which the run ends early, or None.

    Raises:
        RunError: The folder holds another run, or nothing to resume.
    """
    torch.set_num_threads(machine.threads)
    newest = folder.newest()
    if resume and newest is None:
        raise RunError(f"{folder.path} holds no checkpoint to resume; start without --resume")
    if newest is not None and not resume:
        raise RunError(
            f"{folder.path} already holds checkpoints; add --resume, or choose another --runs"
        )
    begins_at = newest[1] if newest else start.decisions if start else 0
    folder.write_note(recipe, part_note(recipe, start, begins_at), resume=resume)
    env = AtariVecEnv(recipe.environment, num_threads=machine.threads)
    if newest is not None:
        model = load_model(recipe, env, folder, path=newest[0], device=machine.device)
    else:
        model = build_model(recipe, env, device=machine.device)
        if start is not None and start.features_only:
            load_features(model, start.zip_path)
        elif start is not None:
            load_start(model, start, seed=recipe.run.seed)
    if recipe.run.precision == "bfloat16":
        compute_in_bfloat16(model)
    last = folder.cut_curve(begins_at if resume else 0)
    try:
        learn(model, recipe, RunWriter(folder, recipe, last, report, aim))
    finally:
        env.close()
    return folder.save(model)


def part_note(recipe: Recipe, start: Start | None, decisions: int) -> dict[str, Any]:
    """Return what is kept about one part of a run, which begins after so many decisions."""
    packages = ("stable-baselines3", "sb3-contrib", "ale-py", "gymnasium", "torch", "numpy")
    return {
        "from": decisions,
        "total_steps": recipe.run.total_steps,
        "weights_from": start.zip_path.name if start else None,
        "features_only": bool(start and start.features_only),
        "versions": {name: importlib.metadata.version(name) for name in packages},
    }


def evaluate(recipe: Recipe, zip_path: Path, machine: Machine, *, episodes: int, seed: int) -> None:
    """Play whole episodes with a checkpoint and print what it scored."""
    torch.set_num_threads(machine.threads)
    model = CLASSES[recipe.algorithm.name].load(
        zip_path, device=machine.device, custom_objects={"buffer_size": 1}
    )
    played = play_episodes(
        model,
        recipe.environment,
        recipe.evaluation,
        episodes=episodes,
        seed=seed,
        num_threads=machine.threads,
    )
    score = summarise(played)
    print(f"returns {' '.join(f'{episode.raw_return:g}' for episode in played)}")
    print(
        f"{zip_path.name}: mean {score.mean:.2f}  sd {score.sd:.2f}  n {score.episodes}  "
        f"distinct {score.distinct}  ({recipe.evaluation.selection}, raw reward, seed {seed})"
    )


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Train a shipped agent from its recipe.")
    parser.add_argument("agent", help="folder in agents/, or the path of a train.toml")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR")
    parser.add_argument("--resume", action="store_true", help="go on from the newest checkpoint")
    parser.add_argument("--init", type=Path, metavar="ZIP", help="begin with this zip's weights")
    parser.add_argument(
        "--init-steps",
        type=int,
        default=0,
        metavar="N",
        help="decisions that made the weights of --init",
    )
    parser.add_argument(
        "--features", type=Path, metavar="ZIP", help="begin with this zip's CNN and nothing else"
    )
    parser.add_argument("--seed", type=int, help="another seed than the recipe's (evaluation: 0)")
    parser.add_argument("--total-steps", type=int, metavar="N", help="another length in decisions")
    parser.add_argument("--aim", type=float, help="mean return of 100 games to stop at")
    parser.add_argument("--device", default="auto", help="torch device: auto, cpu, cuda")
    parser.add_argument(
        "--threads",
        type=int,
        default=os.cpu_count() or 1,
        help="torch threads, and as many emulator threads",
    )
    parser.add_argument("--evaluate", type=Path, metavar="ZIP", help="score a checkpoint and stop")
    parser.add_argument("--episodes", type=int, default=20, help="whole episodes to score with")
    return parser.parse_args(arguments)


def recipe_path(agent: str) -> Path:
    """Return the recipe that the command line names.

    Raises:
        RecipeError: No agent is called that; the message lists those that exist.
    """
    if agent.endswith(".toml"):
        return Path(agent)
    here = Path(__file__).parent
    path = here / agent / "train.toml"
    if not path.is_file():
        known = sorted(recipe.parent.name for recipe in here.glob("*/train.toml"))
        raise RecipeError(
            f"got the agent {agent!r}, expected one of {', '.join(known)}, or a train.toml; "
            "name one of them"
        )
    return path


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    machine = Machine(device=options.device, threads=options.threads)
    try:
        recipe = read_recipe(recipe_path(options.agent))
        if options.evaluate is not None:
            evaluate(
                recipe,
                options.evaluate,
                machine,
                episodes=options.episodes,
                seed=options.seed or 0,
            )
            return 0
        recipe = recipe.override(seed=options.seed, total_steps=options.total_steps)
        start = None
        if options.init is not None:
            start = Start(zip_path=options.init, decisions=options.init_steps)
        elif options.features is not None:
            start = Start(zip_path=options.features, decisions=0, features_only=True)
        last = train(
            recipe,
            RunFolder(path=options.runs / recipe.name),
            machine,
            resume=options.resume,
            start=start,
            report=_print_row,
            aim=options.aim,
        )
    except (RecipeError, RunError, FileNotFoundError) as error:
        print(f"train.py: {error}", file=sys.stderr)
        return 2
    print(f"wrote {last}")
    return 0


def _print_row(row: CurveRow) -> None:
    print(
        f"{row.decisions:>9} decisions  {row.episodes:>5} episodes  "
        f"return {row.mean_return:+8.2f} (sd {row.sd_return:.2f}, last {row.window})  "
        f"learning rate {row.learning_rate:.2e}  {row.seconds:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
