"""A map of states as one page: points that are coloured, and the frame of the one clicked.

The page holds everything itself, asks nobody for anything, and runs one script whose digest its
security policy names. Texts of recordings reach it as data, never as markup.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

SIZE = 620
"""Side of the map, CSS pixels."""

_MARGIN = 24


@dataclass(frozen=True, kw_only=True, eq=False)
class Colouring:
    """One way to colour the points.

    ``colours``: uint8 [T, 3]. ``texts``: what stands beside each point's frame. ``legend``:
    colour and words, in order. ``note``: how far the map orders it.
    """

    name: str
    colours: np.ndarray
    texts: Sequence[str]
    legend: Sequence[tuple[tuple[int, int, int], str]]
    note: str


@dataclass(frozen=True, kw_only=True, eq=False)
class StateMap:
    """What a page of states shows.

    ``points``: float [T, 2], any unit. ``names``: of the states, such as "game 0, step 12".
    ``frames``: PNG files, one a state. ``scale``: of the shown frame, CSS pixels a screen pixel.
    """

    title: str
    lead: str
    points: np.ndarray
    names: Sequence[str]
    frames: Sequence[bytes]
    colourings: Sequence[Colouring]
    frame_shape: tuple[int, int]
    scale: int = 2


def placed(points: np.ndarray, size: int = SIZE, margin: int = _MARGIN) -> np.ndarray:
    """Points moved into a square, each axis to its full width: float [T, 2], pixels, y down.

    Example:
        >>> placed(np.array([[0.0, 0.0], [2.0, 1.0]]), 100, 10).tolist()
        [[10.0, 90.0], [90.0, 10.0]]
    """
    low, high = points.min(0), points.max(0)
    share = (points - low) / np.where(high > low, high - low, 1)
    share[:, 1] = 1 - share[:, 1]
    inside: np.ndarray = margin + share * (size - 2 * margin)
    return inside


def state_map_page(states: StateMap) -> str:
    """The page.

    Returns:
        HTML; about the frames' bytes and a third.
    """
    data = json.dumps(_data(states), separators=(",", ":")).replace("<", "\\u003c")
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )
    height, width = (side * states.scale for side in states.frame_shape)
    title, lead = html.escape(states.title), html.escape(states.lead)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · agentlens</title><style>{_STYLE}</style></head>
<body><h1>{title}</h1><p>{lead}</p>
<p><label for="colour">Coloured by</label> <select id="colour"></select>
<span id="note"></span></p>
<div class="both"><div>
<svg id="map" viewBox="0 0 {SIZE} {SIZE}" tabindex="0" role="img"
 aria-label="Map of states; arrow keys step through them"></svg><p id="legend"></p></div>
<figure><img id="frame" width="{width}" height="{height}" alt="The screen of the chosen state">
<figcaption><b id="name"></b><ul id="facts"></ul></figcaption></figure></div>
<p class="quiet">Click a point to see its frame; arrow keys go to the state before or after.</p>
<script type="application/json" id="states">{data}</script>
<script>{_SCRIPT}</script></body></html>
"""


def _data(states: StateMap) -> Mapping[str, Any]:
    return {
        "points": np.round(placed(states.points), 1).tolist(),
        "names": list(states.names),
        "frames": [base64.b64encode(frame).decode() for frame in states.frames],
        "colourings": [
            {
                "name": colouring.name,
                "colours": [_hex(colour) for colour in colouring.colours.tolist()],
                "texts": list(colouring.texts),
                "legend": [[_hex(colour), words] for colour, words in colouring.legend],
                "note": colouring.note,
            }
            for colouring in states.colourings
        ],
    }


def _hex(colour: Sequence[int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


_STYLE = """
:root { color-scheme: light dark; --page:#ffffff; --ink:#1b2330; --faint:#566172;
  --line:#d5dbe4; --accent:#0b6fb8; }
@media (prefers-color-scheme: dark) { :root { --page:#0f1319; --ink:#e8ecf2; --faint:#9aa5b5;
  --line:#333c4a; --accent:#6db8f2; } }
body { background: var(--page); color: var(--ink); margin: 1.5rem auto; max-width: 72rem;
  padding: 0 1rem; line-height: 1.5;
  font-family: system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.6rem; overflow-wrap: anywhere; }
p { max-width: 60rem; overflow-wrap: anywhere; }
.both { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: flex-start; }
.both > div { flex: 1 1 28rem; max-width: 38rem; }
svg { width: 100%; border: 1px solid var(--line); border-radius: 8px;
  display: block; touch-action: manipulation; }
svg:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
circle { stroke: #00000055; stroke-width: .6; cursor: pointer; }
circle.chosen { stroke: var(--ink); stroke-width: 3; }
figure { margin: 0; } img { image-rendering: pixelated; background: #000; border-radius: 6px; }
#legend span { display: inline-block; margin-right: 1rem; }
#legend i { display: inline-block; width: .9rem; height: .9rem; border-radius: 50%;
  margin-right: .35rem; vertical-align: -.1rem; border: 1px solid #00000055; }
#facts { padding-left: 1.1rem; margin: .3rem 0; }
#note, .quiet { color: var(--faint); }
"""

_SCRIPT = """
'use strict';
const states = JSON.parse(document.getElementById('states').textContent);
const byId = (id) => document.getElementById(id);
const map = byId('map'), choice = byId('colour');
const svg = 'http://www.w3.org/2000/svg';
const circles = states.points.map(([x, y], index) => {
  const circle = document.createElementNS(svg, 'circle');
  circle.setAttribute('cx', x); circle.setAttribute('cy', y); circle.setAttribute('r', 5);
  const title = document.createElementNS(svg, 'title');
  title.textContent = states.names[index];
  circle.append(title);
  circle.addEventListener('click', () => choose(index));
  map.append(circle);
  return circle;
});
let chosen = 0;
function choose(index) {
  circles[chosen].classList.remove('chosen');
  chosen = (index + circles.length) % circles.length;
  circles[chosen].classList.add('chosen');
  map.append(circles[chosen]);
  byId('frame').src = 'data:image/png;base64,' + states.frames[chosen];
  byId('name').textContent = states.names[chosen];
  byId('facts').replaceChildren(...states.colourings.map((colouring) => {
    const line = document.createElement('li');
    line.textContent = colouring.name + ': ' + colouring.texts[chosen];
    return line;
  }));
}
function colour() {
  const colouring = states.colourings[choice.selectedIndex];
  circles.forEach((circle, index) => circle.setAttribute('fill', colouring.colours[index]));
  byId('note').textContent = colouring.note;
  byId('legend').replaceChildren(...colouring.legend.map(([shade, words]) => {
    const entry = document.createElement('span'), dot = document.createElement('i');
    dot.style.background = shade;
    entry.append(dot, words);
    return entry;
  }));
}
for (const colouring of states.colourings) choice.append(new Option(colouring.name));
choice.addEventListener('change', colour);
map.addEventListener('keydown', (event) => {
  const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
  if (step) { event.preventDefault(); choose(chosen + step); }
});
colour();
choose(0);
"""
