"""Plain tensors of which other ranks hold more: finds these ranks, or finds that there are some."""

from __future__ import annotations

import gc
import sys
from contextlib import suppress
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING, Any

import torch.distributed as dist

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

ZERO = "torch.distributed.optim.zero_redundancy_optimizer"

ATTEMPTS = 50
"""How often a rank looks for the texts of others before it takes them for absent."""

_numbers = count()


def zero_group(optimizer: Any) -> ProcessGroup | None:
    """The ranks among which a `ZeroRedundancyOptimizer` shares parameters out; None without one.

    It leaves no trace on the optimizers that it makes, so all objects are looked at.

    Args:
        optimizer: the optimizer that it made for this rank.
    """
    module = sys.modules.get(ZERO)
    if module is None:
        return None
    kind = module.ZeroRedundancyOptimizer
    for each in gc.get_objects():
        if issubclass(type(each), kind) and getattr(each, "optim", None) is optimizer:
            group: ProcessGroup = each.process_group
            return group
    return None


def is_own_group(group: Any) -> bool:
    """True for a process group that this rank is in."""
    return dist.is_available() and isinstance(group, dist.ProcessGroup)


class Comparison:
    """Compares a text of this rank with those of all others, and waits for none of them.

    The first comparison of a rank is compared with the first of others, and so on. A rank that
    makes none is left out.

    Args:
        text: the same on all ranks, if all is well.
    """

    def __init__(self, text: str) -> None:
        self._digest = sha256(text.encode()).hexdigest()
        self._key = f"glideslope/comparison/{next(_numbers)}"
        self._missing: set[int] = {*range(dist.get_world_size())} - {dist.get_rank()}
        self._attempts = ATTEMPTS
        self._store = own_store()
        with suppress(dist.DistError):
            self._store.set(f"{self._key}/{dist.get_rank()}", self._digest)

    @property
    def is_over(self) -> bool:
        """True if nothing is left to compare."""
        return not self._missing or not self._attempts

    def different(self) -> int | None:
        """A rank with another text, among those that have arrived since; None if there is none."""
        self._attempts -= 1
        with suppress(dist.DistError):
            for rank in sorted(self._missing):
                key = f"{self._key}/{rank}"
                if self._store.check([key]):
                    self._missing.discard(rank)
                    if self._store.get(key).decode() != self._digest:
                        return rank
        return None


def own_store() -> Any:
    """A connection to the store of the default process group, for one thread."""
    from torch.distributed.distributed_c10d import _get_default_store

    store: Any = _get_default_store()
    return store.clone()
