"""A file that is replaced whole and on disk, or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except (
    ImportError
):  # Windows: leftovers of killed saves stay, for nothing tells them from live ones
    fcntl = None  # type: ignore[assignment]

PATTERN = ".glideslope-*.tmp"


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A new file, open for writing and reading, that takes the place of ``path`` at the end.

    It is written in the same folder, flushed to disk, renamed, and the folder flushed. If anything
    fails on the way, ``path`` is as it was and nothing is left beside it. A symbolic link stays
    one: what it points to is replaced.
    """
    target = Path(os.path.realpath(path))
    _sweep(target.parent)
    file, lock = _open_beside(target.parent)
    temporary = Path(file.name)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    finally:
        os.close(lock)
    _flush_folder(target.parent)


def _open_beside(folder: Path) -> tuple[BinaryIO, int]:
    """A new file, with a second descriptor that holds its lock beyond the closing of the first."""
    while True:
        file = open(folder / PATTERN.replace("*", secrets.token_hex(8)), "x+b")  # noqa: SIM115
        lock = os.dup(file.fileno())
        _lock(lock, wait=True)
        if os.fstat(lock).st_nlink:
            return file, lock
        # Swept by another save between its creation and its lock.
        file.close()
        os.close(lock)


def _sweep(folder: Path) -> None:
    """Remove what killed saves left behind: a save that lives holds a lock on its file."""
    with suppress(OSError):
        for temporary in folder.glob(PATTERN):
            with suppress(OSError), temporary.open("rb") as file:
                if _lock(file.fileno(), wait=False):
                    temporary.unlink()


def _lock(descriptor: int, *, wait: bool) -> bool:
    """Take the lock of a file; False if another has it, or if there are no locks here."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _flush_folder(folder: Path) -> None:
    """Make the renaming itself survive a power cut."""
    if os.name == "nt":  # which cannot open folders
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems refuse to flush a folder; PostgreSQL ignores the same two.
        if error.errno not in (errno.EBADF, errno.EINVAL):
            raise
    finally:
        os.close(descriptor)
