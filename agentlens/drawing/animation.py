"""Video to gif or webp: second-hand formats, made from a lossless video."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
from av.filter import Graph
from PIL import Image

LARGE_BYTES = 12_000_000
"""Above this an animation gets a warning: most pages and chats refuse or stutter."""

_MAPPING = "dither=none:diff_mode=rectangle"


def convert(source: Path, target: Path) -> None:
    """Turn a video into an animation; ``target``'s suffix chooses gif or webp.

    A gif gets one palette of 256 colours for all its frames and no dithering, so that text and
    pixel art stay sharp and the file small. Reads the source twice for a gif, once for a webp,
    and holds one frame at a time.

    Warns:
        UserWarning: the result is larger than ``LARGE_BYTES``.
    """
    if target.suffix.lower() == ".gif":
        _write(source, target, "gif", "gif", "pal8", {})
    else:
        quality = {"lossless": "1", "compression_level": "1"}
        _write(source, target, "webp", "libwebp_anim", "bgra", quality)
    size = target.stat().st_size
    if size > LARGE_BYTES:
        warnings.warn(
            f"the animation takes {size / 1e6:.0f} MB; fewer steps, a smaller scale, the compact "
            "layout or an .mp4 would be lighter.",
            stacklevel=2,
        )


def count_frames(path: Path) -> tuple[int, float]:
    """Frames of a gif or webp and the seconds it plays, by opening each of them."""
    seconds = 0.0
    with Image.open(path) as picture:
        frames: int = getattr(picture, "n_frames", 1)
        for index in range(frames):
            picture.seek(index)
            picture.load()
            seconds += picture.info.get("duration", 0) / 1000
    return frames, seconds


def _write(
    source: Path, target: Path, container: str, encoder: str, pixels: str, options: dict[str, str]
) -> None:
    with (
        av.open(str(source)) as video,
        av.open(str(target), "w", format=container, options={"loop": "0"}) as animation,
    ):
        stream: Any = video.streams.video[0]
        out: Any = animation.add_stream(encoder, rate=round(1 / stream.time_base), options=options)
        out.width, out.height, out.pix_fmt = stream.width, stream.height, pixels
        out.time_base = out.codec_context.time_base = stream.time_base
        paint = _palette_painter(source, stream) if pixels == "pal8" else None
        ticks: dict[int, int] = {}
        for frame in _decoded(video, stream, ticks):
            picture = paint(frame) if paint is not None else frame.reformat(format=pixels)
            picture.pts, picture.time_base = frame.pts, frame.time_base
            for packet in out.encode(picture):
                packet.duration = ticks.get(packet.pts, packet.duration)
                animation.mux(packet)
        for packet in out.encode(None):
            packet.duration = ticks.get(packet.pts, packet.duration)
            animation.mux(packet)


def _decoded(video: Any, stream: Any, ticks: dict[int, int]) -> Iterator[Any]:
    """Frames in order; ``ticks`` gets each one's duration by its pts."""
    for packet in video.demux(stream):
        if packet.pts is not None:
            ticks[packet.pts] = packet.duration
        yield from packet.decode()


def _palette_painter(source: Path, stream: Any) -> Callable[[Any], Any]:
    """A function that maps a frame to the 256 colours which fit the whole video best."""
    choosing = Graph()
    entry, choose, out = (
        choosing.add_buffer(template=stream),
        choosing.add("palettegen"),
        choosing.add("buffersink"),
    )
    choosing.link_nodes(entry, choose, out).configure()
    with av.open(str(source)) as video:
        for frame in video.decode(video=0):
            entry.push(frame)
    entry.push(None)
    palette: Any = out.pull()

    mapping = Graph()
    frames = mapping.add_buffer(template=stream)
    colours = mapping.add_buffer(
        width=palette.width,
        height=palette.height,
        format=palette.format,
        time_base=palette.time_base,
    )
    use = mapping.add("paletteuse", _MAPPING)
    frames.link_to(use, 0, 0)
    colours.link_to(use, 0, 1)
    use.link_to(mapping.add("buffersink"))
    mapping.configure()
    colours.push(palette)
    colours.push(None)

    def paint(frame: Any) -> Any:
        frames.push(frame)
        return mapping.vpull()

    return paint
