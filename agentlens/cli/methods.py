"""agentlens methods: the saliency methods and their papers."""

from __future__ import annotations

from dataclasses import dataclass

from agentlens.cli._console import table
from agentlens.cli._verb import Verb
from agentlens.workflows.options import Location


@dataclass(frozen=True, kw_only=True)
class Options:
    """List the saliency methods, one line each.

    Example: agentlens methods
    """

    markdown: bool = False
    """Print the whole reference page instead: formulas, costs, options."""
    pictures: Location = None
    """Folder of stills that the page links to."""


def run(options: Options) -> int:
    """Print name, summary and paper of every method, or the page."""
    from agentlens.saliency.base import METHODS
    from agentlens.workflows.reference import methods_page

    if options.markdown:
        print(methods_page(options.pictures), end="")
        return 0
    methods = [(name, METHODS.load(name)) for name in METHODS.names()]
    table(
        ("method", "what it shows", "paper"),
        [(name, method.summary, method.paper) for name, method in methods],
    )
    return 0


VERB = Verb(summary="list the saliency methods", options=Options, run=run, order=45)
