"""Arithmetic on lists with one number per parameter group, which are often all alike.

If they are, one number is computed for all. `zip` goes without ``strict=``, which costs more than
the arithmetic of a group. So a step costs the same with hundreds of groups as with one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from glideslope.errors import InvalidType


def scaled(bases: list[float], factor: float) -> list[float]:
    """``base × factor`` for every group.

    >>> scaled([1.0, 2.0], 0.25)
    [0.25, 0.5]
    """
    first = bases[0]
    if len(bases) == 1:
        return [first * factor]
    if bases[-1] == first and bases.count(first) == len(bases):  # the last one differs most often
        return [first * factor] * len(bases)
    return [base * factor for base in bases]


def blended(tops: list[float], bottoms: list[float], share: float) -> list[float]:
    """``top × share + bottom × (1 - share)`` for every group.

    Args:
        tops: the values where the share is 1.
        bottoms: the values where it is 0.
        share: the share.

    >>> blended([1.0, 2.0], [0.5, 0.0], 0.5)
    [0.75, 1.0]
    """
    count, rest = len(tops), 1 - share
    if count == 1:
        return [tops[0] * share + bottoms[0] * rest]
    top, bottom = tops[0], bottoms[0]
    if tops.count(top) == count and bottoms.count(bottom) == count:
        return [top * share + bottom * rest] * count
    return [top * share + bottom * rest for top, bottom in zip(tops, bottoms)]  # noqa: B905


def compounded(bases: list[float], values: list[float], references: list[float]) -> list[float]:
    """``base × value / reference``, without rounding where the reference is the base itself.

    There may be fewer values than bases, for groups that the source has not joined; they keep the
    base. A reference of 0 carries no factor; if the base is 0 as well, the result is the value.

    Args:
        bases: the groups' own values.
        values: a source's values.
        references: the bases that these were computed from.

    >>> compounded([0.5, 0.1], [0.05, 0.0125], [0.1, 0.1])
    [0.25, 0.0125]
    """
    if len(bases) == 1 and values:
        base, value, reference = bases[0], values[0], references[0]
        if reference == base:
            return [value]
        return [base * (value / reference) if reference else base]
    if bases == references and len(values) == len(bases):
        return values
    out = [
        value if reference == base else base * (value / reference) if reference else base
        for base, value, reference in zip(bases, values, references)  # noqa: B905
    ]
    return out + bases[len(out) :] if len(out) < len(bases) else out


def undone(value: float, factor: float, near: float) -> float:
    """``value / factor``, or ``near`` if that differs by rounding only.

    A factor of 0 carries no information on the base, which then is ``near``.
    """
    if not math.isfinite(factor) or not factor:
        return near
    base = value / factor
    return near if math.isclose(base, near, rel_tol=1e-12) else base


def plain(values: Sequence[Any]) -> list[float]:
    """Python floats, from numbers, torch's tensors, or anything else `float` takes.

    Raises:
        InvalidType: one of them is not a real number.

    >>> import torch
    >>> plain([1, torch.tensor(0.5)])
    [1.0, 0.5]
    """
    try:
        return list(map(float, values))
    except (TypeError, ValueError):
        raise InvalidType(f"learning rates must be real numbers, got {values!r}") from None
