"""Report of the engine that runs each parameter, and of why it is no faster one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple


class EngineReportRow(NamedTuple):
    """One parameter in the report of `RuleOptimizer.engine_report`.

    Args:
        name: its name, or its group and place.
        shape: its shape.
        dtype: its dtype, without "torch.".
        engine: the engine that updates it.
        reason: why no faster engine does; None if there is none.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    engine: str
    reason: str | None


class EngineReport(tuple[EngineReportRow, ...]):
    """The rows of a report; as text, a line for each engine and reason.

    Args:
        iterable: the rows.

    Example:
        >>> row = EngineReportRow("weight", (2, 3), "float16", "tensor", "of its dtype")
        >>> EngineReport([row, row._replace(name="bias", shape=(3,))])
        tensor: weight and 1 more (of its dtype)
    """

    def __repr__(self) -> str:
        return "\n".join(self._lines()) or "nothing has a gradient"

    def _lines(self) -> Iterator[str]:
        for (engine, reason), count in Counter(map(_cause, self)).items():
            first = next(row.name for row in self if _cause(row) == (engine, reason))
            names = first if count == 1 else f"{first} and {count - 1} more"
            yield f"{engine}: {names}" + (f" ({reason})" if reason else "")


def _cause(row: EngineReportRow) -> tuple[str, str | None]:
    return row.engine, row.reason
