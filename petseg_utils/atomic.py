"""Writes that are there whole or not at all: a killed process leaves no half file under the final name."""

import glob
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from petseg_utils.errors import DataError

STALE_SECONDS = 3600  # no writer pauses that long: a temporary folder untouched since belongs to a dead one
_UMASK = os.umask(0)
os.umask(_UMASK)  # there is no way but setting it to learn what it is
_SUFFIX = "?" * 8 + ".tmp"  # of the temporary names below, as a pattern


@contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; when the block ends well its file replaces ``path`` in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield temporary
        with temporary.open("r+b") as stream:
            os.fsync(stream.fileno())  # else a power cut can leave the new name on an empty file
        temporary.chmod(0o666 & ~_UMASK)  # as any other new file: some writers keep theirs from everybody else
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``folder``; when the block ends well it takes the name.

    A folder of that name made meanwhile by another process is kept: both were made from the same input. What killed
    processes have left of earlier tries is removed once it is an hour old; a younger one may still be written to.
    """
    for leftover in folder.parent.glob(f".{glob.escape(folder.name)}.{_SUFFIX}"):
        with suppress(FileNotFoundError):  # another process was quicker to remove it
            newest = max(path.stat().st_mtime for path in (leftover, *leftover.iterdir()))
            if time.time() - newest > STALE_SECONDS:
                shutil.rmtree(leftover, ignore_errors=True)
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.tmp")
    temporary.mkdir(parents=True)
    try:
        yield temporary
        try:
            os.rename(temporary, folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def only_writer(folder: Path) -> FileLock:
    """A lock, to be held while files of ``folder`` are read, changed and written: else two who do so at once would
    each drop what the other has added. It lies beside the folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(folder.with_name(f".{folder.name}.lock"))


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that killed processes have left in a folder.

    A living writer's would go too: only for who holds the folder's lock.
    """
    for leftover in folder.glob(f".*.{_SUFFIX}"):
        leftover.unlink(missing_ok=True)


def write_arrays(path: Path, **arrays: Any) -> None:
    """Write a compressed .npz file in one step."""
    with replacing_file(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # an option would be one more array to NumPy before 2.1


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file.

    Raises:
        DataError: the file is there but damaged.
    """
    try:
        with np.load(path) as file:
            return {name: file[name] for name in file.files}
    except (FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # a damaged header makes its parser raise anything, down to a tokenizer's error
        raise DataError(f"{str(path)!r} is damaged ({error}): bring a whole copy, or make it again") from None


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step."""
    with replacing_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")  # the same bytes on every system
