"""Encoding: every suffix opens again, nothing is overwritten, a kill leaves a playable prefix."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from agentlens.drawing import animation, encodings
from agentlens.drawing.video import VideoWriter, count_frames
from agentlens.errors import (
    AlreadyExists,
    DiskError,
    DtypeError,
    Interrupted,
    InvalidArgument,
    RenderError,
    ShapeError,
    UnknownName,
)


def moving_square(index: int, width: int = 96, height: int = 64) -> np.ndarray:
    frame = np.full((height, width, 3), (16, 20, 24), np.uint8)
    left = index % (width - 8)
    frame[10:30, left : left + 8] = (240, 170, 40)
    return frame


@pytest.mark.parametrize("suffix", sorted(encodings.ENCODINGS))
def test_every_suffix_opens_again_with_all_frames(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    with VideoWriter(path) as writer:
        for index in range(12):
            writer.write(moving_square(index), ticks=4)
        info = writer.close()
    assert info.frames == 12
    assert info.seconds == pytest.approx(12 * 4 / 60, abs=0.03)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert info.bytes == path.stat().st_size


def test_mp4_is_what_browsers_want(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "x.mp4") as writer:
        for index in range(10):
            writer.write(moving_square(index), ticks=2 + index % 3)
    data = (tmp_path / "x.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(str(tmp_path / "x.mp4")) as file:
        context = file.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        times = [round(float(f.time) * 60) for f in file.decode(video=0)]
    assert times == [0, 2, 5, 9, 11, 14, 18, 20, 23, 27]


def test_colours_survive_the_way_through_the_encoder(tmp_path: Path) -> None:
    frame = np.zeros((64, 64, 3), np.uint8)
    frame[:] = (230, 120, 30)
    with VideoWriter(tmp_path / "x.mp4") as writer:
        writer.write(frame)
    with av.open(str(tmp_path / "x.mp4")) as file:
        decoded = next(file.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(decoded.astype(int) - frame).max() <= 4


@pytest.mark.parametrize(("width", "height"), [(1, 1), (33, 17), (32, 17)])
@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_odd_sizes_are_padded_and_said(
    tmp_path: Path, width: int, height: int, suffix: str
) -> None:
    with VideoWriter(tmp_path / f"x{suffix}") as writer:
        writer.write(np.full((height, width, 3), 90, np.uint8))
        info = writer.close()
    assert info.padding == (width % 2, height % 2)
    assert info.size == (width + width % 2, height + height % 2)
    assert info.frames == 1


def test_an_existing_file_stays_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(b"precious")
    with pytest.raises(AlreadyExists, match="--force"):
        VideoWriter(path)
    assert path.read_bytes() == b"precious"
    with VideoWriter(path, force=True) as writer:
        writer.write(moving_square(0))
        assert path.read_bytes() == b"precious"
    assert count_frames(path)[0] == 1


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    writer = VideoWriter(path)
    writer.write(moving_square(0))
    path.write_bytes(b"precious")
    with pytest.raises(AlreadyExists):
        writer.close()
    assert path.read_bytes() == b"precious"
    assert [p.name for p in tmp_path.iterdir()] == ["x.mp4"]


@pytest.mark.parametrize("suffixes", [(".mp4", ".gif"), (".mp4", ".mp4")])
def test_writers_beside_each_other_do_not_meet(tmp_path: Path, suffixes: tuple[str, str]) -> None:
    writers = [VideoWriter(tmp_path / f"x{suffix}", force=True) for suffix in suffixes]
    for index in range(12):
        for number, writer in enumerate(writers):
            writer.write(moving_square(index * (1 + number)), ticks=4)
    assert [writer.close().frames for writer in writers] == [12, 12]
    assert {p.name for p in tmp_path.iterdir()} == {f"x{suffix}" for suffix in suffixes}


@pytest.mark.parametrize("seed", range(4))
def test_the_last_picture_lasts_as_long_as_it_should(tmp_path: Path, seed: int) -> None:
    noise = np.random.default_rng(seed)
    ticks = noise.integers(2, 9, 10 + 7 * seed).tolist()
    with VideoWriter(tmp_path / "x.mp4") as writer:
        for count in ticks:
            writer.write(noise.integers(0, 255, (64, 64, 3), np.uint8), count)
    with av.open(str(tmp_path / "x.mp4")) as file:
        stream = file.streams.video[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(sum(ticks) / 60)
        packets = [p for p in file.demux(stream) if p.size]
    assert float(packets[-1].duration * stream.time_base) == pytest.approx(ticks[-1] / 60)


def test_no_frame_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="no frame"), VideoWriter(tmp_path / "x.mp4"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_wrong_frames_are_refused(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "x.mp4") as writer:
        writer.write(moving_square(0))
        with pytest.raises(ShapeError):
            writer.write(moving_square(0, width=98))
        with pytest.raises(DtypeError):
            writer.write(moving_square(0).astype(np.float32))
        with pytest.raises(InvalidArgument, match="ticks"):
            writer.write(moving_square(0), ticks=0)


def test_an_unknown_suffix_lists_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"\.mp4"):
        VideoWriter(tmp_path / "x.mp3")


def test_a_missing_encoder_names_the_suffixes_that_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encodings, "_has_encoder", lambda name: name == "libvpx-vp9")
    with pytest.raises(RenderError, match=r"libx264.*can write \.webm"):
        VideoWriter(tmp_path / "x.mp4")


def test_an_exception_leaves_a_partial_file_that_plays(tmp_path: Path) -> None:
    def interrupted() -> None:
        with VideoWriter(tmp_path / "x.mp4") as writer:
            for index in range(30):
                writer.write(moving_square(index), ticks=4)
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match=r"30 pictures so far play in .*x\.partial\.mp4"):
        interrupted()
    assert [p.name for p in tmp_path.iterdir()] == ["x.partial.mp4"]
    assert count_frames(tmp_path / "x.partial.mp4")[0] == 30


KILLED = """
import os, signal, sys
import numpy as np
from agentlens.drawing.video import VideoWriter
writer = VideoWriter(sys.argv[1])
for index in range(400):
    frame = np.full((64, 96, 3), 20, np.uint8)
    frame[10:30, index % 88 : index % 88 + 8] = 240
    writer.write(frame, ticks=4)
    if index == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("last", [75, 200])
