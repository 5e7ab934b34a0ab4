"""Pictures in, a playable file out: the only place that encodes video.

Frames go to ``<name>.partial.<suffix>`` in a form that stays playable when the process is killed
(fragments of half a second, flushed). Closing makes the plain file, counts its frames by opening
it again, syncs it to disk and only then gives it its name.

Time is counted in ticks, 60 a second by default: one tick is one emulator frame, so a decision of
four frames is shown for four ticks. mp4 and webm carry these durations as they are (Chromium
plays and seeks them; no frame is repeated or dropped), gif and webp round them to their own unit.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange

from agentlens.arrays import check_dtype, check_shape
from agentlens.drawing import animation
from agentlens.errors import (
    AlreadyExists,
    DiskError,
    Interrupted,
    InvalidArgument,
    RenderError,
    UnknownName,
)

EMULATOR_FRAMES_PER_SECOND = 60
"""Ticks of a real-time video."""

_BT709 = 1
_BT601_MATRIX = 6
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
    options={"preset": "veryfast", "crf": "24", "g": "250"},
    muxing=_FRAGMENTS,
)
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


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """What was written: counted in the finished file, not in what went in.

    ``size``: (width, height) in the file. ``padding``: columns and rows added on the right and
    at the bottom to make both even. ``seconds``: how long it plays.
    """

    path: Path
    frames: int
    seconds: float
    size: tuple[int, int]
    padding: tuple[int, int]
    bytes: int


class VideoWriter:
    """Encodes RGB frames one by one; memory does not grow with their number.

    A context manager: leaving it normally finishes the file; leaving it on an exception (Ctrl-C,
    a full disk) closes the partial file, which plays up to where it got, and leaves it beside
    the output's name. Ctrl-C then goes on as ``Interrupted``, which says where.

    Args:
        path: the output; its suffix chooses mp4 (H.264), webm (VP9), gif or webp.
        ticks_per_second: the unit of ``write``'s ``ticks``.
        force: overwrite an existing file (at the end, in one step).

    Raises:
        AlreadyExists: the file is there and ``force`` is off.
        UnknownName: a suffix that is not in ``ENCODINGS``.
        RenderError: the encoder is missing from this build of av.
        DiskError: the folder cannot be written.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        ticks_per_second: Fraction | int = EMULATOR_FRAMES_PER_SECOND,
        force: bool = False,
    ) -> None:
        self.path = Path(path)
        self._encoding = encoding_of(self.path)
        self._force = force
        if ticks_per_second <= 0:
            raise InvalidArgument(f"{ticks_per_second} ticks a second: expected more than 0.")
        self._time_base = 1 / Fraction(ticks_per_second)
        refuse_existing(self.path, force)
        container = f".{self._encoding.container}"
        self.partial_path = self.path.with_suffix(f".partial{container}")
        self._finished_path = self.path.with_suffix(f".finished{self.path.suffix}")
        self._frames = 0
        self._next_pts = 0
        self._shape: tuple[int, int] = (0, 0)
        self._ticks: dict[int, int] = {}
        self._stream: Any = None
        self._file: Any = None
        with _disk_errors(self.partial_path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = av.open(
                str(self.partial_path),
                "w",
                format=self._encoding.container,
                options=dict(self._encoding.muxing),
            )

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is None:
            return
        if kind is None:
            self.close()
            return
        with contextlib.suppress(DiskError, RenderError):  # the first error is the one to show
            self._end_encoding()
        if self._frames == 0:
            self.partial_path.unlink(missing_ok=True)
        elif isinstance(error, KeyboardInterrupt):
            raise Interrupted(
                f"stopped; the {self._frames} pictures so far play in {self.partial_path}."
            ) from error

    def write(self, frame: np.ndarray, ticks: int = 1) -> None:
        """Add one frame.

        Args:
            frame: uint8 [height, width, 3], RGB; every frame of a video has one size. Odd sizes
                are padded to even by repeating the last row or column.
            ticks: how long it is shown, at least 1.
        """
        check_dtype("frame", frame, "uint8")
        check_shape("frame", frame, (*self._shape, 3) if self._frames else (None, None, 3))
        if ticks < 1:
            raise InvalidArgument(f"a frame of {ticks} ticks: expected 1 or more.")
        if self._stream is None:
            self._start(frame.shape[0], frame.shape[1])
        pixels = _padded_even(frame)
        if self._encoding.pixel_format == "yuv420p":
            pixels = _yuv420(pixels)
        picture = av.VideoFrame.from_ndarray(pixels, format=self._encoding.pixel_format)
        picture.pts, picture.time_base = self._next_pts, self._time_base
        self._ticks[self._next_pts] = ticks
        self._next_pts += ticks
        self._frames += 1
        with _disk_errors(self.partial_path):
            self._mux(self._stream.encode(picture))

    def close(self) -> VideoInfo:
        """Finish the file and give it its name.

        Raises:
            RenderError: no frame was written, or the finished file holds another number.
            AlreadyExists: the output appeared in the meantime.
            DiskError: the disk is full or failing; the partial file stays.
        """
        self._end_encoding()
        if self._frames == 0:
            self.partial_path.unlink(missing_ok=True)
            raise RenderError(f"{self.path}: no frame to write; choose at least one step.")
        with _disk_errors(self._finished_path):
            self._finish()
            frames, seconds = count_frames(self._finished_path)
            if not self._is_complete(frames, seconds):
                raise RenderError(
                    f"{self._finished_path} holds {frames} frames, expected {self._frames}; "
                    f"what was encoded is in {self.partial_path}."
                )
            refuse_existing(self.path, self._force)
            publish(self._finished_path, self.path)
        self.partial_path.unlink(missing_ok=True)
        height, width = self._shape
        padding = (width % 2, height % 2)
        return VideoInfo(
            path=self.path,
            frames=frames,
            seconds=seconds,
            size=(width + padding[0], height + padding[1]),
            padding=padding,
            bytes=self.path.stat().st_size,
        )

    def _is_complete(self, frames: int, seconds: float) -> bool:
        if frames == self._frames:
            return True
        lasts = float(self._next_pts * self._time_base)
        merged = self.path.suffix.lower() == ".webp" and 0 < frames < self._frames
        return merged and abs(seconds - lasts) <= 0.1 + 0.01 * lasts  # equal neighbours are one

    def _start(self, height: int, width: int) -> None:
        self._shape = (height, width)
        stream = self._file.add_stream(
            self._encoding.encoder,
            rate=round(1 / self._time_base),
            options=dict(self._encoding.options),
        )
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = self._encoding.pixel_format
        stream.time_base = stream.codec_context.time_base = self._time_base
        if self._encoding.pixel_format != "rgb24":
            context = stream.codec_context
            context.color_primaries = context.color_trc = _BT709
            context.colorspace, context.color_range = _BT601_MATRIX, int(ColorRange.MPEG)
        self._stream = stream

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            packet.duration = self._ticks.pop(packet.pts, 1)
            self._file.mux(packet)

    def _end_encoding(self) -> None:
        if self._file is None:
            return
        file, self._file = self._file, None
        with _disk_errors(self.partial_path):
            try:
                if self._stream is not None:
                    for packet in self._stream.encode(None):
                        packet.duration = self._ticks.pop(packet.pts, 1)
                        file.mux(packet)
            finally:
                file.close()

    def _finish(self) -> None:
        if self._encoding.finish == "remux":
            _remux(self.partial_path, self._finished_path)
        elif self._encoding.finish == "animate":
            animation.convert(self.partial_path, self._finished_path)
        else:
            self.partial_path.replace(self._finished_path)


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


def count_frames(path: Path) -> tuple[int, float]:
    """Frames of a video file and the seconds it plays, by reading all of it."""
    if path.suffix.lower() in (".gif", ".webp"):
        return animation.count_frames(path)
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        packets = [p for p in file.demux(stream) if p.size]
    if not packets:
        return 0, 0.0
    start = min(p.pts for p in packets)
    end = max(p.pts + (p.duration or 0) for p in packets)
    return len(packets), float((end - start) * packets[0].time_base)


def refuse_existing(path: Path, force: bool) -> None:
    """Raise AlreadyExists when ``path`` is there and may not be replaced."""
    if path.exists() and not force:
        raise AlreadyExists(f"{path} exists; choose another name, or --force to replace it.")


def publish(finished: Path, path: Path) -> None:
    """Give a finished file its name: sync the file, rename it, sync the folder."""
    with finished.open("rb") as file:
        os.fsync(file.fileno())
    finished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _has_encoder(name: str) -> bool:
    try:
        return bool(av.Codec(name, "w").is_encoder)
    except av.codec.codec.UnknownCodecError:
        return False


def _padded_even(frame: np.ndarray) -> np.ndarray:
    height, width = frame.shape[:2]
    if height % 2 or width % 2:
        frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(frame)


def _yuv420(frame: np.ndarray) -> np.ndarray:
    """Limited-range BT.601 planes of an RGB picture: uint8 [3/2 height, width], Y then U then V.

    Chroma is averaged over 2 x 2 pixels, as libswscale does it and at half its cost (OpenCV's own
    planar conversion takes one pixel of four, which leaves fringes on text).
    """
    height, width = frame.shape[:2]
    planes = cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420).reshape(-1)
    small = cv2.resize(frame, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    full_range = cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb)
    chroma = cv2.convertScaleAbs(full_range, alpha=224 / 255, beta=128 - 128 * 224 / 255)
    luma, quarter = height * width, height * width // 4
    planes[luma : luma + quarter] = chroma[..., 2].ravel()
    planes[luma + quarter :] = chroma[..., 1].ravel()
    yuv: np.ndarray = planes.reshape(-1, width)
    return yuv


def _remux(source: Path, target: Path) -> None:
    """Copy the packets of a fragmented file into a plain one whose index comes first."""
    with (
        av.open(str(source)) as fragmented,
        av.open(str(target), "w", format="mp4", options={"movflags": "faststart"}) as plain,
    ):
        stream = fragmented.streams.video[0]
        copy = plain.add_stream_from_template(stream)
        start: int | None = None
        for packet in fragmented.demux(stream):
            if packet.dts is None:
                continue
            start = packet.pts if start is None else start
            packet.pts, packet.dts = packet.pts - start, packet.dts - start
            packet.stream = copy
            plain.mux(packet)


@contextlib.contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    """Turn failures of the disk and of the encoder into errors of the tree."""
    try:
        yield
    except OSError as error:
        raise DiskError(
            f"{path}: {error.strerror or error}; free some space or choose another folder."
        ) from error
    except av.FFmpegError as error:
        raise RenderError(f"{path}: {error}.") from error
