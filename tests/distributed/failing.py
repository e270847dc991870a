"""Fails on one rank in a way that its argument names, and writes down how this rank ended."""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import torch
import torch.distributed as dist

from glideslope.distributed import fail_together

LIMIT = 8.0  # of a way in which no rank is late
LATE = 3.0  # of those in which one is
HANG = 120.0  # of the process group: nothing here may wait so long


def exchange() -> None:
    dist.all_reduce(torch.ones(3))


def raises() -> NoReturn:
    raise ValueError("no such batch")


def leave_early() -> None:
    sys.exit(0)


def run(way: str, rank: int) -> None:
    last = dist.get_world_size() - 1
    exchange()
    if way == "fails in Python" and rank == last:
        raises()
    if way == "first rank fails" and rank == 0:
        raises()
    if way == "all fail":
        raises()
    if way == "late" and rank != last:
        time.sleep(60)
    if way == "late" and rank == last:
        raises()
    if way == "runtime error" and rank == last:
        torch.ones(2) @ torch.ones(3)
    if way == "killed" and rank == last:
        os._exit(9)
    if way == "all leave":
        leave_early()
    if way != "ends":
        exchange()


def main(file: Path) -> None:
    way = file.parent.name
    dist.init_process_group("gloo", timeout=timedelta(seconds=HANG))
    rank, ending = dist.get_rank(), ["", ""]
    exchange()
    began = time.time()
    file.write_text(json.dumps({"ending": ["ended", ""], "began": began}))
    try:
        with fail_together(timeout=LATE if way == "late" else LIMIT):
            run(way, rank)
    except (Exception, SystemExit) as error:
        ending = [type(error).__name__, str(error)]
    file.write_text(json.dumps({"ending": ending, "began": began, "left": time.time()}))
    os._exit(1 if ending[0] else 0)  # as an error would: this rank's connections close


if __name__ == "__main__":
    main(Path(sys.argv[1]))
