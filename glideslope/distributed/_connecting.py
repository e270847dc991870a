"""Process groups of gloo whose ranks connect, or fail, within the time-out.

gloo tries to connect several times, and each attempt takes up to the time-out of the group. Ranks
first wait for each other in the store, and then make the group with a share of the time-out.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, _set_pg_timeout
from torch.distributed.rendezvous import rendezvous

ATTEMPTS = 5
"""How often gloo tries to connect."""


def connect(timeout: timedelta) -> None:
    """Make the default process group of the ranks that the environment names, with gloo.

    It does ``torch.distributed.init_process_group("gloo", timeout=timeout)``. A rank that ends
    while the others connect costs them no more than the time-out.

    Args:
        timeout: how long a rank waits for another, now and in each exchange.

    Raises:
        RuntimeError: a rank has not come in time, or has ended.

    Example:
        >>> import os
        >>> from unittest.mock import patch
        >>> from datetime import timedelta
        >>> address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
        >>> with patch.dict(os.environ, {**address, "RANK": "0", "WORLD_SIZE": "1"}):
        ...     connect(timedelta(seconds=60))  # torchrun sets these variables for each rank
        >>> dist.get_backend(), dist.get_world_size()
        ('gloo', 1)
        >>> dist.destroy_process_group()
    """
    store, rank, ranks = next(rendezvous("env://", timeout=timeout))
    _arrive(PrefixStore("glideslope/connect", store), rank, ranks, timeout)
    dist.init_process_group(
        "gloo", store=store, rank=rank, world_size=ranks, timeout=timeout / ATTEMPTS
    )
    _set_pg_timeout(timeout)


def group_beside(store: Any, timeout: timedelta) -> dist.ProcessGroup:
    """A process group of all ranks on the CPU, beside the default one.

    Args:
        store: a connection to the store of the default process group.
        timeout: as for `connect`.
    """
    arrivals = PrefixStore("glideslope/group", store)
    _arrive(arrivals, dist.get_rank(), dist.get_world_size(), timeout)
    group: dist.ProcessGroup = dist.new_group(backend="gloo", timeout=timeout / ATTEMPTS)
    _set_pg_timeout(timeout, group)
    return group


def _arrive(store: Any, rank: int, ranks: int, timeout: timedelta) -> None:
    """Wait until every rank has come here."""
    store.set(str(rank), "")
    store.wait([str(each) for each in range(ranks)], timeout)
