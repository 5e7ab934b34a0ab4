"""docs/methods.md says what the methods say of themselves."""

from __future__ import annotations

from pathlib import Path

from agentlens.workflows.reference import methods_page

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_is_what_the_command_prints() -> None:
    page = (DOCS / "methods.md").read_text("utf-8")
    assert page == methods_page(DOCS / "images" / "methods"), (
        "run: agentlens methods --markdown --pictures docs/images/methods > docs/methods.md"
    )
