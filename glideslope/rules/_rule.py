"""What a rule declares, read from the signature of its formula."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, overload

from glideslope.errors import require

Formula = Callable[..., Any]
Derive = Callable[..., Mapping[str, Any]]


class Rule:
    """An optimizer as one formula on numbers; made by `rule`, which says how to write one.

    Calling it runs the formula on whatever it is given: floats, arrays, tensors.

    Attributes:
        name: the formula's name.
        state: names of the numbers kept per element, as in a state dict.
        scalars: names of what is the same for a whole tensor.
        options: names of the switches that choose the formula's shape.
        counters: names of the scalars kept per tensor in a state dict.
    """

    def __init__(
        self,
        formula: Formula,
        derive: Derive | None,
        counters: Iterable[str],
        only_if: Mapping[str, str],
        start: Mapping[str, str | float],
    ) -> None:
        kinds = inspect.Parameter
        self.formula, self.derive = formula, derive
        self.name: str = formula.__name__
        self.__doc__ = formula.__doc__
        elements = _parameters(formula, kinds.POSITIONAL_ONLY)
        require(elements[:2] == ("p", "g"), self.name, "take (p, g, ..., /) first", elements)
        self.state = elements[2:]
        self.scalars = _parameters(formula, kinds.POSITIONAL_OR_KEYWORD)
        self.options = _parameters(formula, kinds.KEYWORD_ONLY)
        self._only_if, self._start = dict(only_if), dict(start)
        self._derived_from = tuple(inspect.signature(derive).parameters) if derive else ()
        counted = {"step"} & {*self.scalars, *self._derived_from}
        self.counters = tuple(dict.fromkeys((*counted, *counters)))

    def __call__(self, *values: Any, **scalars: Any) -> Any:
        """The formula on any numbers; an option that is not given is off.

        >>> from glideslope.rules import lion
        >>> lion(1.0, 2.0, 0.0, lr=0.25, beta1=0.9, beta2=0.75, weight_decay=0.0)
        (0.75, 0.5)
        """
        return self.formula(*values, **{**dict.fromkeys(self.options, False), **scalars})

    def __repr__(self) -> str:
        return f"<rule {self.name}{inspect.signature(self.formula)}>"

    def active_options(self, group: Mapping[str, Any]) -> frozenset[str]:
        """The options that a parameter group switches on."""
        return frozenset(name for name in self.options if group[name.removeprefix("with_")])

    def kept_state(self, active: frozenset[str]) -> tuple[str, ...]:
        """The names of the state that exists under these options."""
        absent = {name for name, option in self._only_if.items() if option not in active}
        return tuple(name for name in self.state if name not in absent)

    def initial(self, name: str, group: Mapping[str, Any]) -> Any:
        """What a state or counter starts from: 0, or what the rule says, but for the parameter."""
        value = self._start.get(name, 0.0)
        return group[value] if isinstance(value, str) else value

    def starts_at_parameter(self, name: str) -> bool:
        """Whether a state starts as a copy of the parameter."""
        return self._start.get(name) == "p"

    def values(self, group: Mapping[str, Any], counted: Mapping[str, Any]) -> dict[str, Any]:
        """Every scalar by name, in double precision, for one step of one parameter group."""
        known = _Names(group, counted)
        derived = self.derive(*map(known.find, self._derived_from)) if self.derive else {}
        return {
            **{name: known.find(name) for name in self.scalars if name not in derived},
            **derived,
        }


class _Names:
    """Looks a scalar's name up among the counted values and a group's hyperparameters."""

    def __init__(self, group: Mapping[str, Any], counted: Mapping[str, Any]) -> None:
        self.group, self.counted = group, counted

    def find(self, name: str) -> Any:
        if name in self.counted:
            return self.counted[name]
        if name in self.group:
            return self.group[name]
        return self.group[f"{name[:-1]}s"][int(name[-1]) - 1]  # beta2 is betas[1]


def _parameters(formula: Formula, kind: Any) -> tuple[str, ...]:
    parameters = inspect.signature(formula).parameters.values()
    return tuple(parameter.name for parameter in parameters if parameter.kind is kind)


@overload
def rule(formula: Formula, /) -> Rule: ...


@overload
def rule(
    *,
    derive: Derive | None = None,
    counters: Iterable[str] = (),
    only_if: Mapping[str, str] | None = None,
    start: Mapping[str, str | float] | None = None,
) -> Callable[[Formula], Rule]: ...


def rule(
    formula: Formula | None = None,
    /,
    *,
    derive: Derive | None = None,
    counters: Iterable[str] = (),
    only_if: Mapping[str, str] | None = None,
    start: Mapping[str, str | float] | None = None,
) -> Rule | Callable[[Formula], Rule]:
    """Make a rule of a formula: what an optimizer does to one number.

    The signature says everything::

        def name(p, g, STATE..., /, SCALARS..., *, OPTIONS...):
            ...
            return p, STATE...

    - before the ``/`` are numbers of one element: the parameter ``p``, its gradient ``g``, and
      the state, named as in a state dict; the new ``p`` and state are returned in this order;
    - then scalars, the same for a whole tensor: a parameter group's hyperparameters by name
      (``beta2`` is the second of ``betas``), ``step``, the number of this update from 1, and
      ``fresh``, 1 at the first update of a tensor, when its state is made, and 0 from then on.
      What is computed from scalars alone is computed once per step, in double precision;
    - after the ``*`` are options, known before the first step (``with_momentum`` is on when
      ``momentum`` is not 0). Only they may be asked for by ``if``. Elements are chosen by
      `where`; there are no loops.

    A rule that returns nothing but `total` of this and of that updates nothing: it measures.

    The words for elements are ``+ - * /``, comparisons, ``&``, ``|``, the functions of this module,
    and functions of your own that do nothing but return an expression of such words. `total`,
    `mean` and `norm` make a scalar of a whole tensor's elements.

    Args:
        formula: the function, when used as a plain ``@rule``.
        derive: computes further scalars, and the next value of any counter but ``step``, from
            scalars: a function whose parameters are their names, giving a mapping.
        counters: scalars kept per tensor in the state dict, besides ``step`` where it is used.
        only_if: the option without which a state does not exist.
        start: what a state or counter starts from, instead of 0: a number, the name of a
            hyperparameter, or ``"p"``, the parameter itself.

    Raises:
        InvalidValue: the formula does not begin with ``p, g``.

    Example:
        >>> from glideslope.rules import rule, sign
        >>> @rule
        ... def sign_descent(p, g, /, lr):
        ...     return p - lr * sign(g)
        >>> sign_descent
        <rule sign_descent(p, g, /, lr)>
        >>> sign_descent(1.0, -3.0, lr=0.25)
        1.25
    """

    def make(formula: Formula) -> Rule:
        return Rule(formula, derive, counters, only_if or {}, start or {})

    return make if formula is None else make(formula)
