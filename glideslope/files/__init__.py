"""Files that survive a crash: replaced whole or not at all, by one writer to a folder.

They are read by `open_regular`, which does not wait for a pipe.
"""

from __future__ import annotations

from ._folder_lock import FolderLock
from ._regular import open_regular
from ._replace import flush_folder, replacing

__all__ = ["FolderLock", "flush_folder", "open_regular", "replacing"]


def __dir__() -> list[str]:
    return __all__
