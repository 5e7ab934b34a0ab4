"""What a verb is, and the table of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agentlens.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Verb:
    """One command.

    ``summary``: the line in ``agentlens --help``. ``options``: a dataclass whose fields are the
    flags and whose docstring is the help's description. ``run``: takes an instance, returns the
    exit code. ``order``: place in the list of commands.
    """

    summary: str
    options: type
    run: Callable[[Any], int]
    order: int


VERBS: Registry[Verb] = Registry(package="agentlens.cli", attribute="VERB", kind="command")
