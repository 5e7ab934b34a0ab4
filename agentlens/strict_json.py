"""JSON from files that nobody vouches for, read so that no two readers understand it differently.

Rules are counted on the text before anything is built: nesting, number of values; then keys that
stand twice, NaN, infinity, and numbers too large for float64 are refused.
"""

from __future__ import annotations

import collections
import json
import math
import re
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[{\]},]', re.DOTALL)


class RuleBroken(ValueError):
    """It may be JSON, and breaks a rule; the message says which, without a closing full stop."""


@dataclass(frozen=True, kw_only=True)
class JsonLimits:
    """What a document of one kind may hold."""

    depth: int
    """Lists and tables inside each other."""
    items: int
    """Values of the whole document, to within its lists and tables."""


def parse_json(data: str | bytes, limits: JsonLimits) -> Any:
    """Parse JSON.

    Args:
        data: the text; bytes are UTF-8.
        limits: counted on the text before it is parsed.

    Raises:
        RuleBroken: a key twice, NaN or infinity, a number beyond float64, too deep, too many items.
        ValueError: it is not JSON.

    Notes:
        Text within the limits by counting characters alone is not searched token by token.
    """
    text = data.decode("utf-8") if isinstance(data, bytes) else data
    openings = text.count("[") + text.count("{")
    if openings > limits.depth or openings + text.count(",") > limits.items:
        _check_structure(text, limits)
    try:
        return json.loads(
            text, object_pairs_hook=_table, parse_constant=_refuse_constant, parse_float=_finite
        )
    except RecursionError:
        raise RuleBroken(f"it is nested deeper than {limits.depth}") from None


def _check_structure(text: str, limits: JsonLimits) -> None:
    depth = items = 0
    for token in _TOKEN.finditer(text):
        kind = token.group()[0]
        depth += (kind in "[{") - (kind in "]}")
        items += kind in "[{,"
        if depth > limits.depth:
            raise RuleBroken(f"it is nested deeper than {limits.depth}")
        if items > limits.items:
            raise RuleBroken(f"it has more than {limits.items:,} items")


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        counts = collections.Counter(key for key, _ in pairs)
        raise RuleBroken(f"the key {counts.most_common(1)[0][0][:80]!r} is there twice")
    return table


def _refuse_constant(constant: str) -> Any:
    raise RuleBroken(f"{constant} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise RuleBroken(f"{text[:80]} is too large a number")
    return number
