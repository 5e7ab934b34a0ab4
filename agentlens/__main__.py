"""``python -m agentlens``: the command line."""

from __future__ import annotations

from agentlens.cli import entry

entry()
