"""Writers of records besides `History`: a CSV table, and TensorBoard."""

from __future__ import annotations

import csv
import os
import warnings
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, Self

from glideslope.errors import CheckpointError, MissingDependency, require
from glideslope.files import replacing

from ._history import write_whole
from ._scalar import scalar
from ._table_text import Table, row_text, table_of
from ._writer_lock import WriterLock


class Writer(Protocol):
    """Anything that takes records one by one: a `History`, a `CSVWriter`, a `TensorBoardWriter`."""

    def append(self, record: Mapping[str, Any], /) -> None:
        """Take a record."""


class CSVWriter:
    """A CSV file with a row for each record.

    A row is handed to the operating system before `append` returns. A new name gets a column of its
    own: then the whole file is written again, atomically. An incomplete last row, left by a kill or
    a power cut, is removed when the next one is added. NaN and infinities are ``nan``, ``inf``.

    One writer at a time, as with a `History`. As a part of a `TrainingState` it goes back to the
    rows it had.

    Args:
        path: the file, made absolute at once; rows are added to existing ones. Its folder
            must exist.

    Raises:
        CheckpointError: the file exists but cannot be read, and why.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import glideslope as gs
        >>> with TemporaryDirectory() as folder:
        ...     table = gs.training.CSVWriter(folder + "/run.csv")
        ...     table.append({"step": 0, "loss": 0.9})
        ...     table.append({"step": 1, "loss": 0.7, "val_loss": 0.8})
        ...     print(table.path.read_text(), end="")
        step,loss,val_loss
        0,0.9,
        1,0.7,0.8
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        self._lock = WriterLock(self.path)
        self._note(self._table())

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a row.

        Raises:
            InvalidType: a tensor or an array of several numbers.
            CheckpointError: another writer has the file, or it could not be written, and why.
        """
        row = {name: scalar(value) for name, value in record.items()}
        if self._lock.acquire() or self._has_changed():
            self._note(self._table())
        new = [name for name in row if name not in self._columns]
        if not new and not self._columns:
            return
        try:
            if new:
                self._widen([*self._columns, *new])
            self._add(row_text(row.get(name, "") for name in self._columns))
        except OSError as error:
            raise CheckpointError(f"could not write {self.path}: {error.strerror}") from error

    def state_dict(self) -> dict[str, Any]:
        """The number of rows."""
        return {"rows": self._rows}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Remove the rows that were added after the state was taken; warn if some are missing.

        Raises:
            CheckpointError: another process is writing the file, or it could not be written.
        """
        self._lock.claim()
        table = self._table()
        self._note(table)
        if self._rows < state["rows"]:
            message = f"{self.path} is shorter than when the state was saved: rows are missing"
            warnings.warn(message, stacklevel=2)
        elif self._rows > state["rows"]:
            self._lock.acquire()
            rows = 1 + state["rows"]  # and the names of the columns
            self._cut(table.ends[rows - 1])
            self._note(Table(table.rows[:rows], table.ends[:rows]))

    def __repr__(self) -> str:
        rows = "1 row" if self._rows == 1 else f"{self._rows} rows"
        return f"CSVWriter({str(self.path)!r}, {rows})"

    def _table(self) -> Table:
        """The complete rows that are in the file now."""
        try:
            return table_of(self.path.read_bytes() if self.path.exists() else b"")
        except (OSError, csv.Error) as error:
            reason = getattr(error, "strerror", None) or error
            raise CheckpointError(f"could not read {self.path}: {reason}") from error

    def _note(self, table: Table) -> None:
        """Remember the names of the columns, the number of rows, and their end."""
        self._columns = table.rows[0] if table.rows else []
        self._rows = max(0, len(table.rows) - 1)
        self._size = table.size

    def _has_changed(self) -> bool:
        """True if other code has deleted or edited the file."""
        try:
            return self.path.stat().st_size != self._size
        except OSError:
            return True

    def _add(self, row: bytes) -> None:
        with self.path.open("ab", buffering=0) as file:
            write_whole(file, row, self._size)
        self._size += len(row)
        self._rows += 1

    def _cut(self, size: int) -> None:
        try:
            os.truncate(self.path, size)
        except OSError as error:
            raise CheckpointError(f"could not write {self.path}: {error.strerror}") from error

    def _widen(self, columns: list[str]) -> None:
        """Write the table again, with more columns."""
        rows = self._table().rows[1:]
        blank = [""] * len(columns)
        lines = [row_text(columns), *(row_text([*row, *blank][: len(columns)]) for row in rows)]
        with replacing(self.path) as file:
            file.writelines(lines)
        self._columns, self._rows, self._size = columns, len(rows), sum(map(len, lines))


class TensorBoardWriter:
    """Shows the numbers of records as curves in TensorBoard, each under its name.

    Points reach the disk within ten seconds, or at `close`; a kill loses newer ones, which a
    `History` does not. As a part of a `TrainingState` it goes back to the steps it had: TensorBoard
    then hides later ones.

    Args:
        folder: the folder of the event files, made absolute at once; ``tensorboard --logdir
            FOLDER`` shows them. Each writer has a file of its own.

    Raises:
        MissingDependency: the package ``tensorboard`` is not installed.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> import glideslope as gs
        >>> with TemporaryDirectory() as folder:
        ...     with gs.training.TensorBoardWriter(folder) as board:
        ...         board.append({"step": 0, "loss": 0.9, "lr/encoder": 0.1})
        ...     len(list(Path(folder).glob("events.out.tfevents.*")))
        1
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        if find_spec("tensorboard") is None:
            raise MissingDependency("tensorboard", "tensorboard")
        self.folder = Path(folder).absolute()
        self._next = 0
        self._open()

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a point to the curve of each number in a record.

        Raises:
            InvalidValue: the record has no ``step``, the position of the points.
        """
        require("step" in record, "a record for TensorBoard", "have a step", dict(record))
        step = scalar(record["step"])
        for name, value in record.items():
            number = scalar(value)
            if name != "step" and isinstance(number, int | float):
                self._writer.add_scalar(name, number, step)
        self._next = step + 1

    def close(self) -> None:
        """Write buffered points to disk."""
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def state_dict(self) -> dict[str, Any]:
        """The step after the last one."""
        return {"next": self._next}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Let TensorBoard hide the steps from the saved one on."""
        self.close()
        self._next = state["next"]
        self._open(purge_step=self._next)

    def __repr__(self) -> str:
        return f"TensorBoardWriter({str(self.folder)!r}, next step {self._next})"

    def _open(self, **options: Any) -> None:
        board = import_module("torch.utils.tensorboard")
        self._writer = board.SummaryWriter(self.folder, flush_secs=10, **options)
