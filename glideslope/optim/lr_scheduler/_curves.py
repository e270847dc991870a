"""Lengths as torch's schedulers take them: any number from 0 on, fractions of one step too."""

from __future__ import annotations

from collections.abc import Callable

from glideslope.schedules import Schedule


def over(steps: float, curve: Callable[[float], Schedule]) -> Schedule:
    """A curve over ``steps``, stretched from one step where it is shorter than that."""
    return curve(1).stretch(steps) if 0 < steps < 1 else curve(steps)
