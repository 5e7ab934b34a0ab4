"""Options that are lengths in observation pixels: marked where they are written, rescaled here."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from agentlens.errors import InvalidArgument
from agentlens.saliency.references import parse_reference

T = TypeVar("T")

_MARK = "observation pixels"


def length(default: Any) -> Any:
    """A dataclass field that is a length: pixels, several of them, or a reference such as
    "blur:3", whose sigma is one."""
    return dataclasses.field(default=default, metadata={_MARK: True})


def rescaled_options(method: T, factor: float) -> T:
    """A dataclass with each option made by ``length`` times ``factor``.

    Fractions keep three decimals; whole numbers stay whole and at least 1.

    Raises:
        InvalidArgument: a factor that is not a positive number.
    """
    if not 0 < factor < float("inf"):
        raise InvalidArgument(f"a scale of {factor}: expected a positive number.")
    if abs(factor - 1) < 1e-9:
        return method
    changes = {
        option.name: _scaled(getattr(method, option.name), factor)
        for option in dataclasses.fields(method)  # type: ignore[arg-type]
        if option.metadata.get(_MARK)
    }
    return dataclasses.replace(method, **changes) if changes else method  # type: ignore[type-var]


def _scaled(value: Any, factor: float) -> Any:
    if isinstance(value, str):
        is_blur = value.partition(":")[0] == "blur"
        return str(parse_reference(value).rescaled(factor)) if is_blur else value
    if isinstance(value, tuple):
        return tuple(_scaled(item, factor) for item in value)
    if isinstance(value, int):
        return max(1, round(value * factor))
    return round(value * factor, 3)