@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif"])
def test_a_kill_leaves_a_playable_prefix(tmp_path: Path, last: int, suffix: str) -> None:
    output = tmp_path / f"x{suffix}"
    process = subprocess.run([sys.executable, "-c", KILLED, str(output), str(last)], check=False)
    assert process.returncode == -signal.SIGKILL
    assert not output.exists()
    (partial,) = tmp_path.iterdir()
    with av.open(str(partial)) as file:
        frames = sum(1 for _ in file.decode(video=0))
    assert last - 60 <= frames <= last + 1  # at most what lies in the encoder plus two seconds


def test_a_full_disk_is_named_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(b"precious")
    script = textwrap.dedent("""
        import signal, sys
        import numpy as np
        from agentlens.errors import DiskError
        from agentlens.drawing.video import VideoWriter
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        noise = np.random.default_rng(0)
        try:
            with VideoWriter(sys.argv[1], force=True) as writer:
                for _ in range(60):
                    writer.write(noise.integers(0, 255, (128, 128, 3), np.uint8), ticks=4)
        except DiskError as error:
            sys.exit(0 if "x.mp4: File too large" in str(error) else 3)
        sys.exit(4)
    """)
    process = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)),
        check=False,
        stderr=subprocess.DEVNULL,
    )
    assert process.returncode == 0
    assert path.read_bytes() == b"precious"
    assert [p.name for p in tmp_path.iterdir()] == ["x.mp4"]


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError, match="another folder"):
        VideoWriter(tmp_path / "file" / "x.mp4")


def test_a_large_animation_warns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(animation, "LARGE_BYTES", 10)
    with pytest.warns(UserWarning, match="lighter"), VideoWriter(tmp_path / "x.gif") as writer:
        writer.write(moving_square(0))


def test_equal_neighbours_may_merge_in_a_webp_but_the_time_stays(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "x.webp") as writer:
        for index in range(12):
            writer.write(moving_square(index // 3), ticks=6)
        info = writer.close()
    assert info.seconds == pytest.approx(1.2, abs=0.05)
    with Image.open(tmp_path / "x.webp") as picture:
        assert picture.n_frames == info.frames
