"""What the strings below a dataclass's fields say: the one place where an option is explained."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise


def notes_of(cls: type) -> dict[str, str]:
    """The string below each field of a dataclass, by name: of the class that wrote it last."""
    notes: dict[str, str] = {}
    for parent in reversed(cls.__mro__):
        if dataclasses.is_dataclass(parent):
            notes.update(_written_notes(parent))
    return notes


def _written_notes(cls: type) -> Iterator[tuple[str, str]]:
    try:
        source = textwrap.dedent(inspect.getsource(cls))
    except (OSError, TypeError):  # made in a notebook or on the fly
        return
    (definition,) = ast.parse(source).body
    if not isinstance(definition, ast.ClassDef):
        return
    for option, note in pairwise(definition.body):
        if isinstance(option, ast.AnnAssign) and isinstance(option.target, ast.Name):
            match note:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield option.target.id, " ".join(text.split())
