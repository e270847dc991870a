"""Arithmetic on lists with one number per parameter group, which are often all alike.

Then one number is worked out for all. That, and `zip` without ``strict=``, which costs more than
the work on a single group, keeps a step as cheap with hundreds of groups as it is with one.
"""

from __future__ import annotations


def scaled(bases: list[float], weight: float, offset: float = 0.0) -> list[float]:
    """``base × weight + offset`` for every group."""
    first = bases[0]
    if bases[-1] == first and bases.count(first) == len(bases):  # the last one tells sooner
        return [first * weight + offset] * len(bases)
    if offset:
        return [base * weight + offset for base in bases]
    return [base * weight for base in bases]


class Blend:
    """What lies between two numbers of every group: ``up × share + down × (1 - share)``."""

    __slots__ = ("_count", "_down", "_downs", "_up", "_ups")

    def __init__(self, ups: list[float], downs: list[float]) -> None:
        self._ups, self._downs = ups, downs
        self._up, self._down = ups[0], downs[0]
        is_one = ups.count(ups[0]) == len(ups) and downs.count(downs[0]) == len(downs)
        self._count = len(ups) if is_one else 0

    def at(self, share: float) -> list[float]:
        """The numbers at a share of the ups."""
        rest = 1 - share
        if self._count:
            return [self._up * share + self._down * rest] * self._count
        return [up * share + down * rest for up, down in zip(self._ups, self._downs)]  # noqa: B905


def compounded(bases: list[float], values: list[float], references: list[float]) -> list[float]:
    """``base × value / reference``, without rounding where the reference is the base itself.

    Values may be fewer, for groups are newer than what they are of; there the base stays. A
    reference of 0 carries no factor; where the base is 0 as well, the value stands as it is.
    """
    out = [
        value if reference == base else base * (value / reference) if reference else base
        for base, value, reference in zip(bases, values, references)  # noqa: B905
    ]
    return out + bases[len(out) :] if len(out) < len(bases) else out
