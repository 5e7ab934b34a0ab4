"""agentlens doctor: what this machine has and what is missing."""

from __future__ import annotations

from dataclasses import dataclass

from agentlens.cli._console import table
from agentlens.cli._verb import Verb


@dataclass(frozen=True, kw_only=True)
class Options:
    """Check versions, device, ROMs, codecs, fonts, browser, agents and disk."""


def run(options: Options) -> int:
    """Print a line a check; the exit code is 1 if something needed is missing."""
    from agentlens.workflows.doctor import examine

    findings = examine()
    marks = {"ok": "ok", "missing": "MISSING", "optional": "-"}
    table(("check", "", "found"), [(f.name, marks[f.state], f.detail) for f in findings])
    return 1 if any(f.state == "missing" for f in findings) else 0


VERB = Verb(
    summary="check versions, device, ROMs, codecs, disk", options=Options, run=run, order=70
)
