"""The table of layers: how alike two networks represent the same states."""

from __future__ import annotations

from collections.abc import Sequence

from agentlens.comparison.html_parts import Html, columns_table, element, join
from agentlens.comparison.layers import LayerSimilarity
from agentlens.comparison.words import number

_WORDS = (
    "Linear centred kernel alignment of what a layer gives on the same states, corrected for few "
    "states: 1 where one layer is a rotation of the other, about 0 where they have nothing in "
    "common. Untrained networks of the same shape agree as well, since they see the same screens: "
    "only what lies off that column was learned."
)
_SEED_WORDS = (
    " Another seed: the first agent beside a second training run of the same, its seed twin."
)


def layers_table(rows: Sequence[LayerSimilarity]) -> Html:
    """A table for each pair and side; nothing where no layers were compared."""
    if not rows:
        return Html("")
    tables = []
    for key in dict.fromkeys((row.first, row.second, row.states_of) for row in rows):
        own = [row for row in rows if (row.first, row.second, row.states_of) == key]
        twin = any(row.seed_twin is not None for row in own)
        heads = ("layer", "these two", "untrained", *(("another seed",) if twin else ()))
        cells = [
            (
                row.layer,
                number(row.cka),
                _number(row.untrained),
                *((_number(row.seed_twin),) if twin else ()),
            )
            for row in own
        ]
        caption = f"{key[0]} and {key[1]}, on {own[0].steps} of {key[2]}'s states"
        tables.append(columns_table(caption, heads, cells))
    seeded = any(row.seed_twin is not None for row in rows)
    return join([element("p", _WORDS + (_SEED_WORDS if seeded else "")), *tables])


def _number(value: float | None) -> str:
    return "-" if value is None else number(value)
