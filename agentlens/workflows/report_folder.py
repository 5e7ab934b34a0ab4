"""A folder of results that appears whole or not at all."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from agentlens.errors import AlreadyExists, DiskError

MARK = "report.json"


@contextlib.contextmanager
def whole_folder(output: Path, *, force: bool) -> Iterator[Path]:
    """A folder beside ``output`` that takes its place when the block ends well.

    Args:
        output: what is to be there in the end.
        force: replace an earlier report; anything else that is there is never replaced.

    Raises:
        AlreadyExists: something is there.
        DiskError: the folder cannot be written.
    """
    check_free(output, force=force)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    except OSError as error:
        raise DiskError(
            f"{output}: cannot be written: {error.strerror or error}; choose another folder."
        ) from error
    try:
        folder.chmod(0o755)
        yield folder
        check_free(output, force=force)
        if output.is_dir():
            old = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
            output.replace(old)
            folder.replace(output)
            shutil.rmtree(old)
        else:
            folder.replace(output)
    finally:
        if folder.exists():
            shutil.rmtree(folder)


def check_free(output: Path, *, force: bool) -> None:
    """Refuse to write over what is there.

    Raises:
        AlreadyExists: a file, a folder that is no report, or a report and no ``force``.
    """
    if output.is_dir() and not any(output.iterdir()):
        return
    if not output.exists():
        return
    if not (output / MARK).is_file():
        raise AlreadyExists(f"{output} is there and is no report: choose another output.")
    if not force:
        raise AlreadyExists(f"{output} is there: --force replaces it, --output names another.")
