"""The numbered checkpoints of a folder: a file of one process, a folder of several ranks."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from glideslope.errors import CheckpointError
from glideslope.files import flush_folder

NAME = re.compile(r"step-(\d+)(\.pt|\.old|)")
LEFTOVERS = ("step-*.tmp-*", ".saving-*")

running: set[str] = set()
"""The tokens of the saves of several ranks that this process, their rank 0, has begun."""


class NumberedCheckpoints:
    """The checkpoints ``step-00000500.pt`` (a file) and ``step-00000500`` (a folder).

    While a folder replaces another one, the former has the suffix ``.old``.

    Args:
        folder: where they are; it may be missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def steps(self) -> list[int]:
        """The numbers, in order."""
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise CheckpointError(f"could not read {self.folder}: {error.strerror}") from error
        return sorted({int(match[1]) for name in names if (match := NAME.fullmatch(name))})

    def file(self, step: int) -> Path:
        """The path of one process's checkpoint."""
        return self.folder / f"step-{step:08d}.pt"

    def directory(self, step: int) -> Path:
        """The path of several ranks' checkpoint."""
        return self.folder / f"step-{step:08d}"

    def find(self, step: int) -> Path | None:
        """The path of a checkpoint; None if there is none with this number."""
        whole = self.directory(step)
        choices = (whole, self.file(step), _aside(whole))
        return next((path for path in choices if path.exists()), None)

    def delete(self, step: int) -> None:
        """Delete a checkpoint; a kill leaves it whole or leaves what `sweep` removes."""
        whole = self.directory(step)
        self.file(step).unlink(missing_ok=True)
        for path in (_aside(whole), whole):
            remove_folder(path)

    def keep_only(self, path: Path) -> None:
        """Delete what else has the number of a checkpoint that has just been written."""
        whole = path.with_suffix("")
        for other in (_aside(whole), whole):
            if other != path:
                remove_folder(other)
        if path == whole:
            path.with_suffix(".pt").unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what killed saves left behind, but not what belongs to a save that is running.

        Another process has none in this folder, because it would need the lock.
        """
        for pattern in LEFTOVERS:
            for path in self.folder.glob(pattern):
                if any(token in path.name for token in running):
                    continue
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    with suppress(OSError):
                        path.unlink()


def move_into_place(temporary: Path, target: Path) -> None:
    """Rename a folder, whose files are on disk; a former one is kept aside until then."""
    if target.exists():
        remove_folder(_aside(target))
        target.rename(_aside(target))
    temporary.rename(target)
    flush_folder(target.parent)


def remove_folder(folder: Path) -> None:
    """Remove a folder, if it exists: it loses its name at once, and then its content."""
    with suppress(FileNotFoundError):
        gone = folder.rename(folder.with_name(f"{folder.name}.tmp-{secrets.token_hex(8)}"))
        shutil.rmtree(gone, ignore_errors=True)


def _aside(whole: Path) -> Path:
    return whole.with_name(whole.name + ".old")
