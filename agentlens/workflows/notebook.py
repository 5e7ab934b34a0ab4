"""How agents, recordings, map sets and drawn files show themselves in a notebook.

The formatters are registered with IPython, so that ``store`` knows nothing of pictures.
"""

from __future__ import annotations

import base64
import html
import importlib
import io
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from agentlens.comparison.comparison import Comparison
from agentlens.comparison.figures import differences_figure, returns_figure
from agentlens.comparison.words import interval_text, share_text, summary, verdict_text
from agentlens.drawing.draw import Draw
from agentlens.drawing.files import DrawnFile
from agentlens.drawing.film import Film
from agentlens.drawing.pixels import canvas, paste
from agentlens.drawing.sheet import draw_sheet
from agentlens.drawing.text import SMALL, draw_text
from agentlens.drawing.theme import THEMES
from agentlens.errors import AgentlensError
from agentlens.policies.agent import Agent
from agentlens.progress import follow
from agentlens.store.maps import MapSet
from agentlens.store.recording import Episode, Recording, open_recording
from agentlens.workflows.summary import protocol_text, returns_text, score_text

SHEET_COLUMNS, SHEET_PICTURES = 6, 12
GAP, LABEL = 6, 20
LARGEST_SHOWN = 20_000_000
"""Bytes of a file that is shown in the page; a larger one is linked."""
_SHOWN = {
    ".png": "image/png",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
}


def install() -> None:
    """Register the formatters with the running IPython, if there is one."""
    shell = _shell()
    if shell is None:
        return
    formatter = shell.display_formatter.formatters["text/html"]
    for kind, show in (
        (Recording, recording_html),
        (Episode, episode_html),
        (MapSet, maps_html),
        (Agent, agent_html),
        (DrawnFile, drawn_html),
        (Comparison, comparison_html),
    ):
        formatter.for_type(kind, show)
    follow(NotebookBar())


def agent_html(agent: Agent) -> str:
    """A card: who it is, what it plays and sees, how well, and how large it is."""
    spec = agent.spec
    observation = spec.observation
    rows = [
        ("algorithm", spec.algorithm or "not said"),
        ("game", spec.environment.id),
        ("protocol", protocol_text(spec)),
        (
            "sees",
            f"{observation.planes} planes of {observation.resize[0]} x {observation.resize[1]}, "
            f"pool {observation.pool}",
        ),
        ("actions", ", ".join(spec.action.meanings)),
        ("score", score_text(spec.score) if spec.score else "not measured"),
        ("parameters", f"{sum(p.numel() for p in agent.policy.parameters()):,}"),
        ("licence", spec.licence or "not said"),
        ("folder", str(agent.folder or "in memory")),
    ]
    rows += [("assumed", line) for line in spec.assumed]
    return f"<p><b>{html.escape(spec.name)}</b></p>" + _table((), rows)


def drawn_html(path: DrawnFile) -> str:
    """The picture or the video itself; a link where it is large or of another kind."""
    kind = _SHOWN.get(path.suffix.lower())
    if kind is None or not path.is_file() or path.stat().st_size > LARGEST_SHOWN:
        return f'<a href="{html.escape(str(path))}">{html.escape(str(path))}</a>'
    data = f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
    if kind.startswith("video"):
        how = 'controls muted loop preload="auto" style="max-width:100%"'
        return f'<video {how} src="{data}"></video>'
    return f'<img style="max-width:100%" src="{data}">'


class NotebookBar:
    """Shows a stage that takes longer than a second as one bar, redrawn in its place."""

    def __init__(self) -> None:
        self._began = self._shown = 0.0
        self._done, self._before = -1, 0
        self._handle: Any = None

    def __call__(self, done: int, total: int) -> None:
        """Follow a stage; a count that falls begins another one."""
        now = time.monotonic()
        if done <= self._done or self._done < 0:
            self._began, self._before, self._handle = now, done, None
        self._done = done
        over = bool(total) and done >= total
        if now - self._began < 1.0 or (now - self._shown < 0.3 and not over):
            return
        self._shown = now
        self._draw(bar_html(done, total, (done - self._before) / (now - self._began)))

    def _draw(self, page: str) -> None:
        display = importlib.import_module("IPython.display")
        if self._handle is None:
            self._handle = display.display(display.HTML(page), display_id=True)
        else:
            self._handle.update(display.HTML(page))


def bar_html(done: int, total: int, rate: float) -> str:
    """A bar with its counts and rate."""
    of = f" of {total}" if total else ""
    bar = f'<progress value="{done}" max="{total}"></progress> ' if total else ""
    return f"{bar}{done}{of}, {rate:.1f}/s"


