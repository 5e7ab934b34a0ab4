"""agentlens methods: the saliency methods and their papers."""

from __future__ import annotations

from dataclasses import dataclass

from agentlens.cli._console import table
from agentlens.cli._verb import Verb


@dataclass(frozen=True, kw_only=True)
class Options:
    """List the saliency methods, one line each."""


def run(options: Options) -> int:
    """Print name and first sentence of every method."""
    from agentlens.saliency.base import METHODS

    rows = [(name, (METHODS.load(name).__doc__ or "").split("\n")[0]) for name in METHODS.names()]
    table(("method", "what it does"), rows)
    return 0


VERB = Verb(summary="list the saliency methods", options=Options, run=run, order=45)
