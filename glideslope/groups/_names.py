"""Names of the parameter groups of an optimizer, in records and tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any


def group_names(groups: Sequence[Any]) -> list[str]:
    """The ``"name"`` of each group; its number if it has none, or shares it."""
    names = [str(group["name"]) if "name" in group else "" for group in groups]
    counts = Counter(names)
    return [name if name and counts[name] == 1 else str(i) for i, name in enumerate(names)]
