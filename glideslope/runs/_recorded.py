"""Reader of run folders: the configuration, the records, the events and the result of a run."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

from glideslope.errors import CheckpointError, GlideslopeError, require
from glideslope.files import open_regular
from glideslope.schedules import Schedule, parse
from glideslope.training import read_json_lines

from ._names import LOSSES, STEPS, VALIDATION_LOSSES, first_used, rate_name

Json = dict[str, Any]
CONFIG, HISTORY, RESULT = "config.json", "history.jsonl", "result.json"
EVENTS = "events.jsonl"
LARGEST = sys.float_info.max
MOST_STEPS = 2**53
"""A larger count has no exact float, and is none."""


class Point(NamedTuple):
    """A number and the step it belongs to, as `metrics` gives them.

    Args:
        step: the number of the update, or of updates made, from 0.
        value: the number.
    """

    step: int
    value: float


class Note(NamedTuple):
    """An event that the run recorded; `RecordedRun` has them as ``happenings``.

    Args:
        step: the number of updates made before it.
        event: its name, such as ``resumed``.
        details: its other fields.
    """

    step: int
    event: str
    details: Json


@dataclass(frozen=True)
class RecordedRun:
    """A run folder, as far as it can be read; ``notes`` lists the rest.

    Args:
        path: the folder.
        config: of `config.json`, what the run was made from.
        result: of `result.json`, how it ended; empty for a run that did not come to its end.
        records: of `history.jsonl`, one for each update, by ascending step.
        happenings: of `events.jsonl`, what happened to the run, by ascending step.
        notes: what was left out in reading, as sentences.

    Example:
        >>> from pathlib import Path
        >>> records = [{"step": t, "loss": 1 / (t + 1), "lr": 0.1} for t in range(4)]
        >>> run = RecordedRun(Path("run"), {"steps": 8}, {}, records, [], [])
        >>> run.state, run.steps, run.planned_steps, run.loss[-1]
        ('unfinished', 4, 8, Point(step=3, value=0.25))
    """

    path: Path
    config: Json
    result: Json
    records: list[Json]
    happenings: list[Note]
    notes: list[str]

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.resolve().name

    @property
    def state(self) -> str:
        """How the run ended: ``finished``, ``interrupted``, ``diverged`` or ``unfinished``.

        A run without a result is finished if its records reach the last update that was planned, or
        the next record would be beyond it. It is diverged if its last loss is not finite. Else it
        was killed, or is still running.
        """
        if "outcome" in self.result:
            return str(self.result["outcome"])
        if self.planned_steps and self._next_step >= self.planned_steps:
            return "finished"
        last = self.records[-1].get(self.loss_name) if self.records else None
        return "diverged" if isinstance(last, float) and not math.isfinite(last) else "unfinished"

    @property
    def optimizer(self) -> str:
        """The optimizer's name."""
        return str(inside(self.config, "optimizer", "name") or self.config.get("optimizer", ""))

    @property
    def schedule_text(self) -> str:
        """The schedule as the run wrote it."""
        return str(inside(self.config, "schedule", "text") or self.config.get("schedule", ""))

    @property
    def steps(self) -> int:
        """How many updates were made."""
        return self.records[-1]["step"] + 1 if self.records else 0

    @property
    def _next_step(self) -> int:
        """The step of the next record, if records continue at the distance of the last two."""
        last = [record["step"] for record in self.records[-2:]]
        return 2 * last[1] - last[0] if len(last) > 1 else self.steps

    @property
    def planned_steps(self) -> int | None:
        """How many updates were asked for, or are the length of the schedule."""
        for steps in (inside(self.config, "settings", "steps"), self.config.get("steps")):
            if _is_count(steps) and steps > 0:
                return steps
        length = self.schedule.steps if self.schedule else math.inf
        return math.ceil(length) if 0 < length < math.inf else None

    @property
    def when(self) -> datetime:
        """When the run was last written to."""
        files = [file for name in (CONFIG, HISTORY, RESULT) if (file := self.path / name).is_file()]
        return datetime.fromtimestamp(max(file.stat().st_mtime for file in files))

    @cached_property
    def loss_name(self) -> str:
        """The name that the loss of a batch was recorded under, such as ``train_loss``."""
        return first_used(LOSSES, self.records) or LOSSES[0]

    @cached_property
    def validation_name(self) -> str:
        """The name that the validation loss was recorded under, such as ``eval_loss``."""
        return first_used(VALIDATION_LOSSES, self.records) or VALIDATION_LOSSES[0]

    @cached_property
    def loss(self) -> list[Point]:
        """The finite losses of the batches; those of skipped updates are left out."""
        made = (record for record in self.records if not record.get("skipped"))
        losses = ((record["step"], record.get(self.loss_name)) for record in made)
        return [Point(step, float(value)) for step, value in losses if is_finite(value)]

    @cached_property
    def validation(self) -> list[Point]:
        """The validation losses, each at the number of updates it was measured after."""
        return [Point(step + 1, value) for step, value in self.series(self.validation_name)]

    @property
    def best(self) -> Point | None:
        """The lowest validation loss."""
        return min(self.validation, key=lambda point: point.value, default=None)

    def series(self, name: str) -> list[Point]:
        """The finite numbers that the records have under a name."""
        points = ((record["step"], record.get(name)) for record in self.records)
        return [Point(step, float(value)) for step, value in points if is_finite(value)]

    def as_history(self, metric: str | None = None) -> list[Json]:
        """The records under the names of `glideslope.training.predict`.

        Args:
            metric: another loss to keep, under its own name.
        """
        rates = {rate_name(group): dict(points) for group, points in self.rates.items()}
        columns = rates | {
            "loss": dict(self.loss),
            "val_loss": dict(self.series(self.validation_name)),
        }
        if metric and metric not in columns:
            columns[metric] = dict(self.series(metric))
        return [
            {"step": step}
            | {name: column[step] for name, column in columns.items() if step in column}
            for step in (record["step"] for record in self.records)
        ]

    @cached_property
    def rates(self) -> dict[str, list[Point]]:
        """The learning rates by the name of their group; of a single one, ``lr``."""
        rates: dict[str, list[Point]] = {}
        for record in self.records:
            for name, value in _rates(record):
                if is_finite(value):
                    rates.setdefault(name, []).append(Point(record["step"], float(value)))
        return rates

    @cached_property
    def schedule(self) -> Schedule | None:
        """The schedule that was planned; None where it cannot be read."""
        saved = inside(self.config, "schedule", "json")
        try:
            schedule = Schedule.from_dict(saved) if saved else parse(self.schedule_text)
            schedule(0)
        except GlideslopeError:
            return None
        return schedule

    @property
    def planned_from(self) -> int:
        """The step from which on the schedule was the plan: where it was last changed, if ever."""
        changes = (note.step for note in self.happenings if note.event == "rescheduled")
        return max(changes, default=0)

    def base_rate(self, group: str) -> float | None:
        """The learning rate of a group where the schedule's factor is 1.

        The configuration has that of a single group. Where it has none, and of several groups, it
        is read off the group's first rate.
        """
        options = (inside(self.config, "optimizer", "options", "lr"), self.config.get("lr"))
        if len(self.rates) <= 1:
            for lr in options:
                if is_finite(lr):
                    return float(lr)
        for step, value in self.rates.get(group, ()):
            factor = self.schedule(step) if self.schedule and step >= self.planned_from else 0
            if factor:
                return value / float(factor)
        return None


