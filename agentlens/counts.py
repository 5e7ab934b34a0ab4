"""The one check of numbers of things: whole, and in range; and of rates, which are above 0."""

from __future__ import annotations

import math

from agentlens.errors import InvalidArgument

LARGEST = 2**53
"""Beyond it JSON readers and float64 lose the last digit."""


def check_count(name: str, value: object, least: int = 1, most: int | None = None) -> None:
    """Refuse what is no whole number in range; ``True`` is none.

    Raises:
        InvalidArgument: names what it is of, what was got and what was expected.
    """
    limit = LARGEST if most is None else most
    if type(value) is not int or not least <= value <= limit:
        bound = f"from {least}" if most is None else f"from {least} to {most}"
        raise InvalidArgument(f"{name} {value!r}: expected a whole number {bound}.")


def check_rate(name: str, value: object, most: float = math.inf) -> None:
    """Refuse what is no finite number above 0 and at most ``most``; ``True`` is none.

    Raises:
        InvalidArgument: names what it is of, what was got and what was expected.
    """
    rate = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        rate = float(value)
    if not 0 < rate <= most or math.isinf(rate):
        bound = "more than 0" if math.isinf(most) else f"more than 0, at most {most:g}"
        raise InvalidArgument(f"{name} {value!r}: expected a number, {bound}.")
