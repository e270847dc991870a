"""The threads of a rank before, while and after it has a process group in which it exchanges."""

from __future__ import annotations

import gc
import json
import os
import sys
from datetime import timedelta
from pathlib import Path

import torch.distributed as dist

from glideslope.distributed import connect, exchanged


def threads() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/task"))


def main(file: Path) -> None:
    found = [threads()]
    connect(timedelta(seconds=60))
    exchanged(None, "`save`")
    found.append(threads())
    dist.destroy_process_group()
    found.append(threads())
    file.write_text(json.dumps({"threads": found}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
