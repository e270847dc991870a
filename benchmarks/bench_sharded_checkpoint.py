"""The cost of a checkpoint of two ranks: the save, the pause in training, the memory.

    python -m benchmarks sharded_checkpoint              1 GiB on both together
    python -m benchmarks.bench_sharded_checkpoint 256    as many MiB

Two processes of one thread each, which exchange by gloo. `Checkpointer` and torch's
`torch.distributed.checkpoint.save` are held against each rank writing and flushing its own bytes.
The three take turns. A time is from when both ranks begin to when both are done; times are
medians, and so are ratios, each taken within its round. Before each turn, files of the turn before
are removed, and as much memory as it takes is used once: in a virtual machine new memory costs more
than the disk, and whoever comes first would pay for it. Memory is what a rank has at most beyond
what it had. The processor time of rank 0, of all its threads, does not depend on other programs.
"""

from __future__ import annotations

import shutil
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import torch.multiprocessing as mp
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Shard

import glideslope as gs

from .bench_checkpoint import free_cache, write_and_flush

RANKS, ROUNDS, TENSORS = 2, 5, 64
WIDTH = 1024
STATUS = Path("/proc/self/status")


class Turn(NamedTuple):
    """A save: its seconds, those of the processor, and the bytes beyond those before."""

    seconds: float
    processor: float
    memory: float


Turns = dict[str, list[Turn]]


def main(mebibytes: int = 1024) -> None:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        port = listener.getsockname()[1]
    with TemporaryDirectory(dir=Path.cwd()) as folder:
        mp.spawn(work, (port, mebibytes, Path(folder)), RANKS)


def work(rank: int, port: int, mebibytes: int, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"tcp://localhost:{port}", rank=rank, world_size=RANKS)
    turns = measure(rank, sharded(mebibytes), folder)
    if rank == 0:
        report(turns)
    dist.destroy_process_group()


def sharded(mebibytes: int) -> dict[str, torch.Tensor]:
    """Tensors of which each rank holds half of the rows."""
    mesh = init_device_mesh("cpu", (RANKS,))
    rows = mebibytes * 2**18 // TENSORS // WIDTH // RANKS
    shards = (torch.rand(rows, WIDTH) for _ in range(TENSORS))
    return {str(i): DTensor.from_local(s, mesh, [Shard(0)]) for i, s in enumerate(shards)}


def measure(rank: int, state: dict[str, torch.Tensor], folder: Path) -> Turns:
    """The turns of each contender, by name."""
    own = {name: tensor.to_local() for name, tensor in state.items()}  # type: ignore[attr-defined]
    checkpoints = gs.training.Checkpointer(folder / "steps", keep=1)
    turns: Turns = {"pause": []}
    step = 0

    def ours() -> None:
        turns["pause"].append(together(lambda: checkpoints.save(step, state)))
        checkpoints.wait()

    def theirs() -> None:
        dcp.save(state, checkpoint_id=folder / "torch")

    def raw() -> None:
        write_and_flush(own, folder / f"raw{rank}.bin")

    for step in range(1 + ROUNDS):  # noqa: B007 (read by `ours`)
        for save in (raw, ours, theirs):
            clear(rank, folder)
            use_memory(own)
            turns.setdefault(save.__name__, []).append(together(save))
    checkpoints.close()
    return turns


def clear(rank: int, folder: Path) -> None:
    """Remove what was written, and give back the memory of what `Checkpointer` keeps."""
    if rank == 0:
        shutil.rmtree(folder / "torch", ignore_errors=True)
        for raw in folder.glob("raw*"):
            raw.unlink()
        for kept in folder.glob("steps/step-*"):
            free_cache(kept)


def use_memory(own: dict[str, torch.Tensor]) -> None:
    """Take as much memory as tensors have from the machine, for the cache of their file."""
    copies = [tensor.clone() for tensor in own.values()]
    del copies


def together(work: Callable[[], object]) -> Turn:
    """A save from when all ranks begin to when all are done."""
    Path("/proc/self/clear_refs").write_text("5")  # from here on the peak is counted
    memory = field("VmRSS")
    dist.barrier()
    begin, processor = time.perf_counter(), time.process_time()
    work()
    processor = time.process_time() - processor
    dist.barrier()
    seconds = time.perf_counter() - begin
    return Turn(seconds, processor, greatest(field("VmHWM") - memory))


def greatest(number: float) -> float:
    value = torch.tensor(number, dtype=torch.float64)
    dist.all_reduce(value, dist.ReduceOp.MAX)
    return value.item()


def field(name: str) -> float:
    row = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return float(row.split()[1]) * 1024


def report(turns: Turns) -> None:
    names = {
        "raw": "write and flush the bytes",
        "ours": "Checkpointer, to the disk",
        "theirs": "torch's dcp.save",
        "pause": "pause of Checkpointer.save",
    }
    for title, rounds in (("the first save", slice(0, 1)), ("later ones", slice(1, None))):
        print(
            f"\n{title} on {RANKS} ranks: ms, times the raw write, ms of the processor, MiB a rank"
        )
        for name, text in names.items():
            found, raw = turns[name][rounds], turns["raw"][rounds]
            ratio = median(a.seconds / b.seconds for a, b in zip(found, raw, strict=True))
            seconds, processor, memory = map(median, zip(*found, strict=True))
            row = f"{text:28}{1e3 * seconds:8.0f}{ratio:7.2f}{1e3 * processor:8.0f}"
            print(f"{row}{memory / 2**20:8.0f}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
