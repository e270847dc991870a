"""The end of a save by several ranks: all files written, the folder renamed, or an error for all.

It runs in the background of training, so it exchanges nothing through a process group: two threads
of a rank could otherwise interleave their exchanges, and a group may be gone before a write is
done. The ranks see each other through the folder, which they share anyway:

- a rank's file appears in the temporary folder when it is on disk, or its message of failure;
- rank 0 renames the temporary folder when all files are there, and at the end removes the sign that
  all others wait for, or writes into it why it failed;
- each rank holds a lock for as long as it saves: when it is free, the rank has ended.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple, NoReturn

from glideslope.errors import CheckpointError, RankFailed
from glideslope.files import FolderLock, flush_folder

from .._numbered import move_into_place, running
from .rank_file import file_name

SHORTEST, LONGEST = 0.002, 0.1
"""Seconds between two looks at the folder: a twentieth of those waited so far, within these."""

PATIENCE = 5.0
"""Seconds that a file system gets to show a file of one machine on another."""


class Rendezvous(NamedTuple):
    """One save of several ranks.

    Attributes:
        target: the folder of the checkpoint.
        token: text that distinguishes this save from all others.
        rank: the number of this process.
        ranks: how many there are.
        seconds: how long a rank waits for another one.
    """

    target: Path
    token: str
    rank: int
    ranks: int
    seconds: float

    def run(self, write: Callable[[Path], None], finish: Callable[[], None]) -> None:
        """Write this rank's file, and return when the checkpoint is on disk.

        Args:
            write: writes the file with this path.
            finish: what rank 0 does at the end.

        Raises:
            CheckpointError: a rank could not write its file.
            RankFailed: a rank has ended, or takes too long; all ranks that continue learn of it.
        """
        if self.rank == 0:
            self._lead(write, finish)
        else:
            self._write(write)
            self._await(self._is_over, of=0)

    def begin(self) -> None:
        """Give the sign that this save is running: rank 0, before any other can look for it."""
        running.add(self.token)
        self._sign.parent.mkdir(parents=True, exist_ok=True)
        self._sign.touch()

    def cancel(self) -> None:
        """Take the sign back, because a rank refused to save."""
        self._sign.unlink(missing_ok=True)
        running.discard(self.token)

    def is_seen(self) -> bool:
        """True if the sign of rank 0 is in the folder of this rank, or appears there soon."""
        begin = time.monotonic()
        while not self._sign.exists():
            if time.monotonic() - begin > PATIENCE:
                return False
            time.sleep(LONGEST)
        return True

    @property
    def temporary(self) -> Path:
        """The folder until the checkpoint is whole."""
        return self.target.with_name(f"{self.target.name}.tmp-{self.token}")

    @property
    def _sign(self) -> Path:
        return self.target.with_name(f".saving-{self.token}")

    def _lead(self, write: Callable[[Path], None], finish: Callable[[], None]) -> None:
        try:
            self._write(write)
            for rank in range(1, self.ranks):
                self._await(partial(self._has_written, rank), of=rank)
            flush_folder(self.temporary)
            move_into_place(self.temporary, self.target)
            finish()
        except BaseException as error:
            with suppress(OSError):
                _write_at_once(self._sign, f"{type(error).__name__}\n{error}")
            shutil.rmtree(self.temporary, ignore_errors=True)
            raise
        finally:
            running.discard(self.token)
        self._sign.unlink(missing_ok=True)

    def _write(self, write: Callable[[Path], None]) -> None:
        try:
            with suppress(FileExistsError):
                self.temporary.mkdir()
            write(self.temporary / file_name(self.rank))
        except Exception as error:
            self._is_over()  # then the folder is gone, and why is known
            with suppress(OSError):
                _write_at_once(self._failure(self.rank), str(error))
            raise

    def _has_written(self, rank: int) -> bool:
        """True if the file of a rank is on disk.

        Raises:
            CheckpointError: it could not be written.
        """
        if (self.temporary / file_name(rank)).exists():
            return True
        if text := _text(self._failure(rank)):
            raise CheckpointError(f"rank {rank} failed: {text}")
        return False

    def _is_over(self) -> bool:
        """True if rank 0 has done all.

        Raises:
            CheckpointError, RankFailed: rank 0 has given up, for this reason.
        """
        kind, _, text = _text(self._sign).partition("\n")
        if kind:
            failed = RankFailed if kind == RankFailed.__name__ else CheckpointError
            raise failed(f"rank 0 failed: {text}" if self.rank else text)
        return not self._sign.exists()

    def _failure(self, rank: int) -> Path:
        return self.temporary / f"{file_name(rank)}.failed"

    def _await(self, is_done: Callable[[], bool], of: int) -> None:
        """Return when a rank has done something; raise if it has ended, or takes too long."""
        lock = FolderLock(self.target.parent)
        begin, waited = time.monotonic(), 0.0
        while not is_done():
            if lock.is_free(of) and not is_done():
                self._give_up(f"rank {of} has ended before its part was written")
            if waited > self.seconds:
                limit = f"within {self.seconds:g} s, the time-out of the process group"
                self._give_up(f"rank {of} has not written its part {limit}")
            time.sleep(min(max(SHORTEST, waited / 20), LONGEST))
            waited = time.monotonic() - begin

    def _give_up(self, reason: str) -> NoReturn:
        raise RankFailed(f"could not save {self.target}: {reason}")


def _write_at_once(path: Path, text: str) -> None:
    """Write a text that others may read at any moment."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text)
    part.replace(path)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
