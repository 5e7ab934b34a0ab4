"""Options of single methods on the command line."""

from __future__ import annotations

import pytest

from agentlens.errors import InvalidArgument
from agentlens.workflows.live_agent import _configured
from agentlens.workflows.options import MapOptions


def test_written_options_become_values() -> None:
    written = (
        "last=8",
        "radius=3,5",
        "noise=0.2",
        "preview=false",
        "change=swap",
        "targets=kl,sarfa",
    )
    assert MapOptions(option=written, as_published=True).extra == {
        "last": 8,
        "radius": (3, 5),
        "noise": 0.2,
        "preview": False,
        "change": "swap",
        "targets": ("kl", "sarfa"),
        "as_published": True,
    }
    assert MapOptions().extra == {}
    assert MapOptions(preview=True).extra == {"preview": True}


@pytest.mark.parametrize("text", ["last", "=8", "last="])
def test_an_option_without_name_or_value_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="NAME=VALUE"):
        _ = MapOptions(option=(text,)).extra


def test_a_game_in_play_keeps_no_earlier_steps() -> None:
    assert _configured(MapOptions(method="memory"))[1].past_steps == 0
    with pytest.raises(InvalidArgument, match="last at 1"):
        _configured(MapOptions(method="memory", option=("last=3",)))
