"""What recordings, episodes and map sets show in a notebook."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

import agentlens
from agentlens.workflows import notebook
from agentlens.workflows.notebook import (
    GAP,
    LABEL,
    SHEET_COLUMNS,
    agent_html,
    bar_html,
    drawn_html,
    episode_html,
    install,
    maps_html,
    recording_html,
)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> agentlens.Recording:
    agent = agentlens.load_agent("random", env="ALE/Pong-v5")
    named = dataclasses.replace(agent, spec=dataclasses.replace(agent.spec, name="a <b> & c"))
    folder = tmp_path_factory.mktemp("notebook") / "x"
    return agentlens.record(named, output=folder, play=agentlens.Play(max_steps=9))


def picture(page: str) -> Image.Image:
    (data,) = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_a_recording_shows_its_episodes_and_escapes_its_names(
    recording: agentlens.Recording,
) -> None:
    page = recording_html(recording)
    assert "a &lt;b&gt; &amp; c" in page
    assert "<b>" not in page
    assert ">9</td>" in page
    assert picture(page).size == (160 * SHEET_COLUMNS + 5 * GAP, 2 * (210 + LABEL))


def test_a_slice_of_an_episode_shows_its_own_steps(recording: agentlens.Recording) -> None:
    page = episode_html(recording.episodes[0][4:7])
    assert 'alt="screens of steps 4, 5, 6"' in page
    assert picture(page).size == (160 * SHEET_COLUMNS + 5 * GAP, 210 + LABEL)


def test_maps_show_units_and_meaning(recording: agentlens.Recording) -> None:
    maps = agentlens.explain(recording, "energy", steps=[3])
    page = maps_html(maps)
    assert all(t.meaning in page and t.unit in page for t in maps.header.targets)
    assert picture(page).size[0] > 160 * 2  # the game beside its heat
    assert repr(maps) == f"MapSet({str(maps.folder)!r}, energy, 1 steps, energy)"


def test_an_agent_is_a_card() -> None:
    page = agent_html(agentlens.load_agent("pong-ppo"))
    for words in ("PPO", "ALE/Pong-v5", "4 planes of 84 x 84", "RIGHTFIRE", "1,6", "+19.5"):
        assert words in page
    assert "<th" not in page  # a card has no headings
    assert repr(agentlens.load_agent("random", env="ALE/Pong-v5")) == (
        "Agent('random', none: a baseline, ALE/Pong-v5, in memory)"
    )


def test_what_was_drawn_shows_itself(recording: agentlens.Recording, tmp_path: Path) -> None:
    draw = agentlens.Draw(scale=1, layout="compact")
    still = agentlens.still(recording, None, tmp_path / "x.png", step=2, draw=draw)
    video = agentlens.render(recording, None, tmp_path / "x.mp4", draw=draw)
    assert still == tmp_path / "x.png"  # a path like any other
    assert picture(drawn_html(still).replace("max-width:100%", "")).size[0] > 160
    assert drawn_html(video).startswith("<video controls")
    figure = type(still)(tmp_path / "x.pdf")
    assert drawn_html(figure) == f'<a href="{figure}">{figure}</a>'


def test_a_bar_says_how_far_it_is() -> None:
    assert bar_html(3, 12, 1.5) == '<progress value="3" max="12"></progress> 3 of 12, 1.5/s'
    assert bar_html(3, 0, 1.5) == "3, 1.5/s"


def test_the_bars_rate_counts_from_where_a_stage_began(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    now = iter([100.0, 102.0, 102.1, 110.0])
    monkeypatch.setattr(notebook, "time", SimpleNamespace(monotonic=lambda: next(now)))
    bar = notebook.NotebookBar()
    monkeypatch.setattr(bar, "_draw", drawn.append)
    for done in (200, 220, 221, 300):  # 200 were there before
        bar(done, 300)
    assert drawn == [bar_html(220, 300, 10.0), bar_html(300, 300, 10.0)]


def test_installing_outside_a_notebook_does_nothing() -> None:
    install()
