"""Strict conversion between plain mappings (TOML, JSON) and the frozen dataclasses of ``spec``.

``decode`` accepts only what the dataclass declares: an unknown key, a missing key or a value of
the wrong kind raises :class:`~agentlens.errors.ManifestError` with the dotted path to it. Nothing
is coerced but ``int`` to ``float`` and lists to tuples.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from agentlens.errors import InvalidArgument, ManifestError
from agentlens.printable import controls

T = TypeVar("T")

_MAX_NUMBER = 1e300
_MAX_INTEGER = (1 << 64) - 1
"""Larger whole numbers are nobody's sizes, seeds or counts."""


def encode(value: Any) -> Any:
    """Turn a dataclass (and all within) into plain dicts, lists and scalars, leaving out
    ``None``."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = ((f.name, encode(getattr(value, f.name))) for f in dataclasses.fields(value))
        return {name: plain for name, plain in pairs if plain is not None}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    return value


def decode(cls: type[T], data: Any, path: str = "") -> T:
    """Build a frozen dataclass from a plain mapping.

    A class may have ``from_table``, which turns other forms of its table into its fields.

    Args:
        cls: a dataclass whose fields are scalars, tuples, literals, optionals or dataclasses.
        data: the mapping as read from TOML or JSON.
        path: dotted path of ``data`` in its file, for messages.

    Raises:
        ManifestError: an unknown or missing key, or a value of the wrong kind; names its path.
    """
    if not isinstance(data, Mapping):
        raise ManifestError(f"{path or 'the file'}: expected a table, got {_kind(data)}.")
    data = getattr(cls, "from_table", dict)(data)
    kinds = _hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}  # type: ignore[arg-type]
    for key in data:
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1)
            advice = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(fields)}."
            raise ManifestError(f"{_join(path, key)}: unknown key; {advice}")
    values = {}
    for name, field in fields.items():
        if name in data:
            values[name] = _decode_value(kinds[name], data[name], _join(path, name))
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ManifestError(f"{_join(path, name)}: missing; add it.")
    try:
        return cls(**values)
    except InvalidArgument as error:
        raise ManifestError(f"{path}: {error}" if path else str(error)) from error


def _decode_value(kind: Any, value: Any, path: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return _decode_union(arguments, value, path)
    if origin is typing.Literal:
        if value in arguments and type(value) in {type(a) for a in arguments}:
            return value
        raise ManifestError(
            f"{path}: got {value!r}, expected one of {', '.join(map(repr, arguments))}."
        )
    if origin is tuple:
        return _decode_tuple(arguments, value, path)
    if origin in (dict, Mapping) or kind in (dict, Mapping):
        if not isinstance(value, Mapping):
            raise ManifestError(f"{path}: expected a table, got {_kind(value)}.")
        inner = arguments[1] if arguments else Any
        for key in value:
            _check_text(key, path)
        return {str(k): _decode_value(inner, v, _join(path, k)) for k, v in value.items()}
    if dataclasses.is_dataclass(kind):
        return decode(typing.cast(type, kind), value, path)
    if kind is str or kind is Any:
        _check_text(value, path)
    if kind is int and type(value) is int and abs(value) > _MAX_INTEGER:
        raise ManifestError(f"{path}: expected a whole number of at most {_MAX_INTEGER:,} in size.")
    if kind is Any or (kind is not float and type(value) is kind):
        return value
    if kind is float and type(value) in (int, float):
        if abs(value) > _MAX_NUMBER or not math.isfinite(value):
            raise ManifestError(f"{path}: expected a finite number of at most {_MAX_NUMBER:g}.")
        return float(value)
    raise ManifestError(f"{path}: expected {getattr(kind, '__name__', kind)}, got {_kind(value)}.")


def _check_text(value: Any, path: str) -> None:
    """Refuse text, however deep in lists and tables, that moves a terminal's cursor."""
    if isinstance(value, str) and (odd := controls(value)):
        raise ManifestError(
            f"{path}: holds the control character {odd[0]!a}: expected one line of plain text."
        )
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _check_text(key, path)
            _check_text(inner, _join(path, key))
    elif isinstance(value, list | tuple):
        for inner in value:
            _check_text(inner, path)


def _decode_union(arguments: tuple[Any, ...], value: Any, path: str) -> Any:
    if value is None and type(None) in arguments:
        return None
    problems = []
    for argument in arguments:
        if argument is type(None):
            continue
        try:
            return _decode_value(argument, value, path)
        except ManifestError as error:
            problems.append(error)
    raise (
        problems[0]
        if len(problems) == 1
        else ManifestError(
            f"{path}: got {value!r}; "
            + " or ".join(str(p).removeprefix(f"{path}: ") for p in problems)
        )
    )


def _decode_tuple(arguments: tuple[Any, ...], value: Any, path: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ManifestError(f"{path}: expected a list, got {_kind(value)}.")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        kinds: tuple[Any, ...] = (arguments[0],) * len(value)
    elif len(arguments) == len(value):
        kinds = arguments
    else:
        raise ManifestError(f"{path}: expected {len(arguments)} entries, got {len(value)}.")
    return tuple(
        _decode_value(kind, item, f"{path}[{i}]")
        for i, (kind, item) in enumerate(zip(kinds, value, strict=True))
    )


def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _join(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)


def _kind(value: Any) -> str:
    return f"{type(value).__name__} {value!r}"[:80]
