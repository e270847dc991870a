"""Schedulers whose factor is a user's function, one for all groups or one for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from numbers import Complex, Real
from typing import Any, NamedTuple

from glideslope.errors import InvalidType, InvalidValue, require
from glideslope.groups import NewGroup, SharedKey, Source, scaled
from glideslope.schedules import Function, Schedule

from ._base import LRScheduler
from ._checks import at_least
from ._sources import Floored, Plain
from ._state import restore_callable, saved_callable

Lambda = Callable[[int], float]


def _functions(lr_lambda: Any, count: int) -> list[Lambda]:
    """One function for each group, from one or a list of them."""
    several = isinstance(lr_lambda, list | tuple)
    functions = list(lr_lambda) if several else [lr_lambda] * count
    if len(functions) != count:
        raise InvalidValue(f"Expected {count} lr_lambdas, but got {len(functions)}")
    for function in functions:
        if not callable(function):
            kind = type(function).__name__
            raise InvalidType(f"lr_lambda should be a function, but got {kind}")
    return functions


class _Functions(Plain):
    """The factors of users' functions, one for all groups or one for each: ``base · f(t)``.

    With ``products`` a factor is the product of a function's values of the steps from 1 on.
    """

    def __init__(self, functions: list[Lambda], resets: bool = False, products: bool = False):
        self.functions, self.resets = functions, resets
        self.products: dict[int, _Product] | None = {} if products else None

    def values(self, t: float, bases: list[float]) -> list[float]:
        """``base · f(t)`` for every group."""
        functions = self.functions
        if functions.count(functions[0]) == len(functions):
            return scaled(bases, self._factor(0, t))
        return [base * self._factor(group, t) for group, base in enumerate(bases)]

    def _factor(self, group: int, t: float) -> float:
        function = self.functions[group]
        if self.products is None:
            return _called(function, t)
        product = self.products.get(group)
        if product is None or product.function is not function:
            product = self.products[group] = _Product(function)
        return product.until(t)

    def join(self, new: NewGroup) -> float:
        """Give the group the function of all others."""
        if new.index >= len(self.functions):
            if any(function is not self.functions[0] for function in self.functions):
                raise InvalidValue(
                    f"parameter group {new.number} is new and has no function: "
                    "append one to `scheduler.lr_lambdas`"
                )
            self.functions.append(self.functions[0])
        return new.base


def _called(function: Lambda, t: Any) -> float:
    """A function's factor as a finite float, or a sentence that names the function."""
    factor = function(t)
    if not _is_real(factor):
        raise InvalidType(f"{_name(function)}({t}) must be a real number, got {factor!r}")
    if not isfinite(factor):
        raise InvalidValue(f"{_name(function)}({t}) must be finite, got {factor!r}")
    return float(factor)


def _name(function: Lambda) -> str:
    return getattr(function, "__name__", repr(function))


def _is_real(factor: Any) -> bool:
    """True for a number or a tensor with one element: for all that `float` takes, except text."""
    if isinstance(factor, float):
        return True  # the usual case, faster than a check against an abstract class
    if isinstance(factor, Complex):
        return isinstance(factor, Real)
    try:
        float(factor)
    except (TypeError, ValueError, RuntimeError):
        return False
    return not isinstance(factor, str | bytes)


class _Product:
    """The product of a function's factors of the steps from 1 on."""

    __slots__ = ("_at", "_value", "function")

    def __call__(self, t: float) -> float:
        """The product up to step ``t``, computed on a copy."""
        return _Product(self.function).until(t)

    def __init__(self, function: Lambda) -> None:
        self.function = function
        self._at, self._value = 0, 1.0

    def until(self, t: float) -> float:
        """The product up to step ``t``."""
        if t < self._at:
            self._at, self._value = 0, 1.0
        while self._at + 1 <= t:
            self._value *= _called(self.function, self._at + 1)
            self._at += 1
        return self._value


