"""What recordings, episodes and map sets show in a notebook."""

from __future__ import annotations

import base64
import dataclasses
import io
import re

import pytest
from PIL import Image

import agentlens
from agentlens.workflows.notebook import (
    SHEET_COLUMNS,
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
    assert "<td>9</td>" in page
    assert picture(page).size == (160 * SHEET_COLUMNS, 210 * 2)


def test_a_slice_of_an_episode_shows_its_own_steps(recording: agentlens.Recording) -> None:
    page = episode_html(recording.episodes[0][4:7])
    assert 'alt="screens of steps 4, 5, 6"' in page
    assert picture(page).size == (160 * SHEET_COLUMNS, 210)


def test_maps_show_units_and_meaning(recording: agentlens.Recording) -> None:
    maps = agentlens.explain(recording, "energy", steps=[3])
    page = maps_html(maps)
    assert all(t.meaning in page and t.unit in page for t in maps.header.targets)


def test_installing_outside_a_notebook_does_nothing() -> None:
    install()
