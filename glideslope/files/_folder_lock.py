"""One process at a time may save into a folder."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import BinaryIO

from glideslope.errors import CheckpointError

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]


class FolderLock:
    """A lock that ends with the process, however it ends.

    It belongs to the process and not to its children, so a data worker that outlives a killed run
    does not keep the next one out.

    Of several ranks that save together, each takes a lock of its own.

    Args:
        folder: the folder that is locked.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> with TemporaryDirectory() as folder:
        ...     lock = FolderLock(Path(folder))
        ...     lock.acquire()
        ...     (Path(folder) / ".lock").exists()
        ...     lock.release()
        True
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / ".lock"
        self._file: BinaryIO | None = None

    def acquire(self, rank: int = 0) -> None:
        """Make the folder if it is missing, and take its lock if this has not got it.

        Args:
            rank: the number of this process among those that save together.

        Raises:
            CheckpointError: another process holds the lock.
            OSError: the folder cannot be made or written into.
        """
        self._path = self._of(rank)
        if self._holds():
            return
        self.release()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("ab")
        if fcntl is None:
            return
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.release()
            if error.errno in (errno.EACCES, errno.EAGAIN):
                reason = f"another process is saving into {self._folder}"
                raise CheckpointError(reason) from error
            raise

    def is_free(self, rank: int) -> bool:
        """True if no process holds the lock of a rank; False where that cannot be known."""
        try:
            with self._of(rank).open("r+b") as file:
                if fcntl is None:
                    return False
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the end of `with` releases it
        except OSError:
            return False
        return True

    def release(self) -> None:
        """Let other processes save."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _of(self, rank: int) -> Path:
        return self._folder / (f".lock-{rank:05d}" if rank else ".lock")

    def _holds(self) -> bool:
        """True if this object locks the present file: folders get deleted."""
        try:
            there = self._path.stat()
        except OSError:
            return False
        return self._file is not None and os.path.samestat(there, os.fstat(self._file.fileno()))
