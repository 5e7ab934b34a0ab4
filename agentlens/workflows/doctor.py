"""What a machine has of what agentlens needs."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import ale_py
import av
import torch
from ale_py import roms
from PIL import features

from agentlens.policies.agent import list_agents
from agentlens.provenance import package_versions

LOW_DISK_GB = 1.0


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One check: its name, whether all is well, and what was found."""

    name: str
    state: Literal["ok", "missing", "optional"]
    detail: str


def examine() -> list[Finding]:
    """Run every check; none of them writes anything or needs a network."""
    return [
        _system(),
        *_versions(),
        _device(),
        _roms(),
        *_codecs(),
        _font(),
        _browser(),
        _agents(),
        _disk(),
    ]


def _system() -> Finding:
    """Locks of the one writer of a folder are POSIX's; Windows has WSL for them."""
    posix = os.name == "posix"
    name = platform.system()
    return Finding(
        name="system",
        state="ok" if posix else "missing",
        detail=name if posix else f"{name}: Linux or macOS is needed (on Windows, use WSL)",
    )


def _versions() -> list[Finding]:
    findings = [Finding(name="python", state="ok", detail=sys.version.split()[0])]
    for name, version in package_versions().items():
        missing = version == "not installed"
        findings.append(Finding(name=name, state="missing" if missing else "ok", detail=version))
    return findings


def _device() -> Finding:
    if torch.cuda.is_available():
        return Finding(name="GPU", state="ok", detail=torch.cuda.get_device_name(0))
    threads = torch.get_num_threads()
    return Finding(name="GPU", state="optional", detail=f"none; the CPU is used, {threads} threads")


def _roms() -> Finding:
    names = roms.get_all_rom_ids()
    emulator = f"{len(names)} games shipped with ale-py {ale_py.__version__}"
    return Finding(name="ROMs", state="ok" if names else "missing", detail=emulator)


def _codecs() -> list[Finding]:
    findings = []
    for codec, suffix in (("libx264", "mp4"), ("libvpx-vp9", "webm")):
        there = codec in av.codecs_available
        state: Literal["ok", "missing"] = "ok" if there else "missing"
        findings.append(
            Finding(name=f"{suffix} video", state=state, detail=codec if there else f"no {codec}")
        )
    return findings


def _font() -> Finding:
    there = features.check("freetype2")
    return Finding(
        name="text",
        state="ok" if there else "missing",
        detail="Pillow's own font" if there else "Pillow was built without FreeType",
    )


def _browser() -> Finding:
    path = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "firefox"))), None)
    return Finding(name="browser", state="ok" if path else "optional", detail=path or "none found")


def _agents() -> Finding:
    names = [entry.spec.name for entry in list_agents()]
    return Finding(
        name="agents", state="ok" if names else "missing", detail=", ".join(names) or "none"
    )


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    return Finding(
        name="disk",
        state="ok" if free > LOW_DISK_GB else "missing",
        detail=f"{free:.1f} GB free in {Path.cwd()}",
    )
