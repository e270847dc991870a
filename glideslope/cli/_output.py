"""Files that a command writes; ``-`` is the standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from glideslope.errors import InvalidValue


def is_output(path: Path) -> bool:
    """True if the path is ``-``."""
    return str(path) == "-"


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file to write, or the standard output.

    Raises:
        InvalidValue: the file cannot be written, and why.
    """
    if is_output(path):
        yield sys.stdout.buffer
        return
    try:
        with path.open("wb") as file:
            yield file
    except OSError as error:
        raise InvalidValue(f"could not write {path}: {error.strerror}") from None
