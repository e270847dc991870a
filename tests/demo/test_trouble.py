"""`glideslope train` when the disk, the folder or another process is in its way."""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from .run_digest import digest

Program = Callable[..., Any]

RUN = ("train", "--batch-size", 2, "--steps", 40, "--save-every", 3, "--out", "run")
RESUME = ("train", "--resume", "--out", "run")

HOLD = """
import fcntl, sys
file = open("run/.lock", "ab")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def quick(quick_run: None) -> None:
    """A run takes no time."""


@contextmanager
def no_file_over(size: int) -> Iterator[None]:
    """Writes to a full disk, by a limit on the size of files."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_ends_the_run_and_loses_nothing(glideslope: Program, stopped: Program) -> None:
    glideslope(*RUN, "--out", "straight")
    limit = no_file_over(1 << 20)
    ended = stopped(7, limit.__enter__, *RUN)
    limit.__exit__(None, None, None)
    assert ended.code == 2
    assert ended.err.startswith("error: could not save ")
    # The checkpoint of update 6 may still be on its way to the disk when there is no room any more.
    assert re.search(r"step-0000000[68]\.pt: File too large\n$", ended.err)
    with no_file_over(1 << 20):
        assert glideslope(*RESUME).code == 2
    ended = glideslope(*RESUME)
    assert re.search(r"resumed   after [46] of 40 updates", ended.out)
    assert digest(Path("run")) == digest(Path("straight"))


def delete(folder: Path) -> None:
    """Until it stays deleted: a checkpoint may be on its way into it."""
    while folder.exists():
        shutil.rmtree(folder, ignore_errors=True)


def test_a_folder_that_is_deleted_ends_the_run(stopped: Program) -> None:
    ended = stopped(7, lambda: delete(Path("run")), *RUN)
    assert ended.code == 2
    pattern = r"error: could not (write|save)( into)? \S*run\S*: No such file or directory\n"
    assert re.fullmatch(pattern, ended.err)


def contents(folder: Path) -> dict[Path, bytes]:
    """The files of a run; locks of its writers end with their objects, whenever those are freed."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in files if path.suffix != ".lock"}


def test_a_run_that_another_process_trains_is_left_alone(
    glideslope: Program, stopped: Program
) -> None:
    stopped(7, lambda: (_ for _ in ()).throw(SystemExit(99)), *RUN)
    before = contents(Path("run"))
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", HOLD], stdin=pipe, stdout=pipe) as other:
        assert other.stdout is not None
        other.stdout.readline()
        ended = glideslope(*RESUME)
        assert other.stdin is not None
        other.stdin.close()
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "error: another process is saving into run\n"
    assert before == contents(Path("run"))
    assert glideslope(*RESUME).code == 0
