"""The house keeps its limits, and its pages say what is so."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def script(name: str) -> ModuleType:
    """A script of docs/ as a module."""
    specification = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def house() -> ModuleType:
    return script("house")


def test_limits_hold(house: ModuleType) -> None:
    counted = house.count(ROOT / "agentlens")
    long = {k: v for k, v in counted.modules.items() if v > house.LONGEST_MODULE}
    assert not long
    assert not {k: v for k, v in counted.functions.items() if v > house.LONGEST_FUNCTION}
    assert not {k: v for k, v in counted.parameters.items() if v > house.MOST_PARAMETERS}
    assert not counted.undocumented
    assert not counted.wide_lines
    assert not counted.skips


def test_the_page_has_the_counted_numbers(house: ModuleType) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert house.table(house.count(ROOT / "agentlens")) in page


def test_the_api_page_is_what_the_names_say() -> None:
    written = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert written == script("make_api").page()


def test_paths_named_on_the_pages_exist() -> None:
    for page in ("architecture.md", "extending.md", "network.md"):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        for path in re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.py)`", text):
            places = (ROOT / path, ROOT / "agentlens" / path)
            assert any(place.exists() for place in places), f"{page}: {path}"
