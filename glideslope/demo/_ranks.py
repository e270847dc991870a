"""Exchanges of the ranks of a run: gradients, losses, the request to stop.

Every rank has the whole model and draws the same batches, of which it takes its share. Gradients
and losses are averaged, so every rank makes the same updates, those of one process. The ranks save
their checkpoints together; the first one prints, and writes all other files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from glideslope.distributed import connect, exchanged, has_peers, launch, own_rank, rank_count
from glideslope.errors import RankFailed, StateMismatch
from glideslope.runs import RunFolder

from ._unwritten import UnwrittenFolder

TIMEOUT = timedelta(seconds=120)
"""How long a rank waits for another."""


@contextmanager
def joined() -> Iterator[None]:
    """While inside, the ranks that the environment names are a process group."""
    if launch().ranks == 1:
        yield
        return
    try:
        connect(TIMEOUT)
    except RuntimeError as error:
        limit = TIMEOUT.total_seconds()
        raise RankFailed(f"the ranks did not find each other within {limit:g} s") from error
    try:
        yield
    finally:
        dist.destroy_process_group()


@contextmanager
def _in_contact() -> Iterator[None]:
    """Around an exchange, which fails when a rank is lost."""
    try:
        yield
    except RuntimeError as error:
        problem = f"another rank ended, or did not answer for {TIMEOUT.total_seconds():g} s"
        raise RankFailed(f"{problem}: --resume continues from the newest checkpoint") from error


def folder_of_run(path: Path) -> RunFolder:
    """The run folder, which the first rank writes and names to all others."""
    folder = RunFolder if launch().is_first else UnwrittenFolder
    return folder(exchanged(path, "`glideslope train`")[0])


@contextmanager
def made(folder: RunFolder) -> Iterator[None]:
    """While inside, the first rank has the lock of a new folder, made before others save there."""
    with folder.made():
        exchanged(None, "`glideslope train`")
        yield


def require_same_text(checksum: str) -> None:
    """Refuse ranks that learn different texts, which differ from one Python to the next."""
    checksums = exchanged(checksum, "`glideslope train`")
    for rank, other in enumerate(checksums):
        if other != checksums[0]:
            raise StateMismatch(f"rank {rank} learns the text of another Python than rank 0")


def share(rows: Tensor) -> Tensor:
    """The rows of a batch that are this rank's."""
    return rows[own_rank() :: rank_count()]


def average(tensors: Sequence[Tensor]) -> None:
    """Replace tensors by their means over the ranks, all in one exchange."""
    if not has_peers():
        return
    flat = torch.cat([tensor.flatten() for tensor in tensors]) / rank_count()
    with _in_contact():
        dist.all_reduce(flat)
    means = flat.split([tensor.numel() for tensor in tensors])
    for tensor, mean in zip(tensors, means, strict=True):
        tensor.copy_(mean.view_as(tensor))


def total(number: float) -> float:
    """The sum of a number over the ranks."""
    if not has_peers():
        return number
    summed = torch.tensor(number, dtype=torch.float64)
    with _in_contact():
        dist.all_reduce(summed)
    return summed.item()
