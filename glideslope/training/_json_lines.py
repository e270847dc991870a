"""Files of JSON Lines, as a `History` writes them, read record by record."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from glideslope.errors import CheckpointError
from glideslope.files import open_regular

from ._json_text import from_json_text

Record = dict[str, Any]


def read_json_lines(
    path: str | os.PathLike[str], damaged: list[int] | None = None
) -> Iterator[Record]:
    r"""The records of a file, in order; none if there is no file.

    A last line without a line break was torn, or is being written, and is no record. A field
    ``non_finite`` is replaced by the values it names (see `History`).

    Args:
        path: a file with one JSON object on each line, in UTF-8.
        damaged: takes the numbers of the lines that hold no object, counted from 1, which are then
            left out.

    Raises:
        CheckpointError: a line holds no object, and ``damaged`` is not given; or the file cannot be
            read.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> import glideslope as gs
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "history.jsonl")
        ...     text = '{"step": 0}\nno record\n{"a": null, "non_finite": {"a": "NaN"}}\n{"st'
        ...     _ = path.write_text(text)
        ...     damaged = []
        ...     list(gs.training.read_json_lines(path, damaged)), damaged
        ([{'step': 0}, {'a': nan}], [2])
    """
    try:
        with open_regular(path) as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    return
                record, problem = _record(line)
                if record is not None:
                    yield record
                elif damaged is None:
                    raise CheckpointError(f"{path}, line {number} is {problem}")
                else:
                    damaged.append(number)
    except FileNotFoundError:
        return
    except OSError as error:
        raise CheckpointError(f"could not read {path}: {error.strerror}") from error


def _record(line: bytes) -> tuple[Record | None, str]:
    """The object in a line, or the reason why it is none."""
    try:
        record = from_json_text(line)
    except ValueError as error:
        return None, f"damaged: {error}"
    return (record, "") if isinstance(record, dict) else (None, "not a record")
