"""Artefacts: what was learned for one agent, as tensors with a sealed description.

FOLDER/
  artefact.json       kind, the agent's weight digest, settings, the tensors' digest; sealed
  tensors.safetensors weights by name, float32
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from agentlens.errors import AlreadyExists, Corrupt
from agentlens.store.atomic import checked_folder, disk_errors, make_folder, write_file
from agentlens.store.sealed_json import read_document, write_document

DOCUMENT = "artefact.json"
TENSORS = "tensors.safetensors"
_KIND = "artefact"
_MOST_BYTES = 1 << 28


@dataclass(frozen=True, kw_only=True, eq=False)
class Artefact:
    """Something learned for one agent.

    ``purpose``: what it is, such as "mask network". ``agent``: sha256 of the agent's weights.
    ``about``: settings and figures, as JSON has them. ``tensors``: float32 arrays by name.
    """

    purpose: str
    agent: str
    about: Mapping[str, Any]
    tensors: Mapping[str, np.ndarray]


def write_artefact(folder: Path | str, artefact: Artefact, *, force: bool = False) -> Path:
    """Write an artefact; the description last, so that a kill leaves none that looks whole.

    Raises:
        AlreadyExists: the folder holds one, and ``force`` was not given.
        InvalidArgument: ``about`` holds what JSON cannot.
        DiskError: full, read-only or failing disk.
    """
    path = checked_folder(folder)
    if not force:
        refuse_existing(path)
    make_folder(path)
    data = safetensors.numpy.save({k: np.ascontiguousarray(v) for k, v in artefact.tensors.items()})
    write_file(path / TENSORS, data)
    content = {
        "purpose": artefact.purpose,
        "agent": artefact.agent,
        "tensors_sha256": hashlib.sha256(data).hexdigest(),
        "about": dict(artefact.about),
    }
    write_document(path / DOCUMENT, _KIND, content)
    return path


def refuse_existing(folder: Path) -> None:
    """Say so before hours of work that a folder is taken.

    Raises:
        AlreadyExists: it holds an artefact.
    """
    if (folder / DOCUMENT).exists():
        raise AlreadyExists(f"{folder}: an artefact is there already; choose another folder.")


def remove_artefact(folder: Path) -> None:
    """Remove an artefact's two files, and its folder where nothing else is in it."""
    for name in (DOCUMENT, TENSORS):
        (folder / name).unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def read_artefact(folder: Path | str, purpose: str) -> Artefact:
    """Read an artefact of this purpose, digests checked.

    Raises:
        Corrupt: missing, altered, of another purpose, or not what an artefact is.
        Incompatible: of another schema version.
    """
    path = Path(folder)
    document = read_document(path / DOCUMENT, _KIND)
    if document.get("purpose") != purpose:
        raise Corrupt(f"{path}: holds {document.get('purpose')!r:.80}, expected a {purpose}.")
    agent, about, digest = (document.get(k) for k in ("agent", "about", "tensors_sha256"))
    if not isinstance(agent, str) or not isinstance(about, dict) or not isinstance(digest, str):
        raise Corrupt(f"{path / DOCUMENT}: agent, settings or digest are missing.")
    file = path / TENSORS
    with disk_errors(file, "read"):
        if not file.is_file() or file.stat().st_size > _MOST_BYTES:
            raise Corrupt(f"{file}: missing, or larger than {_MOST_BYTES} bytes.")
        data = file.read_bytes()
    if hashlib.sha256(data).hexdigest() != digest:
        raise Corrupt(f"{file}: its digest does not fit: it was altered after it was written.")
    try:
        tensors = safetensors.numpy.load(data)
    except (safetensors.SafetensorError, ValueError, TypeError) as error:
        raise Corrupt(f"{file}: not readable as tensors: {error}.") from error
    return Artefact(purpose=purpose, agent=agent, about=about, tensors=tensors)
