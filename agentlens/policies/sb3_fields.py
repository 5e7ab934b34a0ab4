"""What the plain fields of an SB3 zip say: each is applied, refused, or listed as assumed.

``data`` is JSON in which every object that is not plain stands as a pickle, which is never decoded,
beside the text of its attributes; that text is what is read here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from agentlens.errors import CheckpointError

_OWN_MODULES = ("stable_baselines3.", "sb3_contrib.")
_EXTRACTORS = ("NatureCNN", "FlattenExtractor")
_WAY_OUT = "Describe the network in a manifest and import policy.pth."

_ARGUMENTS = (
    # rebuilt from the tensors, or checked below
    "activation_fn enable_critic_lstm features_extractor_class features_extractor_kwargs "
    "lstm_hidden_size lstm_kwargs n_lstm_layers n_quantiles net_arch normalize_images "
    "share_features_extractor shared_lstm use_sde "
    # of training, or of continuous actions, which are refused by their space
    "full_std log_std_init optimizer_class optimizer_kwargs ortho_init sde_net_arch squash_output "
    ":type: :serialized:"
)
_POLICY_KWARGS = frozenset(_ARGUMENTS.split())
_NAMES = (
    # read here or in the format
    "policy_class policy_kwargs observation_space action_space gamma exploration_final_eps "
    "clip_range use_sde "
    # of training, of where it stood, or of the training environments' number
    "verbose num_timesteps _total_timesteps _num_timesteps_at_start seed action_noise start_time "
    "learning_rate tensorboard_log _last_obs _last_episode_starts _last_original_obs _episode_num "
    "sde_sample_freq _current_progress_remaining _stats_window_size ep_info_buffer "
    "ep_success_buffer _n_updates n_envs n_steps gae_lambda ent_coef vf_coef max_grad_norm "
    "rollout_buffer_class rollout_buffer_kwargs batch_size n_epochs clip_range_vf "
    "normalize_advantage target_kl lr_schedule buffer_size learning_starts tau gradient_steps "
    "optimize_memory_usage replay_buffer_class replay_buffer_kwargs train_freq use_sde_at_warmup "
    "exploration_initial_eps exploration_fraction target_update_interval _n_calls "
    "exploration_rate batch_norm_stats batch_norm_stats_target exploration_schedule "
    "_last_lstm_states create_eval_env device eval_env n_quantiles replay_buffer actor "
    "remove_time_limit_termination _vec_normalize_env policy env _logger episode_num "
    "_num_timesteps n_eval_episodes ep_rew_mean logger _custom_logger"
)
_FIELDS = frozenset(_NAMES.split())


def mapping_field(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A field that is an object; an empty one where it is none."""
    value = fields.get(name)
    return value if isinstance(value, Mapping) else {}


