"""Parameters that DeepSpeed's ZeRO cuts: finds what it does to those of an optimizer."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import torch.distributed as dist

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

MODULE = "deepspeed.runtime.base_optimizer"

PARTS = ("fp32_partitioned_groups_flat", "single_partition_of_fp32_groups")
"""The vectors that stage 3, or stages 1 and 2, step one by one."""


class ZeroParts(NamedTuple):
    """Parts of parameters that DeepSpeed put end to end in a vector.

    Args:
        group: the ranks that hold the other parts.
        steps: how often DeepSpeed steps the optimizer in one update, each time with other parts.
    """

    group: ProcessGroup
    steps: int


def zero_parts(optimizer: Any) -> ZeroParts | None:
    """The parts that DeepSpeed's ZeRO gives to an optimizer; None without it.

    Nothing leads from the optimizer to its wrapper, so all objects are looked at, where the module
    is loaded and a process group is up, which DeepSpeed needs.
    """
    module = sys.modules.get(MODULE)
    if module is None or not (dist.is_available() and dist.is_initialized()):
        return None
    kind = module.ZeROOptimizer
    for each in _objects():
        if issubclass(type(each), kind) and vars(each).get("optimizer") is optimizer:
            return ZeroParts(each.dp_process_group, _steps(each))
    return None


def _objects() -> list[Any]:
    """The objects that the garbage collector knows, also those that ``gc.freeze`` hides."""
    if not gc.get_freeze_count():
        return gc.get_objects()
    gc.collect()  # what is garbage now is not to be frozen
    gc.unfreeze()
    found = gc.get_objects()
    gc.freeze()
    return found


def _steps(wrapper: Any) -> int:
    """The steps of one update: one for each part, or one for all."""
    return next((len(vars(wrapper)[name]) for name in PARTS if name in vars(wrapper)), 1)
