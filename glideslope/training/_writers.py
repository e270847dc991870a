"""Where records can go besides a `History`: a table of text, and TensorBoard."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, Self

from glideslope.errors import CheckpointError, MissingDependency, require

from ._replace import replacing
from ._scalar import scalar


class Writer(Protocol):
    """Whatever takes records one by one: a `History`, a `CSVWriter`, a `TensorBoardWriter`."""

    def append(self, record: Mapping[str, Any], /) -> None:
        """Take a record."""


class CSVWriter:
    """A table in a text file that grows by a row for each record.

    A row is handed to the operating system before `append` returns. A name that appears late gets a
    column of its own: then the whole file is written anew, atomically.

    As a part of a `TrainingState` it goes back to the rows it had.

    Args:
        path: the file; rows are added to the one that is there. Its folder must exist.

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
        self.path = Path(path)
        self._columns, self._rows = self._read()

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a row.

        Raises:
            CheckpointError: the file could not be written, and why.
        """
        row = {name: scalar(value) for name, value in record.items()}
        new = [name for name in row if name not in self._columns]
        try:
            if new:
                self._rewrite([*self._columns, *new], self._rows)
            with self.path.open("ab", buffering=0) as file:
                file.write(_text([[row.get(name, "") for name in self._columns]]))
        except OSError as error:
            raise CheckpointError(f"could not write {self.path}: {error.strerror}") from error
        self._rows += 1

    def state_dict(self) -> dict[str, Any]:
        """How many rows there are."""
        return {"rows": self._rows}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to the first rows."""
        self._columns, self._rows = self._read()
        if self._rows > state["rows"]:
            self._rewrite(self._columns, state["rows"])
            self._rows = state["rows"]

    def __repr__(self) -> str:
        rows = "1 row" if self._rows == 1 else f"{self._rows} rows"
        return f"CSVWriter({str(self.path)!r}, {rows})"

    def _read(self) -> tuple[list[str], int]:
        """The names of the columns, and how many rows there are."""
        header, *rows = self._lines() or [[]]
        return header, len(rows)

    def _lines(self) -> list[list[str]]:
        if not self.path.exists():
            return []
        with self.path.open(newline="", encoding="utf-8") as file:
            return list(csv.reader(file))

    def _rewrite(self, columns: list[str], rows: int) -> None:
        """Write the table with these columns, and its first rows."""
        kept = self._lines()[1 : rows + 1]
        blank = [""] * len(columns)
        with replacing(self.path) as file:
            file.write(_text([columns, *([*row, *blank][: len(columns)] for row in kept)]))
        self._columns = columns


def _text(rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


class TensorBoardWriter:
    """Shows the numbers of records as curves in TensorBoard, each under its name.

    What is written reaches the disk within ten seconds, or when it is closed; a `History` keeps
    what a kill takes from here. As a part of a `TrainingState` it goes back to the steps it had:
    TensorBoard then hides those after them.

    Args:
        folder: where the event files go; ``tensorboard --logdir FOLDER`` shows them.

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
        self.folder = Path(folder)
        self._next = 0
        self._open()

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a point to the curve of each number in a record.

        Raises:
            InvalidValue: the record has no ``step``, which says where.
        """
        require("step" in record, "a record for TensorBoard", "have a step", dict(record))
        step = scalar(record["step"])
        for name, value in record.items():
            number = scalar(value)
            if name != "step" and isinstance(number, int | float):
                self._writer.add_scalar(name, number, step)
        self._next = step + 1

    def close(self) -> None:
        """Write what is left to disk."""
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def state_dict(self) -> dict[str, Any]:
        """The step after the last one."""
        return {"next": self._next}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Let TensorBoard forget the steps from there on."""
        self.close()
        self._next = state["next"]
        self._open(purge_step=self._next)

    def __repr__(self) -> str:
        return f"TensorBoardWriter({str(self.folder)!r}, next step {self._next})"

    def _open(self, **options: Any) -> None:
        board = import_module("torch.utils.tensorboard")
        self._writer = board.SummaryWriter(self.folder, flush_secs=10, **options)
