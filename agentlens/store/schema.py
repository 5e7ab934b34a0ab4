"""Column names, dtypes and the schema version of recordings and map sets: the one home of both.

Version 1. A reader refuses another major version and accepts columns it does not know.
"""

from __future__ import annotations

SCHEMA_VERSION = 1

STEP = "step"
EMULATOR_FRAME = "emulator_frame"
FRAMES_ADVANCED = "frames_advanced"
SCREEN = "screen"
SCREEN_BEFORE = "screen_before"
PLANE = "plane"
STACK_RESET = "stack_reset"
STATE_RESET = "state_reset"
RAM = "ram"
STATE = "state"
LOGITS = "logits"
Q_VALUES = "q_values"
VALUE = "value"
ACTION = "action"
FORCED = "forced"
REWARD = "reward"
CLIPPED_REWARD = "clipped_reward"
LIVES = "lives"
TERMINATED = "terminated"
TRUNCATED = "truncated"

BATCH_STEPS = 32
"""Steps in one Arrow record batch: what a SIGKILL can lose at most."""
