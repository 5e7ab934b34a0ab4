"""A contact sheet: some steps of a film on one picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from agentlens.drawing.colour import BACKGROUND
from agentlens.drawing.files import published
from agentlens.drawing.film import Film
from agentlens.drawing.layout import Layout
from agentlens.drawing.pixels import canvas, paste
from agentlens.progress import Progress, silent

SHEET_STEPS = 12
_COLUMNS = 3


def write_sheet(
    film: Film, page: Layout, output: Path, *, force: bool = False, progress: Progress = silent
) -> None:
    """Draw up to twelve steps, evenly spread over the film, in rows of three.

    Raises:
        AlreadyExists: the file is there and ``force`` is off.
        DiskError: the disk is full, failing or read-only.
    """
    count = min(SHEET_STEPS, len(film))
    frames = np.unique(np.linspace(0, len(film) - 1, count).round().astype(int)).tolist()
    columns = min(_COLUMNS, len(frames))
    rows = -(-len(frames) // columns)
    width, height = page.size
    sheet = canvas((columns * width, rows * height), BACKGROUND)
    for place, context in enumerate(film.contexts(frames)):
        row, column = divmod(place, columns)
        paste(sheet, page.draw(context), column * width, row * height)
        progress(place + 1, len(frames))
    write_png(sheet, output, force=force)


def write_png(picture: np.ndarray, output: Path, *, force: bool = False) -> None:
    """Write uint8 [height, width, 3] as a png, whole or not at all.

    Raises:
        AlreadyExists: the file is there and ``force`` is off.
        DiskError: the disk is full, failing or read-only.
    """
    with published(output, force) as finished:
        Image.fromarray(picture).save(finished, format="PNG")
