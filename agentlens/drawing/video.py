"""Pictures in, a playable file out: the only place that encodes video.

Frames go to a hidden file beside the output (``.x.3f9c21.partial.mp4``, a name that no other
writer uses) in a form that stays playable when the process is killed (fragments of half a second,
flushed). Closing makes the plain file, counts its frames by opening it again, syncs it to disk and
only then gives it its name.

Time is counted in ticks, 60 a second by default: one tick is one emulator frame, so a decision of
four frames is shown for four ticks. mp4 and webm carry these durations as they are (Chromium
plays and seeks them; no frame is repeated or dropped), gif and webp round them to their own unit.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange

from agentlens.arrays import check_dtype, check_shape
from agentlens.drawing import animation
from agentlens.drawing.chroma import padded_even, yuv420
from agentlens.drawing.encodings import encoding_of
from agentlens.drawing.files import (
    disk_errors,
    hidden_path,
    publish,
    refuse_existing,
    shown_path,
)
from agentlens.errors import DiskError, Interrupted, InvalidArgument, RenderError

EMULATOR_FRAMES_PER_SECOND = 60
"""Ticks of a real-time video."""

_BT709 = 1
_BT601_MATRIX = 6


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

    A context manager: leaving it normally finishes the file; leaving it on Ctrl-C closes the
    partial file, which plays up to where it got, calls it ``x.partial.mp4`` and goes on as
    ``Interrupted``, which says so. Any other exception (a full disk) leaves nothing.

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
        self.partial_path = hidden_path(self.path, "partial", container)
        self._finished_path = hidden_path(self.path, "finished", self.path.suffix)
        self._frames = 0
        self._next_pts = 0
        self._shape: tuple[int, int] = (0, 0)
        self._ticks: dict[int, int] = {}
        self._stream: Any = None
        self._file: Any = None
        with disk_errors(self.path):
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
        if self._frames == 0 or not isinstance(error, KeyboardInterrupt):
            self.partial_path.unlink(missing_ok=True)
            return
        kept = shown_path(self.path, "partial", f".{self._encoding.container}")
        self.partial_path.rename(kept)
        raise Interrupted(f"stopped; the {self._frames} pictures so far play in {kept}.") from error

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
        pixels = padded_even(frame)
        if self._encoding.pixel_format == "yuv420p":
            pixels = yuv420(pixels)
        picture = av.VideoFrame.from_ndarray(pixels, format=self._encoding.pixel_format)
        picture.pts, picture.time_base = self._next_pts, self._time_base
        self._ticks[self._next_pts] = ticks
        self._next_pts += ticks
        self._frames += 1
        with disk_errors(self.path):
            self._mux(self._stream.encode(picture))

    def close(self) -> VideoInfo:
        """Finish the file and give it its name.

        Raises:
            RenderError: no frame was written, or the finished file holds another number.
            AlreadyExists: the output appeared in the meantime.
            DiskError: the disk is full or failing.
        """
        try:
            self._end_encoding()
            if self._frames == 0:
                raise RenderError(f"{self.path}: no frame to write; choose at least one step.")
            with disk_errors(self.path):
                self._finish()
                frames, seconds = count_frames(self._finished_path)
                if not self._is_complete(frames, seconds):
                    raise RenderError(
                        f"{self.path}: the encoded file holds {frames} frames and plays "
                        f"{seconds:.2f} s, expected {self._frames} and {self._lasts:.2f} s."
                    )
                refuse_existing(self.path, self._force)
                publish(self._finished_path, self.path)
        finally:
            self._finished_path.unlink(missing_ok=True)
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
        merged = self.path.suffix.lower() == ".webp" and 0 < frames < self._frames
        return merged and abs(seconds - self._lasts) <= 0.1 + 0.01 * self._lasts  # equal neighbours

    @property
    def _lasts(self) -> float:
        return float(self._next_pts * self._time_base)

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
        with disk_errors(self.path):
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
