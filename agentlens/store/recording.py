"""Episodes on disk: the recorder's writer and everybody's reader.

Layout of a recording::

    <folder>/
      recording.json            header, palette, episode table, completion marker, sealed by a
      digest
      episodes/00000.arrow      one Arrow IPC file an episode (zstd, 32 steps a batch)
      episodes/00000.chain      a line a batch with a chained digest (see store.journal)
      episodes/00001.arrow.part an episode that is being written, or whose writer was killed
      agent/agent.toml ...      copy of the agent's folder
      maps/<name>/              map sets (store.maps)
      .lock                     the one writer, while it writes
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from agentlens.errors import Corrupt
from agentlens.provenance import file_digest
from agentlens.store.atomic import checked_folder, disk_errors
from agentlens.store.columns import StepRow
from agentlens.store.episode import Episode, Observations, Planes, Screens
from agentlens.store.episode_file import EpisodeFile, unfinished
from agentlens.store.episode_writer import EpisodeWriter
from agentlens.store.header import RecordingHeader
from agentlens.store.layout import AGENT, RecordingDocument, read_recording_json
from agentlens.store.writer import RecordingWriter

__all__ = [
    "Episode",
    "EpisodeWriter",
    "Observations",
    "Planes",
    "Recording",
    "RecordingHeader",
    "RecordingWriter",
    "Screens",
    "StepRow",
    "open_recording",
]


class Recording:
    """A recording opened for reading, as it was at that moment.

    Attributes:
        folder: where it lies. header: what holds for all episodes.
        episodes: by index, unfinished ones (``episode.complete`` is false) included.
        complete: whether all wanted episodes are finished. palette: uint8 [256, 3].
        agent_folder: the copy of the agent that played. trust_code: the user allowed code that the
            agent or its world names to run.
    """

    def __init__(
        self, folder: Path, document: RecordingDocument, *, trust_code: bool = False
    ) -> None:
        self.folder, self.trust_code = folder, trust_code
        self.header = document.header
        self.complete = document.complete
        self._agent_digests = document.agent_digests
        known = {entry.index: entry for entry in document.entries}
        indices = sorted([*known, *unfinished(folder, list(known))])
        files = [EpisodeFile(folder, index, known.get(index), self.header) for index in indices]
        palette = document.palette
        if any(file.entry is None for file in files):
            # A writer may have learned colours and added rows since the document was read.
            palette = read_recording_json(folder).palette
        self.palette: np.ndarray = palette.rgb
        self.episodes: tuple[Episode, ...] = tuple(
            Episode(file, self.header, palette) for file in files
        )

    def __repr__(self) -> str:
        state = "complete" if self.complete else "incomplete"
        return f"Recording({str(self.folder)!r}, {len(self.episodes)} episodes, {state})"

    @property
    def agent_folder(self) -> Path:
        """The copy of the agent's folder."""
        return self.folder / AGENT

    @property
    def distinct_episodes(self) -> int:
        """How many finished episodes differ in their actions, RAM or last screens."""
        return len({episode.content for episode in self.episodes if episode.complete})

    def check(self) -> None:
        """Compare every finished episode, its chain and every file of the agent with its digest.

        Costs two passes over all bytes.

        Raises:
            Corrupt: the first file that was altered, and where.
        """
        for episode in self.episodes:
            episode.check(chain=True)
        for name, digest in self._agent_digests.items():
            path = self.agent_folder / Path(name).name
            if not path.is_file():
                raise Corrupt(f"{path}: a file of the agent is missing.")
            with disk_errors(path, "read"):
                digest_there = file_digest(path)
            if digest_there != digest:
                raise Corrupt(f"{path}: it was altered after it was recorded with.")


def open_recording(folder: Recording | Path | str, *, trust_code: bool = False) -> Recording:
    """Open a recording, finished or not; costs one file, however many finished episodes there are.

    Args:
        folder: where it lies; one that is open already is given back as it is.
        trust_code: allow code to run that the recorded agent or its world names, when something
            loads or plays it; nothing runs here.

    Raises:
        Corrupt: no recording, or a truncated or altered file; names file and reason.
        Incompatible: another schema version.
        DiskError: a file cannot be read.
    """
    if isinstance(folder, Recording):
        return folder
    path = checked_folder(folder)
    return Recording(path, read_recording_json(path), trust_code=trust_code)
