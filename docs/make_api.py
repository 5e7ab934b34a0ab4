"""Write docs/api.md: every public name with its signature and what it says of itself.

python docs/make_api.py            print the page
python docs/make_api.py --write    write docs/api.md
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import types
from pathlib import Path

import agentlens

PAGE = Path(__file__).resolve().parent / "api.md"

HEAD = """# Python API

Every public name; `import agentlens` loads none of them, each is loaded on first use. This page is
written by `python docs/make_api.py --write`, and a test compares the two.
"""


def page() -> str:
    """The whole page."""
    names = sorted(agentlens.__all__, key=lambda name: (name[0].isupper(), name))
    return "\n".join([HEAD, *(entry(name) for name in names)])


def entry(name: str) -> str:
    """One name: signature, docstring, and for an options object its fields."""
    value = getattr(agentlens, name)
    text = inspect.cleandoc(value.__doc__ or "")
    if isinstance(value, types.ModuleType):
        return f"## `agentlens.{name}`\n\n{text}\n"
    lines = [
        f"## `agentlens.{name}`",
        "",
        f"```text\n{name}{signature(value)}\n```",
        "",
        block(text),
    ]
    if dataclasses.is_dataclass(value):
        notes = field_notes(value)
        lines += [f"- `{field}`: {note}" for field, note in notes.items()]
        lines.append("")
    return "\n".join(lines)


def signature(value: object) -> str:
    """The parameters, one a line where there are many."""
    try:
        text = str(inspect.signature(value))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return ""
    text = re.sub(r" at 0x[0-9a-f]+", "", text).replace("<function ", "<")
    text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", text)
    if len(text) <= 80:
        return text
    inner, _, result = text[1:].rpartition(")")
    return "(\n" + "".join(f"    {part},\n" for part in split(inner)) + ")" + result


def split(text: str) -> list[str]:
    """Parts between commas that are in no bracket and no string."""
    parts, depth, start, quote = [], 0, 0, ""
    for index, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        elif letter == "," and depth == 0:
            parts.append(text[start:index].strip())
            start = index + 1
    return [*parts, text[start:].strip()]


def block(text: str) -> str:
    """A docstring as Markdown: headings in bold, entries as they are."""
    text = text.replace("``", "`")
    return re.sub(
        r"^(Args|Returns|Raises|Notes|References|Example):$", r"**\1**\n", text, flags=re.M
    )


def field_notes(value: type) -> dict[str, str]:
    """The line under each field of a dataclass, by name."""
    source = inspect.getsource(value)
    notes = {}
    for field in dataclasses.fields(value):  # type: ignore[arg-type]
        match = re.search(rf'^    {field.name}: [^\n]*\n    """(.*?)"""', source, re.M | re.S)
        if match:
            notes[field.name] = " ".join(match[1].split()).replace("``", "`")
    return notes


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        print(page(), end="")
