"""The folder of a training run as a data format, with its writer and its reader.

- A **run folder** holds one training run: how it was made (``config.json``), a record for each
  update (``history.jsonl``), a record for each event (``events.jsonl``) and how it ended
  (``result.json``).
- `RunFolder` writes one; its checkpoints need torch.
- `read_run` reads one, without torch, into a `RecordedRun`. It reads folders that other programs
  wrote as well, and those that are damaged.
- `metrics` lists the numbers that a run recorded, and `seconds` and `tokens` are its clocks.
- `events` lists what happened when: the events that the run recorded, and those that follow from
  its numbers.
"""

from __future__ import annotations

from ._events import Event, events, planned
from ._folder import RunFolder, newest_run
from ._metrics import metrics, seconds, tokens
from ._names import base_name, is_hyperparameter, rate_name
from ._recorded import Note, Point, RecordedRun, find_runs, is_run, read_run, run_folders

__all__ = [
    "Event",
    "Note",
    "Point",
    "RecordedRun",
    "RunFolder",
    "base_name",
    "events",
    "find_runs",
    "is_hyperparameter",
    "is_run",
    "metrics",
    "newest_run",
    "planned",
    "rate_name",
    "read_run",
    "run_folders",
    "seconds",
    "tokens",
]


def __dir__() -> list[str]:
    return __all__
