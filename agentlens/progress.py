"""How long work reports where it is, without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with how much is done and how much there is, in units that the caller names.

    A total of 0 means that nobody knows it.
    """

    def __call__(self, done: int, total: int) -> None:
        """Report; cheap enough to be called for every step."""


def silent(done: int, total: int) -> None:
    """Report to nobody."""
