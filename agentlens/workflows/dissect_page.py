"""The page of a dissection: the best units of each place with the screens that excite them most.

Shape letters: T steps, C units of a place, h w feature rows and columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agentlens.drawing.pixels import canvas, paste
from agentlens.drawing.text import SMALL, draw_text
from agentlens.drawing.theme import THEMES
from agentlens.network.dissect import UnitMatch
from agentlens.network.places import Place
from agentlens.store.atomic import write_file
from agentlens.store.recording import Recording
from agentlens.viewer.figure_page import FigurePage, PagePicture, figure_page
from agentlens.workflows.unit_screens import Field, boxed_screen, patch_of, png_bytes

UNITS = 4
"""Units of a place that are shown: those with the largest excess."""

FRAMES = 6
"""Screens of each."""

_APART = 2
"""Sampled steps between two screens, so that no moment is shown twice."""

_HEIGHT, _PATCH, _GAP, _LABEL = 210, 84, 10, 20

_CAVEAT = (
    "IoU: where the unit is strongest and where the object is, their overlap as a share of both "
    "(0 to 1). AUC: how well the unit's value tells steps with the named attribute from others "
    "(0.5 is chance, 1 is always); not: the unit is larger where it does not hold. Untrained: the "
    "score of the same unit of a network that never learned. Other steps: the score with the "
    "objects of other steps. Excess: what the score has over the larger of these two. KL silenced: "
    "nats that the policy moves when the unit gives its mean; KL carried: when it gives what it "
    "gives with the object erased. A name says what a unit shows, not what it is used for: "
    "agentlens edit silences it."
)


@dataclass(frozen=True, kw_only=True)
class StripFrame:
    """A sampled step at which a unit is strong: ``row`` among the sampled steps, ``value``, and
    the place in its map (None for an entry of a vector)."""

    row: int
    value: float
    at: tuple[int, int] | None


@dataclass(frozen=True, kw_only=True, eq=False)
class UnitStrip:
    """What the page shows of one unit. ``fields``: by place in its map, what is read there."""

    place: Place
    match: UnitMatch
    kl: float
    carried: float
    frames: tuple[StripFrame, ...]
    fields: Mapping[tuple[int, int], Field]


def strip_frames(values: np.ndarray, unit: int) -> tuple[StripFrame, ...]:
    """The sampled steps at which a unit is strongest, the strongest first.

    Args:
        values: [T, C] or [T, C, h, w].
        unit: which one.
    """
    own = values[:, unit].astype(np.float32)
    flat = own.reshape(len(own), -1)
    largest = flat.max(1)
    chosen: list[StripFrame] = []
    for row in np.argsort(-largest, kind="stable").tolist():
        if any(abs(frame.row - row) < _APART for frame in chosen):
            continue
        at = None
        if own.ndim == 3:
            line, column = np.unravel_index(int(flat[row].argmax()), own.shape[1:])
            at = (int(line), int(column))
        chosen.append(StripFrame(row=row, value=float(largest[row]), at=at))
        if len(chosen) == FRAMES:
            break
    return tuple(chosen)


def write_dissection_page(
    path: Path, strips: Sequence[UnitStrip], recording: Recording, origins: np.ndarray
) -> None:
    """Write ``path`` with the suffix html.

    Args:
        path: without a suffix.
        strips: the shown units.
        recording: of their agent.
        origins: int64 [T, 2], episode and place in it of each sampled step.

    Raises:
        DiskError: it cannot be written.
    """
    name = recording.header.agent.name
    page = FigurePage(
        title=f"{name}: what its units stand for",
        lead="The best units of each layer by their excess, with the screens at which each is "
        f"strongest among {len(origins)} steps of the recording; above a screen is the unit's "
        "value there. A box marks what a unit of a convolution reads; below each screen is what "
        "lies in the box.",
        pictures=[_picture(strip, recording, origins) for strip in strips],
        tables=[],
        caveat=_CAVEAT,
    )
    write_file(path.with_name(f"{path.name}.html"), figure_page(page).encode())


def _picture(strip: UnitStrip, recording: Recording, origins: np.ndarray) -> PagePicture:
    match, unit = strip.match, f"{strip.place.name}.unit.{strip.match.unit}"
    kind = "IoU" if strip.place.kind == "spatial" else "AUC"
    return PagePicture(
        png=png_bytes(draw_strip(strip, recording, origins)),
        alt=f"Screens at which {unit} is strongest",
        title=f"{unit}: {match.stands_for}",
        text=f"{kind} {match.score:.2f}, untrained {match.twin:.2f}, other steps "
        f"{match.shuffled:.2f}: excess {match.excess:.2f}. KL silenced {strip.kl:.4f}, KL "
        f"carried {strip.carried:.4f}.",
    )


def draw_strip(strip: UnitStrip, recording: Recording, origins: np.ndarray) -> np.ndarray:
    """A unit's strongest screens, and for a spatial one the patches below: uint8 [Y, X, 3]."""
    spec, theme = recording.header.agent.observation, THEMES["light"]
    rows, columns = recording.header.screen_shape[:2]
    width = round(_HEIGHT * columns / rows)
    patches = _PATCH + _GAP if strip.fields else 0
    size = (len(strip.frames) * (width + _GAP) + _GAP, _GAP + _LABEL + _HEIGHT + _GAP + patches)
    picture = canvas(size, theme.background)
    episodes = {episode.index: episode for episode in recording.episodes}
    for number, frame in enumerate(strip.frames):
        left = _GAP + number * (width + _GAP)
        index, step = (int(part) for part in origins[frame.row])
        screen = np.asarray(episodes[index].screens[step])
        field = None if frame.at is None else strip.fields.get(frame.at)
        text = f"{frame.value:.2f} · game {index}, step {step}"
        draw_text(picture, text, left, _GAP, size=SMALL, colour=theme.muted, width=width)
        paste(picture, boxed_screen(screen, field, spec, _HEIGHT), left, _GAP + _LABEL)
        if field is not None:
            below = 2 * _GAP + _LABEL + _HEIGHT
            paste(picture, patch_of(screen, field, spec, _PATCH), left, below)
    return picture
