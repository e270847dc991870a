"""Log of finished trials, a line of JSON for each; those that it has do not run again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, fields
from pathlib import Path

from .plan import Outcome, Trial

KEYS = [field.name for field in fields(Trial)]

Run = Callable[[Iterable[Trial]], Iterable[Outcome]]


class Log:
    """Outcomes by trial, in a file that grows by a line after each trial."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        drop_unfinished_line(path)
        self.outcomes = dict(_read(path))

    def add(self, trial: Trial, outcome: Outcome) -> None:
        """Keep an outcome; it is in the file when this returns."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(asdict(trial) | asdict(outcome))}\n")
        self.outcomes[trial] = outcome

    def complete(self, trials: list[Trial], run: Run) -> dict[Trial, Outcome]:
        """The outcomes of all trials; those that are missing run now."""
        missing = [trial for trial in trials if trial not in self.outcomes]
        for trial, outcome in zip(missing, run(missing), strict=True):
            self.add(trial, outcome)
        return self.of(trials)

    def of(self, trials: list[Trial]) -> dict[Trial, Outcome]:
        """The outcomes of those trials that are finished."""
        return {trial: self.outcomes[trial] for trial in trials if trial in self.outcomes}


def _read(path: Path) -> Iterator[tuple[Trial, Outcome]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        trial = Trial(**{key: row.pop(key) for key in KEYS})
        yield trial, Outcome(**row)


def drop_unfinished_line(path: Path) -> None:
    """Cut off what an interrupted write left behind the last complete line."""
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as file:
            file.truncate(whole)
