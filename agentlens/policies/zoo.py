"""The YAML files that rl-baselines3-zoo writes beside a model, read as plain data.

Every key of config.yml is applied, refused or listed: what an environment's wrappers did cannot be
seen in the weights.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from agentlens.errors import CheckpointError, UnsafeCheckpoint
from agentlens.policies.zoo_wrappers import atari_wrapper, environment_arguments
from agentlens.spec import ValueSpec

MAX_YAML_BYTES = 1 << 14
MAX_YAML_LEVELS = 300
"""Lists and tables, of which each level costs the parser as much as all before it."""
_MAX_LITERAL = 1_000

_ORDERED = "tag:yaml.org,2002:python/object/apply:collections.OrderedDict"
_ALGORITHMS = {
    "ppo": "PPO",
    "a2c": "A2C",
    "dqn": "DQN",
    "qrdqn": "QR-DQN",
    "ppo_lstm": "RecurrentPPO",
}
_TRAINING = (
    "n_timesteps n_envs learning_rate batch_size n_steps n_epochs gamma gae_lambda clip_range "
    "clip_range_vf ent_coef vf_coef max_grad_norm use_sde sde_sample_freq policy policy_kwargs "
    "buffer_size learning_starts tau train_freq gradient_steps target_update_interval "
    "exploration_fraction exploration_initial_eps exploration_final_eps optimize_memory_usage "
    "replay_buffer_class replay_buffer_kwargs callback monitor_kwargs rollout_buffer_class "
    "rollout_buffer_kwargs normalize_advantage use_rms_prop rms_prop_eps target_kl"
)
_OF_TRAINING = frozenset(_TRAINING.split())
_NORMALISE = ("normalize", "normalize_kwargs")
_READ = frozenset({"env_wrapper", "env_kwargs", "vec_env_wrapper", "frame_stack", *_NORMALISE})


@dataclass(frozen=True, kw_only=True)
class ZooFiles:
    """What args.yml and config.yml say: "" and nothing where they say nothing or are not there.

    ``environment`` and ``observation``: fields of the specs. ``assumed``: what is listed.
    """

    algorithm: str = ""
    env: str = ""
    preset: str = ""
    frame_stack: int | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)
    observation: Mapping[str, Any] = field(default_factory=dict)
    reward: str = "unknown"
    assumed: tuple[str, ...] = ()

    def value(self, gamma: Any) -> ValueSpec:
        """What the critic was trained on."""
        known = float(gamma) if type(gamma) in (int, float) and 0 <= gamma <= 1 else None
        return ValueSpec(gamma=known, reward=self.reward)  # type: ignore[arg-type]


def read_zoo_files(model: Path) -> ZooFiles:
    """Read args.yml and config.yml beside a model, in the folder of its name, or in the one folder
    beside it that has them (``best_model.zip``, ``rl_model_1000_steps.zip``).

    Raises:
        UnsafeCheckpoint: a tag that would build an object, or an expression where a value belongs.
        CheckpointError: not YAML, or settings that are not known here.
    """
    folders = [model.parent, model.parent / model.stem]
    inner = sorted(path.parent for path in model.parent.glob("*/args.yml"))
    folders += inner if len(inner) == 1 else []
    tables: dict[str, Mapping[str, Any]] = {}
    for name in ("args.yml", "config.yml"):
        for path in (folder / name for folder in folders):
            if path.is_file() and name not in tables:
                tables[name] = _read_yaml(path)
    if not tables:
        return ZooFiles()
    where = f"the rl-zoo settings beside {model}"
    return _interpret(tables.get("args.yml", {}), tables.get("config.yml", {}), where)


def _interpret(args: Mapping[str, Any], config: Mapping[str, Any], where: str) -> ZooFiles:
    env, algorithm = args.get("env", ""), str(args.get("algo", ""))
    env = env if isinstance(env, str) else ""
    wrapper = atari_wrapper(_literal(config.get("env_wrapper"), "env_wrapper", where), where)
    keywords = {
        **_table(_literal(config.get("env_kwargs"), "env_kwargs", where)),
        **_table(_literal(args.get("env_kwargs"), "env_kwargs", where)),
    }
    if config.get("vec_env_wrapper"):
        raise CheckpointError(
            f"{where}: vec_env_wrapper = {str(config['vec_env_wrapper'])[:80]} is not known here."
        )
    reward = ""
    for key in _NORMALISE:
        reward = _normalised_reward(_literal(config.get(key) or False, key, where), where) or reward
    stack = config.get("frame_stack")
    listed = tuple(
        f"{key[:80]} = {str(value)[:60]} (rl-zoo): not known, taken to change nothing of what the "
        "agent sees"
        for key, value in config.items()
        if key not in _OF_TRAINING and key not in _READ
    )
    return ZooFiles(
        algorithm=_ALGORITHMS.get(algorithm, ""),
        env=env,
        preset="sb3-atari" if wrapper is not None else "",
        frame_stack=stack if type(stack) is int else None,
        environment=environment_arguments(keywords, wrapper, env, where),
        observation={} if wrapper is None else wrapper.observation,
        reward=reward or ("unknown" if wrapper is None else wrapper.reward),
        assumed=listed,
    )


def _normalised_reward(normalize: Any, where: str) -> str:
    """ "normalised" where rewards were; "" where they were not.

    Raises:
        CheckpointError: observations were normalised, with statistics that only a pickle holds.
    """
    if isinstance(normalize, bool):
        options: Mapping[str, Any] = {} if normalize else {"norm_obs": False, "norm_reward": False}
    else:
        options = _table(normalize)
    if options.get("norm_obs", True) is not False:
        raise CheckpointError(
            f"{where}: normalize says that observations went through VecNormalize, whose "
            "statistics are in a pickle (vecnormalize.pkl), which is never read; such an agent "
            "cannot be imported."
        )
    return "normalised" if options.get("norm_reward", True) is not False else ""


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _literal(value: Any, key: str, where: str) -> Any:
    """The zoo writes dicts as text: the value of a literal, itself where it is no text.

    Raises:
        UnsafeCheckpoint: an expression, which is never evaluated.
    """
    if not isinstance(value, str) or key == "env_wrapper":
        return value
    try:
        if len(value) > _MAX_LITERAL:
            raise ValueError("too long")
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise UnsafeCheckpoint(
            f"{where}: {key} is an expression ({value[:60]!r}), which is never evaluated; expected "
            "plain values."
        ) from error


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML's safe loader, which also takes the one tag the zoo writes: an ordered dict."""


