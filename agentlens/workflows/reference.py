"""The page that lists every saliency method, made from the methods themselves."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path
from typing import Any

from agentlens.saliency.base import METHODS
from agentlens.saliency.targets import TARGETS
from agentlens.workflows.notes import notes_of

OPENING = """\
# Saliency methods

Made from the methods themselves by `agentlens methods --markdown`; a test keeps it so.
`agentlens explain RECORDING --method NAME` computes one, `--method` of `agentlens video` too.
"""


def methods_page(pictures: Path | None = None) -> str:
    """The Markdown page: a table, then a section a method with its formula, cost and options.

    Args:
        pictures: folder of stills named ``METHOD-GAME.png``, linked where they exist.
    """
    methods = {name: METHODS.load(name) for name in METHODS.names()}
    rows = [
        f"| [`{name}`](#{name}) | {method.summary} | {method.paper} | {method.weakness} |"
        for name, method in methods.items()
    ]
    table = ["| method | what it shows | paper | known weakness |", "|---|---|---|---|", *rows]
    sections = [_section(name, method, pictures) for name, method in methods.items()]
    return "\n".join([OPENING, *table, "", *_scores(), *sections])


def _scores() -> list[str]:
    rows = [
        f"| `{t.name}` | {t.role} | {t.unit} | {'signed' if t.signed else 'from 0'} "
        f"| {'square root' if t.display == 'sqrt' else 'as it is'} | {t.meaning} |"
        for t in TARGETS.values()
    ]
    head = [
        "| score | of the | unit | sign | drawn | a large value means |",
        "|---|---|---|---|---|---|",
    ]
    return [
        "## Scores",
        "",
        "All of them come from the same forward passes (`--targets`).",
        "",
        *head,
        *rows,
        "",
    ]


def _section(name: str, method: Any, pictures: Path | None) -> str:
    lines = [f"## {name}", "", inspect.cleandoc(method.__doc__ or ""), ""]
    notes = notes_of(method)
    options = [
        f"- `{field.name}` = `{field.default!r}`: {notes[field.name]}"
        for field in dataclasses.fields(method)
        if field.init
    ]
    lines += ["Options:", "", *options, ""] if options else []
    for picture in _pictures_of(name, pictures):
        game = picture.stem.removeprefix(f"{name}-")
        lines += [f"![{name} on a state of {game}](images/methods/{picture.name})", ""]
    return "\n".join(lines)


def _pictures_of(name: str, folder: Path | None) -> list[Path]:
    """A method's own stills: those of "gradient-input" begin with "gradient", too."""
    if folder is None:
        return []
    longer = tuple(f"{n}-" for n in METHODS.names() if n.startswith(f"{name}-"))
    stills = sorted(folder.glob(f"{name}-*.png"))
    return [still for still in stills if not longer or not still.name.startswith(longer)]
