"""The files of one run: checkpoints, learning curve, and the note of what was run."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recipe import Recipe
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

CURVE_COLUMNS = (
    "decisions",
    "episodes",
    "mean_return",
    "sd_return",
    "window",
    "learning_rate",
    "seconds",
)


class RunError(RuntimeError):
    """A run folder does not fit what was asked for; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class CurveRow:
    """One row of the learning curve.

    Attributes:
        decisions: Decisions so far, all environments together.
        episodes: Episodes finished so far.
        mean_return: Mean raw return of the last `window` episodes, in points of the game.
        sd_return: Their standard deviation.
        window: Episodes averaged, at most 100.
        learning_rate: Learning rate of the last update.
        seconds: Wall clock spent in training so far, over all parts of the run.
    """

    decisions: int
    episodes: int
    mean_return: float
    sd_return: float
    window: int
    learning_rate: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class RunFolder:
    """Where one run is written: `<runs>/<name>/`."""

    path: Path

    @property
    def curve_path(self) -> Path:
        """The learning curve."""
        return self.path / "curve.csv"

    def checkpoint_path(self, decisions: int) -> Path:
        """Return where the state after so many decisions is kept."""
        return self.path / f"checkpoint-{decisions:09d}.zip"

    def newest(self) -> tuple[Path, int] | None:
        """Return the newest checkpoint and its decision count, or None where there is none."""
        checkpoints = [
            (int(match[1]), path)
            for path in self.path.glob("checkpoint-*.zip")
            if (match := re.fullmatch(r"checkpoint-(\d+)\.zip", path.name))
        ]
        if not checkpoints:
            return None
        decisions, path = max(checkpoints)
        return path, decisions

    def save(self, model: BaseAlgorithm) -> Path:
        """Write the model, optimiser and counters, atomically; for DQN the replay memory too.

        Only the newest replay memory is kept: it is gigabytes.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        decisions = int(model.num_timesteps)
        if isinstance(model, OffPolicyAlgorithm):
            write_atomically(self.path / "replay.pkl", model.save_replay_buffer)
        path = self.checkpoint_path(decisions)
        write_atomically(path, lambda temporary: model.save(temporary))
        return path

    def write_note(self, recipe: Recipe, part: dict[str, Any], *, resume: bool) -> None:
        """Write `run.json`: the settings, and what is to be known of each part of the run.

        Args:
            recipe: What is trained; a resumed run must agree with what was written before.
            part: From which decision on, how long the schedule is, with which versions.
            resume: Whether this part goes on with what the folder holds.

        Raises:
            RunError: `run.json` is missing or names other settings.
        """
        parts: list[dict[str, Any]] = []
        if resume:
            parts = self._parts_so_far(recipe)
        note = {"agent": recipe.name, "recipe": comparable(recipe), "parts": [*parts, part]}
        text = json.dumps(note, indent=2) + "\n"
        self.path.mkdir(parents=True, exist_ok=True)
        write_atomically(
            self.path / "run.json", lambda temporary: temporary.write_text(text, encoding="utf-8")
        )

    def _parts_so_far(self, recipe: Recipe) -> list[dict[str, Any]]:
        path = self.path / "run.json"
        if not path.is_file():
            raise RunError(f"{path} is missing, so the run cannot be resumed; start it anew")
        note = json.loads(path.read_text(encoding="utf-8"))
        then, now = note["recipe"], comparable(recipe)
        changed = [
            f"{section}.{key}: {then.get(section, {}).get(key)!r} then, {value!r} now"
            for section, keys in now.items()
            for key, value in keys.items()
            if then.get(section, {}).get(key) != value
        ]
        if changed:
            raise RunError(
                f"{path} was written by other settings ({'; '.join(changed)}); restore them, or "
                "start a new run in another --runs folder"
            )
        return list(note["parts"])

    def append_curve(self, row: CurveRow) -> None:
        """Add one row to the learning curve, with the header if it is the first."""
        self.path.mkdir(parents=True, exist_ok=True)
        new = not self.curve_path.exists()
        with self.curve_path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, CURVE_COLUMNS, lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerow(dataclasses.asdict(row))

    def cut_curve(self, decisions: int) -> CurveRow | None:
        """Drop the rows after a checkpoint, which a resumed run lives through again.

        Returns:
            The last row that stays, or None where none does.
        """
        if not self.curve_path.exists():
            return None
        kept = [row for row in read_curve(self.curve_path) if row.decisions <= decisions]
        self.curve_path.unlink()
        for row in kept:
            self.append_curve(row)
        return kept[-1] if kept else None


def read_curve(path: Path) -> list[CurveRow]:
    """Read a learning curve; a last line cut off by a kill is left out."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if None not in row.values()]
    kinds = {
        field.name: float if field.type == "float" else int
        for field in dataclasses.fields(CurveRow)
    }
    return [CurveRow(**{name: kinds[name](row[name]) for name in CURVE_COLUMNS}) for row in rows]


def comparable(recipe: Recipe) -> dict[str, dict[str, Any]]:
    """Return the settings that all parts of a run share.

    Not among them are how often the run is written down and how long it is: a schedule may be
    stretched on resuming, and each part notes its own length.
    """
    return {
        "run": {"seed": recipe.run.seed, "precision": recipe.run.precision},
        "environment": dataclasses.asdict(recipe.environment),
        "algorithm": dataclasses.asdict(recipe.algorithm),
    }


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Write under a temporary name, flush to disk, rename: a reader never sees half a file."""
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    write(temporary)
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)
