"""Report of the engine that runs each parameter, and of why it is no faster one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple


class EngineReportRow(NamedTuple):
    """One parameter: which engine runs it, and why no faster one, if there is a faster one."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    engine: str
    reason: str | None


class EngineReport(tuple[EngineReportRow, ...]):
    """The rows of a report; as text, a line for each engine and reason."""

    def __repr__(self) -> str:
        return "\n".join(self._lines()) or "nothing has a gradient"

    def _lines(self) -> Iterator[str]:
        for (engine, reason), count in Counter(map(_cause, self)).items():
            first = next(row.name for row in self if _cause(row) == (engine, reason))
            names = first if count == 1 else f"{first} and {count - 1} more"
            yield f"{engine}: {names}" + (f" ({reason})" if reason else "")


def _cause(row: EngineReportRow) -> tuple[str, str | None]:
    return row.engine, row.reason
