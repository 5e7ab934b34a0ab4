"""How each kind of file is encoded: one entry a suffix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import av

from agentlens.errors import RenderError, UnknownName

_FLUSHED = {"flush_packets": "1"}


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How one kind of file is written.

    ``encoder``, ``pixel_format``, ``options``: of the stream. ``container``, ``muxing``: of the
    file that a kill leaves behind. ``finish``: what closing makes of it ("remux" to a plain mp4,
    "keep" it, or "animate" it into a gif or webp).
    """

    encoder: str
    pixel_format: str
    container: str
    finish: str
    options: Mapping[str, str] = field(default_factory=dict)
    muxing: Mapping[str, str] = field(default_factory=dict)


_FRAGMENTS = {"movflags": "empty_moov+default_base_moof", "frag_duration": "500000", **_FLUSHED}
_MP4 = Encoding(
    encoder="libx264",
    pixel_format="yuv420p",
    container="mp4",
    finish="remux",
    options={
        "preset": "veryfast",
        "crf": "24",
        "g": "250",
        "bf": "0",
        "subq": "0",
        "rc-lookahead": "5",
    },
    muxing=_FRAGMENTS,
)
"""Without B-frames the last packet is the last picture, whose duration the file then keeps. What
moves in an enlarged game moves by whole pixels: searching fractions of them, and farther ahead,
takes a third more time for files 6 % smaller."""
_WEBM = Encoding(
    encoder="libvpx-vp9",
    pixel_format="yuv420p",
    container="webm",
    finish="keep",
    options={
        "deadline": "realtime",
        "cpu-used": "8",
        "crf": "31",
        "b": "0",
        "g": "120",
        "row-mt": "1",
    },
    muxing={"cluster_time_limit": "500", **_FLUSHED},
)
_LOSSLESS = Encoding(
    encoder="libx264rgb",
    pixel_format="rgb24",
    container="mp4",
    finish="animate",
    options={"preset": "ultrafast", "qp": "0", "g": "60"},
    muxing=_FRAGMENTS,
)
ENCODINGS = {".mp4": _MP4, ".webm": _WEBM, ".gif": _LOSSLESS, ".webp": _LOSSLESS}
"""By suffix of the output."""


def encoding_of(path: Path) -> Encoding:
    """The encoding that a file's suffix asks for.

    Raises:
        UnknownName: a suffix that is not in ``ENCODINGS``.
        RenderError: its encoder is missing from this build of av; names the suffixes that work.
    """
    suffix = path.suffix.lower()
    if suffix not in ENCODINGS:
        raise UnknownName("video suffix", suffix, ENCODINGS)
    encoding = ENCODINGS[suffix]
    if not _has_encoder(encoding.encoder):
        working = [s for s, e in ENCODINGS.items() if _has_encoder(e.encoder)]
        raise RenderError(
            f"{suffix} needs the encoder {encoding.encoder}, which this build of av lacks; "
            f"it can write {', '.join(working) or 'no video at all'} (reinstall av for the rest)."
        )
    return encoding


def _has_encoder(name: str) -> bool:
    try:
        return bool(av.Codec(name, "w").is_encoder)
    except av.codec.codec.UnknownCodecError:
        return False
