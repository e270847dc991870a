"""A lock that lets one writer at a time append to a file."""

from __future__ import annotations

import errno
import gc
import os
import weakref
from pathlib import Path
from typing import BinaryIO

from glideslope.errors import CheckpointError

try:
    import fcntl
except ImportError:  # Windows has no such locks: there, a process only knows its own writers
    fcntl = None  # type: ignore[assignment]

WAY_OUT = "use that one, or give this one the state of the run to go back to"

_holders: weakref.WeakValueDictionary[Path, WriterLock] = weakref.WeakValueDictionary()
"""The lock of each file in this process; file locks exclude other processes only."""


class WriterLock:
    """A writer's lock on a file, held from its first record until the writer is garbage.

    Other processes are kept out by a lock on ``.NAME.lock`` beside the file, which ends with the
    process however it ends, and does not pass to its children. Where the lock file cannot be made,
    or the file system has no locks, other processes are not kept out.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._target = path
        self._process = 0
        self._claims = False
        self._file: BinaryIO | None = None
        self._finish: weakref.finalize[..., WriterLock] | None = None

    def __reduce__(self) -> tuple[type[WriterLock], tuple[Path]]:
        return type(self), (self._path,)

    def claim(self) -> None:
        """Let the next `acquire` take the lock from another writer of this process."""
        self._claims = True

    def acquire(self) -> bool:
        """Take the lock; True if this object did not hold it before.

        Raises:
            CheckpointError: another writer has the lock.
        """
        if self._holds():
            return False
        self.release()
        self._target = Path(os.path.realpath(self._path))
        self._clear()
        self._take()
        return True

    def release(self) -> None:
        """Release the lock."""
        if self._process == os.getpid() and _holders.get(self._target) is self:
            del _holders[self._target]
        if self._finish is not None:
            self._finish()
        self._file, self._finish, self._process = None, None, 0

    def _clear(self) -> None:
        """Release the lock of another writer of this process, or refuse this one."""
        if _holder(self._target) is not None and not self._claims:
            gc.collect()  # it may be left over from a run that was interrupted
        other = _holder(self._target)
        if other is not None:
            if not self._claims:
                reason = f"{self._path} has another writer in this process"
                raise CheckpointError(f"{reason}: {WAY_OUT}")
            other.release()

    def _take(self) -> None:
        self._file = _locked(self._lock_path, self._path)
        self._process, self._claims = os.getpid(), False
        _holders[self._target] = self
        if self._file is not None:
            ends = (self._file, self._lock_path, self._process)
            self._finish = weakref.finalize(self, _end, *ends)

    @property
    def _lock_path(self) -> Path:
        return self._target.with_name(f".{self._target.name}.lock")

    def _holds(self) -> bool:
        if self._process != os.getpid() or _holders.get(self._target) is not self:
            return False
        return self._file is None or _is_at(self._file, self._lock_path)


def _holder(path: Path) -> WriterLock | None:
    """The lock of a file in this process; a child ignores its parent's."""
    holder = _holders.get(path)
    return holder if holder is not None and holder._process == os.getpid() else None


def _locked(lock_path: Path, path: Path) -> BinaryIO | None:
    """The open and locked file; None where locking is impossible."""
    if fcntl is None:
        return None
    while True:
        try:
            file = lock_path.open("ab")
        except OSError:
            return None
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            if error.errno in (errno.EACCES, errno.EAGAIN):
                raise CheckpointError(f"another process is writing {path}") from error
            return None
        if _is_at(file, lock_path):
            return file
        file.close()  # its holder has just removed it


def _is_at(file: BinaryIO, path: Path) -> bool:
    """True if the open file is the one at ``path``: folders get deleted."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except OSError:
        return False


def _end(file: BinaryIO, lock_path: Path, process: int) -> None:
    """Remove the lock file, unless this is a child that was forked with a copy of the lock."""
    if process == os.getpid() and _is_at(file, lock_path):
        lock_path.unlink(missing_ok=True)
    file.close()
