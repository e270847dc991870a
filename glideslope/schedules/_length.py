"""Lengths in steps, epochs, tokens, percent or the rest of the run, and their binding to steps."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from numbers import Real
from typing import Any

from glideslope.errors import InvalidValue, UnboundError, require, require_type

UNITS = {
    "ep": "steps_per_epoch",
    "tok": "tokens_per_step",
    "%": "total_steps",
    "rest": "total_steps",
}
"""Each unit and the number that binds it."""
DIGITS = r"\d+(?:_\d+)*"
NUMBER = rf"(?:{DIGITS}(?:\.(?:{DIGITS})?)?|\.{DIGITS})(?:e[+-]?{DIGITS})?"
LENGTH = re.compile(rf"(?P<number>{NUMBER})(?P<unit>ep|tok|%)", re.IGNORECASE)


def real(name: str, value: Any) -> int | float:
    """A finite real number as a double, or as the int it is equal to, as its text reads back."""
    value = _plain(value)
    number = isinstance(value, Real) and not isinstance(value, bool)
    require_type(number, name, "be a number", value)
    try:
        double = float(value)
    except OverflowError:
        double = math.inf
    require(math.isfinite(double), name, "be finite", double)
    return int(double) if double.is_integer() else double


def _plain(value: Any) -> Any:
    """The number in an array or tensor without dimensions; anything else as it is."""
    if getattr(value, "shape", None) != () or not hasattr(value, "item"):
        return value
    try:
        return value.item()
    except (TypeError, RuntimeError, NotImplementedError):  # a traced value has no number yet
        return value


def whole(name: str, value: Any, least: int) -> int:
    """A whole number of at least ``least``, from an int or a float that is one.

    Args:
        name: the argument's name in messages.
        value: the number.
        least: the lowest that is taken.

    Raises:
        InvalidType: it is no number.
        InvalidValue: it is not whole, or lower.

    >>> whole("steps", 1e4, 1)
    10000
    """
    number = real(name, value)
    right = isinstance(number, int) and number >= least
    require(right, name, f"be a whole number of at least {least}", value)
    return int(number)


def as_value(name: str, value: Any) -> float:
    """A finite real number as a float, for the values of a curve."""
    return float(real(name, value))


def number_text(value: float) -> str:
    """The shortest text that reads back as the same number.

    >>> number_text(1.0), number_text(3e-4), number_text(2e9), number_text(1e300)
    ('1', '0.0003', '2000000000', '1e+300')
    """
    whole = math.isfinite(value) and value == int(value) and abs(value) < 1e15
    return str(int(value)) if whole else repr(value)


@dataclass(frozen=True)
class Length:
    """A length whose unit is not steps: epochs (``ep``), tokens (``tok``), percent (``%``), rest.

    ``steps = value · steps_per_epoch``, ``value / tokens_per_step`` or
    ``value / 100 · total_steps``, once a schedule is bound. ``Length(1, "rest")``, written
    ``"rest"``, is ``total_steps`` less the other phases of its sequence.

    Args:
        value: the number of units, at least 0.
        unit: ``"ep"``, ``"tok"``, ``"%"`` or ``"rest"``.

    Raises:
        InvalidValue: an unknown unit, a value below 0, or another part of the rest than 1.

    >>> Length(10, "ep")
    Length(value=10, unit='ep')
    >>> str(Length(2e9, "tok")), str(Length(1, "rest"))
    ('2000000000tok', 'rest')
    """

    value: float
    unit: str

    def __post_init__(self) -> None:
        require(self.unit in UNITS, "unit", f"be one of {', '.join(UNITS)}", self.unit)
        object.__setattr__(self, "value", real("length", self.value))
        require(self.value >= 0, "length", "be at least 0", f"{self}")
        whole_rest = self.unit != "rest" or self.value == 1
        require(whole_rest, "length", "be all of the rest, 1", self.value)

    def __str__(self) -> str:
        return "rest" if self.unit == "rest" else f"{number_text(self.value)}{self.unit}"


REST = Length(1, "rest")
"""The rest of the run, after the other phases of a sequence."""
Steps = int | float | str | Length
"""The values of an argument that counts steps: a number, ``"10ep"``, ``"2e9tok"``, ``"5%"``; the
length of a phase also takes ``"rest"``."""


@dataclass(frozen=True)
class RunNumbers:
    """The numbers of one run that lengths are bound by."""

    numbers: Mapping[str, Fraction]

    @classmethod
    def of(cls, **numbers: float | None) -> RunNumbers:
        """The numbers that are given, refused by name unless above 0."""
        given = {name: real(name, value) for name, value in numbers.items() if value is not None}
        for name, value in given.items():
            require(value > 0, name, "be more than 0", value)
        return cls({name: Fraction(repr(value)) for name, value in given.items()})

    def number(self, length: Length) -> Fraction:
        """The number that binds ``length``."""
        name = UNITS[length.unit]
        if name not in self.numbers:
            raise UnboundError(f"the length {str(length)!r} needs `{name}`: bind({name}=...)")
        return self.numbers[name]

    def steps(self, length: Length) -> Fraction:
        """The exact number of steps of a length in epochs, tokens or percent."""
        value, number = Fraction(repr(length.value)), self.number(length)
        if length.unit == "tok":
            return value / number
        return value * number / (100 if length.unit == "%" else 1)


@dataclass
class Binder:
    """Binds the lengths of a schedule to the steps of a run; carries rounding from part to part."""

    run: RunNumbers
    carry: Fraction = Fraction(0)
    left: float | None = None
    """The steps for a phase that takes the rest; those of the run unless a sequence sets them."""

    def resolve(self, length: float | Length) -> float:
        """The whole number of steps that keeps the running total closest to the exact one."""
        if not isinstance(length, Length):
            return length
        if length == REST:
            return self.rest()
        exact = self.run.steps(length)
        steps = half_up(exact + self.carry)
        given = f"{length} = {float(exact):g} steps after parts that were rounded up"
        require(steps >= 0, "length", "come to at least 0 steps", given)
        self.carry += exact - steps
        return steps

    def rest(self) -> float:
        """The rest of the run."""
        return half_up(self.run.number(REST)) if self.left is None else self.left

    def position(self, length: float | Length) -> float:
        """A length that is measured on its own: rounded, nothing carried."""
        return self.own_clock().resolve(length)

    def own_clock(self) -> Binder:
        """The same binder without carried rounding, for a schedule outside the sequence."""
        return replace(self, carry=Fraction(0))

    def leaving(self, steps: float, schedule: object) -> Binder:
        """The binder for a phase of ``schedule`` whose other phases take ``steps``."""
        left = self.rest()
        if steps > left:
            known = f"the other phases take {steps:.15g} steps, the run has {left:.15g}"
            raise InvalidValue(f"nothing is left for the rest in `{schedule}`: {known}")
        return replace(self.own_clock(), left=left - steps)


def half_up(value: Fraction) -> int:
    """The nearest whole number, the higher one of two."""
    return math.floor(value + Fraction(1, 2))


def as_steps(name: str, steps: Any) -> int | float | Length:
    """A length from an argument, in steps or in a unit that needs no sequence around it."""
    value = as_any_steps(name, steps)
    rule = "be counted in steps, ep, tok or %: only the length of a phase can be the rest"
    require(value != REST, name, rule, "rest")
    return value


def as_any_steps(name: str, steps: Any) -> int | float | Length:
    """A length from an argument: whole floats become ints, text becomes a number or a `Length`."""
    value = _from_text(name, steps) if isinstance(steps, str) else steps
    if isinstance(value, Length):
        return value if value.value else 0
    return real(name, value)


def as_length(name: str, steps: Any, least: float = 1) -> int | float | Length:
    """A length of at least ``least`` steps, or one to be bound."""
    value = as_steps(name, steps)
    require(isinstance(value, Length) or value >= least, name, f"be at least {least}", value)
    return value


def as_phase(name: str, steps: Any) -> int | float | Length:
    """The length of a phase: of no steps, of at least 1, or one to be bound."""
    value = as_any_steps(name, steps)
    right = isinstance(value, Length) or value == 0 or value >= 1
    require(right, name, "be 0 or at least 1", value)
    return value


def bound_steps(steps: Steps) -> float:
    """A length that is known to be a number of steps by now."""
    if isinstance(steps, str | Length):
        raise UnboundError(f"the length {str(steps)!r} is not bound to steps: call .bind(...)")
    return steps


def bind_call(length: Length) -> str:
    """The call that binds ``length``, for messages."""
    return f".bind({UNITS[length.unit]}=...)"


def _from_text(name: str, text: str) -> int | float | Length:
    if text.strip() == "rest":
        return REST
    match = LENGTH.fullmatch(text.strip())
    if match:
        return Length(float(match["number"]), match["unit"].lower())
    try:
        return real(name, float(text))
    except ValueError:
        rule = "be a number of steps, one with a unit such as 10ep, 2e9tok, 5%, or rest"
        raise InvalidValue(f"`{name}` must {rule}, got {text!r}") from None
