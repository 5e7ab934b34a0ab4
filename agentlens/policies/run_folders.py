"""Training runs' folders: the model in one, and its name where its file says little."""

from __future__ import annotations

import re
from pathlib import Path

from agentlens.policies.manifest import MANIFEST

_CLEANRL = ".cleanrl_model"
_OF_A_RUN = re.compile(
    r"(best|last|latest|final|rl)?_?(model|policy|agent|net|network|weights|checkpoint)?"
    r"([._-]?\d+)?(_steps)?",
    re.I,
)
"""File names that every run has, such as best_model, rl_model_1000_steps, model.40."""
_ENVIRONMENT = re.compile(r"\w+-v\d")


def checkpoint_path(path: Path) -> Path:
    """The model in a training run's folder; any other path as it is, an agent's folder too.

    rl-zoo's: the last one (``<Env>.zip``), else ``best_model.zip``; CleanRL's: its one model file.
    """
    if not path.is_dir() or (path / MANIFEST).is_file():
        return path
    settings = sorted(inner.parent.name for inner in path.glob("*/args.yml"))
    names = [f"{name}.zip" for name in settings] + ["best_model.zip"]
    models = [path / name for name in names if (path / name).is_file()]
    if not models:
        cleanrl = sorted(path.glob(f"*{_CLEANRL}"))
        models = cleanrl if len(cleanrl) == 1 else []
    return models[0] if models else path


def model_name(model: Path) -> str:
    """What to call an agent after its file: by the run's folder where that one names the run, and
    with it where the file is called as every run's.

    Example:
        >>> model_name(Path("logs/ppo/PongNoFrameskip-v4_1/best_model.zip"))
        'PongNoFrameskip-v4_1-best_model'
        >>> model_name(Path("BreakoutNoFrameskip-v4__dqn__1__17/dqn.cleanrl_model"))
        'BreakoutNoFrameskip-v4__dqn__1__17'
        >>> model_name(Path("runs/my-ppo.zip"))
        'my-ppo'
    """
    stem, folder = model.stem, model.absolute().parent
    of_cleanrl = model.suffix == _CLEANRL and _ENVIRONMENT.match(folder.name)
    if of_cleanrl or (folder / stem / "args.yml").is_file():
        return folder.name
    return f"{folder.name}-{stem}" if folder.name and _OF_A_RUN.fullmatch(stem) else stem
