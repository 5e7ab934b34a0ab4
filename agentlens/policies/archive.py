"""Zip archives read member by member under hard caps; nothing is ever extracted."""

from __future__ import annotations

import json
import re
import stat
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

from agentlens.errors import CheckpointError, UnsafeCheckpoint

MAX_MEMBERS = 4096
MAX_TOTAL_BYTES = 1 << 30
MAX_RATIO = 100
MAX_JSON_DEPTH = 64

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
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError) as error:
            raise CheckpointError(
                f"{self.name}: member {member!r} is damaged ({error})."
            ) from error
        except NotImplementedError as error:
            raise CheckpointError(f"{self.name}: member {member!r}: {error}.") from error
        return b"".join(parts)


def open_archive(stream: IO[bytes], name: str, *, stored_only: bool = False) -> Archive:
    """Open a zip archive and check its table of contents.

    Args:
        stream: the file, opened for reading.
        name: for messages.
        stored_only: refuse compressed members (torch never compresses).

    Raises:
        UnsafeCheckpoint: too many members, twice the same name, names that climb out of a folder,
            links, members that hold code, absurd sizes.
        CheckpointError: not a zip archive.
    """
    try:
        file = zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
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
    """Parse JSON: no repeated key, no NaN, no infinity, at most ``MAX_JSON_DEPTH`` deep.

    Raises:
        UnsafeCheckpoint: it breaks one of these rules.
        CheckpointError: it is not JSON.
    """
    try:
        text = data.decode("utf-8")
        _check_depth(text)
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except _Refused as error:
        raise UnsafeCheckpoint(f"{name}: {error}.") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{name}: not readable JSON ({error}).") from error


class _Refused(ValueError):
    """A rule of ``strict_json`` is broken."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [key for key, _ in pairs]
        twice = next(key for key in names if names.count(key) > 1)
        raise _Refused(f"the key {twice!r} is there twice")
    return found


def _refuse_constant(constant: str) -> Any:
    raise _Refused(f"{constant} is not a JSON number")


def _check_depth(text: str) -> None:
    depth = 0
    for token in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', text, re.DOTALL):
        kind = token.group()[0]
        depth += (kind in "[{") - (kind in "]}")
        if depth > MAX_JSON_DEPTH:
            raise _Refused(f"JSON nested deeper than {MAX_JSON_DEPTH}")
