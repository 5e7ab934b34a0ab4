"""Names of results stay in their folder, whatever an agent calls itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentlens.workflows.naming import fresh_path


def test_a_taken_name_is_numbered(tmp_path: Path) -> None:
    (tmp_path / "pong.mp4").touch()
    assert fresh_path(tmp_path, "pong", ".mp4") == tmp_path / "pong-2.mp4"


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("../../evil", "--..-evil"),
        ("/etc/evil", "-etc-evil"),
        ("..", "-"),
        (".hidden", "-hidden"),
        ("a\nb\0c", "a-b-c"),
        ("model.80-seed0", "model.80-seed0"),
        ("x" * 300, "x" * 100),
    ],
)
def test_no_name_leaves_its_folder(tmp_path: Path, stem: str, name: str) -> None:
    path = fresh_path(tmp_path, stem)
    assert path == tmp_path / name
    assert path.parent == tmp_path
