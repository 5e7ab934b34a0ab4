"""How long work reports where it is, without knowing who listens."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Progress(Protocol):
    """Called with how much is done and how much there is, in units that the caller names.

    A total of 0 means that nobody knows it.
    """

    def __call__(self, done: int, total: int) -> None:
        """Report; cheap enough to be called for every step."""


class StageReporter(Protocol):
    """Follows a workflow of several stages, and passes on what a user should read meanwhile."""

    def stage(self, name: str, unit: str) -> AbstractContextManager[Progress]:
        """The report of one stage ("drawing"), which counts in ``unit`` ("frames")."""

    def say(self, line: str) -> None:
        """A line for the user, such as how long the next stage will take."""


_followers: list[Progress] = []


def silent(done: int, total: int) -> None:
    """Report to nobody but those who follow whatever is not reported otherwise."""
    for follower in _followers:
        follower(done, total)


def follow(progress: Progress) -> None:
    """Have work that nobody asked a report of reported all the same, as a notebook does."""
    _followers[:] = [progress]


class SilentStages:
    """A ``StageReporter`` that nobody listens to."""

    def stage(self, name: str, unit: str) -> AbstractContextManager[Progress]:
        """A report to nobody."""
        return nullcontext(silent)

    def say(self, line: str) -> None:
        """Say nothing."""


SILENT_STAGES = SilentStages()
