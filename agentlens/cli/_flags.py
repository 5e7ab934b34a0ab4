"""The flags of a command, read from its options: what the help shows of each."""

from __future__ import annotations

import collections.abc
import dataclasses
import types
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro

from agentlens.workflows.notes import notes_of

_POSITIONAL = typing.get_args(tyro.conf.Positional[int])[1]
_VALUES = {int: "INT", float: "NUMBER", str: "NAME", Path: "PATH"}


@dataclass(frozen=True, kw_only=True)
class Flag:
    """One flag or argument.

    ``name``: as it is typed, without its dashes. ``value``: how its value is shown; empty for a
    switch. ``note``: what it does, in a sentence. ``default``: empty where the note says what
    holds. ``of_method``: it belongs to the chosen saliency method alone.
    """

    name: str
    value: str
    note: str
    default: str
    positional: bool
    required: bool
    of_method: bool

    @property
    def typed(self) -> str:
        """How it is typed, with its value."""
        return self.value if self.positional else f"--{self.name} {self.value}".rstrip()


def flags_of(options: type) -> Iterator[Flag]:
    """The flags of a command's options, those of its groups in their place.

    Args:
        options: the command's dataclass, with the method's flags in it where it takes a method.
    """
    yield from _walk(options, dataclasses.MISSING)


def _walk(options: type, given: Any) -> Iterator[Flag]:
    hints, notes = typing.get_type_hints(options, include_extras=True), notes_of(options)
    of_method = {
        field.name
        for base in options.__mro__[1:]
        if base.__name__ == "MethodFlags"
        for field in dataclasses.fields(options)
        if field.name not in {known.name for known in dataclasses.fields(base)}
    }
    for field in dataclasses.fields(options):
        hint = hints[field.name]
        default = getattr(given, field.name, _default(field))
        if dataclasses.is_dataclass(hint):
            yield from _walk(typing.cast(type, hint), default)
            continue
        flag = _flag(field.name, hint, default, notes.get(field.name, ""))
        yield dataclasses.replace(flag, of_method=field.name in of_method)


def _flag(field: str, hint: Any, default: Any, note: str) -> Flag:
    kind, *details = typing.get_args(hint) if hasattr(hint, "__metadata__") else (hint,)
    told = {
        name: value
        for detail in details
        for name in ("name", "metavar", "help")
        if (value := getattr(detail, name, None)) is not None
    }
    name = told.get("name") or field.replace("_", "-")
    switch = kind is bool
    note = " ".join((told.get("help") or note).split())
    if switch and default is True:
        name, note = f"no-{name}", f"Switches this off: {note[:1].lower()}{note[1:]}"
    return Flag(
        name=name,
        value="" if switch else told.get("metavar") or _value(kind),
        note=note,
        default="" if switch else _default_text(default, details),
        positional=_POSITIONAL in details,
        required=default is dataclasses.MISSING,
        of_method=False,
    )


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _default_text(default: Any, details: Sequence[Any] = ()) -> str:
    """A default as it would be typed, which the ``details`` of its type may say; none where
    leaving the flag out means something else."""
    if default is None or default is dataclasses.MISSING:
        return ""
    for detail in details:
        if isinstance(detail, tyro.constructors.PrimitiveConstructorSpec):
            return " ".join(detail.str_from_instance(default))
    if isinstance(default, tuple | list):
        return " ".join(map(_default_text, default))
    if isinstance(default, dict):
        return " ".join(f"{name} {_default_text(value)}" for name, value in default.items())
    return f"{default:g}" if isinstance(default, float) else str(default)


def _value(kind: Any) -> str:
    """How the value of a type is shown: INT, NAME ..., {full,compact}."""
    kind = getattr(kind, "__value__", kind)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _value(inner[0])
    if origin is Literal:
        return "{" + ",".join(map(str, inner)) + "}"
    if origin in (typing.Union, types.UnionType):
        kinds = [_value(k) for k in inner if k is not type(None)]
        return "|".join(dict.fromkeys(kinds))
    if origin is tuple and Ellipsis not in inner:
        return " ".join(map(_value, inner))
    if origin in (tuple, list, collections.abc.Sequence):
        return f"{_value(inner[0])} ..."
    if origin in (dict, collections.abc.Mapping):
        return f"{_value(inner[0])} {_value(inner[1])} ..."
    return _VALUES.get(kind, "VALUE")