def _ordered(loader: _Loader, node: yaml.Node) -> dict[str, Any]:
    if not isinstance(node, yaml.SequenceNode) or len(node.value) != 1:
        raise yaml.constructor.ConstructorError(None, None, "an ordered dict of pairs expected")
    pairs = loader.construct_sequence(node, deep=True)[0]
    if not isinstance(pairs, list):
        raise yaml.constructor.ConstructorError(None, None, "an ordered dict of pairs expected")
    return {str(pair[0]): pair[1] for pair in pairs if isinstance(pair, list) and len(pair) == 2}


_Loader.add_constructor(_ORDERED, _ordered)

_BROKEN_YAML = (
    yaml.YAMLError,
    AttributeError,
    IndexError,
    KeyError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
)


def _read_yaml(path: Path) -> Mapping[str, Any]:
    if path.stat().st_size > MAX_YAML_BYTES:
        raise UnsafeCheckpoint(f"{path}: more than {MAX_YAML_BYTES:,} bytes.")
    try:
        text = path.read_bytes().decode("utf-8")
        if max(map(text.count, ("[", "{", "- -", "? "))) > MAX_YAML_LEVELS:
            raise UnsafeCheckpoint(f"{path}: more lists and tables than settings have.")
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
            raise UnsafeCheckpoint(f"{path}: YAML aliases, which can blow up; expected none.")
        content = yaml.load(text, Loader=_Loader)
    except yaml.constructor.ConstructorError as error:
        raise UnsafeCheckpoint(
            f"{path}: would build an object ({error.problem}); expected plain values. "
            "Nothing was run."
        ) from error
    except _BROKEN_YAML as error:
        raise CheckpointError(f"{path}: not readable YAML ({str(error)[:300]}).") from error
    table = content if isinstance(content, Mapping) else {}
    return {str(key): value for key, value in table.items()}
