"""Worlds whose cause is known: what decides the right action is a place that the world names.

Light to import: ``ENVIRONMENT``, the kind of environment that the registry asks for, is loaded when
it is asked for.
"""

from __future__ import annotations

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    if name != "ENVIRONMENT":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{__name__}.kind").ENVIRONMENT
