"""What the terminal shows: plain lines when piped, a bar with rate and time left when not."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib import metadata

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from agentlens import progress as reporting
from agentlens.printable import escaped

SHOW_AFTER_S = 2.0
PLAIN_LINE_EVERY_S = 5.0


def console() -> Console:
    """Standard output without colour codes when it is not a terminal."""
    return Console(highlight=False, soft_wrap=True)


def fail(message: str, *, code: int = 1, hint: str = "") -> int:
    """Print one sentence to standard error and return the exit code."""
    print(f"agentlens: {escaped(message)}{' ' + hint if hint else ''}", file=sys.stderr)
    return code


def note(line: str) -> None:
    """Print a line that is no result, such as what was assumed, to standard error."""
    print(escaped(line), file=sys.stderr)


def print_version() -> int:
    """Print the version."""
    print(f"agentlens {metadata.version('agentlens')}")
    return 0


class _Rate(ProgressColumn):
    """Units per second."""

    def render(self, task: Task) -> Text:
        """The speed of the last seconds."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else rate_text(speed))


def rate_text(per_second: float) -> str:
    """A speed in a unit that shows it: "410/s", "1.5/s", "6.2/min"."""
    if per_second < 1:
        return f"{60 * per_second:.1f}/min"
    return f"{per_second:,.0f}/s" if per_second >= 10 else f"{per_second:.1f}/s"


@contextmanager
def progress(what: str, unit: str) -> Iterator[reporting.Progress]:
    """Show how far a stage is, once it has taken two seconds.

    Args:
        what: the stage ("recording").
        unit: what is counted ("steps").
    """
    if not sys.stderr.isatty():
        yield _PlainLines(what, unit)
        return
    columns = (
        TextColumn(f"{what:<10}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} " + unit),
        _Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None, visible=False)
        began = time.monotonic()

        def report(done: int, total: int) -> None:
            if done == 0:
                bar.reset(task, total=total or None)
            late = time.monotonic() - began > SHOW_AFTER_S
            bar.update(task, completed=done, total=total or None, visible=late)

        yield report


class ConsoleStages:
    """The ``StageReporter`` of the command line: bars or lines, and all on standard error."""

    def stage(self, name: str, unit: str) -> AbstractContextManager[reporting.Progress]:
        """See ``progress``."""
        return progress(name, unit)

    def say(self, line: str) -> None:
        """Print a line."""
        print(line, file=sys.stderr)


class _PlainLines:
    """A line every few seconds with the speed since the last one, for logs and pipes. A report of 0
    says that the work begins only now: what came before, preparation, is no part of its speed."""

    def __init__(self, what: str, unit: str) -> None:
        self._what, self._unit = what, unit
        self._began = time.monotonic()
        self._mark = (0, self._began)

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done == 0:
            self._mark = (0, now)
        before, then = self._mark
        if now - self._began < SHOW_AFTER_S or now - then < PLAIN_LINE_EVERY_S:
            return
        self._mark, rate = (done, now), (done - before) / (now - then)
        left = f", {(total - done) / rate:.0f} s left" if rate > 0 and total >= done else ""
        of = f"/{total}" if total else ""
        print(f"{self._what}: {done}{of} {self._unit}, {rate_text(rate)}{left}", file=sys.stderr)


def table(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print an aligned table in plain text."""
    rows = [tuple(escaped(cell, keep="") for cell in row) for row in rows]
    widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
    for row in [headings, tuple("-" * w for w in widths), *rows]:
        print("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip())
