"""Ctrl-C and SIGTERM turned into a flag, so that work stops between steps and not within one."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from agentlens.errors import Interrupted


class Interruption:
    """While entered, SIGINT and SIGTERM only set ``requested``; a second SIGINT acts at once.

    Outside the main thread signals cannot be caught and nothing changes.
    """

    def __init__(self) -> None:
        self.requested = ""
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def check(self, kept: str) -> None:
        """Stop if a signal came.

        Raises:
            Interrupted: says which signal, and ``kept``.
        """
        if self.requested:
            raise Interrupted(f"stopped by {self.requested}; {kept}")

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = signal.Signals(number).name