def read_run(path: Path) -> RecordedRun:
    """Read a run's folder; what is missing or damaged in it is noted, not fatal.

    Raises:
        InvalidValue: the folder holds no run.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> from glideslope.runs import RunFolder
        >>> with TemporaryDirectory() as folder:
        ...     RunFolder(Path(folder)).history.append({"step": 0, "loss": 2.5})
        ...     run = read_run(Path(folder))
        >>> run.loss, run.notes
        ([Point(step=0, value=2.5)], ['there is no config.json'])
    """
    require(is_run(path), "run", f"be a folder with {CONFIG} or {HISTORY}", str(path))
    notes: list[str] = []
    config = _read_json(path / CONFIG, notes)
    result = _read_json(path / RESULT, notes) if (path / RESULT).exists() else {}
    records = _made_last(_read_lines(path / HISTORY, notes))
    lines = _read_lines(path / EVENTS, notes) if (path / EVENTS).exists() else ()
    happenings = sorted(map(_note, lines), key=lambda note: note.step)
    return RecordedRun(path, config, result, records, happenings, notes)


def is_run(path: Path) -> bool:
    """True if a folder holds a run, which `read_run` reads."""
    return any((path / name).is_file() for name in (CONFIG, HISTORY))


def find_runs(folder: Path) -> list[RecordedRun]:
    """The runs in a folder, or the one that the folder is, the oldest first; see `read_run`.

    Raises:
        InvalidValue: ``folder`` is none.
    """
    require(folder.is_dir(), "folder", "be a folder", str(folder))
    return sorted(map(read_run, run_folders(folder)), key=lambda run: (run.when, run.name))


