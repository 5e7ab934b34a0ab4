"""What can be done to units, by name; ``edits`` does it. Light: the command line lists them."""

from __future__ import annotations

from typing import Literal

Operation = Literal["ablate", "keep", "patch", "steer", "reweigh"]
OPERATIONS: tuple[Operation, ...] = ("ablate", "keep", "patch", "steer", "reweigh")
