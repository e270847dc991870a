"""A schedule compiled into one function of a step, for callers that evaluate every step.

A curve's formula is written against a namespace of operations. The namespace here records each
operation as a line of source, and the lines become a function: the operations that Python would do
anyway, in their order, without the calls between them. ``linear(500)`` becomes

    def evaluator(t):
        try:
            a1 = 0 if t < 0 else 500.0 if t > 500.0 else t
            a2 = a1 / 500.0
            a3 = 500.0 - a1
            a4 = a3 / 500.0
            a5 = 1.0 * a4
            a6 = 0.0 * a2
            a7 = a5 + a6
            value = 1.0 * a7
            if t == t and low < value < high:
                return value
        except (ArithmeticError, TypeError, ValueError):
            pass
        return schedule(t)

where the last line is reached after an error; the schedule itself then raises its message.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ._maths import SCALARS

INLINE = 8
"""The most parts of a sequence that are found by comparisons; more are found by bisection."""
LEVELS = 12
"""The deepest nesting of branches in one function; Python allows 100."""

Evaluator = Callable[[float], float]
Operator = Callable[[Any, Any], Any]

CHECKED = """
def evaluator(t):
    try:
{body}
        value = 1.0 * {result}
        if t == t and low < value < high:
            return value
    except (ArithmeticError, TypeError, ValueError):
        pass
    return schedule(t)
"""
PART = """
def evaluator(t):
{body}
    return {result}
"""


def evaluator(schedule: Any) -> Evaluator:
    """A function of a step with the values and the errors of ``schedule``."""
    try:
        return compiled(schedule, CHECKED, level=2)
    except (ArithmeticError, AttributeError, TypeError, ValueError):
        return schedule._scalar  # type: ignore[no-any-return]


def compiled(schedule: Any, template: str, level: int) -> Evaluator:
    """The function that ``template`` makes of a schedule's operations, indented so deep."""
    trace = Trace(level)
    result = trace.text(schedule._at(Symbol("t", trace), trace))
    body = "\n".join(trace.lines)
    names = {"schedule": schedule, "inf": math.inf, "low": -math.inf, "high": math.inf}
    names |= trace.names
    exec(template.format(body=body, result=result), names)
    return names["evaluator"]  # type: ignore[no-any-return]


class Parts(dict[int, Evaluator]):
    """The functions of many parts by number, each compiled when the clock comes to it."""

    def __init__(self, parts: Sequence[Any]) -> None:
        super().__init__()
        self._parts = parts

    def __missing__(self, k: int) -> Evaluator:
        self[k] = compiled(self._parts[k], PART, level=1)
        return self[k]


def _forward(sign: str) -> Operator:
    return lambda a, b: a.trace.let(f"{a.name} {sign} {a.trace.text(b)}")


def _backward(sign: str) -> Operator:
    return lambda a, b: a.trace.let(f"{a.trace.text(b)} {sign} {a.name}")


def _times(a: Symbol, b: Any) -> Symbol:
    return a if type(b) is float and b == 1.0 else _backward("*")(a, b)


class Symbol:
    """A number known by name only; operations on it are recorded."""

    def __init__(self, name: str, trace: Trace) -> None:
        self.name, self.trace = name, trace

    __add__, __radd__ = _forward("+"), _backward("+")
    __sub__, __rsub__ = _forward("-"), _backward("-")
    __mul__ = __rmul__ = _times
    __truediv__, __rtruediv__ = _forward("/"), _backward("/")
    __pow__, __rpow__ = _forward("**"), _backward("**")
    __lt__, __le__, __gt__, __ge__ = _forward("<"), _forward("<="), _forward(">"), _forward(">=")

    def __neg__(self) -> Symbol:
        return self.trace.let(f"-{self.name}")

    def __bool__(self) -> bool:
        raise TypeError("a branch on a value that is not known yet")