def run_folders(folder: Path) -> list[Path]:
    """The folders of the runs in a folder, by name, or the folder itself if it holds a run.

    Numbers in names count as numbers: ``seed10`` comes after ``seed9``.

    >>> from tempfile import TemporaryDirectory
    >>> from pathlib import Path
    >>> with TemporaryDirectory() as folder:
    ...     for name in ("seed10", "seed9"):
    ...         (Path(folder) / name).mkdir()
    ...         (Path(folder) / name / "config.json").touch()
    ...     [run.name for run in run_folders(Path(folder))]
    ['seed9', 'seed10']
    """
    if is_run(folder) or not folder.is_dir():
        return [folder] if is_run(folder) else []
    return sorted(filter(is_run, folder.iterdir()), key=lambda path: _by_number(path.name))


def _by_number(name: str) -> list[tuple[int, str]]:
    parts = re.findall(r"\d+|\D+", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _read_json(path: Path, notes: list[str]) -> Json:
    try:
        with open_regular(path) as file:
            content = json.load(file)
    except FileNotFoundError:
        notes.append(f"there is no {path.name}")
    except OSError as error:
        notes.append(f"{path.name} cannot be read: {error.strerror}")
    except RecursionError:
        notes.append(f"{path.name} is damaged: it is too deep")
    except ValueError as error:
        notes.append(f"{path.name} is damaged: {error}")
    else:
        if isinstance(content, dict):
            return content
        notes.append(f"{path.name} is damaged: it holds no object")
    return {}


def _read_lines(path: Path, notes: list[str]) -> Iterator[Json]:
    """The records of a file that have a step; lines without one are noted."""
    if not path.exists():
        notes.append(f"there is no {path.name}")
        return
    damaged: list[int] = []
    without_step = 0
    try:
        for record in read_json_lines(path, damaged):
            step = _step(record)
            if step is not None:
                yield record | {"step": step}
            else:
                without_step += 1
    except CheckpointError as error:
        notes.append(str(error))
    if damaged:
        first = ", ".join(map(str, damaged[:5])) + (", …" if len(damaged) > 5 else "")
        lines = f"line {first} is" if len(damaged) == 1 else f"{len(damaged)} lines ({first}) are"
        notes.append(f"{path.name}: {lines} damaged and left out")
    if without_step:
        lines = (
            "a record has no `step` and is"
            if without_step == 1
            else f"{without_step} records have no `step` and are"
        )
        notes.append(f"{path.name}: {lines} left out")


def _step(record: Json) -> int | None:
    """The number of the update that a record belongs to."""
    for name in STEPS:
        step = record.get(name)
        if isinstance(step, float) and step.is_integer():
            step = int(step)
        if _is_count(step):
            return step
    return None


def _made_last(lines: Iterable[Json]) -> list[Json]:
    """The updates by ascending step; those that were made again replace what they repeat.

    Neighbouring lines of one step are one record: some programs write a line for each metric.
    """
    records: list[Json] = []
    for line in lines:
        if records and records[-1]["step"] == line["step"]:
            records[-1] = records[-1] | line
            continue
        while records and records[-1]["step"] >= line["step"]:
            records.pop()
        records.append(line)
    return records


def _note(line: Json) -> Note:
    details = {key: value for key, value in line.items() if key not in ("step", "event", "time")}
    return Note(line["step"], str(line.get("event", "")), details)


def _rates(record: Json) -> Iterator[tuple[str, Any]]:
    """The learning rates of a record: one, a list, by group, or in columns such as ``lr/head``."""
    for key, value in record.items():
        if key == "lr" and isinstance(value, Mapping):
            yield from value.items()
        elif key == "lr" and isinstance(value, list):
            yield from ((f"group {number}", rate) for number, rate in enumerate(value))
        elif key == "lr":
            yield key, value
        elif key.startswith("lr/"):
            yield key.removeprefix("lr/"), value


def inside(data: Any, *keys: str) -> Any:
    """The value under keys within keys; None where something else does."""
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def _is_count(value: Any) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= MOST_STEPS


def is_finite(value: Any) -> TypeGuard[float]:
    """True for a number that has a float: no boolean, no NaN, no integer of 400 digits."""
    return type(value) in (float, int) and -LARGEST <= value <= LARGEST
