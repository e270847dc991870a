"""Lengths in steps, epochs, tokens or percent, and what binds them to steps."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from fractions import Fraction
from numbers import Real
from typing import Any

from glideslope.errors import InvalidValue, UnboundError, require, require_type

UNITS = {"ep": "steps_per_epoch", "tok": "tokens_per_step", "%": "total_steps"}
NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?"
LENGTH = re.compile(rf"(?P<number>{NUMBER})(?P<unit>ep|tok|%)", re.IGNORECASE)


@dataclass(frozen=True)
class Length:
    """A length whose unit is not steps: epochs (``ep``), tokens (``tok``), percent (``%``).

    ``steps = value · steps_per_epoch``, ``value / tokens_per_step`` or
    ``value / 100 · total_steps``, once a schedule is bound.

    >>> Length(10, "ep")
    Length(value=10, unit='ep')
    >>> str(Length(2e9, "tok"))
    '2000000000tok'
    """

    value: float
    unit: str

    def __post_init__(self) -> None:
        require(self.unit in UNITS, "unit", f"be one of {', '.join(UNITS)}", self.unit)
        object.__setattr__(self, "value", real("length", self.value))
        require(self.value > 0, "length", "be more than 0", f"{self}")

    def __str__(self) -> str:
        return f"{number_text(self.value)}{self.unit}"


Steps = int | float | str | Length
"""What an argument that counts steps takes: a number, ``"10ep"``, ``"2e9tok"`` or ``"5%"``."""


@dataclass
class Plan:
    """What one run makes of the units; carries a sequence's rounding from part to part."""

    steps_per_epoch: float | None
    tokens_per_step: float | None
    total_steps: float | None
    carry: Fraction = Fraction(0)

    def resolve(self, length: float | Length, least: int = 1) -> float:
        """The whole number of steps that keeps the running total closest to the exact one."""
        if not isinstance(length, Length):
            return length
        exact = self._exact(length)
        steps = math.floor(exact + self.carry + Fraction(1, 2))
        told = f"{length} = {float(exact):g} steps"
        require(steps >= least, "length", f"come to at least {least} whole step", told)
        self.carry += exact - steps
        return steps

    def position(self, length: float | Length) -> float:
        """A length that is measured on its own: rounded, nothing carried."""
        return self.own_clock().resolve(length, least=0)

    def own_clock(self) -> Plan:
        """The same plan with nothing carried: for what is not a part of the sequence."""
        return replace(self, carry=Fraction(0))

    def _exact(self, length: Length) -> Fraction:
        name = UNITS[length.unit]
        per = getattr(self, name)
        if per is None:
            raise UnboundError(f"the length {str(length)!r} needs `{name}`: bind({name}=...)")
        value = Fraction(repr(length.value))
        if length.unit == "%":
            return value / 100 * Fraction(repr(per))
        return value * Fraction(repr(per)) if length.unit == "ep" else value / Fraction(repr(per))


def as_steps(name: str, steps: Any) -> int | float | Length:
    """A length from an argument: whole floats become ints, text becomes a number or a `Length`."""
    if isinstance(steps, Length):
        return steps
    if isinstance(steps, str):
        return _from_text(name, steps)
    return real(name, steps)


def as_length(name: str, steps: Any, least: float = 1) -> int | float | Length:
    """A length of at least ``least`` steps, or one to be bound."""
    value = as_steps(name, steps)
    require(isinstance(value, Length) or value >= least, name, f"be at least {least}", value)
    return value


def bound(steps: Steps) -> float:
    """A length that is known to be a number of steps by now."""
    if isinstance(steps, str | Length):
        raise UnboundError(f"the length {str(steps)!r} is not bound to steps: call .bind(...)")
    return steps


def real(name: str, value: Any) -> int | float:
    """A finite real number as a double, or as the int it is equal to: what its text gives back."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    require_type(number, name, "be a number", value)
    try:
        double = float(value)
    except OverflowError:
        double = math.inf
    require(math.isfinite(double), name, "be finite", double)
    return int(double) if double.is_integer() else double


def whole(name: str, value: Any, least: int) -> int:
    """A whole number of at least ``least``."""
    number = real(name, value)
    right = isinstance(number, int) and number >= least
    require(right, name, f"be a whole number of at least {least}", value)
    return int(number)


def as_value(name: str, value: Any) -> float:
    """A finite real number as a float: what a curve's values are made of."""
    return float(real(name, value))


def number_text(value: float) -> str:
    """The shortest text that reads back as the same number.

    >>> number_text(1.0), number_text(3e-4), number_text(2e9), number_text(1e300)
    ('1', '0.0003', '2000000000', '1e+300')
    """
    whole = math.isfinite(value) and value == int(value) and abs(value) < 1e15
    return str(int(value)) if whole else repr(value)


def _from_text(name: str, text: str) -> int | float | Length:
    match = LENGTH.fullmatch(text.strip())
    if match:
        return Length(float(match["number"]), match["unit"].lower())
    try:
        return real(name, float(text))
    except ValueError:
        rule = "be a number of steps, or one with a unit such as 10ep, 2e9tok, 5%"
        raise InvalidValue(f"`{name}` must {rule}, got {text!r}") from None
