"""The records of a run in one file, a line each, written as they are made."""

from __future__ import annotations

import csv
import io
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from glideslope.errors import CheckpointError, StateMismatch
from glideslope.files import open_regular, replacing

from ._json_lines import Record, read_json_lines
from ._json_text import json_text
from ._writer_lock import WriterLock

CHUNK = 4096


class History:
    """A file of records in JSON Lines.

    Each record is handed to the operating system before `append` returns, so a process that is
    killed loses none. A power cut may tear the last line: it is dropped on reading, and removed
    when the next record is appended. Reading never changes the file.

    NaN and infinities, for which JSON has no form, are written as ``null``, and a field
    ``non_finite`` names them: ``{"loss": null, "non_finite": {"loss": "NaN"}}``. They are read back
    as the floats they were.

    One writer at a time: from its first record on, a history locks its file against other writers,
    in this process and in others, until it is garbage. A history that has loaded a state takes the
    file over from another one of its process.

    As a part of a `TrainingState`, a history goes back to the records it had: those that a killed
    run appended after its last checkpoint are removed, because the resumed run makes them again.

    Args:
        path: the file, made absolute at once. The first record creates it; its folder must exist.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import glideslope as gs
        >>> with TemporaryDirectory() as folder:
        ...     history = gs.training.History(folder + "/history.jsonl")
        ...     history.append({"step": 0, "loss": 0.9, "lr": 0.1})
        ...     history.append({"step": 1, "loss": 0.7, "lr": 0.1, "val_loss": 0.8})
        ...     list(history)[0], history.values("val_loss")
        ({'step': 0, 'loss': 0.9, 'lr': 0.1}, [0.8])
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        self._lock = WriterLock(self.path)

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a record.

        Args:
            record: names and values: numbers, strings, booleans, None, lists and dicts of them.
                Scalars of NumPy and torch are written as numbers.

        Raises:
            InvalidType: a value that JSON has no form for, or a name that is not text.
            InvalidValue: the name ``non_finite``, a nest over 200 deep or one that contains itself.
            CheckpointError: another writer has the file, or it could not be written, and why.
        """
        line = json_text(record).encode() + b"\n"
        self._lock.acquire()
        try:
            with self.path.open("a+b", buffering=0) as file:
                write_whole(file, line, _whole_size(file, file.seek(0, os.SEEK_END)))
        except OSError as error:
            raise CheckpointError(f"could not write {self.path}: {error.strerror}") from error

    def values(self, name: str) -> list[Any]:
        """The values under ``name``, in order, of the records that have one."""
        return [record[name] for record in self if name in record]

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write all records as a table, atomically; a column per name, in order of appearance.

        Raises:
            CheckpointError: the table could not be written, and why.
        """
        records = list(self)
        columns = dict.fromkeys(name for record in records for name in record)
        text = io.StringIO(newline="")
        table = csv.DictWriter(text, list(columns))
        table.writeheader()
        table.writerows(records)
        try:
            with replacing(path) as file:
                file.write(text.getvalue().encode())
        except OSError as error:
            raise CheckpointError(f"could not write {path}: {error.strerror}") from error

    def state_dict(self) -> dict[str, Any]:
        """The size of the file in bytes, and its last line to recognise it."""
        try:
            with open_regular(self.path) as file:
                size = _whole_size(file, file.seek(0, os.SEEK_END))
                return {"size": size, "last": _line_before(file, size).decode()}
        except FileNotFoundError:
            return {"size": 0, "last": ""}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Remove the records appended after the state was taken; warn if some are missing.

        Raises:
            StateMismatch: the file holds other records.
            CheckpointError: another process is writing the file.
        """
        self._lock.claim()
        self.check(state)
        there = self._size()
        if there < state["size"]:
            message = f"{self.path} is shorter than when the state was saved: records are missing"
            warnings.warn(message, stacklevel=2)
        elif there > state["size"]:
            self._lock.acquire()
            os.truncate(self.path, state["size"])

    def check(self, state: dict[str, Any]) -> None:
        """Refuse a state that `load_state_dict` would refuse.

        Raises:
            StateMismatch: the file holds other records.
        """
        if 0 < state["size"] <= self._size():
            with open_regular(self.path) as file:
                if _line_before(file, state["size"]) != state["last"].encode():
                    raise StateMismatch(f"{self.path} holds other records than the state is of")

    def _size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def __repr__(self) -> str:
        try:
            size = f"{self.path.stat().st_size:,} bytes"
        except OSError:
            size = "no file yet"
        return f"History({str(self.path)!r}, {size})"

    def __iter__(self) -> Iterator[Record]:
        """The records, from the file.

        Raises:
            CheckpointError: a line before the last one holds no record.
        """
        yield from read_json_lines(self.path)


def write_whole(file: BinaryIO, line: bytes, size: int) -> None:
    """Add a line after the first ``size`` bytes; leave no part of it behind if the disk is full."""
    if size < file.seek(0, os.SEEK_END):
        file.truncate(size)
    try:
        written = file.write(line)
        if written < len(line):
            file.write(line[written:])
    except OSError:
        file.truncate(size)
        raise


def _whole_size(file: BinaryIO, end: int) -> int:
    """The number of the first ``end`` bytes that are in complete lines."""
    return end - len(_after_line_break(file, end))


def _line_before(file: BinaryIO, end: int) -> bytes:
    """The last complete line of the first ``end`` bytes."""
    if not end:
        return b""
    start = end - 1 - len(_after_line_break(file, end - 1))
    file.seek(start)
    return file.read(end - start)


def _after_line_break(file: BinaryIO, end: int) -> bytes:
    """The bytes after the last line break of the first ``end`` bytes."""
    found = b""
    while end > 0 and b"\n" not in found:
        size = min(CHUNK, end)
        end -= size
        file.seek(end)
        found = file.read(size) + found
    return found.rpartition(b"\n")[2]
