"""Values that all ranks exchange, apart from what training exchanges."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from glideslope.errors import RankFailed

from ._agreement import has_peers

T = TypeVar("T")

_groups: dict[str, Any] = {}
"""The default process group, under "default", and the group that was made beside it."""


def exchanged(value: T, purpose: str) -> list[T]:
    """The values of all ranks, in the order of the ranks; of one process, its own.

    Every rank calls it, in the same order. The ranks use a process group of their own on the CPU,
    made at the first call, so that a rank that does not call it disturbs no exchange of training.
    It has the time-out of the default process group.

    Args:
        value: anything that can be pickled.
        purpose: what the ranks do together, for the message.

    Raises:
        RankFailed: a rank has ended, or has not called this in time.
    """
    if not has_peers():
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    try:
        dist.all_gather_object(values, value, group=_group())
    except RuntimeError as error:
        limit = time_out().total_seconds()
        raise RankFailed(
            f"could not {purpose}: another rank has ended, or has not done the same within "
            f"{limit:g} s, the time-out of the process group; all ranks must do it"
        ) from error
    return values


def time_out() -> timedelta:
    """The time-out of the default process group."""
    default = dist.group.WORLD
    for device in ("cpu", torch.accelerator.current_accelerator() or "cpu"):
        try:
            limit: timedelta = default._get_backend(torch.device(device)).options._timeout  # type: ignore[union-attr]
        except (RuntimeError, AttributeError):  # no backend for this device
            continue
        return limit
    return dist.default_pg_timeout


def _group() -> dist.ProcessGroup:
    default = dist.group.WORLD
    if _groups.get("default") is not default:
        _groups["own"] = dist.new_group(backend="gloo", timeout=time_out())
        _groups["default"] = default
    group: dist.ProcessGroup = _groups["own"]
    return group
