"""Zip archives read member by member under hard caps; nothing is ever extracted."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentlens.errors import CheckpointError, UnsafeCheckpoint
from agentlens.strict_json import JsonLimits, RuleBroken, parse_json

MAX_MEMBERS = 4096
MAX_TOTAL_BYTES = 1 << 30
MAX_RATIO = 100
JSON_LIMITS = JsonLimits(depth=64, items=100_000)

_CHUNK = 1 << 20
_SMALL = 1 << 16
_CODE = (
    ".py",
    ".pyc",
    ".pyd",
    ".so",
    ".dll",
    ".dylib",
    ".exe",
    ".sh",
    ".bat",
    ".pkl",
    ".pickle",
    ".joblib",
    ".dill",
    ".pt",
    ".pt2",
    ".zip",
    ".jar",
    ".whl",
)


_ENTRY = b"PK\x01\x02"
"""Begins each entry of an archive's table of contents."""
_BROKEN_MEMBER = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    RuntimeError,
    OSError,
    ValueError,
    OverflowError,
)


@dataclass(frozen=True)
class Archive:
    """An opened archive: names of its members and their sizes in bytes, as declared."""

    name: str
    file: zipfile.ZipFile
    sizes: Mapping[str, int]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the members."""
        return tuple(self.sizes)

    def read(self, member: str, limit: int) -> bytes:
        """Read one member, counting the bytes that really come out.

        Raises:
            UnsafeCheckpoint: more than ``limit`` bytes, or blown up more than ``MAX_RATIO`` times.
            CheckpointError: no such member, or it is damaged.
        """
        if member not in self.sizes:
            raise CheckpointError(f"{self.name}: has no member {member!r}.")
        packed = self.file.getinfo(member).compress_size
        parts, total = [], 0
        try:
            with self.file.open(member) as stream:
                while part := stream.read(_CHUNK):
                    parts.append(part)
                    total += len(part)
                    if total > limit or total > max(_SMALL, MAX_RATIO * packed):
                        raise UnsafeCheckpoint(
                            f"{self.name}: member {member!r} grows beyond {total:,} bytes from "
                            f"{packed:,}; expected at most {limit:,}, and {MAX_RATIO} times."
                        )
        except _BROKEN_MEMBER as error:
            raise CheckpointError(
                f"{self.name}: member {member!r} is damaged ({error})."
            ) from error
        except NotImplementedError as error:
            raise CheckpointError(f"{self.name}: member {member!r}: {error}.") from error
        return b"".join(parts)


def open_archive(data: bytes, name: str, *, stored_only: bool = False) -> Archive:
    """Open a zip archive and check its table of contents.

    Args:
        data: the whole file.
        name: for messages.
        stored_only: refuse compressed members (torch never compresses).

    Raises:
        UnsafeCheckpoint: too many members, twice the same name, names that climb out of a folder,
            links, members that hold code, absurd sizes.
        CheckpointError: not a zip archive.
    """
    if data.count(_ENTRY) > 2 * MAX_MEMBERS:
        raise UnsafeCheckpoint(f"{name}: too many members, expected at most {MAX_MEMBERS:,}.")
    try:
        file = zipfile.ZipFile(io.BytesIO(data))
    except (*_BROKEN_MEMBER, NotImplementedError) as error:
        raise CheckpointError(f"{name}: not a readable zip archive ({error}).") from error
    members = file.infolist()
    if len(members) > MAX_MEMBERS:
        raise UnsafeCheckpoint(
            f"{name}: {len(members):,} members, expected at most {MAX_MEMBERS:,}."
        )
    sizes: dict[str, int] = {}
    for member in members:
        reason = _reason_against(member, stored_only)
        if member.filename in sizes:
            reason = "is there twice"
        if reason:
            raise UnsafeCheckpoint(f"{name}: member {member.filename!r} {reason}.")
        sizes[member.filename] = member.file_size
    if sum(sizes.values()) > MAX_TOTAL_BYTES:
        raise UnsafeCheckpoint(
            f"{name}: {sum(sizes.values()):,} bytes unpacked, expected at most {MAX_TOTAL_BYTES:,}."
        )
    return Archive(name, file, sizes)


def _reason_against(member: zipfile.ZipInfo, stored_only: bool) -> str:
    path = member.filename.replace("\\", "/")
    if path.startswith("/") or ":" in path.split("/")[0] or ".." in path.split("/"):
        return "names a place outside the archive"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a link"
    if not stored_only and path.lower().endswith(_CODE):
        return "holds code or a pickle, which no checkpoint needs"
    if stored_only and member.compress_type != zipfile.ZIP_STORED:
        return "is compressed, which torch never does"
    if member.file_size > max(_SMALL, MAX_RATIO * member.compress_size):
        return f"claims {member.file_size:,} bytes from {member.compress_size:,}"
    return ""


def strict_json(data: bytes, name: str) -> Any:
    """Parse JSON of a checkpoint under the rules of ``agentlens.strict_json``.

    Raises:
        UnsafeCheckpoint: it breaks one of these rules.
        CheckpointError: it is not JSON.
    """
    try:
        return parse_json(data, JSON_LIMITS)
    except RuleBroken as error:
        raise UnsafeCheckpoint(f"{name}: {error}.") from error
    except ValueError as error:
        raise CheckpointError(f"{name}: not readable JSON ({error}).") from error