class LambdaLR(LRScheduler):
    """A factor that is a function of the step: ``base × f(t)``.

    Args:
        optimizer: see `LRScheduler`.
        lr_lambda: ``f``, or a list with one function for each group.
        last_epoch: see `LRScheduler`.
        verbose: see `LRScheduler`.

    Raises:
        InvalidType: something is not a function, or a function's value is not a real number: it is
            complex, say. Then the step is not taken, and nothing is written.
        InvalidValue: a list of another length than there are groups; a value, or a rate, that is
            not finite.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = LambdaLR(optimizer, lr_lambda=lambda t: 1 / (1 + t))
        >>> for _ in range(3):
        ...     print(f"{scheduler.last_lr:.3f}", end=" ")
        ...     optimizer.step(); scheduler.step()
        0.100 0.050 0.033

    `torch.optim.lr_scheduler.LambdaLR`
    """

    __slots__ = ()
    _settings = ()
    _progress = (*LRScheduler._progress, "lr_lambdas")
    _resets = True

    lr_lambdas: list[Lambda]

    def __init__(
        self,
        optimizer: Any,
        lr_lambda: Lambda | Sequence[Lambda],
        last_epoch: int = -1,
        verbose: bool = False,
    ) -> None:
        self.optimizer = optimizer
        self.lr_lambdas = _functions(lr_lambda, len(self._shared_lr().groups()))
        super().__init__(optimizer, last_epoch, verbose)

    def _curve(self) -> Schedule:
        first: Any = self.lr_lambdas[0]
        if isinstance(first, _Decay):
            return first.above_floor(self.base_lrs[0])
        return first if isinstance(first, Schedule) else Function(first)

    def _lr_source(self) -> Source:
        first = self.lr_lambdas[0]
        if isinstance(first, _Decay):
            floor = {"floor": first.floor, "warm": first.warm}
            return Floored(first.curve, **floor, capped=True, resets=True)
        return _Functions(self.lr_lambdas, resets=True)

    def state_dict(self) -> dict[str, Any]:
        """The state in torch's format; of the functions, what `load_state_dict` can give back."""
        return super().state_dict() | {"lr_lambdas": list(map(saved_callable, self.lr_lambdas))}

    def _adopt(self, state: Mapping[str, Any]) -> None:
        super()._adopt({key: state[key] for key in state if key != "lr_lambdas"})
        _restore(self.lr_lambdas, state["lr_lambdas"])


class _Decay(NamedTuple):
    """A schedule that comes down to one rate in all groups, as a function of the step."""

    curve: Schedule
    floor: float
    warm: float

    def __call__(self, t: float) -> float:
        """The factor without the floor."""
        return self.curve(t)

    def above_floor(self, base: float) -> Schedule:
        """The factor of a group with this base."""
        share = min(self.floor / base, 1.0) if base else 0.0
        decay = self.curve * (1 - share) + share if share else self.curve
        return self.curve.take(self.warm) >> decay.shift(-self.warm) if self.warm else decay


def with_floor(
    optimizer: Any, curve: Schedule, name: str, floor: Any, warm: float, last_epoch: int
) -> LambdaLR:
    """A `LambdaLR` with one lowest rate for all groups; ``name`` is its name in messages.

    ``base · f(t)`` in the ``warm`` first steps, then ``base · f(t) + floor · (1 - f(t))``; a group
    whose own rate is lower stays at that.
    """
    decay = _Decay(curve, float(at_least(name, floor, 0)), warm)
    highest = max(SharedKey.of(optimizer).free_bases(resets=True))
    rule = f"be at most the optimizer's own rate, {highest:g}"
    require(decay.floor <= highest, name, rule, decay.floor)
    functions: list[Any] = [decay] * len(optimizer.param_groups)
    return LambdaLR(optimizer, functions, last_epoch)


def _restore(functions: Sequence[Lambda], saved: Sequence[Any]) -> None:
    """Restore the attributes of callable objects from a loaded state."""
    for function, attributes in zip(functions, saved, strict=False):
        restore_callable(function, attributes)


class MultiplicativeLR(LRScheduler):
    """A factor at every step that is a function of the step: ``base × f(1) · f(2) · … · f(t)``.

    One step calls each function once; a jump to step ``t`` calls it ``t`` times.

    Args:
        optimizer: see `LRScheduler`.
        lr_lambda: ``f``, or a list with one function for each group.
        last_epoch: see `LRScheduler`.
        verbose: see `LRScheduler`.

    Raises:
        InvalidType: something is not a function, or a function's value is not a real number: it is
            complex, say. Then the step is not taken, and nothing is written.
        InvalidValue: a list of another length than there are groups; a value, or a rate, that is
            not finite.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = MultiplicativeLR(optimizer, lr_lambda=lambda t: 0.5)
        >>> for _ in range(3):
        ...     print(scheduler.last_lr, end=" ")
        ...     optimizer.step(); scheduler.step()
        [0.1] [0.05] [0.025]

    `torch.optim.lr_scheduler.MultiplicativeLR`
    """

    __slots__ = ()
    _settings = ()
    _progress = (*LRScheduler._progress, "lr_lambdas")

    lr_lambdas: list[Lambda]

    def __init__(
        self,
        optimizer: Any,
        lr_lambda: Lambda | Sequence[Lambda],
        last_epoch: int = -1,
        verbose: bool = False,
    ) -> None:
        self.optimizer = optimizer
        self.lr_lambdas = _functions(lr_lambda, len(self._shared_lr().groups()))
        super().__init__(optimizer, last_epoch, verbose)

    def _curve(self) -> Schedule:
        return Function(_Product(self.lr_lambdas[0]))

    def _lr_source(self) -> Source:
        return _Functions(self.lr_lambdas, products=True)

    def state_dict(self) -> dict[str, Any]:
        """The state in torch's format; of the functions, what `load_state_dict` can give back."""
        return super().state_dict() | {"lr_lambdas": list(map(saved_callable, self.lr_lambdas))}

    def _adopt(self, state: Mapping[str, Any]) -> None:
        super()._adopt({key: state[key] for key in state if key != "lr_lambdas"})
        _restore(self.lr_lambdas, state["lr_lambdas"])
