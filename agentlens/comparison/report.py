"""Writes a comparison into a folder: the page, its figures, the tables, report.json."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from agentlens.comparison.comparison import Comparison, plain
from agentlens.comparison.figures import (
    differences_figure,
    returns_figure,
    shift_figure,
    shift_limit,
    training_figures,
)
from agentlens.comparison.moments import Moment
from agentlens.comparison.page import page
from agentlens.comparison.page_pictures import Drawn, Still
from agentlens.comparison.words import definitions, methods, standing_notes, summary
from agentlens.store.atomic import make_folder, write_file
from agentlens.store.tables import write_table

LARGEST_PAGE = 10_000_000
"""Bytes: stills are left out of the page, from the last one on, where it would be larger."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A moment's still, uint8 [Y, X, 3], and where a video shows it ("" if none does)."""

    moment: Moment
    pixels: np.ndarray
    video: str = ""


def write_report(
    comparison: Comparison,
    folder: Path,
    *,
    screen_shape: tuple[int, int],
    pictures: Sequence[Picture] = (),
    screens: Mapping[str, np.ndarray] | None = None,
    videos: Mapping[str, str] | None = None,
) -> Path:
    """Write report.html, report.json, tables/ and figures/ into an existing folder.

    Args:
        comparison: all figures.
        folder: where to.
        screen_shape: rows and columns of the native screen.
        pictures: stills of the moments.
        screens: a native screen by agent, uint8 [Y, X, 3], to lay mass shifts on.
        videos: file name of each video beside the page, and what it shows.

    Returns:
        The page.

    Raises:
        DiskError: something cannot be written.
    """
    figures = folder / "figures"
    make_folder(figures)
    stills = []
    for number, picture in enumerate(pictures, start=1):
        data = png(picture.pixels)
        write_file(figures / f"moment-{number:02d}-{picture.moment.kind}.png", data)
        stills.append(Still(moment=picture.moment, uri=_data_uri(data), video=picture.video))
    drawn = Drawn(
        returns=returns_figure(comparison.games, comparison.returns),
        differences=differences_figure(comparison.differences),
        training=training_figures(comparison) if len(comparison.agents) > 2 else {},
        shifts=_shift_figures(comparison, screen_shape, screens or {}),
        stills=stills,
        videos=videos or {},
    )
    for name, figure in _named_figures(comparison, drawn).items():
        write_file(figures / f"{name}.svg", figure.encode())
    for name, columns in comparison.tables.items():
        write_table(folder / "tables" / name, columns, plain(comparison.made))
    write_file(folder / "report.json", _json(comparison).encode())
    path = folder / "report.html"
    write_file(path, _within(drawn, lambda d: page(comparison, d)).encode())
    return path


def _shift_figures(
    comparison: Comparison, screen_shape: tuple[int, int], screens: Mapping[str, np.ndarray]
) -> list[str]:
    """Every mass shift on its screen, all on one scale."""
    limit, labels = shift_limit(comparison.shifts), comparison.labels
    uris = {label: _data_uri(png(pixels)) for label, pixels in screens.items()}
    return [
        shift_figure(
            s,
            screen_shape,
            places=(labels.index(s.first), labels.index(s.second)),
            limit=limit,
            picture=uris.get(s.states_of, ""),
        )
        for s in comparison.shifts
    ]


def _named_figures(comparison: Comparison, drawn: Drawn) -> dict[str, str]:
    """Every figure by the name of its file."""
    shifts = enumerate(zip(comparison.shifts, drawn.shifts, strict=True), start=1)
    return {
        "returns": drawn.returns,
        "differences": drawn.differences,
        **{f"order-{name}": figure for name, figure in drawn.training.items()},
        **{f"mass-shift-{number:02d}-{s.role}": figure for number, (s, figure) in shifts},
    }


def png(pixels: np.ndarray) -> bytes:
    """A picture as PNG, with a palette of 256 colours where that loses nothing."""
    buffer = io.BytesIO()
    picture = Image.fromarray(pixels)
    few = picture.getcolors(256)
    (picture.quantize(256) if few else picture).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def file_name(label: str) -> str:
    """A label as a file name: at most 60 letters, digits, dots and hyphens.

    Example:
        >>> file_name("../a b <c>")
        'a-b-c'
    """
    return re.sub(r"[^\w.]+", "-", label, flags=re.ASCII).strip("-._")[:60] or "unnamed"


def _json(comparison: Comparison) -> str:
    fields = {f.name: getattr(comparison, f.name) for f in dataclasses.fields(comparison)}
    del fields["folder"]
    words = {
        "summary": summary(comparison),
        "methods": methods(comparison),
        "notes": [*comparison.notes, *standing_notes(comparison)],
        "definitions": dict(definitions()),
    }
    return json.dumps(
        plain({**words, **{k: v for k, v in fields.items() if k != "notes"}}),
        indent=1,
        allow_nan=False,
        ensure_ascii=False,
    )


def _within(drawn: Drawn, build: Callable[[Drawn], str]) -> str:
    """The page with as many stills as fit."""
    document = build(drawn)
    while len(document.encode()) > LARGEST_PAGE and drawn.stills:
        drawn = dataclasses.replace(drawn, stills=drawn.stills[:-1])
        document = build(drawn)
    return document


def _data_uri(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()
