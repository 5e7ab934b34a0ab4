"""Learning under way: the curve, the checkpoints, and stopping where the state is whole."""

from __future__ import annotations

import signal
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from checkpoints import CurveRow, RunFolder
from recipe import Recipe
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor


class RunWriter(BaseCallback):
    """Writes the learning curve and the checkpoints while a model learns.

    Everything is written between an update and the next rollout: there weights, optimiser and
    decision count belong together.

    Args:
        folder: Where to write.
        recipe: What is trained.
        last: Last row of the curve so far, or None at the start of a run.
        report: Called with every row of the curve.
        aim: Mean raw return of the last 100 games at which the run ends early, or None.
    """

    def __init__(
        self,
        folder: RunFolder,
        recipe: Recipe,
        last: CurveRow | None,
        report: Callable[[CurveRow], None],
        aim: float | None = None,
    ) -> None:
        super().__init__()
        self._aim = aim
        self.rollout_began_at = 0
        self.interrupted = False
        self._folder = folder
        self._recipe = recipe
        self._report = report
        self._episodes = last.episodes if last else 0
        self._seconds_before = last.seconds if last else 0.0
        self._started_at = time.perf_counter()
        self._next_row = 0
        self._next_checkpoint = 0

    def stop(self, *_: object) -> None:
        """End at the next step; what was collected since the last update is dropped."""
        self.interrupted = True

    def _on_training_start(self) -> None:
        run = self._recipe.run
        decisions = self.model.num_timesteps
        self._next_row = decisions + run.curve_every
        self._next_checkpoint = (decisions // run.checkpoint_every + 1) * run.checkpoint_every

    def _on_rollout_start(self) -> None:
        decisions = self.rollout_began_at = self.model.num_timesteps
        if decisions >= self._next_row:
            self._next_row += self._recipe.run.curve_every
            self.write_row()
        if decisions >= self._recipe.stop_at or self._aim_is_met():
            self.stop()
        elif decisions >= self._next_checkpoint:
            self._next_checkpoint += self._recipe.run.checkpoint_every
            self._folder.save(self.model)

    def _aim_is_met(self) -> bool:
        window = self.model.ep_info_buffer
        if self._aim is None or not window or len(window) < (window.maxlen or 0):
            return False
        return float(np.mean([episode["r"] for episode in window])) >= self._aim

    def _on_step(self) -> bool:
        self._episodes += sum("episode" in info for info in self.locals["infos"])
        return not self.interrupted

    def write_row(self) -> None:
        """Add the present mean of the last episodes to the curve, if any has ended."""
        returns = [episode["r"] for episode in self.model.ep_info_buffer or ()]
        if not returns:
            return
        row = CurveRow(
            decisions=self.model.num_timesteps,
            episodes=self._episodes,
            mean_return=round(float(np.mean(returns)), 3),
            sd_return=round(float(np.std(returns)), 3),
            window=len(returns),
            learning_rate=float(f"{self.model.policy.optimizer.param_groups[0]['lr']:.6g}"),
            seconds=round(self._seconds_before + time.perf_counter() - self._started_at, 1),
        )
        self._folder.append_curve(row)
        self._report(row)


def learn(model: BaseAlgorithm, recipe: Recipe, writer: RunWriter) -> None:
    """Go on learning up to `stop_at`, with schedules that span the whole run.

    An interrupt (SIGINT, SIGTERM) ends it early. In either case the model is left as it was after
    its last update, with the decision count of that moment.
    """
    remaining = recipe.run.total_steps - model.num_timesteps
    if remaining <= 0 or model.num_timesteps >= recipe.stop_at:
        return
    with _stopped_by_signals(writer), warnings.catch_warnings():
        # The memory's newest transitions lead into the episodes that a resume has cut off.
        warnings.filterwarnings("ignore", message="The last trajectory in the replay buffer")
        model.learn(remaining, callback=writer, log_interval=None, reset_num_timesteps=False)
    if writer.interrupted:
        model.num_timesteps = writer.rollout_began_at


def compute_in_bfloat16(model: BaseAlgorithm) -> None:
    """Make the convolutions and the layer behind them compute in bfloat16, from now on.

    The weights stay float32, and so do the heads: in bfloat16 a logit of 8 is only good to 0.03,
    which would reach the clip range of PPO's ratio. Saved zips are not touched by it.
    """
    for module in model.policy.modules():
        if isinstance(module, BaseFeaturesExtractor):
            module.forward = _in_bfloat16(module.forward, model.device)


def _in_bfloat16(
    exact: Callable[[torch.Tensor], torch.Tensor], device: torch.device
) -> Callable[[torch.Tensor], torch.Tensor]:
    def forward(observations: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device.type, dtype=torch.bfloat16):
            features = exact(observations)
        return features.float()

    return forward


@contextmanager
def _stopped_by_signals(writer: RunWriter) -> Iterator[None]:
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, writer.stop) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
