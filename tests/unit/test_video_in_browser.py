"""A real Chromium plays what we write, at the right speed, and seeks to the right picture."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentlens.drawing.video import VideoWriter

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><canvas id=c width=64 height=64></canvas>
<video id=v muted preload=auto src="{name}"></video>"""

WAIT = """async () => {
  const v = document.getElementById('v');
  if (v.readyState < 2) await new Promise((ok, no) => {
    v.onloadeddata = ok; v.onerror = () => no(v.error.message);
  });
  return [v.duration, v.videoWidth, v.videoHeight];
}"""

SEEK = """async (time) => {
  const v = document.getElementById('v');
  // "seeked" may come before the new picture can be drawn: wait for that picture too.
  const presented = new Promise(ok => { v.requestVideoFrameCallback(ok); setTimeout(ok, 2000); });
  await new Promise(ok => { v.onseeked = ok; v.currentTime = time; });
  await presented;
  const c = document.getElementById('c').getContext('2d', {willReadFrequently: true});
  c.drawImage(v, 0, 0);
  return [...c.getImageData(32, 32, 1, 1).data].slice(0, 3);
}"""

PLAY = """async () => {
  const v = document.getElementById('v');
  v.currentTime = 0;
  const start = performance.now();
  await v.play();
  await new Promise(ok => { v.onended = ok; });
  return (performance.now() - start) / 1000;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no chromium on the path")
    arguments = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--no-first-run",
        "--allow-file-access-from-files",
    ]
    with playwright.sync_playwright() as run:
        chromium = run.chromium.launch(executable_path=path, args=arguments)
        yield chromium
        chromium.close()


def colour(index: int) -> tuple[int, int, int]:
    return (40 + 6 * index, 200 - 5 * index, 90)


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_it_plays_and_seeks(browser: Any, tmp_path: Path, suffix: str) -> None:
    durations = [2 + 3 * (i % 2) for i in range(30)]
    with VideoWriter(tmp_path / f"x{suffix}") as writer:
        for index, ticks in enumerate(durations):
            writer.write(np.full((64, 64, 3), colour(index), np.uint8), ticks)
    (tmp_path / "page.html").write_text(PAGE.format(name=f"x{suffix}"))
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    duration, width, height = page.evaluate(WAIT)
    assert (width, height) == (64, 64)
    assert duration == pytest.approx(sum(durations) / 60, abs=0.02)
    for index in (0, 1, 17, 28, 5, 29):
        middle = (sum(durations[:index]) + durations[index] / 2) / 60
        shown = page.evaluate(SEEK, middle)
        assert np.abs(np.array(shown) - colour(index)).max() <= 4, f"picture {index}"
    assert page.evaluate(PLAY) == pytest.approx(duration, abs=1.0)
    page.close()
