"""Presets: common protocols around an Atari game, and whose they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentlens.envs.base import Preset

_SB3_START = (
    {"action": "NOOP", "least": 1, "most": 30},
    {"action": "FIRE", "unit": "decision", "when": "FIRE"},
    {"action": "#2", "unit": "decision", "when": "FIRE"},
)
_SB3_LIFE_LOSS = (
    {"action": "NOOP", "unit": "decision"},
    {"action": "FIRE", "unit": "decision", "when": "FIRE"},
    {"action": "#2", "unit": "decision", "when": "FIRE"},
)
# As measured with ale-py 0.12.1: FIRE comes first, and the draw of 0 to 29 no-ops counts it (so
# that none after FIRE is twice as frequent there as any other number).
_VECTOR_START = (
    {"action": "FIRE", "when": "FIRE"},
    {"action": "NOOP", "least": 0, "most": 28, "when": "FIRE"},
    {"action": "NOOP", "least": 0, "most": 29, "when": "no FIRE"},
)
# EnvPool: 1 to 30 no-ops; with FIRE one fewer, and FIRE after them.
_ENVPOOL_START = (
    {"action": "NOOP", "least": 1, "most": 30, "when": "no FIRE"},
    {"action": "NOOP", "least": 0, "most": 29, "when": "FIRE"},
    {"action": "FIRE", "when": "FIRE"},
)
_PLAIN = {
    "start": (),
    "after_life_loss": (),
    "stack_after_life_loss": "keep",
    "terminal_on_life_loss": False,
}
_EPISODIC = {
    "frame_skip": (4, 4),
    "start": _SB3_START,
    "after_life_loss": _SB3_LIFE_LOSS,
    "terminal_on_life_loss": True,
}
_NATURE = {
    "pool": "rgb",
    "grayscale": "cv2",
    "grey_rounding": "nearest",
    "grey_after_resize": False,
    "crop": None,
    "contrast_stretch": False,
    "resize": (84, 84),
    "interpolation": "cv2-area",
    "plane_rounding": "nearest",
    "stack": 4,
    "stack_fill": "zeros",
    "scale_divisor": 255.0,
}


PRESETS: Mapping[str, Preset] = {
    "sb3-atari": Preset(
        origin="stable-baselines3: make_atari_env and VecFrameStack(4)",
        reward="clipped",
        environment=_EPISODIC | {"stack_after_life_loss": "zeros"},
        observation=_NATURE,
        wraps=True,
    ),
    "cleanrl-atari": Preset(
        origin="CleanRL: the wrappers of dqn_atari.py and ppo_atari.py",
        reward="clipped",
        environment=_EPISODIC | {"stack_after_life_loss": "repeat"},
        observation=_NATURE | {"grey_after_resize": True, "stack_fill": "repeat"},
        wraps=True,
    ),
    "ale-vector": Preset(
        origin="ale-py: AtariVectorEnv with its defaults",
        environment=_PLAIN
        | {"frame_skip": (4, 4), "repeat_action_probability": 0.0, "start": _VECTOR_START},
        observation=_NATURE | {"pool": "grey", "grayscale": "ale"},
    ),
    "envpool": Preset(
        origin="EnvPool: its Atari environments with their defaults",
        environment=_PLAIN
        | {"frame_skip": (4, 4), "repeat_action_probability": 0.0, "start": _ENVPOOL_START},
        observation=_NATURE | {"pool": "grey", "grayscale": "ale", "stack_fill": "repeat"},
    ),
    "baby-a3c": Preset(
        origin="greydanus/baby-a3c: Game-v4 and its prepro",
        environment=_PLAIN | {"frame_skip": (2, 4), "repeat_action_probability": 0.0},
        observation=_NATURE
        | {
            "pool": "none",
            "grayscale": "mean",
            "grey_rounding": "float",
            "crop": (35, 195, 0, 160),
            "contrast_stretch": True,
            "resize": (80, 80),
            "interpolation": "pillow-bilinear",
            "stack": 1,
        },
    ),
    "ale-v5": Preset(
        origin="Machado et al. 2018 with Gymnasium's AtariPreprocessing and a stack of 4",
        environment=_PLAIN | {"frame_skip": (4, 4), "repeat_action_probability": 0.25},
        observation=_NATURE | {"pool": "grey", "grayscale": "ale", "stack_fill": "repeat"},
    ),
}


ENVIRONMENT_DEFAULTS: Mapping[str, Any] = _PLAIN
"""Taken, and listed as assumed, where neither id nor preset nor caller says anything."""

OBSERVATION_DEFAULTS: Mapping[str, Any] = _NATURE
"""As ``ENVIRONMENT_DEFAULTS``: the observation of ``sb3-atari``, the commonest."""
