"""Files that survive a crash: replaced whole or not at all, by one writer to a folder."""

from __future__ import annotations

from ._folder_lock import FolderLock
from ._replace import flush_folder, replacing

__all__ = ["FolderLock", "flush_folder", "replacing"]


def __dir__() -> list[str]:
    return __all__
