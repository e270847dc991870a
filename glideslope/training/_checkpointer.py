"""A folder of numbered checkpoints: the newest few, and the best one."""

from __future__ import annotations

import math
import os
import re
import warnings
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, SupportsFloat

from glideslope.errors import CheckpointError, require, require_type
from glideslope.files import FolderLock

from ._background import Background
from ._checkpoint import read_checkpoint, write_checkpoint
from ._nest import Buffers
from ._scalar import number
from ._seal import Damaged

NAME = re.compile(r"step-(\d+)\.pt")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A checkpoint loaded from a folder.

    Args:
        step: its number.
        state: the saved state.
        metrics: the values that were given with it, by name.
        path: its file.
    """

    step: int
    state: Any = field(repr=False)
    metrics: dict[str, float]
    path: Path


class Checkpointer:
    """Keeps the newest checkpoints of a run, and the best one, in a folder.

    Saving pauses training while the state is copied in memory; the file is then written in the
    background, one at a time, and the interpreter does not exit before it is complete. An error of
    the write is raised by the next call, or at exit. Each file is written as by `save_checkpoint`,
    and holds ``step``, ``metrics`` and ``state``.

    A checkpoint is deleted only after newer undamaged ones replace it. A damaged one is skipped
    with a warning, does not count, and is never deleted.

    One process at a time saves into a folder; any number may read.

    Args:
        folder: where the files ``step-00000500.pt`` are. It is made at the first save.
        keep: how many of the newest to keep.
        keep_best: the name of a metric, and ``"min"`` or ``"max"``: the checkpoint in which it is
            best is kept as well.
        every: the number of steps from one save to the next, for `is_due`.

    Raises:
        InvalidValue: ``keep`` or ``every`` below 1, a mode other than ``"min"`` or ``"max"``.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import torch, glideslope as gs
        >>> folder = TemporaryDirectory()
        >>> with gs.training.Checkpointer(folder.name, keep=2, keep_best=("loss", "min")) as saved:
        ...     for step, loss in enumerate([0.9, 0.2, 0.7, 0.6], start=1):
        ...         saved.save(step, {"weight": torch.ones(1)}, loss=loss)
        ...     saved.wait()
        ...     saved.steps(), saved.best().step, saved.latest().metrics
        ([2, 3, 4], 2, {'loss': 0.6})
        >>> folder.cleanup()
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        keep: int = 3,
        keep_best: tuple[str, str] | None = None,
        every: int = 1,
    ) -> None:
        require(keep >= 1, "keep", "be at least 1", keep)
        require(every >= 1, "every", "be at least 1", every)
        if keep_best is not None:
            require(keep_best[1] in ("min", "max"), "keep_best", "end in 'min' or 'max'", keep_best)
        self.folder = Path(folder).absolute()
        self.keep, self.keep_best, self.every = keep, keep_best, every
        self._lock = FolderLock(self.folder)
        self._buffers = Buffers()
        self._background = Background()
        self._metrics: dict[int, dict[str, float]] = {}  # of the checkpoints known to be undamaged
        self._damaged: set[int] = set()
        weakref.finalize(self, _finish, self._background, self._lock)  # at exit, too

    def is_due(self, step: int) -> bool:
        """True if ``step`` is a multiple of ``every``, above 0."""
        return step > 0 and step % self.every == 0

    def save(self, step: int, state: object, /, **metrics: SupportsFloat) -> None:
        """Copy ``state`` now, and write it while training continues.

        If the previous write is still running, this waits for it. If it failed, this save still
        starts, and then the error is raised.

        Args:
            step: the number of the checkpoint: at least that of the newest undamaged one.
            state: any nest of plain values, see `save_checkpoint`.
            metrics: values to keep with it, such as ``val_loss=0.31``.

        Raises:
            InvalidType, InvalidValue: see `save_checkpoint`; ``step`` below the newest; a metric
                that is not a number, such as None.
            CheckpointError: another process saves into the folder, or an earlier write failed.
        """
        require_type(isinstance(step, int), "step", "be a whole number", step)
        require(step >= 0, "step", "be at least 0", step)
        numbers = {name: number(name, value) for name, value in metrics.items()}
        try:
            self.wait()
        except Exception:
            self._begin(step, state, numbers)
            raise
        self._begin(step, state, numbers)

    def wait(self) -> None:
        """Return once the last save is on disk.

        Raises:
            CheckpointError: it could not be written, and why.
        """
        self._background.finish()

    def close(self) -> None:
        """Wait for the last save, and release the folder for other processes."""
        self._buffers = Buffers()
        _finish(self._background, self._lock)

    def steps(self) -> list[int]:
        """The numbers of the checkpoints in the folder, damaged ones included, in order."""
        self.wait()
        return self._steps()

    def latest(self) -> Checkpoint | None:
        """The newest undamaged checkpoint; None if the folder has no checkpoints.

        Raises:
            CheckpointError: all checkpoints are damaged; or the newest undamaged one could not be
                loaded, for lack of memory or because a `Checkpointer` did not write it.
        """
        steps = self.steps()
        for step in reversed(steps):
            try:
                return self.load(step)
            except Damaged as error:
                self._warn_damaged(step, error)
        if steps:
            raise CheckpointError(f"all {len(steps)} checkpoints in {self.folder} are damaged")
        return None

    def best(self) -> Checkpoint | None:
        """The undamaged checkpoint with the best ``keep_best`` metric, if any has it."""
        self.wait()
        best = self._best(self._whole())
        return None if best is None else self.load(best)

    def load(self, step: int) -> Checkpoint:
        """The checkpoint with this number.

        Raises:
            CheckpointError: it is missing, or damaged.
        """
        path = self.path(step)
        content = read_checkpoint(path)
        self._metrics[step] = _metrics(content, path)
        return Checkpoint(step, content["state"], dict(self._metrics[step]), path)

    def path(self, step: int) -> Path:
        """The file of the checkpoint with this number."""
        return self.folder / f"step-{step:08d}.pt"

    def __repr__(self) -> str:
        best = "" if self.keep_best is None else f", keep_best={self.keep_best}"
        return f"Checkpointer({str(self.folder)!r}, keep={self.keep}{best}, {self._holding()})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except CheckpointError as failed:
            if error is None:
                raise
            error.add_note(f"and the last checkpoint was lost: {failed}")

    def _begin(self, step: int, state: object, metrics: dict[str, float]) -> None:
        self._acquire()
        newest = self._newest()
        rule = f"be at least {newest}, the newest in {self.folder}"
        require(newest is None or step >= newest, "step", rule, step)
        copy = self._buffers.snapshot({"step": step, "metrics": metrics, "state": state})
        self._background.start(lambda: self._write(step, copy, metrics))

    def _acquire(self) -> None:
        try:
            self._lock.acquire()
        except OSError as error:
            raise CheckpointError(f"could not save into {self.folder}: {error.strerror}") from error

    def _write(self, step: int, copy: object, metrics: dict[str, float]) -> None:
        write_checkpoint(copy, self.path(step))
        self._metrics[step] = metrics
        self._damaged.discard(step)
        self._prune()

    def _prune(self) -> None:
        """Delete the undamaged checkpoints that are neither among the newest nor the best."""
        whole = self._whole()
        kept = {*whole[-self.keep :], self._best(whole)}
        for step in whole:
            if step not in kept:
                self._delete(step)

    def _delete(self, step: int) -> None:
        try:
            self.path(step).unlink(missing_ok=True)
            del self._metrics[step]
        except OSError as error:  # training continues with one file too many
            warnings.warn(f"could not delete {self.path(step)}: {error.strerror}", stacklevel=2)

    def _steps(self) -> list[int]:
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise CheckpointError(f"could not read {self.folder}: {error.strerror}") from error
        matches = (NAME.fullmatch(name) for name in names)
        return sorted(int(match[1]) for match in matches if match)

    def _holding(self) -> str:
        """The number of checkpoints in the folder and the newest, without waiting for a save."""
        try:
            steps = self._steps()
        except CheckpointError:
            return "unreadable"
        if not steps:
            return "empty"
        count = "1 checkpoint" if len(steps) == 1 else f"{len(steps)} checkpoints"
        return f"{count}, the newest of step {steps[-1]}"

    def _newest(self) -> int | None:
        return next((step for step in reversed(self._steps()) if self._is_whole(step)), None)

    def _whole(self) -> list[int]:
        return [step for step in self._steps() if self._is_whole(step)]

    def _is_whole(self, step: int) -> bool:
        """True if a checkpoint is undamaged; the first look at a damaged one warns."""
        if step in self._metrics or step in self._damaged:
            return step in self._metrics
        path = self.path(step)
        try:
            self._metrics[step] = _metrics(read_checkpoint(path, mmap=True), path)
        except CheckpointError as error:
            self._warn_damaged(step, error)
            return False
        return True

    def _warn_damaged(self, step: int, error: CheckpointError) -> None:
        self._damaged.add(step)
        warnings.warn(f"skipping a checkpoint: {error}", stacklevel=3)

    def _best(self, steps: list[int]) -> int | None:
        """The step with the best metric; of several, the newest."""
        if self.keep_best is None:
            return None
        metric, mode = self.keep_best
        sign = 1 if mode == "max" else -1
        scores = [(sign * self._metrics[step].get(metric, math.nan), step) for step in steps]
        return max((score for score in scores if not math.isnan(score[0])), default=(0, None))[1]


def _finish(background: Background, lock: FolderLock) -> None:
    try:
        background.finish()
    finally:
        lock.release()


def _metrics(content: object, path: Path) -> dict[str, float]:
    """The metrics saved with a checkpoint."""
    if not isinstance(content, Mapping) or not {"step", "metrics", "state"} <= content.keys():
        raise CheckpointError(f"{path} was not saved by a Checkpointer")
    return dict(content["metrics"])