def check_policy(fields: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Check the policy's class, arguments and action space; gives what has to be listed.

    Raises:
        CheckpointError: it says something that is not done here, with the way out.
    """
    module = mapping_field(fields, "policy_class").get("__module__")
    if module is not None and not str(module).startswith(_OWN_MODULES):
        raise CheckpointError(
            f"{name}: its policy is a class of {str(module)[:80]!r}, whose forward pass is not "
            f"known here. {_WAY_OUT}"
        )
    arguments = mapping_field(fields, "policy_kwargs")
    _check_extractor(arguments, name)
    _check_actions(fields, name)
    if arguments.get("lstm_kwargs") not in (None, {}, "None", "{}"):
        raise CheckpointError(
            f"{name}: lstm_kwargs = {str(arguments['lstm_kwargs'])[:80]} is not known here. "
            f"{_WAY_OUT}"
        )
    _check_normalisation(fields, name)
    unknown = [f"policy_kwargs.{key}" for key in arguments if key not in _POLICY_KWARGS]
    unknown += [key for key in fields if key not in _FIELDS]
    return tuple(
        f"{key[:80]} = {str(_value(fields, key))[:60]}: not known, taken to change nothing of what "
        "the policy sees or does"
        for key in unknown[:8]
    )


def _value(fields: Mapping[str, Any], key: str) -> Any:
    part = key.removeprefix("policy_kwargs.")
    value = fields.get(key) if part == key else mapping_field(fields, "policy_kwargs").get(part)
    return value.get(":type:", "an object") if isinstance(value, Mapping) else value


def _check_normalisation(fields: Mapping[str, Any], name: str) -> None:
    """SB3 leaves VecNormalize out of its zips unless it is told to put it in."""
    wrapper = fields.get("_vec_normalize_env")
    if wrapper is not None and mapping_field(fields, "_vec_normalize_env").get("norm_obs") not in (
        False,
        "False",
    ):
        raise CheckpointError(
            f"{name}: it was trained on observations normalised by VecNormalize, whose statistics "
            "are in a pickle, which is never read; such an agent cannot be imported."
        )


def _check_extractor(arguments: Mapping[str, Any], name: str) -> None:
    declared = arguments.get("features_extractor_class")
    if declared is not None:
        text = declared.get(":type:", "") if isinstance(declared, Mapping) else str(declared)
        known = re.fullmatch(r"<class 'stable_baselines3\.common\.torch_layers\.(\w+)'>", str(text))
        if known is None or known.group(1) not in _EXTRACTORS:
            raise CheckpointError(
                f"{name}: its features_extractor_class is {str(text)[:120]}, which may compute "
                f"anything from tensors of the same shapes; expected SB3's NatureCNN. {_WAY_OUT}"
            )
    options = arguments.get("features_extractor_kwargs")
    keys = re.findall(r"'(\w+)':", options) if isinstance(options, str) else list(options or ())
    foreign = set(keys) - {"features_dim", "normalized_image", ":type:", ":serialized:"}
    if foreign:
        raise CheckpointError(
            f"{name}: features_extractor_kwargs has {', '.join(sorted(foreign))[:80]}; expected "
            f"features_dim alone. {_WAY_OUT}"
        )


def _check_actions(fields: Mapping[str, Any], name: str) -> None:
    space = mapping_field(fields, "action_space")
    kind = str(space.get(":type:", ""))
    if "spaces" in kind and "discrete.Discrete" not in kind:
        continuous = " Continuous actions (Gaussian heads) are out of scope." * ("box" in kind)
        raise CheckpointError(
            f"{name}: its action space is {kind[:80]}, expected Discrete.{continuous}"
        )
    if str(space.get("start", "0")) != "0":
        raise CheckpointError(
            f"{name}: its actions are counted from {str(space['start'])[:20]}, expected from 0."
        )


def read_observation(fields: Mapping[str, Any], planes: int, name: str) -> dict[str, Any]:
    """Stack, size and scale of what the network reads, as fields of ``ObservationSpec``.

    Raises:
        CheckpointError: observations of another kind, shape or range than planes of 0 to 255 or
            0 to 1.
    """
    space = mapping_field(fields, "observation_space")
    kind = str(space.get(":type:", "Box"))
    if "spaces" in kind and "Box" not in kind:
        raise CheckpointError(
            f"{name}: its observations are {kind[:80]}, expected one image (Box). {_WAY_OUT}"
        )
    sizes = [int(n) for n in re.findall(r"\d{1,5}", str(space.get("_shape", ""))[:100])]
    if len(sizes) == 1:
        raise CheckpointError(
            f"{name}: its observations are {sizes[0]} numbers. Policies on RAM or feature vectors "
            "are out of scope: there is no picture to explain."
        )
    stated: dict[str, Any] = {"stack": planes, "scale_divisor": _divisor(fields, space, name)}
    if len(sizes) == 3:
        if sizes[0] != planes:
            raise CheckpointError(
                f"{name}: observations of shape {tuple(sizes)}, but the first convolution reads "
                f"{planes} planes; expected ({planes}, rows, columns)."
            )
        stated["resize"] = [sizes[1], sizes[2]]
    return stated


def _divisor(fields: Mapping[str, Any], space: Mapping[str, Any], name: str) -> float:
    """What the planes 0 to 255 are divided by before the first convolution.

    SB3 divides by 255 itself where the space is uint8 from 0 to 255 and ``normalize_images`` is on.
    """
    arguments = mapping_field(fields, "policy_kwargs")
    scaled = arguments.get("normalize_images", True) not in (False, "False")
    dtype, high, low = str(space.get("dtype", "uint8")), _bound(space, "high"), _bound(space, "low")
    if dtype == "uint8" and high in (None, 255.0) and low in (None, 0.0):
        return 255.0 if scaled else 1.0
    if dtype.startswith("float") and low in (None, 0.0) and high in (1.0, 255.0):
        return 255.0 if high == 1.0 else 1.0
    raise CheckpointError(
        f"{name}: observations are {dtype[:20]} from {low} to {high}; expected uint8 from 0 to "
        "255, or float from 0 to 1 or 255. Planes scaled otherwise (VecNormalize?) are not made."
    )


def _bound(space: Mapping[str, Any], side: str) -> float | None:
    """The one bound of a space, by the text of its array; NaN where it has several."""
    text = str(space.get(side, ""))[:20_000]
    numbers = set(re.findall(r"-?(?:inf|\d+(?:\.\d*)?(?:e[+-]?\d+)?)", text))
    if not numbers:
        return None
    return float(numbers.pop()) if len(numbers) == 1 else math.nan


def action_count(fields: Mapping[str, Any]) -> int | None:
    """Number of actions, as text beside the pickled action space; only QR-DQN needs it."""
    count = str(mapping_field(fields, "action_space").get("n", ""))
    return int(count) if count.isascii() and count.isdigit() and len(count) <= 4 else None
