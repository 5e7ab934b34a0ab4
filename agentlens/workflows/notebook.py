"""How recordings, episodes and map sets show themselves in a notebook.

The formatters are registered with IPython, so that ``store`` knows nothing of pictures.
"""

from __future__ import annotations

import base64
import html
import io
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from agentlens.comparison.comparison import Comparison
from agentlens.comparison.figures import differences_figure, returns_figure
from agentlens.comparison.words import interval_text, share_text, summary, verdict_text
from agentlens.store.maps import MapSet
from agentlens.store.recording import Episode, Recording
from agentlens.workflows.summary import protocol_text, returns_text

SHEET_COLUMNS, SHEET_PICTURES = 6, 12


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
        (Comparison, comparison_html),
    ):
        formatter.for_type(kind, show)


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
    return f"<p>{html.escape(about)}</p>" + _table(("target", "unit", "largest", "meaning"), rows)


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
    where = f"<p>{html.escape(str(comparison.folder))}</p>" if comparison.folder else ""
    return (
        f"<p>{html.escape(summary(comparison))}</p>"
        + returns_figure(comparison.games, comparison.returns)
        + differences_figure(comparison.differences)
        + _table(("pair", "difference of returns", "verdict"), differences)
        + _table(("pair", "states of", "states", "same greedy action", "total variation"), shared)
        + where
    )


def episode_sheet(episode: Episode) -> str:
    """A contact sheet of evenly spaced screens as an inline PNG."""
    if len(episode) == 0:
        return ""
    picks = np.unique(np.linspace(0, len(episode) - 1, SHEET_PICTURES).astype(int))
    screens = np.stack([episode.screens[int(i)] for i in picks])
    blank = -len(screens) % SHEET_COLUMNS
    screens = np.concatenate([screens, np.zeros((blank, *screens.shape[1:]), np.uint8)])
    rows = screens.reshape(-1, SHEET_COLUMNS, *screens.shape[1:])
    sheet = np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue()).decode()
    steps = ", ".join(str(int(episode.steps[i])) for i in picks)
    return f'<img alt="screens of steps {steps}" src="data:image/png;base64,{data}">'


def _table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{html.escape(h)}</th>" for h in headings)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None
