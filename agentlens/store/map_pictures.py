"""The pictures that maps were made with: what a median or mean reference hid a place with.

``picture-NAME.f32`` beside the values: little-endian float32 [H, W], in colour [3, H, W], whose
digest the header's option "pictures" keeps.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from agentlens.arrays import check_dtype, check_shape
from agentlens.errors import Corrupt, UnknownName
from agentlens.spec import GridSpec
from agentlens.store.atomic import disk_errors, write_file


def write_pictures(folder: Path, grid: GridSpec, pictures: Mapping[str, np.ndarray]) -> None:
    """Write the pictures that are not there yet.

    Raises:
        ShapeError, DtypeError: no float32 picture of the grid's observation.
        DiskError: full or failing disk.
    """
    for name, picture in pictures.items():
        check_dtype(f"picture {name}", picture, "float32")
        channels = (3,) if picture.ndim == 3 else ()
        check_shape(f"picture {name}", picture, (*channels, *grid.observation))
        path = picture_path(folder, name)
        if not path.is_file():
            write_file(path, np.ascontiguousarray(picture, "<f4").tobytes())


def read_picture(folder: Path, options: Mapping[str, Any], grid: GridSpec, name: str) -> np.ndarray:
    """One of the pictures, float32 [H, W] or [3, H, W], in the observation's own units.

    Args:
        folder: of the map set.
        options: of its header.
        grid: of its header.
        name: such as "median".

    Raises:
        UnknownName: the maps were made without such a picture.
        Corrupt: missing, of another size or altered.
    """
    digests = options.get("pictures")
    known = digests if isinstance(digests, Mapping) else {}
    if name not in known:
        raise UnknownName("picture", name, known)
    path, (height, width) = picture_path(folder, name), grid.observation
    n_bytes = 4 * height * width
    with disk_errors(path, "read"):
        if not path.is_file() or path.stat().st_size not in (n_bytes, 3 * n_bytes):
            raise Corrupt(f"{path}: expected a picture of {n_bytes} bytes there.")
        data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != known[name]:
        raise Corrupt(f"{path}: altered; it does not have the digest that maps.json keeps.")
    picture = np.frombuffer(data, "<f4").reshape(-1, height, width)
    return picture if len(picture) == 3 else picture[0]


def picture_path(folder: Path, name: str) -> Path:
    """Where a picture lies."""
    return folder / f"picture-{name}.f32"


def picture_names(names: set[str]) -> set[str]:
    """Those of a folder's file names that are pictures'."""
    return {name for name in names if name.startswith("picture-") and name.endswith(".f32")}
