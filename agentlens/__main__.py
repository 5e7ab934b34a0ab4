"""``python -m agentlens``: the command line."""

from __future__ import annotations

import sys

from agentlens.cli import main

sys.exit(main())
