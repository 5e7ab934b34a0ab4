"""What excites a unit, drawn: made observations beside recorded screens, and the page of it.

Shape letters: K planes, H W observation, Y X screen.
"""

from __future__ import annotations

import numpy as np

from agentlens.drawing.pixels import canvas, fill, filled, paste
from agentlens.drawing.sheet import write_png
from agentlens.drawing.text import SMALL, TITLE, draw_text
from agentlens.drawing.theme import THEMES, Theme
from agentlens.network.excitation import Excited
from agentlens.spec import ObservationSpec
from agentlens.store.atomic import write_file
from agentlens.store.recording import Recording
from agentlens.viewer.figure_page import FigurePage, PagePicture, PageTable, figure_page
from agentlens.workflows.excite_frames import STRONGEST, StrongFrame
from agentlens.workflows.excite_result import ExciteResult, Subject
from agentlens.workflows.unit_screens import boxed_screen, png_bytes

SHOWN_FRAMES = 4

_CELL, _GAP, _MARGIN, _HEADER, _LABEL, _ROLE, _CURVE = 252, 10, 16, 52, 20, 26, 90
_START_NOTE = (
    "Made screens hold no grey value that fewer than one pixel in ten thousand has, and the frame "
    "they begin with is brought to these: its figure in the picture may differ a little from the "
    "most recorded. The background is the median of the recording's screens."
)
_ROLES = {
    "unit": "the unit",
    "random unit": "a random unit of the layer",
    "untrained": "the same unit of an untrained network",
}


def write_page(result: ExciteResult, recording: Recording, *, force: bool) -> None:
    """Write the picture and the page.

    Raises:
        AlreadyExists: the picture is there and ``force`` is off.
        DiskError: one cannot be written.
    """
    picture = draw_excited(result, recording)
    write_png(picture, result.picture, force=force)
    own = result.subjects[0]
    shown = PagePicture(
        png=png_bytes(picture),
        alt="Observations made to excite each unit, beside the recorded screens that excite it "
        "most; a box marks what it reads.",
    )
    page = FigurePage(
        title=f"{recording.header.agent.name}: what excites {own.name}",
        lead=_lead(own),
        pictures=[shown],
        tables=_tables(result),
        caveat="A screen made for a unit always excites it, and always looks like something: "
        "compare with the rows of the random and of the untrained unit. What a unit is excited by "
        "is not what it is used for: silence it (agentlens edit) before you say so.",
    )
    write_file(result.page, figure_page(page).encode())


def draw_excited(result: ExciteResult, recording: Recording) -> np.ndarray:
    """The picture: a row a subject, and the unit's curve over the first episode.

    Returns:
        uint8 [height, width, 3].
    """
    theme, spec = THEMES["light"], recording.header.agent.observation
    height, width = recording.header.screen_shape[:2]
    wide = round(_CELL * width / height)
    columns = 2 * (_CELL + _GAP) + SHOWN_FRAMES * (wide + _GAP)
    pitch = _ROLE + _LABEL + _CELL + _GAP
    rows = len(result.subjects)
    size = (columns + 2 * _MARGIN, _HEADER + rows * pitch + _CURVE + 2 * _MARGIN)
    picture = canvas(size, theme.background)
    title = f"{recording.header.agent.name}: what excites {result.subjects[0].name}"
    draw_text(picture, title, _MARGIN, 10, size=TITLE, colour=theme.text, width=columns)
    stack = f"{spec.planes} planes, oldest first" if spec.planes > 1 else "one plane"
    line = f"made observations ({stack}); then the recorded screens that excite it most"
    draw_text(picture, line, _MARGIN, 34, size=SMALL, colour=theme.muted, width=columns)
    for number, subject in enumerate(result.subjects):
        top = _HEADER + number * pitch
        draw_text(picture, _ROLES[subject.role], _MARGIN, top, colour=theme.text, width=columns)
        _draw_made(picture, subject, top + _ROLE, theme)
        left = _MARGIN + 2 * (_CELL + _GAP)
        for place, frame in enumerate(subject.frames[:SHOWN_FRAMES]):
            at = (left + place * (wide + _GAP), top + _ROLE)
            _draw_recorded(picture, subject, frame, recording, spec, at)
    _draw_curve(picture, result.subjects[0], _HEADER + rows * pitch + 4, theme)
    return picture


def _draw_made(picture: np.ndarray, subject: Subject, top: int, theme: Theme) -> None:
    made = (
        ("from its strongest frame", subject.from_frame),
        ("from the background", subject.from_background),
    )
    for place, (words, excited) in enumerate(made):
        left = _MARGIN + place * (_CELL + _GAP)
        text = "never active in the recording"
        if excited is not None:
            text = f"{words}: {excited.before:.2f} to {excited.after:.2f}"
            paste(picture, _planes(excited), left, top + _LABEL)
        draw_text(picture, text, left, top, size=SMALL, colour=theme.muted, width=_CELL)


