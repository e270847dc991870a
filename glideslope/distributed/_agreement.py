"""Numbers for decisions, the same on every rank."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from glideslope.errors import GlideslopeError, InvalidValue, require

if TYPE_CHECKING:
    import torch
    from torch.distributed import ProcessGroup

Agree = Literal["mean", "rank0"] | None
"""How ranks agree on a number: by the mean of all, by that of rank 0, or not at all."""


def check_agree(agree: Agree) -> None:
    """Refuse a way to agree that is unknown.

    Raises:
        InvalidValue: ``agree`` is not one of `Agree`.

    >>> check_agree("mean")
    """
    require(agree in ("mean", "rank0", None), "agree", "be 'mean', 'rank0' or None", agree)


def has_peers() -> bool:
    """True if this process is one of several in the default process group; loads no torch.

    >>> has_peers()  # of one process
    False
    """
    dist = sys.modules.get("torch.distributed")
    return (
        dist is not None
        and dist.is_available()
        and dist.is_initialized()
        and dist.get_world_size() > 1
    )


def own_rank() -> int:
    """The rank of this process in the default process group; 0 if it has no peers.

    >>> own_rank()  # of one process
    0
    """
    return int(sys.modules["torch.distributed"].get_rank()) if has_peers() else 0


def rank_count() -> int:
    """The number of ranks of the default process group; 1 if this process has no peers.

    >>> rank_count()  # of one process
    1
    """
    return int(sys.modules["torch.distributed"].get_world_size()) if has_peers() else 1


def agreed(name: str, read: Callable[[], float], agree: Agree) -> float:
    """The number that all ranks of the default process group use.

    Each rank calls it the same number of times. One that cannot read its number fails, and so do
    all others: none is left waiting.

    Args:
        name: the argument that the number was given for.
        read: gives this rank's number.
        agree: see `Agree`. Where there are no peers the number is this rank's own.

    Raises:
        InvalidValue: another rank could not read its number.

    >>> agreed("metrics", lambda: 0.25, "mean")  # of one process
    0.25
    """
    if agree is None or not has_peers():
        return read()
    own, refusal = _attempt(read)
    numbers = gathered([own, float(refusal is not None)])
    if refusal is not None:
        raise refusal
    failed = [rank for rank, (_, has_failed) in enumerate(numbers) if has_failed]
    if failed:
        raise InvalidValue(f"`{name}` was refused on rank {failed[0]}, which says why")
    values = [value for value, _ in numbers]
    return values[0] if agree == "rank0" else mean(values)


def device_of(group: ProcessGroup | None) -> torch.device:
    """The device from which the ranks of a group, or all ranks, exchange tensors."""
    import torch
    import torch.distributed as dist

    cpu = torch.device("cpu")
    is_nccl = "nccl" in dist.get_backend(group)
    return torch.accelerator.current_accelerator() or cpu if is_nccl else cpu


def _attempt(read: Callable[[], float]) -> tuple[float, GlideslopeError | None]:
    try:
        return read(), None
    except GlideslopeError as error:
        return math.nan, error


def gathered(numbers: Sequence[float], group: ProcessGroup | None = None) -> list[list[float]]:
    """The numbers of every rank of a group, or of all; each rank gives as many.

    Args:
        numbers: those of this rank.
        group: the ranks; all of the default process group unless given.
    """
    import torch
    import torch.distributed as dist

    own = torch.tensor(numbers, dtype=torch.float64, device=device_of(group))
    rows = [torch.empty_like(own) for _ in range(dist.get_world_size(group))]
    dist.all_gather(rows, own, group)
    return [row.tolist() for row in rows]


def mean(values: Sequence[float]) -> float:
    """The mean; equal numbers are their mean, to the last bit.

    >>> mean([0.1, 0.1, 0.1]), mean([1.0, 2.0])
    (0.1, 1.5)
    """
    if all(value == values[0] for value in values):
        return values[0]
    if not all(map(math.isfinite, values)):
        return sum(values)  # infinite, or not a number
    return math.fsum(value / len(values) for value in values)
