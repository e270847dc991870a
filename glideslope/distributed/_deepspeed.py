"""Parameters that DeepSpeed's ZeRO cuts: finds what it does to those of an optimizer."""

from __future__ import annotations

import gc
import inspect
import sys
from collections.abc import Iterator
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


def _objects() -> Iterator[Any]:
    """The objects that the garbage collector knows; then those that ``gc.freeze`` hides from it.

    The hidden ones are found from the others, as `gc.unfreeze` could not be undone for them alone.
    """
    known = gc.get_objects()
    yield from known
    if gc.get_freeze_count():
        yield from _reached([*known, *sys.modules.values(), *_locals()])


def _locals() -> Iterator[Any]:
    """The local variables of the functions that are running in this thread."""
    frame = inspect.currentframe()
    while frame is not None:
        yield from frame.f_locals.values()
        frame = frame.f_back


def _reached(roots: list[Any]) -> Iterator[Any]:
    """The roots, and all objects that they refer to."""
    seen: set[int] = set()
    while roots:
        new = {id(each): each for each in roots if gc.is_tracked(each) and id(each) not in seen}
        seen.update(new)
        yield from new.values()
        roots = gc.get_referents(*new.values())


def _steps(wrapper: Any) -> int:
    """The steps of one update: one for each part, or one for all."""
    return next((len(vars(wrapper)[name]) for name in PARTS if name in vars(wrapper)), 1)
