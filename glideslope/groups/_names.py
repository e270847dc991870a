"""Names of the parameter groups of an optimizer, in records and tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any


def group_names(groups: Sequence[Any]) -> list[str]:
    """The ``"name"`` of each group; its number if it has none, or shares it.

    >>> group_names([{"name": "head"}, {}, {"name": "body"}, {"name": "body"}])
    ['head', '1', '2', '3']
    """
    names = [str(group["name"]) if "name" in group else "" for group in groups]
    counts = Counter(names)
    return [name if name and counts[name] == 1 else str(i) for i, name in enumerate(names)]
