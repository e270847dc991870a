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
except ImportError:
    # On Windows leftovers of killed saves stay, for nothing distinguishes them from files in use.
    fcntl = None  # type: ignore[assignment]

PATTERN = ".glideslope-*.tmp"


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A new file, open for writing and reading, that takes the place of ``path`` at the end.

    It is written in the same folder, flushed to disk, renamed, and the folder flushed. If anything
    fails on the way, ``path`` is as it was and nothing is left beside it. A symbolic link stays
    one: what it points to is replaced.

    Args:
        path: the file.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "result.json"
        ...     with replacing(path) as file:
        ...         _ = file.write(b"{}")
        ...         path.exists()
        ...     path.read_text()
        False
        '{}'
    """
    target = Path(os.path.realpath(path))
    _sweep(target.parent)
    temporary, lock = _create_beside(target.parent)
    try:
        with open(temporary, "r+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        with _flushed(target.parent):
            os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    finally:
        if lock is not None:
            os.close(lock)


def _create_beside(folder: Path) -> tuple[Path, int | None]:
    """A new, empty file, and the descriptor that holds its lock for as long as it is open."""
    while True:
        path = folder / PATTERN.replace("*", secrets.token_hex(8))
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        if fcntl is None:  # nor can Windows rename a file that is open
            os.close(descriptor)
            return path, None
        _lock(descriptor, wait=True)
        if os.fstat(descriptor).st_nlink:
            return path, descriptor
        os.close(descriptor)  # swept by another save before it was locked


def _sweep(folder: Path) -> None:
    """Remove the files of killed saves: a running save holds a lock on its file."""
    with suppress(OSError):
        for temporary in folder.glob(PATTERN):
            with suppress(OSError), temporary.open("rb") as file:
                if fcntl is not None and _lock(file.fileno(), wait=False):
                    temporary.unlink()


def _lock(descriptor: int, *, wait: bool) -> bool:
    """Take the lock of a file; False if another has it, or if this file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def flush_folder(folder: Path) -> None:
    """Flush a folder, so that what was made, renamed or removed in it survives a power cut.

    `replacing` does it for its own file.

    Args:
        folder: the folder.
    """
    with _flushed(folder):
        pass


@contextmanager
def _flushed(folder: Path) -> Iterator[None]:
    """Flush a folder at the end, whatever it is called by then.

    Another rank may rename the folder of a checkpoint as soon as the last file has its name.
    """
    if os.name == "nt":  # which cannot open folders
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems refuse to flush a folder; PostgreSQL ignores the same two.
        if error.errno not in (errno.EBADF, errno.EINVAL):
            raise
    finally:
        os.close(descriptor)
