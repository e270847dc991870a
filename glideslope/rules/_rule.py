"""The declaration of a rule, read from the signature of its formula."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, overload

from glideslope.errors import InvalidValue, require

from ._check import (
    check_names,
    check_results,
    check_words,
    names_in,
    refuse,
    suggestion,
    tried,
)

Formula = Callable[..., Any]
Derive = Callable[..., Mapping[str, Any]]


class Rule:
    """An optimizer as one formula on numbers; made by `rule`, which documents how to write one.

    Calling it runs the formula on whatever it is given: floats, arrays, tensors.

    Attributes:
        name: the formula's name.
        state: names of the numbers kept per element, as in a state dict.
        scalars: names of what is the same for a whole tensor.
        options: names of the switches that choose the formula's shape.
        counters: names of the scalars kept per tensor in a state dict.
        only_if: the option without which a state does not exist, by the state's name.
        non_negative: names of the state that is never less than 0.

    Raises:
        InvalidValue: the formula does not take ``(p, g, ..., /)`` first, or a name is unknown.
    """

    def __init__(
        self,
        formula: Formula,
        derive: Derive | None,
        counters: Iterable[str],
        only_if: Mapping[str, str],
        start: Mapping[str, str | float],
        non_negative: Iterable[str] = (),
        exact: Mapping[str, str] | None = None,
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
        self.only_if, self._start = dict(only_if), dict(start)
        self.non_negative, self._exact = frozenset(non_negative), dict(exact or {})
        self._derived_from = tuple(inspect.signature(derive).parameters) if derive else ()
        counted = {"step"} & {*self.scalars, *self._derived_from}
        self.counters = tuple(dict.fromkeys((*counted, *counters)))
        self._checked: set[Any] = set()
        self._check_declaration(kinds)

    def __call__(self, *values: Any, **scalars: Any) -> Any:
        """The formula on any numbers; an option that is not given is off.

        >>> from glideslope.rules import lion
        >>> lion(1.0, 2.0, 0.0, lr=0.25, beta1=0.9, beta2=0.75, weight_decay=0.0)
        (0.75, 0.5)
        """
        return self.formula(*values, **{**dict.fromkeys(self.options, False), **scalars})

    def __repr__(self) -> str:
        return f"<rule {self.name}{inspect.signature(self.formula)}>"

    def check(self, group: Mapping[str, Any], element: Any) -> None:
        """Refuse hyperparameters that the rule cannot run on, and a rule that runs on none.

        Args:
            group: the hyperparameters, by name.
            element: numbers of the kind that an engine gives, for a trial.

        Raises:
            InvalidValue: a name is in none of them, or the formula fails, or does not return the
                parameter and all state; the message has the line.
        """
        for name in self.options:
            if (key := name.removeprefix("with_")) not in group:
                problem = f"has the option `{name}`, and there is no hyperparameter `{key}`"
                raise refuse(self.formula, problem + suggestion(key, group), name)
        active = self.active_options(group)
        if (active, frozenset(group)) not in self._checked:
            with suppress(ArithmeticError):
                self._try(group, element, active)
            self._checked.add((active, frozenset(group)))

    def _check_declaration(self, kinds: Any) -> None:
        several = _parameters(self.formula, kinds.VAR_POSITIONAL)
        several += _parameters(self.formula, kinds.VAR_KEYWORD)
        declared = {
            "name each of its parameters, not": (several, ()),
            "have a state": ((*self.only_if, *self.non_negative, *self._exact), self.state),
            "have an option": (self.only_if.values(), self.options),
            "have a state or a counter": (self._start, (*self.state, *self.counters)),
        }
        for wanted, (names, known) in declared.items():
            for name in names:
                if name not in known:
                    problem = f"must {wanted} `{name}`{suggestion(name, known)}"
                    raise refuse(self.formula, problem)

    def _try(self, group: Mapping[str, Any], element: Any, active: frozenset[str]) -> None:
        """Run the formula once, on ones; an error of arithmetic is one of these numbers alone."""
        check_words(self.formula)
        scalars = self._first_scalars(group)
        check_names(self.formula, self.scalars, scalars)
        chosen = {name: scalars[name] for name in self.scalars}
        options = {name: name in active for name in self.options}
        elements = [element] * (len(self.state) + 2)
        check_results(self.formula, tried(self.formula, *elements, **chosen, **options), self.state)

    def _first_scalars(self, group: Mapping[str, Any]) -> dict[str, Any]:
        """All that a scalar may be called, at the first step."""
        known = {**names_in(group), "fresh": 1.0, "step": 1.0}
        named = {each for each in self._start.values() if isinstance(each, str)}
        check_names(self.formula, sorted(named - {"p"}), known)
        known |= {name: self.initial(name, group) for name in self.counters if name != "step"}
        if self.derive is None:
            return known
        check_words(self.derive)
        check_names(self.derive, self._derived_from, known)
        derived = tried(self.derive, *(known[name] for name in self._derived_from))
        if not isinstance(derived, Mapping):
            raise refuse(self.derive, "must give a mapping of names to numbers")
        return {**known, **derived}

    def active_options(self, group: Mapping[str, Any]) -> frozenset[str]:
        """The options that a parameter group switches on."""
        return frozenset(name for name in self.options if group[name.removeprefix("with_")])

    def kept_state(self, active: frozenset[str]) -> tuple[str, ...]:
        """The names of the state that exists under these options."""
        absent = {name for name, option in self.only_if.items() if option not in active}
        return tuple(name for name in self.state if name not in absent)

    def initial(self, name: str, group: Mapping[str, Any]) -> Any:
        """The initial value of a state or counter that does not start at the parameter."""
        value = self._start.get(name, 0.0)
        return group[value] if isinstance(value, str) else value

    def starts_at_parameter(self, name: str) -> bool:
        """True if a state starts as a copy of the parameter."""
        return self._start.get(name) == "p"

    def reason_against_rounding(self, name: str) -> str | None:
        """Why a state loses its meaning in few bits, or None if it does not."""
        if self.starts_at_parameter(name):
            return "a copy of the parameter"
        return self._exact.get(name)

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
        several = self.group.get(f"{name[:-1]}s")
        if name[-1].isdecimal() and isinstance(several, tuple | list):
            return several[int(name[-1]) - 1]  # beta2 is betas[1]
        raise InvalidValue(f"the group has no `{name}`, which its rule needs")


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
    non_negative: Iterable[str] = (),
    exact: Mapping[str, str] | None = None,
) -> Callable[[Formula], Rule]: ...


def rule(
    formula: Formula | None = None,
    /,
    *,
    derive: Derive | None = None,
    counters: Iterable[str] = (),
    only_if: Mapping[str, str] | None = None,
    start: Mapping[str, str | float] | None = None,
    non_negative: Iterable[str] = (),
    exact: Mapping[str, str] | None = None,
) -> Rule | Callable[[Formula], Rule]:
    """Make a rule of a formula: what an optimizer does to one number.

    The signature declares everything::

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
      ``momentum`` is not 0). Only they may be tested by ``if``. Elements are chosen by
      `where`; there are no loops.

    A rule that returns nothing but calls of `total` is a measuring rule: it updates nothing.

    The operations on elements are ``+ - * /``, comparisons, ``&``, ``|``, the functions of this
    module, and functions of your own that only return an expression of these operations. `total`,
    `mean` and `norm` make a scalar of a whole tensor's elements.

    Args:
        formula: the function, when used as a plain ``@rule``.
        derive: computes further scalars, and the next value of any counter but ``step``, from
            scalars: a function whose parameters are their names, giving a mapping.
        counters: scalars kept per tensor in the state dict, besides ``step`` where it is used.
        only_if: the option without which a state does not exist.
        start: what a state or counter starts from, instead of 0: a number, the name of a
            hyperparameter, or ``"p"``, the parameter itself.
        non_negative: state that is never less than 0, such as averages of squares. In 8 bits it has
            another format.
        exact: state that must not be held in 8 bits, and what it is. State that starts at the
            parameter is among it anyway.

    Raises:
        InvalidValue: the formula does not begin with ``p, g``, or an argument names a state, an
            option or a counter that it does not have.

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
        return Rule(formula, derive, counters, only_if or {}, start or {}, non_negative, exact)

    return make if formula is None else make(formula)
