"""Plain mappings as readable TOML: tables of scalars and lists, one inline table a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentlens.errors import ManifestError

_LINE = 88
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def write_toml(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Write named tables; tables within become ``[a.b]`` sections, and lists of tables that hold
    lists ``[[a.b]]`` sections.

    Raises:
        ManifestError: a value that TOML cannot say.
    """
    parts = []
    for name, table in tables.items():
        sections = {key: value for key, value in table.items() if _needs_sections(value)}
        inner = {key: value for key, value in table.items() if isinstance(value, Mapping)}
        rest = {k: v for k, v in table.items() if k not in sections and k not in inner}
        parts.append("\n".join([f"[{_key(name)}]", *_lines(rest)]))
        for key, values in inner.items():
            parts.append("\n".join([f"[{_key(name)}.{_key(key)}]", *_lines(values)]))
        for key, items in sections.items():
            for item in items:
                parts.append("\n".join([f"[[{_key(name)}.{_key(key)}]]", *_lines(item)]))
    return "\n\n".join(parts) + "\n"


def _lines(table: Mapping[str, Any]) -> list[str]:
    return [f"{_key(k)} = {_value(v)}" for k, v in table.items()]


def _needs_sections(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, Mapping) for item in value)
        and any(isinstance(inner, list) for item in value for inner in item.values())
    )


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        one_line = "[" + ", ".join(map(_value, value)) + "]"
        tables = any(isinstance(item, Mapping) for item in value) and len(value) > 1
        if tables or ('"' in one_line and len(one_line) > _LINE):
            return "[\n" + "".join(f"    {_value(item)},\n" for item in value) + "]"
        return one_line
    raise ManifestError(f"TOML cannot say {value!r} ({type(value).__name__}).")


def _string(text: str) -> str:
    escaped = "".join(_ESCAPES.get(c, c if c.isprintable() else _unicode(ord(c))) for c in text)
    return f'"{escaped}"'


def _unicode(code: int) -> str:
    if 0xD800 <= code <= 0xDFFF:
        raise ManifestError("TOML cannot say a lone surrogate character.")
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def _key(key: str) -> str:
    bare = key and all(c.isascii() and (c.isalnum() or c in "-_") for c in key)
    return key if bare else _string(key)
