"""Reads `train.toml`: what one agent is trained on, with which algorithm and for how long.

Every knob is written in the recipe; nothing has a default, so the file alone says what was done.
"""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_type_hints

Section = TypeVar("Section")


class RecipeError(ValueError):
    """A recipe is not what `train.py` can run; the message says which key and what to do."""


@dataclass(frozen=True, kw_only=True)
class EnvironmentSettings:
    """The emulator and the preprocessing, as `ale_py.AtariVectorEnv` is told them.

    Attributes:
        game: ROM name in snake case, such as `space_invaders`.
        num_envs: Environments stepped together in training.
        frame_skip: Emulator frames per decision.
        repeat_action_probability: Sticky actions; 0 means none.
        max_pool: Whether a plane is the maximum of the last two grey frames.
        noop_max: Most no-ops drawn at the start of an episode.
        fire_reset: Whether FIRE is pressed at the start where the game has it.
        stack: Planes in one observation, oldest first.
        size_px: Height and width of a plane.
        full_action_space: All 18 actions instead of the game's own.
        max_frames: Emulator frames after which an episode is truncated.
        clip_rewards: Whether the learner sees the sign of the reward only.
        terminal_on_life_loss: Whether the learner sees the loss of a life as an end.
    """

    game: str
    num_envs: int
    frame_skip: int
    repeat_action_probability: float
    max_pool: bool
    noop_max: int
    fire_reset: bool
    stack: int
    size_px: int
    full_action_space: bool
    max_frames: int
    clip_rewards: bool
    terminal_on_life_loss: bool


@dataclass(frozen=True, kw_only=True)
class PpoSettings:
    """PPO with the Nature CNN; names as in stable-baselines3, learning rate linear in decisions."""

    name: str
    learning_rate: float
    final_learning_rate: float
    n_steps: int
    n_epochs: int
    batch_size: int
    clip_range: float
    ent_coef: float
    vf_coef: float
    gamma: float
    gae_lambda: float
    max_grad_norm: float
    features_dim: int


@dataclass(frozen=True, kw_only=True)
class RecurrentPpoSettings(PpoSettings):
    """PPO with one LSTM, shared by actor and critic, behind the Nature CNN."""

    lstm_hidden_size: int


@dataclass(frozen=True, kw_only=True)
class DqnSettings:
    """DQN with the Nature CNN; names as in stable-baselines3.

    `train_freq` and `gradient_steps` count steps of the whole vector of environments, so one
    update sees `batch_size * gradient_steps / (train_freq * num_envs)` samples per decision.
    """

    name: str
    learning_rate: float
    final_learning_rate: float
    buffer_size: int
    learning_starts: int
    batch_size: int
    train_freq: int
    gradient_steps: int
    target_update_interval: int
    gamma: float
    exploration_fraction: float
    exploration_final_eps: float
    max_grad_norm: float
    features_dim: int


Algorithm = PpoSettings | RecurrentPpoSettings | DqnSettings
ALGORITHMS: dict[str, type[PpoSettings] | type[RecurrentPpoSettings] | type[DqnSettings]] = {
    "PPO": PpoSettings,
    "RecurrentPPO": RecurrentPpoSettings,
    "DQN": DqnSettings,
}

PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """How long a run is and how often it is written down; all counts are decisions.

    Attributes:
        seed: Seed of weights, actions and environments.
        total_steps: Decisions of the whole schedule.
        checkpoint_every: Decisions between two checkpoints.
        curve_every: Decisions between two rows of the learning curve.
        precision: What the convolutions compute in, `float32` or `bfloat16`; weights, heads and
            optimiser are float32 either way. bfloat16 pays where the processor has it (AVX512-BF16
            or a GPU) and is slow where it has not.
    """

    seed: int
    precision: str
    total_steps: int
    checkpoint_every: int
    curve_every: int


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """How the trained agent chooses: `sample`, `greedy`, or `epsilon` (greedy but for epsilon)."""

    selection: str
    epsilon: float