def _planes(excited: Excited) -> np.ndarray:
    """All planes in a square of ``_CELL`` pixels, oldest first, grey."""
    planes = excited.observation
    side = int(np.ceil(np.sqrt(len(planes))))
    room = _CELL // side - 1
    square = canvas((_CELL, _CELL), (128, 128, 128))
    top = max(float(planes.max()), 1e-6)
    for number, plane in enumerate(planes):
        grey = np.clip(plane / top * 255, 0, 255).astype(np.uint8)
        small = filled(np.repeat(grey[..., None], 3, 2), room, room)
        row, column = divmod(number, side)
        paste(square, small, column * (room + 1), row * (room + 1))
    return square


def _draw_recorded(
    picture: np.ndarray,
    subject: Subject,
    frame: StrongFrame,
    recording: Recording,
    spec: ObservationSpec,
    corner: tuple[int, int],
) -> None:
    """A recorded screen with a box around what the unit reads there."""
    episode = next(e for e in recording.episodes if e.index == frame.episode)
    screen = np.asarray(episode.screens[frame.step])
    shown = boxed_screen(screen, subject.field_at(frame.at), spec, _CELL)
    theme, (left, top) = THEMES["light"], corner
    text = f"{frame.value:.2f} · game {frame.episode}, step {frame.step}"
    room = shown.shape[1]
    draw_text(picture, text, left, top, size=SMALL, colour=theme.muted, width=room)
    paste(picture, shown, left, top + _LABEL)


def _draw_curve(picture: np.ndarray, own: Subject, top: int, theme: Theme) -> None:
    """The unit's value over the first episode: the largest of every column's steps."""
    index, curve = next(iter(own.curves.items()))
    width = picture.shape[1] - 2 * _MARGIN
    values = curve.values
    highest, lowest = float(values.max()), float(values.min())
    words = f"{own.name} over game {index}: {len(values)} steps, {lowest:.2f} to {highest:.2f}"
    draw_text(picture, words, _MARGIN, top, size=SMALL, colour=theme.muted, width=width)
    fill(picture, _MARGIN, top + _LABEL, width, _CURVE - _LABEL, theme.surface)
    count = min(width, len(values))
    bars = np.maximum.reduceat(values, np.arange(count) * len(values) // count)
    room = _CURVE - _LABEL - 4
    for column in range(width):
        value = bars[column * count // width]
        share = (value - lowest) / (highest - lowest) if highest > lowest else 0.0
        tall = round(float(share) * room)
        low = top + _CURVE - tall
        fill(picture, _MARGIN + column, low, 1, tall, theme.accents["actor"])


def _lead(own: Subject) -> str:
    if not own.frames:
        return (
            f"{own.name} never changes in this recording. Made from its background, a screen "
            f"brings it to {own.from_background.after:.2f}."
        )
    best, made = own.frames[0], own.from_frame
    after = (
        own.from_background.after if made is None else max(made.after, own.from_background.after)
    )
    return (
        f"The most that {own.name} gives in this recording is {best.value:.2f}, at step "
        f"{best.step} of game {best.episode}. A screen made for it, of the game's own grey values, "
        f"brings it to {after:.2f}."
    )


def _tables(result: ExciteResult) -> list[PageTable]:
    rows = []
    for subject in result.subjects:
        strongest = f"{subject.frames[0].value:.2f}" if subject.frames else "never active"
        made = subject.from_frame
        text = "-" if made is None else f"{made.after:.2f} ({made.changed:.1%} of pixels changed)"
        ground = subject.from_background
        cell = f"{ground.before:.2f} to {ground.after:.2f} ({ground.changed:.1%})"
        rows.append((_ROLES[subject.role], subject.name, strongest, text, cell))
    columns = ("", "unit", "most recorded", "made from that frame", "made from the background")
    tables = [PageTable(title="How active", heads=columns, rows=rows, note=_START_NOTE)]
    shares = [
        (_ROLES[subject.role], share.name, f"{share.strong:.0%}", f"{share.other:.0%}")
        for subject in result.subjects
        for share in subject.objects
        if max(share.strong, share.other) > 0
    ]
    if shares:
        note = (
            f"Share of the unit's most active moments (at most {STRONGEST}) at which a pixel "
            "of the object lies in what the unit reads of the observation; of other steps, in the "
            "same parts."
        )
        heads = ("", "object", "most active", "other steps")
        tables.append(
            PageTable(title="What lies in its field", heads=heads, rows=shares, note=note)
        )
    return tables
