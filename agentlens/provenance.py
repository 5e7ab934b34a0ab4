"""Where an artefact comes from: versions, platform, digests, time. Written into every artefact."""

from __future__ import annotations

import datetime
import hashlib
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES = (
    "agentlens",
    "numpy",
    "torch",
    "gymnasium",
    "ale-py",
    "stable-baselines3",
    "opencv-python",
    "pillow",
    "pyarrow",
    "av",
)


def package_versions() -> dict[str, str]:
    """Installed versions of agentlens and of what decides its numbers; imports none of them."""
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def file_digest(path: Path) -> str:
    """SHA-256 of a file, lower-case hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def provenance(**extra: Any) -> dict[str, Any]:
    """What every artefact says of its making: UTC time, platform, Python, versions, and
    ``extra``."""
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    return {
        "created": now.isoformat(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "versions": package_versions(),
        **extra,
    }
