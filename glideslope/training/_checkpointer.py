"""A folder of numbered checkpoints: the newest few, and the best one."""

from __future__ import annotations

import math
import os
import warnings
import weakref
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, SupportsFloat

from glideslope.distributed import apparent_launch, has_peers, own_rank
from glideslope.errors import CheckpointError, RankFailed, require, require_type
from glideslope.files import FolderLock

from ._background import Background
from ._checkpoint import write_checkpoint
from ._nest import Buffers
from ._numbered import NumberedCheckpoints
from ._scalar import number
from ._seal import Damaged
from ._sharded.reading import of_rank_0, read_alone, read_together
from ._state import TrainingState, load_together


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A checkpoint loaded from a folder by a `Checkpointer`.

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

    One run at a time saves into a folder; any number of processes may read.

    On several ranks (a process group is up), every rank calls `save`, `resume`, `latest`, `best`
    and `load`. A checkpoint is then a folder ``step-00000500`` with a file of each rank: what all
    ranks hold alike is written once, what they do not by each, and the folder appears when all of
    it is on disk. A rank that waits for another one gives up after the time-out of the process
    group.

    Args:
        folder: where the files ``step-00000500.pt`` are; on several ranks, a folder that they
            share. It is made at the first save.
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
        self._numbered = NumberedCheckpoints(self.folder)
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
        starts, and then the error is raised; but not after a `RankFailed`.

        Args:
            step: the number of the checkpoint: at least that of the newest undamaged one.
            state: any nest of plain values, see `save_checkpoint`.
            metrics: values to keep with it, such as ``val_loss=0.31``; of several ranks, the mean.

        Raises:
            InvalidType, InvalidValue: see `save_checkpoint`; ``step`` below the newest; a metric
                that is not a number, such as None.
            CheckpointError: another process saves into the folder, an earlier write failed, or
                another rank refused.
            RankFailed: another rank has ended, or has not called this or written its part in time.
        """
        require_type(isinstance(step, int), "step", "be a whole number", step)
        require(step >= 0, "step", "be at least 0", step)
        numbers = {name: number(name, value) for name, value in metrics.items()}
        try:
            self.wait()
        except RankFailed:  # to ask the rank that is lost would take as long again
            raise
        except Exception:
            self._begin(step, state, numbers)
            raise
        self._begin(step, state, numbers)

    def wait(self) -> None:
        """Return once the last save is on disk.

        Raises:
            CheckpointError: it could not be written, and why.
            RankFailed: another rank has ended, or has not written its part in time.
        """
        self._background.finish()

    def close(self) -> None:
        """Wait for the last save, and release the folder for other processes."""
        self._buffers = Buffers()
        _finish(self._background, self._lock)

    def steps(self) -> list[int]:
        """The numbers of the checkpoints in the folder, damaged ones included, in order."""
        self.wait()
        return self._numbered.steps()

    def latest(self) -> Checkpoint | None:
        """The newest undamaged checkpoint; None if the folder has no checkpoints.

        Raises:
            CheckpointError: all checkpoints are damaged; or the newest undamaged one could not be
                loaded, for lack of memory or because a `Checkpointer` did not write it.
        """
        steps = of_rank_0(self.steps)
        for step in reversed(steps):
            try:
                return self.load(step)
            except Damaged as error:
                self._warn_damaged(step, error)
        if steps:
            raise CheckpointError(f"all {len(steps)} checkpoints in {self.folder} are damaged")
        return None

    def resume(self, run: TrainingState) -> Checkpoint | None:
        """Load the newest undamaged checkpoint into a run; None if the folder has none.

        Call it on every rank before the loop, also where a run begins: it refuses ranks that
        differ in what must be the same on all, see `TrainingState.check_ranks`.

        Args:
            run: gets the state, on all ranks or on none.

        Raises:
            CheckpointError: as `latest`.
            StateMismatch: the state does not fit the run, or the ranks of the run differ.

        Example:
            >>> from tempfile import TemporaryDirectory
            >>> import glideslope as gs
            >>> with TemporaryDirectory() as folder, gs.training.Checkpointer(folder) as saved:
            ...     run = gs.training.TrainingState(step=7)
            ...     saved.save(run.step, run.state_dict())
            ...     saved.wait()
            ...     again = gs.training.TrainingState(step=0)
            ...     found = saved.resume(again)
            ...     again.step
            7
        """
        found = self.latest()
        load_together(run, None if found is None else found.state, "`Checkpointer.resume`")
        return found

    def best(self) -> Checkpoint | None:
        """The undamaged checkpoint with the best ``keep_best`` metric, if any has it."""
        best = of_rank_0(self._best_step)
        return None if best is None else self.load(best)

    def load(self, step: int) -> Checkpoint:
        """The checkpoint with this number.

        Raises:
            CheckpointError: it is missing, or damaged.
        """
        path = of_rank_0(partial(self.path, step))
        content = read_together(path, step) if has_peers() else read_alone(path, step)
        self._metrics[step] = dict(content["metrics"])
        return Checkpoint(step, content["state"], dict(self._metrics[step]), path)

    def path(self, step: int) -> Path:
        """The file of the checkpoint with this number; the folder, if several ranks save it."""
        numbered = self._numbered
        new = numbered.directory(step) if has_peers() else numbered.file(step)
        return numbered.find(step) or new

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
        except (CheckpointError, RankFailed) as failed:
            if error is None:
                raise
            error.add_note(f"and the last checkpoint was lost: {failed}")

    def _begin(self, step: int, state: object, metrics: dict[str, float]) -> None:
        if has_peers():
            self._begin_together(step, state, metrics)
        else:
            self._begin_alone(step, state, metrics)

    def _begin_alone(self, step: int, state: object, metrics: dict[str, float]) -> None:
        self._acquire(step)
        copy = self._buffers.snapshot({"step": step, "metrics": metrics, "state": state})
        path = self._numbered.file(step)

        def write() -> None:
            self._numbered.sweep()
            write_checkpoint(copy, path)
            self._complete(step, path, metrics)

        self._background.start(write)

    def _begin_together(self, step: int, state: object, metrics: dict[str, float]) -> None:
        from ._sharded.saving import agree_to_save  # torch's planner takes long to load

        target = self._numbered.directory(step)
        save = agree_to_save(target, step, state, metrics, lambda: self._acquire(step))
        rendezvous = save.rendezvous
        try:
            write_file = partial(write_checkpoint, self._buffers.snapshot(save.content))
        except Exception as error:  # raised in the background, where the other ranks learn of it
            write_file = partial(_raise, error)

        def complete() -> None:
            self._complete(step, rendezvous.target, save.metrics)

        def write() -> None:
            if rendezvous.rank == 0:
                self._numbered.sweep()
            rendezvous.run(write_file, complete)
            self._note(step, save.metrics)

        self._background.start(write)

    def _acquire(self, step: int) -> None:
        """Take the lock of the folder, and refuse a step below the newest."""
        try:
            self._lock.acquire(own_rank())
        except OSError as error:
            raise CheckpointError(f"could not save into {self.folder}: {error.strerror}") from error
        except CheckpointError as error:
            raise CheckpointError(f"{error}{_hint_for_lone_rank()}") from error
        newest = self._newest() if own_rank() == 0 else None
        rule = f"be at least {newest}, the newest in {self.folder}{_hint_for_lone_rank()}"
        require(newest is None or step >= newest, "step", rule, step)

    def _complete(self, step: int, path: Path, metrics: dict[str, float]) -> None:
        """Delete what a new checkpoint replaces."""
        self._note(step, metrics)
        self._numbered.keep_only(path)
        self._prune()

    def _note(self, step: int, metrics: dict[str, float]) -> None:
        self._metrics[step] = metrics
        self._damaged.discard(step)

    def _prune(self) -> None:
        """Delete the undamaged checkpoints that are neither among the newest nor the best."""
        whole = self._whole()
        kept = {*whole[-self.keep :], self._best(whole)}
        for step in whole:
            if step not in kept:
                self._delete(step)

    def _delete(self, step: int) -> None:
        try:
            self._numbered.delete(step)
            del self._metrics[step]
        except OSError as error:  # training continues with one file too many
            warnings.warn(f"could not delete {self.path(step)}: {error.strerror}", stacklevel=2)

    def _holding(self) -> str:
        """The number of checkpoints in the folder and the newest, without waiting for a save."""
        try:
            steps = self._numbered.steps()
        except CheckpointError:
            return "unreadable"
        if not steps:
            return "empty"
        count = "1 checkpoint" if len(steps) == 1 else f"{len(steps)} checkpoints"
        return f"{count}, the newest of step {steps[-1]}"

    def _newest(self) -> int | None:
        return next(
            (step for step in reversed(self._numbered.steps()) if self._is_whole(step)), None
        )

    def _whole(self) -> list[int]:
        return [step for step in self._numbered.steps() if self._is_whole(step)]

    def _is_whole(self, step: int) -> bool:
        """True if a checkpoint is undamaged; the first look at a damaged one warns."""
        if step in self._metrics or step in self._damaged:
            return step in self._metrics
        try:
            content = read_alone(self.path(step), step, mmap=True)
        except CheckpointError as error:
            self._warn_damaged(step, error)
            return False
        self._metrics[step] = dict(content["metrics"])
        return True

    def _warn_damaged(self, step: int, error: CheckpointError) -> None:
        self._damaged.add(step)
        warnings.warn(f"skipping a checkpoint: {error}", stacklevel=3)

    def _best_step(self) -> int | None:
        """The step of the best undamaged checkpoint; rank 0 looks for it."""
        self.wait()
        return self._best(self._whole()) if own_rank() == 0 else None

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


def _raise(error: Exception, _: object) -> None:
    raise error


def _hint_for_lone_rank() -> str:
    """Advice for a rank without a process group; empty for one process."""
    rank, ranks = apparent_launch()
    if has_peers() or ranks == 1:
        return ""
    return (
        f"; this is rank {rank} of {ranks}: after torch.distributed.init_process_group all ranks "
        "save into one folder together, without it each needs a folder of its own"
    )
