"""The folder of a run as the ranks after the first have it: they save their checkpoints there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from glideslope.runs import RunFolder
from glideslope.training import History


class UnwrittenHistory(History):
    """A history to which another rank adds the records."""

    def append(self, record: Mapping[str, Any]) -> None:
        """Add nothing."""

    def state_dict(self) -> dict[str, Any]:
        """That of no records."""
        return {"size": 0, "last": ""}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Remove no records."""

    def check(self, state: dict[str, Any]) -> None:
        """Accept any state."""


class UnwrittenFolder(RunFolder):
    """A run folder of which another rank holds the lock and writes the files."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.history = UnwrittenHistory(self.history.path)
        self.events = UnwrittenHistory(self.events.path)

    @contextmanager
    def made(self) -> Iterator[None]:
        """Make nothing."""
        yield

    @contextmanager
    def taken_over(self) -> Iterator[None]:
        """Lock nothing."""
        yield

    def forget_end(self) -> None:
        """Remove nothing."""

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write nothing."""

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Write nothing."""
