"""A comparison in a notebook, and the public function named like its package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from agentlens.workflows.notebook import comparison_html
from tests.compare_report_samples import comparison


def test_a_comparison_shows_itself_escaped(tmp_path: Path) -> None:
    shown = comparison_html(comparison(tmp_path, ("<b>late</b>", "early")))
    assert "<b>" not in shown
    assert "&lt;b&gt;late" in shown
    assert shown.count("<svg") == 2
    assert "same greedy action" in shown


def test_the_public_function_is_callable_before_and_after_its_package_is_imported() -> None:
    code = (
        "import agentlens, agentlens.comparison.words\n"
        "assert callable(agentlens.compare)\n"
        "try: agentlens.compare(['pong-ppo'], output='x')\n"
        "except agentlens.AgentlensError as error: assert '1 agent to compare' in str(error)\n"
        "else: raise SystemExit('no error')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
