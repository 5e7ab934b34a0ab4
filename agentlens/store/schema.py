"""Column names, dtypes and the schema version of recordings and map sets: the one home of both.

A reader refuses versions that it does not know and accepts columns that it does not know.

Version 2: worlds beside emulators. ``world`` in the header replaces cartridge and emulator actions;
screens may be RGB and frames in colour; ``ram``, ``screen_before`` and ``lives`` are there where
the world has them, ``fingerprint`` where it has no RAM, ``quantiles`` where the policy gives them.
Version 1: Atari games alone; still read.
"""

from __future__ import annotations

SCHEMA_VERSION = 2
READABLE_VERSIONS = (1, 2)

STEP = "step"
EMULATOR_FRAME = "emulator_frame"
FRAMES_ADVANCED = "frames_advanced"
SCREEN = "screen"
SCREEN_BEFORE = "screen_before"
PLANE = "plane"
STACK_RESET = "stack_reset"
STATE_RESET = "state_reset"
RAM = "ram"
FINGERPRINT = "fingerprint"
STATE = "state"
LOGITS = "logits"
Q_VALUES = "q_values"
VALUE = "value"
QUANTILES = "quantiles"
ACTION = "action"
FORCED = "forced"
REWARD = "reward"
CLIPPED_REWARD = "clipped_reward"
LIVES = "lives"
TERMINATED = "terminated"
TRUNCATED = "truncated"

BATCH_STEPS = 32
"""Steps in one Arrow record batch: what a SIGKILL can lose at most."""