class Trace:
    """The operations of `Scalars`, recorded instead of executed."""

    def __init__(self, level: int) -> None:
        self.lines: list[str] = []
        self.names: dict[str, Any] = {}
        self._count, self._level = 0, level

    # -- writing ---------------------------------------------------------------------------------

    def let(self, expression: str) -> Symbol:
        """A new name for the value of an expression."""
        self._count += 1
        name = f"a{self._count}"
        self._write(f"{name} = {expression}")
        return Symbol(name, self)

    def text(self, value: Any) -> str:
        """A number or a symbol as source, exactly; anything else under a name of its own."""
        if isinstance(value, Symbol):
            return value.name
        if type(value) is int or (type(value) is float and math.isfinite(value)):
            return f"({value!r})" if repr(value).startswith("-") else repr(value)
        name = f"c{len(self.names)}"
        self.names[name] = value
        return name

    def _write(self, line: str) -> None:
        self.lines.append("    " * self._level + line)

    @contextmanager
    def _block(self, head: str) -> Iterator[None]:
        self._write(head)
        self._level += 1
        yield
        self._level -= 1

    # -- the operations --------------------------------------------------------------------------

    tiny, number = SCALARS.tiny, staticmethod(SCALARS.number)
    power, scaled = staticmethod(SCALARS.power), staticmethod(SCALARS.scaled)

    def __getattr__(self, name: str) -> Callable[[Any], Symbol]:
        """A function of `math`."""
        self.names[name] = getattr(SCALARS, name)
        return lambda x: self.let(f"{name}({self.text(x)})")

    def clip(self, x: Any, lo: float, hi: float) -> Symbol:
        x = self.text(x)
        low = "" if lo == -math.inf else f"{self.text(lo)} if {x} < {self.text(lo)} else "
        high = "" if hi == math.inf else f"{self.text(hi)} if {x} > {self.text(hi)} else "
        return self.let(f"{low}{high}{x}")

    def quotient(self, t: Any, n: float) -> Symbol:
        self.names["floor"] = math.floor
        t, divisor = self.text(t), self.text(n)
        whole = f"{t} // {divisor} if type({t}) is int else " if isinstance(n, int) else ""
        return self.let(f"{whole}floor({t} / {divisor}) if -inf < {t} < inf else {t}")

    def where(self, condition: Any, a: Any, b: Any) -> Symbol:
        return self.let(f"{self.text(a)} if {self.text(condition)} else {self.text(b)}")

    def full(self, t: Any, value: float) -> float:
        return value

    def count(self, edges: Sequence[float], t: Any) -> Symbol:
        self.names["count"] = SCALARS.count
        return self.let(f"count({self.text(edges)}, {self.text(t)})")

    def take(self, table: Sequence[float], index: Any) -> Symbol:
        return self.let(f"{self.text(table)}[{self.text(index)}]")

    def each(self, one: Evaluator, whole: Any, t: Any) -> Symbol:
        return self.let(f"{self.text(one)}({self.text(t)})")

    def select(self, t: Any, starts: Sequence[float], parts: Sequence[Any]) -> Symbol:
        if len(parts) > INLINE or self._level > LEVELS:
            k = self.count(starts[1:], t)
            local = t - self.take(starts, k)
            return self.let(f"{self.text(Parts(parts))}[{k.name}]({local.name})")
        self._count += 1
        chosen = f"a{self._count}"
        self._choose(chosen, t, starts, parts)
        return Symbol(chosen, self)

    def _choose(self, chosen: str, t: Any, starts: Sequence[float], parts: Sequence[Any]) -> None:
        """Lines that give ``chosen`` the value of the part that answers for ``t``."""
        if len(parts) == 1:
            # An integer clock stays one: `t - 0` is `t`.
            local = t if starts[0] == 0 else t - starts[0]
            self._write(f"{chosen} = {self.text(parts[0]._at(local, self))}")
            return
        half = len(parts) // 2
        with self._block(f"if {self.text(t)} < {self.text(starts[half])}:"):
            self._choose(chosen, t, starts[:half], parts[:half])
        with self._block("else:"):
            self._choose(chosen, t, starts[half:], parts[half:])
