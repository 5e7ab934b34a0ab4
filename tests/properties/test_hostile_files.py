"""Whatever the bytes: our error or a correct object, soon, in little memory, nothing written.

``AGENTLENS_FUZZ`` sets the number of mutated files a format (2,000 if not set); ``make fuzz`` sets
it to 100,000. Memory and time are those of a process of its own.
"""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest

from agentlens.errors import AgentlensError
from tests.fuzzing import SEEDS, check_file, files_below, mutated

CASES = int(os.environ.get("AGENTLENS_FUZZ", "2000"))


@pytest.mark.parametrize("kind", SEEDS)
def test_any_bytes_end_in_our_error_or_a_correct_object(kind: str, tmp_path: Path) -> None:
    path, whole = SEEDS[kind](tmp_path)
    path.write_bytes(whole)
    before, rng, refused = files_below(tmp_path), random.Random(kind), 0
    for case in range(CASES):
        path.write_bytes(mutated(whole, rng))
        error = check_file(kind, path, seconds=2.0, case=case)
        assert error is None or isinstance(error, AgentlensError)
        refused += error is not None
    assert files_below(tmp_path) == before
    assert refused > 0
    path.write_bytes(whole)
    assert check_file(kind, path, seconds=10.0, case=-1) is None


def nested_tuple_key() -> bytes:
    """A tuple of 60 levels that holds itself twice on each, as the key of a dict."""
    doubled = b"".join(b"q" + bytes([i]) + b"h" + bytes([i]) + b"\x86" for i in range(60))
    return b"\x80\x02}(" + b")" + doubled + b"K\x01u."


def torch_zip(pickle: bytes, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle)
        archive.writestr("archive/version", "3\n")


def bombs(folder: Path) -> dict[str, tuple[str, Path]]:
    """Small files that cost an unguarded reader minutes or gigabytes: format and path."""
    torch_zip(nested_tuple_key(), folder / "key.pt")
    torch_zip(b"\x80\x02(" + b")" * (7 << 20) + b"t.", folder / "long.pt")
    torch_zip(
        b"\x80\x02\x8b" + (2500).to_bytes(4, "little") + b"\x7f" * 2500 + b".", folder / "n.pt"
    )
    names = ",".join(f'"k{i}": 1' for i in range(400_000))
    with zipfile.ZipFile(folder / "keys.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data", "{" + names + ', "k399999": 2}')
        archive.writestr("policy.pth", b"x")
    with zipfile.ZipFile(folder / "braces.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data", "[" + "{}," * 3_000_000 + "{}]")
        archive.writestr("policy.pth", b"x")
    (folder / "dots.toml").write_text(".".join("a" * 60_000) + " = 1\n")
    (folder / "deep.toml").write_text("a = " + "[" * 50_000 + "]" * 50_000)
    (folder / "noops.toml").write_text(
        '[environment]\nid = "ALE/Pong-v5"\nstart = [{ action = "NOOP", most = 1000000000 }]\n'
    )
    (folder / "yaml").mkdir()
    (folder / "yaml" / "args.yml").write_text("[" + "1," * 500_000 + "1]")
    (folder / "yaml2").mkdir()
    (folder / "yaml2" / "args.yml").write_text("a: " + "[" * 8_000)
    (folder / "yaml3").mkdir()
    (folder / "yaml3" / "args.yml").write_text("- " * 8_000)
    return {
        "key": ("torch-state-dict", folder / "key.pt"),
        "long": ("torch-state-dict", folder / "long.pt"),
        "number": ("torch-state-dict", folder / "n.pt"),
        "keys": ("sb3", folder / "keys.zip"),
        "braces": ("sb3", folder / "braces.zip"),
        "dots": ("manifest", folder / "dots.toml"),
        "deep": ("manifest", folder / "deep.toml"),
        "noops": ("recipe", folder / "noops.toml"),
        "yaml": ("zoo", folder / "yaml" / "args.yml"),
        "yaml2": ("zoo", folder / "yaml2" / "args.yml"),
        "yaml3": ("zoo", folder / "yaml3" / "args.yml"),
    }


def test_small_files_that_explode_are_refused_soon_and_in_little_memory(tmp_path: Path) -> None:
    """Each in less than 2 s, all in a process that may take a gigabyte more than it has."""
    cases = bombs(tmp_path)
    script = textwrap.dedent("""
        import resource, sys, time
        from pathlib import Path
        from tests.fuzzing import check_file
        check_file("manifest", Path("none.toml"), seconds=60, case=-1)
        check_file("torch-state-dict", Path("none.pt"), seconds=60, case=-1)
        check_file("sb3", Path("none.zip"), seconds=60, case=-1)
        size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + (1 << 30),) * 2)
        for case in sys.argv[1:]:
            kind, path = case.split("=", 1)
            error = check_file(kind, Path(path), seconds=2.0, case=0)
            print("refused" if error is not None else f"read {path}")
    """)
    arguments = [f"{kind}={path}" for kind, path in cases.values()]
    run = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.stdout.split("\n")[:-1] == ["refused"] * len(cases), run.stdout + run.stderr[-3000:]
    assert resource.getrlimit(resource.RLIMIT_AS)[0] != 0


def test_an_error_of_anothers_kind_would_be_noticed(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        check_file("broken", tmp_path / "x", seconds=1.0, case=0)
