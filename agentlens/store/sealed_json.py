"""JSON documents that notice when a bit of them changes: strict to read, atomic to write.

The last key of a sealed document is ``digest``, the SHA-256 of all bytes before it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentlens.errors import Corrupt, Incompatible, InvalidArgument
from agentlens.store.atomic import disk_errors, write_file
from agentlens.store.schema import READABLE_VERSIONS, SCHEMA_VERSION
from agentlens.strict_json import JsonLimits, parse_json

MAX_BYTES = 64 * 1024 * 1024
LIMITS = JsonLimits(depth=32, items=4_000_000)
"""Of one document; more items would take gigabytes as Python objects."""
_SEAL = re.compile(rb',\n "digest": "([0-9a-f]{64})"\n}\n\Z')


def parse(text: str | bytes, source: str) -> Any:
    """Parse JSON, refusing what two readers might understand differently.

    Args:
        text: UTF-8 text.
        source: file name for messages.

    Raises:
        Corrupt: it is not JSON, or breaks a rule of ``agentlens.strict_json``.
    """
    try:
        return parse_json(text, LIMITS)
    except ValueError as error:
        raise Corrupt(f"{source}: not the JSON expected: {error}.") from error


def write_document(path: Path, kind: str, content: Mapping[str, Any]) -> None:
    """Write a sealed document of this schema version.

    Raises:
        InvalidArgument: ``content`` holds what JSON cannot (NaN, bytes, arrays).
        DiskError: as ``atomic.write_file``; the old document is unchanged.
    """
    document = {"kind": kind, "schema_version": SCHEMA_VERSION, **content}
    try:
        body = json.dumps(document, indent=1, allow_nan=False).removesuffix("\n}").encode()
    except (ValueError, TypeError) as error:
        raise InvalidArgument(f"{path.name}: cannot be written as JSON: {error}.") from error
    seal = f',\n "digest": "{hashlib.sha256(body).hexdigest()}"\n}}\n'
    write_file(path, body + seal.encode())


def read_document(path: Path, kind: str) -> dict[str, Any]:
    """Read a sealed document and check its kind, version and digest.

    Raises:
        Corrupt: missing, foreign, truncated or altered.
        Incompatible: another schema version.
        DiskError: it cannot be read.
    """
    if not path.is_file():
        raise Corrupt(f"{path}: there is no such file; expected an agentlens {kind} there.")
    with disk_errors(path, "read"):
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise Corrupt(f"{path}: {size} bytes, expected at most {MAX_BYTES}.")
        data = path.read_bytes()
    document = parse(data, str(path))
    if not isinstance(document, dict) or document.get("kind") != kind:
        raise Corrupt(f"{path}: this is not an agentlens {kind}.")
    version = document.get("schema_version")
    if type(version) is not int:
        raise Corrupt(f"{path}: schema version {version!r}, expected a whole number.")
    if version not in READABLE_VERSIONS:
        known = " and ".join(map(str, READABLE_VERSIONS))
        raise Incompatible(
            f"{path}: schema version {version!r}, this agentlens reads version {known}; update "
            "agentlens, or make the file again."
        )
    seal = _SEAL.search(data)
    if seal is None or hashlib.sha256(data[: seal.start()]).hexdigest().encode() != seal[1]:
        raise Corrupt(f"{path}: its digest does not fit: it was altered after it was written.")
    return document
