"""Trains an agent with PPO within so many minutes, on a machine with a GPU and many cores.

    python agents/fast_ppo.py breakout-ppo --runs RUNS --minutes 8 --envs 64 --threads 8

The recipe is the agent's `train.toml` (PPO or RecurrentPPO), as for `train.py`, and so are the
run's files; a run that the folder already holds goes on. What differs is noted in each part of
`run.json`: more environments, which play on while the network answers others; and a learning rate
that falls with the clock and reaches 0 when the time is over. Checkpoints leave the optimiser's
state out, which makes them a third as large: whoever goes on begins with a fresh one.
"""

from __future__ import annotations

import argparse
import os
import sys
import tarfile
import time
from collections import deque
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from actors import Actor, Batch, actor_of
from checkpoints import CurveRow, RunError, RunFolder, write_atomically
from collection import Collector, EmulatorGroup
from learning import compute_in_bfloat16
from recipe import PpoSettings, Recipe, RecipeError, read_recipe
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.save_util import load_from_zip_file
from torch.nn import functional
from train import build_model, part_note, part_seed, recipe_path
from vector_env import AtariVecEnv

GROUPS = 2


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How one run uses its machine and its time.

    Attributes:
        minutes: From the start of the process to its end.
        num_envs: Environments, all groups together.
        steps: Steps of each environment between two updates.
        batch_size: Decisions of one gradient.
        threads: Emulator threads of each group.
        learning_rate: At the beginning; None for what the recipe's schedule says there.
        aim: Mean raw return of the last 100 games at which the run ends early, or None.
        device: Torch device.
    """

    minutes: float
    num_envs: int
    steps: int
    batch_size: int
    threads: int
    learning_rate: float | None
    aim: float | None
    device: str


def surrogate_loss(
    actor: Actor, batch: Batch, rows: torch.Tensor, settings: PpoSettings
) -> torch.Tensor:
    """Return PPO's loss of some decisions of a batch, by their index into [T * N].

    References:
        Schulman et al. 2017, "Proximal Policy Optimization Algorithms", eq. 9, with advantages
        brought to mean 0 and deviation 1 within the rows, and no clipping of the value.
    """
    answer = actor.answer_again(batch, rows)
    log_probabilities = answer.logits.log_softmax(dim=1)
    taken = log_probabilities.gather(1, batch.actions.flatten()[rows, None])[:, 0]
    advantages = batch.advantages.flatten()[rows]
    advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    ratio = (taken - batch.log_probabilities.flatten()[rows]).exp()
    clipped = ratio.clamp(1 - settings.clip_range, 1 + settings.clip_range)
    gain = torch.minimum(advantages * ratio, advantages * clipped).mean()
    entropy = -(log_probabilities.exp() * log_probabilities).sum(dim=1).mean()
    value_loss = functional.mse_loss(answer.values, batch.targets.flatten()[rows])
    return -gain - settings.ent_coef * entropy + settings.vf_coef * value_loss


def update(actor: Actor, batch: Batch, settings: PpoSettings, learning_rate: float) -> None:
    """Take all gradient steps of one batch.

    Raises:
        RunError: The loss is no longer a finite number.
    """
    optimizer = actor.policy.optimizer
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    loss = torch.zeros(())
    for _ in range(settings.n_epochs):
        for rows in actor.minibatches(batch, settings.batch_size):
            loss = surrogate_loss(actor, batch, rows, settings)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(actor.policy.parameters(), settings.max_grad_norm)
            optimizer.step()
    if not torch.isfinite(loss):
        raise RunError(f"got a loss of {loss.item()}, expected a finite one; lower the rate")


class Clock:
    """Says how much of a run's time is left; `gone` seconds of it have passed already."""

    def __init__(self, minutes: float, *, gone: float = 0.0) -> None:
        self._seconds = 60.0 * minutes
        self._began_at = time.perf_counter() - gone

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self._began_at

    @property
    def left(self) -> float:
        """Part of the time that is left, 1 to 0."""
        return max(0.0, 1.0 - self.elapsed / self._seconds)


