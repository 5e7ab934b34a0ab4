"""The YAML files that rl-baselines3-zoo writes beside a model, read as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from agentlens.errors import CheckpointError, UnsafeCheckpoint

MAX_YAML_BYTES = 1 << 20

_ORDERED = "tag:yaml.org,2002:python/object/apply:collections.OrderedDict"
_ALGORITHMS = {
    "ppo": "PPO",
    "a2c": "A2C",
    "dqn": "DQN",
    "qrdqn": "QR-DQN",
    "ppo_lstm": "RecurrentPPO",
}
_ATARI_WRAPPER = "stable_baselines3.common.atari_wrappers.AtariWrapper"


@dataclass(frozen=True, kw_only=True)
class ZooFiles:
    """What args.yml and config.yml say: "" where they say nothing or are not there."""

    algorithm: str = ""
    env: str = ""
    preset: str = ""


def read_zoo_files(model: Path) -> ZooFiles:
    """Read args.yml and config.yml beside a model, or in the folder of its name.

    Raises:
        UnsafeCheckpoint: a tag that would build an object, or an expression for ``normalize``.
        CheckpointError: not YAML.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for name in ("args.yml", "config.yml"):
        for folder in (model.parent, model.parent / model.stem):
            path = folder / name
            if path.is_file() and name not in found:
                found[name] = _read_yaml(path)
    args, config = found.get("args.yml", {}), found.get("config.yml", {})
    normalize = config.get("normalize", False)
    if not isinstance(normalize, bool):
        raise UnsafeCheckpoint(
            f"config.yml beside {model}: normalize is an expression ({str(normalize)[:60]!r}), "
            "which is never evaluated; expected true or false."
        )
    wrappers = config.get("env_wrapper", ())
    wrapped = _ATARI_WRAPPER in (wrappers if isinstance(wrappers, list) else [wrappers])
    env, algorithm = args.get("env", ""), args.get("algo", "")
    return ZooFiles(
        algorithm=_ALGORITHMS.get(str(algorithm), ""),
        env=env if isinstance(env, str) else "",
        preset="sb3-atari" if wrapped else "",
    )


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML's safe loader, which also takes the one tag the zoo writes: an ordered dict."""


def _ordered(loader: _Loader, node: yaml.Node) -> dict[str, Any]:
    if not isinstance(node, yaml.SequenceNode) or len(node.value) != 1:
        raise yaml.constructor.ConstructorError(None, None, "an ordered dict of pairs expected")
    pairs = loader.construct_sequence(node, deep=True)[0]
    return {str(pair[0]): pair[1] for pair in pairs if isinstance(pair, list) and len(pair) == 2}


_Loader.add_constructor(_ORDERED, _ordered)


def _read_yaml(path: Path) -> Mapping[str, Any]:
    if path.stat().st_size > MAX_YAML_BYTES:
        raise UnsafeCheckpoint(f"{path}: more than {MAX_YAML_BYTES:,} bytes.")
    try:
        text = path.read_text(encoding="utf-8")
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
            raise UnsafeCheckpoint(f"{path}: YAML aliases, which can blow up; expected none.")
        content = yaml.load(text, Loader=_Loader)
    except yaml.constructor.ConstructorError as error:
        raise UnsafeCheckpoint(
            f"{path}: would build an object ({error.problem}); expected plain values. "
            "Nothing was run."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError, TypeError) as error:
        raise CheckpointError(f"{path}: not readable YAML ({error}).") from error
    return content if isinstance(content, Mapping) else {}
