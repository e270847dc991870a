"""The folder of a training run: its files, their fields, and their writer.

The files of a run folder::

    config.json     how the run was made, see below
    history.jsonl   a record per update, in order, each update once
    events.jsonl    a record per thing that happened to the run, in order
    checkpoints/    the newest (three unless more are kept), and that of the least validation loss
    curves.png      the losses and the learning rates, drawn when the run ends
    result.json     how the run ended: written last; not there while it runs, nor if it was killed
    .lock           held by the process that trains

**config.json** has ``command`` (the command line that makes this run again), ``ranks`` (how many
processes trained it), ``settings`` (the options by name: ``schedule`` as text, ``optimizer``,
``lr``, ``weight_decay``, ``steps``, ``batch_size``, ``seed``, ``threads``, ``save_every``,
``keep``), ``schedule`` (with every length in updates: ``text``, and ``json`` for
`Schedule.from_dict`), ``optimizer`` (``name`` and ``options``), ``model``, ``text`` and
``versions``. It is written again when the run is extended or its schedule is changed.

**history.jsonl**: ``step`` from 0; ``loss`` of its batch before the update; the learning rate it
ran at, as ``lr``, or as ``lr/NAME`` for each parameter group where these differ; where the run was
measured, ``val_loss`` after the update. A run that continues from a checkpoint first removes the
records after it. Of the measured updates, the one with the least ``val_loss`` has the best
checkpoint, whose number is ``step + 1``.

**events.jsonl**: ``time`` (ISO 8601, with the zone), ``step`` (how many updates had been made) and
``event``: ``started``, ``resumed``, ``extended`` (with ``by``, in updates), ``rescheduled`` (with
``schedule``, its text), ``interrupted``, ``diverged`` or ``finished``. Nothing is ever removed: a
``resumed`` may come at an earlier step than the event before it, and what a killed process did
after its last checkpoint has no event.

**result.json**: ``outcome`` (``finished``, ``interrupted`` or ``diverged``), ``steps`` made, the
last ``val_loss`` or null, ``seconds`` of training, those before a resume included.

**checkpoints/** is a folder of a `Checkpointer`, numbered by updates made, with the metric
``val_loss`` where it was measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glideslope.errors import CheckpointError, InvalidValue, require
from glideslope.files import FolderLock, replacing
from glideslope.training import History

if TYPE_CHECKING:
    from glideslope.training import Checkpointer


class RunFolder:
    """The folder of one run, for the program that trains it.

    Args:
        path: where it is, or will be.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from pathlib import Path
        >>> with TemporaryDirectory() as place:
        ...     folder = RunFolder(Path(place) / "run")
        ...     with folder.made():
        ...         folder.write_config({"steps": 1})
        ...         folder.history.append({"step": 0, "loss": 0.5})
        ...         folder.write_result({"outcome": "finished"})
        ...     folder.names(), folder.has_ended()
        (['config.json', 'history.jsonl', 'result.json'], True)
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.history = History(path / "history.jsonl")
        self.events = History(path / "events.jsonl")

    @property
    def curves(self) -> Path:
        """Where the picture goes."""
        return self.path / "curves.png"

    def require_empty(self) -> None:
        """Refuse a folder that holds something, and a file.

        Raises:
            InvalidValue: it is one of these.
        """
        empty = not self.path.exists() or (self.path.is_dir() and not any(self.path.iterdir()))
        require(empty, "out", "be a new or an empty folder", str(self.path))

    def require_run(self) -> None:
        """Refuse a folder without a run.

        Raises:
            InvalidValue: it has no ``config.json``.
        """
        if not (self.path / "config.json").is_file():
            raise InvalidValue(f"there is no run in {self.path} to resume")

    @contextmanager
    def made(self) -> Iterator[None]:
        """Hold the folder's lock, in a folder that is new or empty."""
        self.require_empty()
        with self._locked():
            self.history.path.touch()
            yield

    @contextmanager
    def taken_over(self) -> Iterator[None]:
        """Hold the folder's lock, in the folder of a run that stopped."""
        self.require_run()
        with self._locked():
            yield

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = FolderLock(self.path)
        try:
            lock.acquire()
        except OSError as error:
            raise CheckpointError(f"could not write into {self.path}: {error.strerror}") from error
        try:
            yield
        finally:
            lock.release()

    def checkpoints(self, keep: int = 3) -> Checkpointer:
        """The checkpoints, to be closed; needs torch.

        Args:
            keep: how many of the newest are kept when one is saved.
        """
        from glideslope.training import Checkpointer

        return Checkpointer(self.path / "checkpoints", keep=keep, keep_best=("val_loss", "min"))

    def names(self) -> list[str]:
        """The names of the files, hidden ones excepted."""
        names = (file.name for file in self.path.iterdir())
        return sorted(name for name in names if not name.startswith("."))

    def note(self, event: str, step: int, **details: Any) -> None:
        """Keep what happened to the run, and when."""
        time = datetime.now().astimezone().isoformat(timespec="seconds")
        self.events.append({"time": time, "step": step, "event": event, **details})

    def has_ended(self) -> bool:
        """True if the run has a result."""
        return (self.path / "result.json").is_file()

    def forget_end(self) -> None:
        """Remove the record of how the run ended: it continues."""
        for path in (self.path / "result.json", self.curves):
            path.unlink(missing_ok=True)

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Keep everything that is needed to repeat the run."""
        self._write("config.json", config)

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Keep how the run ended."""
        self._write("result.json", result)

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        with replacing(self.path / name) as file:
            file.write(text.encode() + b"\n")


def newest_run(folder: Path) -> Path:
    """The run that was begun, or resumed, last among those in a folder.

    Raises:
        InvalidValue: there is none.

    >>> from tempfile import TemporaryDirectory
    >>> from pathlib import Path
    >>> with TemporaryDirectory() as place:
    ...     RunFolder(Path(place) / "first").path.mkdir()
    ...     RunFolder(Path(place) / "first").write_config({})
    ...     newest_run(Path(place)).name
    'first'
    """
    runs = sorted(folder.glob("*/config.json"), key=lambda config: config.stat().st_mtime)
    if not runs:
        raise InvalidValue(f"there is no run in {folder} to resume")
    return runs[-1].parent