def recording_html(recording: Recording) -> str:
    """A table of the episodes above a contact sheet of the first."""
    spec = recording.header.agent
    rows = [
        (str(e.index), str(len(e)), f"{e.raw_return:+.0f}", e.end or "cut off", str(e.seed))
        for e in recording.episodes
    ]
    about = f"{spec.name}: {protocol_text(spec)}; {returns_text(recording)}"
    sheet = episode_sheet(recording.episodes[0]) if recording.episodes else ""
    return (
        f"<p>{html.escape(about)}</p>"
        + _table(("episode", "steps", "return", "end", "seed"), rows)
        + sheet
    )


def episode_html(episode: Episode) -> str:
    """One line of facts above a contact sheet."""
    steps = f"{len(episode)} steps, return {float(np.sum(episode.rewards)):+.0f}"
    return f"<p>{html.escape(steps)}</p>{episode_sheet(episode)}"


def maps_html(maps: MapSet) -> str:
    """What each target means, its unit and its largest value."""
    rows = [
        (
            t.name,
            t.unit,
            f"{float(np.abs(maps.values[:, i]).max()):.3g}" if len(maps.steps) else "-",
            t.meaning,
        )
        for i, t in enumerate(maps.header.targets)
    ]
    about = (
        f"{maps.header.method}: {len(maps.steps)} steps, planes {', '.join(maps.planes)}, "
        f"grid {maps.grid.shape[0]} x {maps.grid.shape[1]}"
    )
    table = _table(("target", "unit", "largest", "meaning"), rows)
    return f"<p>{html.escape(about)}</p>{table}{_maps_sheet(maps)}"


def _maps_sheet(maps: MapSet) -> str:
    """Six explained steps with their heat, where the maps lie in their recording's folder."""
    home = None if maps.folder is None else maps.folder.parent.parent
    if home is None or not (home / "recording.json").is_file() or not len(maps.steps):
        return ""
    try:
        recording = open_recording(home)
        film = Film(recording, maps, episode=int(maps.episodes[0]))
    except AgentlensError:  # maps of another recording: the table says all there is
        return ""
    return _image(draw_sheet(film, Draw(scale=1), most=6), "six explained steps with their heat")


def _image(pixels: np.ndarray, words: str) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{html.escape(words)}" src="data:image/png;base64,{data}">'


def comparison_html(comparison: Comparison) -> str:
    """The summary, both figures of returns, and what the pairs have in common."""
    differences = [
        (f"{d.first} minus {d.second}", interval_text(d.difference, signed=True), verdict_text(d))
        for d in comparison.differences
    ]
    shared = [
        (
            f"{b.first} and {b.second}",
            b.states_of,
            str(b.states),
            share_text(b.greedy_agreement),
            interval_text(b.figures.get("total_variation")),
        )
        for b in comparison.behaviours
    ]
    trust = [(t.agent, t.method, str(t.badges)) for t in comparison.trust]
    where = f"<p>{html.escape(str(comparison.folder))}</p>" if comparison.folder else ""
    return (
        f"<p>{html.escape(summary(comparison))}</p>"
        + returns_figure(comparison.games, comparison.returns)
        + differences_figure(comparison.differences)
        + _table(("pair", "difference of returns", "verdict"), differences)
        + _table(("pair", "states of", "states", "same greedy action", "total variation"), shared)
        + (_table(("agent", "maps", "badges"), trust) if trust else "")
        + where
    )


def episode_sheet(episode: Episode) -> str:
    """A contact sheet of evenly spaced screens with their step numbers, as an inline PNG."""
    if len(episode) == 0:
        return ""
    picks = np.unique(np.linspace(0, len(episode) - 1, SHEET_PICTURES).astype(int))
    screens = [episode.screens[int(i)] for i in picks]
    height, width = screens[0].shape[:2]
    rows = -(-len(screens) // SHEET_COLUMNS)
    theme = THEMES["light"]
    size = SHEET_COLUMNS * (width + GAP) - GAP, rows * (height + LABEL)
    sheet = canvas(size, theme.background)
    steps = [int(episode.steps[i]) for i in picks]
    for place, (screen, step) in enumerate(zip(screens, steps, strict=True)):
        row, column = divmod(place, SHEET_COLUMNS)
        left, top = column * (width + GAP), row * (height + LABEL)
        draw_text(sheet, f"step {step}", left, top + 2, size=SMALL, colour=theme.text)
        paste(sheet, screen, left, top + LABEL)
    return _image(sheet, f"screens of steps {', '.join(map(str, steps))}")


def _table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    left = ' style="text-align:left"'  # notebooks align to the right
    head = "".join(f"<th{left}>{html.escape(h)}</th>" for h in headings)
    body = "".join(
        "<tr>" + "".join(f"<td{left}>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table>{f'<tr>{head}</tr>' if head else ''}{body}</table>"


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None
