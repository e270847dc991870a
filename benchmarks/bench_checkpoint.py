"""The cost of a checkpoint: the write, the pause in training, the load.

    python -m benchmarks checkpoint              1 GiB
    python -m benchmarks.bench_checkpoint 256    as many MiB

Saving is held against writing and flushing the same bytes, loading against `torch.load`. Rounds of
the two alternate; times are medians, and so are ratios, each taken within its round, where the disk
is the same. The memory that caches the files is given back before each write: whoever writes first
would otherwise pay for it, and in a virtual machine that is more than the disk takes. A load is
measured in a process of its own, as one that resumes a run: later loads get their memory from the
ones before.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch

import glideslope as gs

ROUNDS = 5
TENSORS = 64

LOAD = """
import sys, time, torch
import glideslope as gs
torch.load(sys.argv[2], weights_only=True)  # imports what it needs
load = {"torch": lambda path: torch.load(path, weights_only=True), "ours": gs.load_checkpoint}
started = time.perf_counter()
load[sys.argv[1]](sys.argv[3])
print(time.perf_counter() - started)
"""


def main(mebibytes: int = 1024) -> None:
    state = {str(i): torch.rand(mebibytes * 2**18 // TENSORS) for i in range(TENSORS)}
    with TemporaryDirectory(dir=Path.cwd()) as folder:
        save(state, Path(folder))
        pause(state, Path(folder))
        load(state, Path(folder))


def save(state: dict[str, torch.Tensor], folder: Path) -> None:
    raw, ours = [], []
    for _ in range(ROUNDS):
        for times, write, name in (
            (raw, write_and_flush, "raw.bin"),
            (ours, gs.save_checkpoint, "a.pt"),
        ):
            free_cache(folder)
            times.append(seconds(lambda: write(state, folder / name)))  # noqa: B023
    report("write and flush the bytes", raw)
    report("save_checkpoint", ours, raw)


def pause(state: dict[str, torch.Tensor], folder: Path) -> None:
    pauses, writes = [], []
    with gs.training.Checkpointer(folder / "steps", keep=1) as checkpoints:
        for step in range(1 + ROUNDS):
            pauses.append(seconds(lambda: checkpoints.save(step, state)))  # noqa: B023
            writes.append(pauses[-1] + seconds(checkpoints.wait))
    report("pause of the first save", pauses[:1], writes[:1])
    report("pause of later ones", pauses[1:], writes[1:])


def load(state: dict[str, torch.Tensor], folder: Path) -> None:
    gs.save_checkpoint(state, folder / "a.pt")
    gs.save_checkpoint({}, folder / "small.pt")
    times: dict[str, list[float]] = {"torch": [], "ours": []}
    for _ in range(ROUNDS):
        for name, measured in times.items():
            arguments = [name, str(folder / "small.pt"), str(folder / "a.pt")]
            command = [sys.executable, "-c", LOAD, *arguments]
            measured.append(float(subprocess.check_output(command)))
    report("torch.load", times["torch"])
    report("load_checkpoint", times["ours"], times["torch"])


def write_and_flush(state: dict[str, torch.Tensor], path: Path) -> None:
    with path.open("wb") as file:
        for tensor in state.values():
            file.write(memoryview(tensor.numpy()).cast("B"))
        file.flush()
        os.fsync(file.fileno())


def free_cache(folder: Path) -> None:
    """Let go of the memory that holds what was written, so that each write finds as much free."""
    for path in folder.glob("*.*"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def report(what: str, times: list[float], references: list[float] | None = None) -> None:
    ratio = ""
    if references is not None:
        ratios = [time / reference for time, reference in zip(times, references, strict=True)]
        ratio = f"   {median(ratios):5.2f} times"
    print(f"{what:28s}{median(times) * 1e3:8.0f} ms{ratio}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
