"""Arithmetic on lists with one number per parameter group, which are often all alike.

Then one number is worked out for all. That, and `zip` without ``strict=``, which costs more than
the work on a single group, keeps a step as cheap with hundreds of groups as it is with one.
"""

from __future__ import annotations


def alike(values: list[float]) -> bool:
    """Whether there is but one number."""
    return values.count(values[0]) == len(values)


def scaled(bases: list[float], weight: float, offset: float = 0.0) -> list[float]:
    """``base × weight + offset`` for every group."""
    first = bases[0]
    if first == bases[-1] and bases.count(first) == len(bases):  # the last one tells sooner
        return [first * weight + offset] * len(bases)
    if offset:
        return [base * weight + offset for base in bases]
    return [base * weight for base in bases]


def blended(ups: list[float], up: float, downs: list[float], down: float) -> list[float]:
    """Two numbers of every group, each with its weight."""
    first, second = ups[0], downs[0]
    if first == ups[-1] and second == downs[-1] and alike(ups) and alike(downs):
        return [first * up + second * down] * len(ups)
    return [a * up + b * down for a, b in zip(ups, downs)]  # noqa: B905


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
