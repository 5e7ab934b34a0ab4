"""Drawing against a matplotlib figure of the same content; encoding against imageio's writer.

    python -m benchmarks.render

Both sides of a ratio are run in turns, and medians of CPU seconds and of wall seconds are kept.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from agentlens.drawing.context import FrameContext
from agentlens.drawing.draw import Draw
from agentlens.drawing.film import Film
from agentlens.drawing.heat import heat_on_screen, screen_heat
from agentlens.drawing.layout import arrange
from agentlens.drawing.render import render
from agentlens.drawing.video import VideoWriter
from benchmarks.results import write_result
from tests import render_samples as samples

FRAMES = 240
ROUNDS = 5


class Rival:
    """The compact layout as a matplotlib figure whose artists are kept and only get new data."""

    def __init__(self, context: FrameContext, size: tuple[int, int]) -> None:
        scene = context.scene
        figure = Figure(figsize=(size[0] / 100, size[1] / 100), dpi=100)
        self._canvas = FigureCanvasAgg(figure)
        grid = figure.add_gridspec(2, 2, height_ratios=(3, 1))
        game, heat, bars = (figure.add_subplot(grid[p]) for p in ((0, 0), (0, 1), (1, 0)))
        curves = grid[1, 1].subgridspec(len(scene.curves), 1).subplots()
        self._game = game.imshow(context.screen, interpolation="nearest")
        self._heat = heat.imshow(self._overlay(context), interpolation="nearest")
        for axes in (game, heat):
            axes.set_axis_off()
        self._bars = bars.barh(scene.choices.names, context.row_values)
        bars.set_xlim(0, 1)
        self._cursors = []
        for axes, curve in zip(curves, scene.curves, strict=True):
            axes.plot(curve.values)
            axes.set_title(curve.name, fontsize=7)
            self._cursors.append(axes.axvline(0, color="k"))
        self._title = figure.suptitle("")

    def __call__(self, context: FrameContext) -> Any:
        self._game.set_data(context.screen)
        self._heat.set_data(self._overlay(context))
        for bar, value in zip(self._bars, context.row_values, strict=True):
            bar.set_width(value)
        for cursor in self._cursors:
            cursor.set_xdata([context.frame, context.frame])
        self._title.set_text(f"{context.scene.title} step {context.step}")
        self._canvas.draw()
        return np.asarray(self._canvas.buffer_rgba())

    def _overlay(self, context: FrameContext) -> np.ndarray:
        layer = context.scene.layers[0]
        return heat_on_screen(context, layer, screen_heat(context, layer))


def median_seconds(*works: Callable[[], object], rounds: int = ROUNDS) -> list[dict[str, float]]:
    """Median CPU and wall seconds of each piece of work, run in turns."""
    cpu: list[list[float]] = [[] for _ in works]
    wall: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for index, work in enumerate(works):
            started, used = time.perf_counter(), time.process_time()
            work()
            wall[index].append(time.perf_counter() - started)
            cpu[index].append(time.process_time() - used)
    return [
        {"cpu": statistics.median(c), "wall": statistics.median(w)}
        for c, w in zip(cpu, wall, strict=True)
    ]


def drawing(film: Film) -> dict[str, float]:
    """Milliseconds a frame of the compact layout at 3x, ours and matplotlib's."""
    page = arrange(film.scene, Draw(layout="compact", scale=3))
    contexts = [film.context(i) for i in range(8)]
    rival, blank = Rival(contexts[0], page.size), page.blank()
    ours, theirs = median_seconds(
        lambda: [page.draw(c, blank) for c in contexts], lambda: [rival(c) for c in contexts]
    )
    return {
        "ours_ms": 1000 * ours["cpu"] / len(contexts),
        "matplotlib_ms": 1000 * theirs["cpu"] / len(contexts),
        "ratio": theirs["cpu"] / ours["cpu"],
        "ratio_wall": theirs["wall"] / ours["wall"],
    }


def encoding(film: Film, folder: Path) -> dict[str, float]:
    """Milliseconds a frame of mp4, ours and imageio's default writer, and the sizes."""
    page = arrange(film.scene, Draw(layout="compact", scale=3))
    pictures = [page.draw(context) for context in film.contexts()]
    a, b = folder / "ours.mp4", folder / "imageio.mp4"

    def write_ours() -> None:
        with VideoWriter(a, ticks_per_second=15, force=True) as video:
            for picture in pictures:
                video.write(picture)

    def write_theirs() -> None:
        iio.imwrite(b, pictures, plugin="pyav", codec="libx264", fps=15)

    ours, theirs = median_seconds(write_ours, write_theirs, rounds=3)
    return {
        "ours_ms": 1000 * ours["cpu"] / len(pictures),
        "imageio_ms": 1000 * theirs["cpu"] / len(pictures),
        "ratio": theirs["cpu"] / ours["cpu"],
        "ratio_wall": theirs["wall"] / ours["wall"],
        "size_ratio": a.stat().st_size / b.stat().st_size,
    }


def whole(film_of: Callable[[], tuple[Any, Any]], folder: Path, layout: str) -> dict[str, float]:
    """Frames a second from recording to mp4 at 3x."""
    recording, maps = film_of()
    (ours,) = median_seconds(
        lambda: render(recording, maps, folder / "x.mp4", draw=Draw(layout=layout), force=True),
        rounds=3,
    )
    return {"fps": FRAMES / ours["wall"], "cpu_ms": 1000 * ours["cpu"] / FRAMES}


def main() -> None:
    """Run all and keep the result."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recording = samples.record(folder / "recording", FRAMES)
        maps = samples.maps(range(FRAMES), planes=samples.PLANES, strength=0.2)
        film = Film(recording, maps)
        figures = {
            "drawing": drawing(film),
            "encoding": encoding(film, folder),
            "full": whole(lambda: (recording, maps), folder, "full"),
            "compact": whole(lambda: (recording, maps), folder, "compact"),
        }
    write_result("render", figures)
    for part, numbers in figures.items():
        print(part, {key: round(value, 2) for key, value in numbers.items()})


if __name__ == "__main__":
    main()
