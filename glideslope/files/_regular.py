"""Reading of regular files only: a pipe makes its reader wait, and a device may have no end."""

from __future__ import annotations

import errno
import os
import stat
from typing import BinaryIO


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """A file, open to be read, which is refused if it is a pipe, a device or a socket.

    Raises:
        OSError: it is one of these, a folder or missing, or it cannot be read.

    Example:
        >>> open_regular(os.devnull)
        Traceback (most recent call last):
        OSError: [Errno 22] not a regular file: '/dev/null'
    """
    file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 - the caller closes it
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
    return file


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; a pipe that has no writer yet is open at once."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # Windows has no such flag
