"""The recorder's side of a recording: one writer, any number of open episodes, crash-safe."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from agentlens.errors import AlreadyExists, InvalidArgument
from agentlens.mapping import encode
from agentlens.palette import Palette
from agentlens.provenance import file_digest
from agentlens.store.atomic import (
    RECORDING_JSON,
    checked_folder,
    disk_errors,
    made_folder,
    make_folder,
    names_in,
    refuse_link,
    require_space,
    write_file,
)
from agentlens.store.episode_writer import EpisodeWriter
from agentlens.store.header import EpisodeEntry, RecordingHeader
from agentlens.store.layout import (
    AGENT,
    EPISODES,
    MAPS,
    RecordingDocument,
    finished_path,
    read_recording_json,
    write_recording_json,
)
from agentlens.store.lock import LOCK_NAME, FolderLock

_BYTES_PER_STEP = 300
"""For the estimate of space: Pong takes 74 bytes, Space Invaders 185; recurrent states come on
top."""
_TYPICAL_STEPS = 2000


class RecordingWriter:
    """The one writer of a recording folder (a context manager).

    Leaving it on an exception or Ctrl-C keeps the steps of unfinished episodes; a later
    ``open_recording`` shows them as incomplete, and ``resume=True`` records them again.

    Args:
        folder: created if missing.
        header: what holds for all episodes.
        agent_files: copied into ``agent/``, so that the recording can be explained without the
            agent's own folder.
        force: replace a recording (its episodes and maps are deleted); other files are refused.
        resume: keep finished episodes of a recording with the same header.

    Raises:
        AlreadyExists: the folder holds something and neither ``force`` nor ``resume`` was given,
            or another recording is to be resumed.
        Locked: another process writes there; the message names it.
        DiskError: read-only, full or failing disk.
    """

    def __init__(
        self,
        folder: Path,
        header: RecordingHeader,
        *,
        agent_files: Sequence[Path] = (),
        force: bool = False,
        resume: bool = False,
    ) -> None:
        self.folder = checked_folder(folder)
        self._open: list[EpisodeWriter] = []
        with made_folder(self.folder):
            for name in (EPISODES, AGENT, MAPS, RECORDING_JSON):
                refuse_link(self.folder / name)
            self._lock = FolderLock(self.folder)
            try:
                self._begin(self._take_over(header, force=force, resume=resume), agent_files)
            except BaseException:
                self._lock.release()
                raise

    def _begin(self, document: RecordingDocument, agent_files: Sequence[Path]) -> None:
        """Write what stands in a recording before its first step."""
        self.header = document.header
        self._entries = {entry.index: entry for entry in document.entries}
        self._palette = document.palette
        self._agent_digests = dict(document.agent_digests)
        self._complete = False
        require_space(self.folder, _estimate(document))
        self._save()
        make_folder(self.folder / EPISODES, inside=self.folder)
        if agent_files:
            self._agent_digests.update(self._copy_agent(agent_files))
            self._save()

    def __enter__(self) -> RecordingWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def finished_episodes(self) -> tuple[int, ...]:
        """Indices already complete (when resuming)."""
        return tuple(sorted(self._entries))

    def episode(self, index: int, *, seed: int, seed_words: Sequence[int]) -> EpisodeWriter:
        """Begin an episode; several may be open at a time.

        Raises:
            InvalidArgument: an index that is not wanted, or a second episode with it.
        """
        if not 0 <= index < self.header.episodes_wanted:
            raise InvalidArgument(
                f"episode {index}: expected 0 to {self.header.episodes_wanted - 1}."
            )
        if index in self._entries or any(e.index == index and not e.closed for e in self._open):
            raise InvalidArgument(f"episode {index} is there already, or being written.")
        writer = EpisodeWriter(self, index, int(seed), tuple(int(word) for word in seed_words))
        self._open = [e for e in self._open if not e.closed] + [writer]
        return writer

    def complete(self) -> None:
        """Write the completion marker once all wanted episodes are finished.

        Raises:
            InvalidArgument: some are not.
        """
        missing = sorted(set(range(self.header.episodes_wanted)) - set(self._entries))
        if missing:
            raise InvalidArgument(
                f"{len(missing)} of {self.header.episodes_wanted} episodes are not finished, "
                f"the first of them {missing[0]}."
            )
        self._complete = True
        self._save()

    def close(self) -> None:
        """Keep what unfinished episodes have, and give the folder back; twice is fine."""
        try:
            for writer in self._open:
                writer.keep()
        finally:
            self._open = []
            self._lock.release()

    def add(self, entry: EpisodeEntry) -> None:
        """Enter a finished episode into the table (called by its writer)."""
        self._entries[entry.index] = entry
        self._save()

    def learn_palette(self, indices: np.ndarray, rgb: np.ndarray) -> None:
        """See ``EpisodeWriter.learn_palette``."""
        if self._palette.learn(indices, rgb):
            self._palette_saved = False

    def save_palette(self) -> None:
        """Write recording.json again if colours were learned, so that a kill leaves steps in
        colour."""
        if not self._palette_saved:
            self._save()

    def _save(self) -> None:
        write_recording_json(
            self.folder,
            RecordingDocument(
                header=self.header,
                entries=tuple(self._entries[index] for index in sorted(self._entries)),
                palette=self._palette,
                agent_digests=self._agent_digests,
                complete=self._complete,
            ),
        )
        self._palette_saved = True

    def _take_over(
        self, header: RecordingHeader, *, force: bool, resume: bool
    ) -> RecordingDocument:
        """What is kept of the folder: a recording to resume, or an empty one."""
        fresh = RecordingDocument(header=header, palette=Palette())
        present = names_in(self.folder) - {LOCK_NAME}
        if not present:
            return fresh
        if resume and RECORDING_JSON in present:
            return self._resumed(header)
        if not force:
            raise AlreadyExists(
                f"{self.folder} holds something already: choose another folder, "
                "or pass --force to replace a recording, or --resume to finish it."
            )
        if not present & {RECORDING_JSON, EPISODES}:
            raise AlreadyExists(
                f"{self.folder} holds {sorted(present)[0]!r} but no recording, so it is not "
                "replaced even by force: choose another folder."
            )
        with disk_errors(self.folder, "replace"):
            freed = sum(f.stat().st_size for f in self.folder.rglob("*") if f.is_file())
            require_space(self.folder, _estimate(fresh) - freed)
            (self.folder / RECORDING_JSON).unlink(missing_ok=True)
            for name in (EPISODES, MAPS, AGENT):
                if (self.folder / name).exists():
                    shutil.rmtree(self.folder / name)
        return fresh

    def _resumed(self, header: RecordingHeader) -> RecordingDocument:
        old = read_recording_json(self.folder)
        field = header.difference(old.header)
        if field:
            was, now = encode(getattr(old.header, field)), encode(getattr(header, field))
            detail = f" ({was!r}, now {now!r})" if not isinstance(was, dict | list) else ""
            raise AlreadyExists(
                f"{self.folder} was recorded with another {field}{detail}: it cannot be resumed; "
                "choose another folder, or pass --force to replace it."
            )
        kept = tuple(
            entry
            for entry in old.entries
            if entry.index < header.episodes_wanted
            and finished_path(self.folder, entry.index).is_file()
            and finished_path(self.folder, entry.index).stat().st_size == entry.n_bytes
        )
        return RecordingDocument(
            header=header, entries=kept, palette=old.palette, agent_digests=old.agent_digests
        )

    def _copy_agent(self, files: Sequence[Path]) -> dict[str, str]:
        digests: dict[str, str] = {}
        make_folder(self.folder / AGENT, inside=self.folder)
        for file in files:
            if file.name in digests:
                raise InvalidArgument(f"two files of the agent are called {file.name!r}.")
            with disk_errors(file, "read"):
                data = file.read_bytes()
            write_file(self.folder / AGENT / file.name, data)
            digests[file.name] = file_digest(self.folder / AGENT / file.name)
        return digests


def _estimate(document: RecordingDocument) -> int:
    """Bytes that the missing episodes will take, roughly."""
    header = document.header
    missing = header.episodes_wanted - len(document.entries)
    return missing * (header.max_steps or _TYPICAL_STEPS) * _BYTES_PER_STEP
