"""What is said about how long work takes: measured on the work itself, by a clock held here."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from agentlens.cli import _console
from agentlens.workflows import making_maps


class Clock:
    """Seconds that pass when told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        for module in (_console, making_maps):
            monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))

    def wait(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_lines_leave_out_preparation_and_tell_the_speed_of_the_last_seconds(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with _console.progress("explaining", "steps") as report:
        clock.wait(30)  # loading
        report(0, 100)
        clock.wait(5)
        report(50, 100)
        clock.wait(5)
        report(75, 100)
    assert capsys.readouterr().err.splitlines() == [
        "explaining: 50/100 steps, 10/s, 5 s left",
        "explaining: 75/100 steps, 5.0/s, 5 s left",
    ]


def test_work_that_reports_only_what_is_done_is_counted_from_its_beginning(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with _console.progress("playing", "games") as report:
        clock.wait(20)
        report(1, 3)
    assert capsys.readouterr().err == "playing: 1/3 games, 3.0/min, 40 s left\n"


def test_the_forecast_is_made_once_from_the_first_maps_that_are_new(clock: Clock) -> None:
    said: list[str] = []
    passed: list[int] = []
    forecast = making_maps._Forecast(lambda done, total: passed.append(done), said.append)
    for seconds, done in ((0, 200), (0.5, 208), (0.5, 216), (9, 300)):
        clock.wait(seconds)
        forecast(done, 1000)
    assert said == ["explaining the other 784 steps takes about 49 s"]  # 16 maps a second
    assert passed == [200, 208, 216, 300]


def test_short_work_is_not_forecast(clock: Clock) -> None:
    said: list[str] = []
    forecast = making_maps._Forecast(lambda done, total: None, said.append)
    forecast(0, 10)
    clock.wait(1)
    forecast(5, 10)
    assert said == []
