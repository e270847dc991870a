"""Bases noted in the groups, as torch's schedulers note ``"initial_lr"``."""

from __future__ import annotations

from typing import Any

from torch import Tensor

NOTE = "initial_"
"""The prefix of the name under which a group notes the base of a key."""


def note_base(group: Any, key: str, base: float) -> None:
    """Write the base into one group, as a tensor where the value is one."""
    held = group[key] if key in group else None  # noqa: SIM401 -- a port is no dictionary
    is_tensor = isinstance(held, Tensor)
    group[NOTE + key] = held.detach().clone().fill_(base) if is_tensor else base  # type: ignore[union-attr]


def noted_base(group: Any, key: str) -> float | None:
    """The base noted in a group, or None."""
    name = NOTE + key
    return float(group[name]) if name in group else None