class FastRun:
    """One run: its model, its files, and the loop between them."""

    def __init__(self, recipe: Recipe, folder: RunFolder, plan: Plan, clock: Clock) -> None:
        self.model = untrained(recipe, plan.device)
        self._recipe = recipe
        self._folder = folder
        self._plan = plan
        self._clock = clock
        self._returns: deque[float] = deque(maxlen=100)
        self._report_at = 0.0
        self._saved: list[Path] = []
        newest = folder.newest()
        if newest is not None:
            self._go_on_from(newest[0], decisions=newest[1])
        begins_at = self.model.num_timesteps
        note = part_note(recipe, None, begins_at) | {"plan": asdict(plan), "optimiser": "left out"}
        folder.write_note(recipe, note, resume=newest is not None)
        last = folder.cut_curve(begins_at)
        self._episodes = last.episodes if last else 0
        self._seconds_before = last.seconds if last else 0.0
        schedule = recipe.algorithm.learning_rate * (1.0 - begins_at / recipe.run.total_steps)
        self._first_rate = plan.learning_rate or schedule

    def _go_on_from(self, path: Path, *, decisions: int) -> None:
        """Take weights, and the optimiser's state if it is there; only tensors are read."""
        _, tensors, _ = load_from_zip_file(path, load_data=False, device=self.model.device)
        self.model.policy.load_state_dict(tensors["policy"], strict=True)
        self.model.policy.optimizer.load_state_dict(tensors["policy.optimizer"])
        self.model.num_timesteps = decisions

    def learn(self, pack: Path | None, *, ladder: bool) -> None:
        """Learn once at least, and until the time is over or the aim is met; then save and pack."""
        settings, plan = (
            replace(self._recipe.algorithm, batch_size=self._plan.batch_size),
            self._plan,
        )
        seed = part_seed(self._recipe.run.seed, self.model.num_timesteps)
        torch.manual_seed(seed)
        groups = [
            EmulatorGroup(
                self._recipe.environment,
                num_envs=plan.num_envs // GROUPS,
                num_threads=plan.threads,
            )
            for _ in range(GROUPS)
        ]
        actor = actor_of(self.model.policy)
        collector = Collector(
            groups,
            actor,
            steps=plan.steps,
            gamma=settings.gamma,
            gae_lambda=settings.gae_lambda,
        )
        collector.reset(seed)
        snapshots_at = [2 / 3, 1 / 3]
        while True:
            batch, returns = collector.collect()
            rate = self._first_rate * self._clock.left
            update(actor, batch, settings, rate)
            self.model.num_timesteps += batch.actions.numel()
            self._write_row(returns, rate)
            if snapshots_at and self._clock.left < snapshots_at[0]:
                del snapshots_at[0]
                self._save(pack, ladder=ladder)
            if self._clock.left == 0.0 or self._aim_is_met:
                break
        for group in groups:
            group.close()
        self._save(pack, ladder=ladder)

    @property
    def _aim_is_met(self) -> bool:
        if self._plan.aim is None or len(self._returns) < 100:
            return False
        return float(np.mean(self._returns)) >= self._plan.aim

    def _write_row(self, returns: list[float], rate: float) -> None:
        self._returns.extend(returns)
        self._episodes += len(returns)
        if not self._returns:
            return
        row = CurveRow(
            decisions=self.model.num_timesteps,
            episodes=self._episodes,
            mean_return=round(float(np.mean(self._returns)), 3),
            sd_return=round(float(np.std(self._returns)), 3),
            window=len(self._returns),
            learning_rate=float(f"{rate:.6g}"),
            seconds=round(self._seconds_before + self._clock.elapsed, 1),
        )
        self._folder.append_curve(row)
        if self._clock.elapsed >= self._report_at:
            self._report_at = self._clock.elapsed + 15.0
            self._report(row)

    def _report(self, row: CurveRow) -> None:
        print(
            f"{self._recipe.name}: {row.decisions} decisions, return {row.mean_return:+.2f} "
            f"(last {row.window}), rate {row.learning_rate:.1e}, {self._clock.elapsed:.0f} s",
            flush=True,
        )

    def _save(self, pack: Path | None, *, ladder: bool) -> None:
        policy = self.model.policy
        trained = policy.optimizer
        policy.optimizer = policy.optimizer_class(
            policy.parameters(), lr=self._first_rate, **policy.optimizer_kwargs
        )
        newest = self._folder.save(self.model)
        print(f"{self._recipe.name}: {newest.name} after {self._clock.elapsed:.0f} s", flush=True)
        policy.optimizer = trained
        if pack is None:
            return
        pack.mkdir(parents=True, exist_ok=True)
        name = self._recipe.name
        files = [newest, self._folder.curve_path, self._folder.path / "run.json"]
        _pack(pack / f"{name}.tar", files, name)
        if ladder and self._saved:
            _pack(pack / f"{name}-ladder.tar", self._saved[-2:], f"{name}/ladder")
        self._saved.append(newest)


def untrained(recipe: Recipe, device: str) -> OnPolicyAlgorithm:
    """Make the model of a recipe, for any number of environments."""
    env = AtariVecEnv(recipe.environment, num_threads=1)
    try:
        model = build_model(recipe, env, device=device)
    finally:
        env.close()
    if recipe.run.precision == "bfloat16":
        compute_in_bfloat16(model)
    return model


def _pack(path: Path, files: list[Path], folder: str) -> None:
    def write(temporary: Path) -> None:
        with tarfile.open(temporary, "w") as archive:
            for file in filter(Path.exists, files):
                archive.add(file, arcname=f"{folder}/{file.name}")

    write_atomically(path, write)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Train an agent with PPO within so many minutes.")
    parser.add_argument("agent", help="folder in agents/, or the path of a train.toml")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--envs", type=int, default=64, metavar="N")
    parser.add_argument("--steps", type=int, default=64, metavar="N")
    parser.add_argument("--batch-size", type=int, default=512, metavar="N")
    parser.add_argument("--threads", type=int, default=4, help="emulator threads of each group")
    parser.add_argument("--learning-rate", type=float, help="at the beginning, to fall to 0")
    parser.add_argument("--aim", type=float, help="mean return to stop at")
    parser.add_argument("--device", default="auto", help="torch device: auto, cpu, cuda")
    parser.add_argument("--pack", type=Path, metavar="DIR", help="where one .tar per agent goes")
    parser.add_argument("--ladder", action="store_true", help="pack earlier checkpoints, too")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    clock = Clock(options.minutes, gone=time.process_time())
    torch.set_num_threads(1)
    torch.backends.cudnn.benchmark = True
    plan = Plan(
        minutes=options.minutes,
        num_envs=options.envs,
        steps=options.steps,
        batch_size=options.batch_size,
        threads=options.threads,
        learning_rate=options.learning_rate,
        aim=options.aim,
        device=options.device,
    )
    try:
        recipe = read_recipe(recipe_path(options.agent))
        if not isinstance(recipe.algorithm, PpoSettings):
            raise RecipeError(
                f"got {recipe.algorithm.name} for {options.agent}, expected PPO or RecurrentPPO; "
                "use train.py"
            )
        run = FastRun(recipe, RunFolder(path=options.runs / recipe.name), plan, clock)
        run.learn(options.pack, ladder=options.ladder)
    except (RecipeError, RunError, FileNotFoundError) as error:
        print(f"fast_ppo.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
