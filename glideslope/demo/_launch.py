"""A run on several ranks: its command, and the shares of a batch; known before torch is loaded."""

from __future__ import annotations

from glideslope.distributed import launch
from glideslope.errors import require


def program() -> list[str]:
    """The words that start the program on as many ranks."""
    ranks = launch().ranks
    if ranks == 1:
        return ["glideslope"]
    return ["torchrun", "--nproc-per-node", str(ranks), "-m", "glideslope"]


def require_shares(batch_size: int) -> None:
    """Refuse batches that cannot be split evenly: the mean of the shares is that of the batch."""
    ranks = launch().ranks
    rule = f"be a multiple of the number of ranks, {ranks}"
    require(batch_size % ranks == 0, "batch_size", rule, batch_size)