@dataclass(frozen=True, kw_only=True)
class SnapshotSettings:
    """An agent that is an earlier state of another agent's run.

    Attributes:
        of: Name of the agent whose recipe and run folder are used.
        stop_at: Decisions after which this state is taken; the schedule stays the whole run's.
    """

    of: str
    stop_at: int


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One agent's training, complete.

    Attributes:
        name: Run folder's name: the agent's own, or the one it is a snapshot of.
        stop_at: Decisions after which this recipe's agent is done, at most `run.total_steps`.
    """

    name: str
    stop_at: int
    run: RunSettings
    environment: EnvironmentSettings
    algorithm: Algorithm
    evaluation: EvaluationSettings

    def override(self, *, seed: int | None = None, total_steps: int | None = None) -> Recipe:
        """Return a copy with another seed or length; a shorter run also stops earlier."""
        run = self.run
        if seed is not None:
            run = dataclasses.replace(run, seed=seed)
        if total_steps is None:
            return dataclasses.replace(self, run=run)
        run = dataclasses.replace(run, total_steps=total_steps)
        whole = self.stop_at == self.run.total_steps
        stop_at = total_steps if whole else min(self.stop_at, total_steps)
        return dataclasses.replace(self, run=run, stop_at=stop_at)


def read_recipe(path: Path) -> Recipe:
    """Read `train.toml`; a snapshot's recipe brings in the one of the agent beside it.

    Args:
        path: A `train.toml` inside the folder named after its agent.

    Raises:
        RecipeError: A section, key, type or value is not what is expected.
        FileNotFoundError: There is no such file.
    """
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    if "snapshot" in data:
        _only_sections(data, ("snapshot",), path)
        snapshot = _read_section(SnapshotSettings, data["snapshot"], f"{path} [snapshot]")
        whole = read_recipe(path.parent.parent / snapshot.of / path.name)
        if not 0 < snapshot.stop_at <= whole.run.total_steps:
            raise RecipeError(
                f"{path} [snapshot]: got stop_at = {snapshot.stop_at}, expected 1 to "
                f"{whole.run.total_steps}, the length of {snapshot.of}; choose a step of that run"
            )
        return dataclasses.replace(whole, stop_at=snapshot.stop_at)
    _only_sections(data, ("run", "environment", "algorithm", "evaluation"), path)
    run = _read_section(RunSettings, data["run"], f"{path} [run]")
    if run.precision not in PRECISIONS:
        raise RecipeError(
            f"{path} [run]: got precision = {run.precision!r}, expected one of "
            f"{', '.join(PRECISIONS)}; write what to compute in"
        )
    evaluation = _read_section(EvaluationSettings, data["evaluation"], f"{path} [evaluation]")
    if evaluation.selection not in ("sample", "greedy", "epsilon"):
        raise RecipeError(
            f"{path} [evaluation]: got selection = {evaluation.selection!r}, expected one of "
            "sample, greedy, epsilon; write how the agent is meant to play"
        )
    algorithm = _read_algorithm(data["algorithm"], path)
    if isinstance(algorithm, DqnSettings) and evaluation.selection == "sample":
        raise RecipeError(
            f"{path} [evaluation]: got selection = 'sample' for a DQN, which has Q-values and no "
            "probabilities; write greedy or epsilon"
        )
    return Recipe(
        name=path.parent.name,
        stop_at=run.total_steps,
        run=run,
        environment=_read_section(
            EnvironmentSettings, data["environment"], f"{path} [environment]"
        ),
        algorithm=algorithm,
        evaluation=evaluation,
    )


def _read_algorithm(table: dict[str, Any], path: Path) -> Algorithm:
    name = table.get("name")
    if name not in ALGORITHMS:
        raise RecipeError(
            f"{path} [algorithm]: got name = {name!r}, expected one of "
            f"{', '.join(ALGORITHMS)}; set it"
        )
    return _read_section(ALGORITHMS[name], table, f"{path} [algorithm]")


def _only_sections(data: dict[str, Any], expected: tuple[str, ...], path: Path) -> None:
    if set(data) != set(expected):
        raise RecipeError(
            f"{path}: got the sections {sorted(data)}, expected exactly {sorted(expected)}; "
            "add what is missing and remove the rest"
        )


def _read_section(cls: type[Section], table: dict[str, Any], where: str) -> Section:
    """Build one settings dataclass, refusing unknown, missing and mistyped keys."""
    known = get_type_hints(cls)
    unknown = sorted(set(table) - set(known))
    missing = sorted(set(known) - set(table))
    if unknown:
        raise RecipeError(
            f"{where}: got the unknown key {', '.join(unknown)}, expected only "
            f"{', '.join(known)}; correct or remove it"
        )
    if missing:
        raise RecipeError(
            f"{where}: {', '.join(missing)} is missing, expected every one of "
            f"{', '.join(known)}; add it (no key has a default)"
        )
    return cls(**{key: _typed(table[key], known[key], f"{where} {key}") for key in known})


def _typed(value: Any, expected: type | UnionType, where: str) -> Any:
    if expected is float and type(value) is int:
        return float(value)
    if type(value) not in (get_args(expected) or (expected,)):
        raise RecipeError(
            f"{where}: got {value!r}, expected {getattr(expected, '__name__', expected)}; "
            "write it in that type"
        )
    return value
