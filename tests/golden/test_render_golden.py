"""Did the drawing change? Pictures are compared before encoding, byte for byte.

After looking at the change, write them anew with ``AGENTLENS_WRITE_GOLDEN=1 pytest tests/golden``.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import PIL
import pytest
from PIL import Image

from agentlens.drawing.draw import Draw
from agentlens.drawing.film import Film
from agentlens.drawing.layout import arrange
from agentlens.store.maps import MapSet
from tests import render_samples as samples

FOLDER = Path(__file__).parent / "render"
PILLOW = "13."
"""The fonts of other versions may differ by a shade."""


def each() -> MapSet:
    return samples.maps(range(40), targets=samples.CONTROLLED, planes=samples.PLANES, strength=0.2)


CASES = {
    "full": ("full", "logits", each(), 25),
    "full-light": ("full", "logits", each(), 25),
    "full-print": ("full", "logits", each(), 25),
    "slide": ("slide", "logits", each(), 25),
    "full-first-step": ("full", "logits", each(), 0),
    "full-q-values": ("full", "q_values", samples.maps(range(40), targets=(samples.GAP,)), 33),
    "full-no-maps": ("full", "logits", None, 12),
    "compact": ("compact", "logits", samples.maps(range(40), explained=2), 25),
    "stack": ("stack", "logits", each(), 25),
}


@pytest.mark.skipif(not PIL.__version__.startswith(PILLOW), reason=f"needs Pillow {PILLOW}x")
@pytest.mark.parametrize("name", CASES)
def test_picture_is_unchanged(name: str, tmp_path: Path) -> None:
    layout, kind, maps, frame = CASES[name]
    theme = next((t for t in ("light", "print") if name.endswith(t)), "dark")
    film = Film(samples.record(tmp_path / "r", kind=kind), maps, theme=theme)
    picture = arrange(film.scene, Draw(layout=layout, scale=1)).draw(film.context(frame))
    path = FOLDER / f"{name}.png"
    if os.environ.get("AGENTLENS_WRITE_GOLDEN") == "1":
        FOLDER.mkdir(exist_ok=True)
        Image.fromarray(picture).save(path, optimize=True)
    with Image.open(path) as golden:
        expected = np.asarray(golden)
    assert picture.shape == expected.shape
    different = np.argwhere((picture != expected).any(axis=2))
    if len(different):
        (top, left), (bottom, right) = different.min(axis=0), different.max(axis=0)
        Image.fromarray(picture).save(tmp_path / "drawn.png")
        pytest.fail(
            f"{len(different)} pixels differ in rows {top}-{bottom}, columns {left}-{right} of "
            f"{path.name}; what was drawn now is {tmp_path / 'drawn.png'}"
        )
