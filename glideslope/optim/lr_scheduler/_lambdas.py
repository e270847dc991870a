"""Schedulers whose factor is your own function, one for all groups or one for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from numbers import Complex, Real
from typing import Any

from glideslope.errors import InvalidType, InvalidValue

from ._alike import scaled
from ._closed_form import ClosedForm
from ._state import restore_callable, saved_callable

Lambda = Callable[[int], float]


class Lambdas(ClosedForm):
    """What the two share: the functions, and how torch keeps them in a state.

    A callable object is saved by its attributes; a function is not, so the code provides it anew.
    """

    __slots__ = ()
    _progress = (*ClosedForm._progress, "lr_lambdas")

    lr_lambdas: list[Lambda]

    def __init__(
        self,
        optimizer: Any,
        lr_lambda: Lambda | Sequence[Lambda],
        last_epoch: int = -1,
        verbose: bool = False,
    ) -> None:
        self.optimizer = optimizer
        count = len(self._bind().groups())
        several = isinstance(lr_lambda, list | tuple)
        self.lr_lambdas = list(lr_lambda) if several else [lr_lambda] * count  # type: ignore
        if len(self.lr_lambdas) != count:
            raise InvalidValue(f"Expected {count} lr_lambdas, but got {len(self.lr_lambdas)}")
        for function in self.lr_lambdas:
            if not callable(function):
                kind = type(function).__name__
                raise InvalidType(f"lr_lambda should be a function, but got {kind}")
        super().__init__(optimizer, last_epoch, verbose)

    def _set_base(self, group: int, base: float) -> None:
        super()._set_base(group, base)
        if group >= len(self.lr_lambdas):
            if any(function is not self.lr_lambdas[0] for function in self.lr_lambdas):
                raise InvalidValue(
                    f"parameter group {group} is new and has no function: "
                    "append one to `scheduler.lr_lambdas`"
                )
            self.lr_lambdas.append(self.lr_lambdas[0])

    def state_dict(self) -> dict[str, Any]:
        """The state in torch's format; of the functions, what `load_state_dict` can give back."""
        functions = [saved_callable(function) for function in self.lr_lambdas]
        return super().state_dict() | {"lr_lambdas": functions}

    def _adopt(self, state: Mapping[str, Any]) -> None:
        super()._adopt({key: state[key] for key in state if key != "lr_lambdas"})
        for function, saved in zip(self.lr_lambdas, state["lr_lambdas"], strict=False):
            restore_callable(function, saved)


def _called(function: Lambda, t: int) -> float:
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
    """Whether it is a number, or a tensor of one: what `float` takes, but for text."""
    if isinstance(factor, float):
        return True  # the usual one, without the price of asking an abstract class
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

    def __init__(self, function: Lambda) -> None:
        self.function = function
        self._at, self._value = 0, 1.0

    def until(self, t: int) -> float:
        """The product up to step ``t``."""
        if t < self._at:
            self._at, self._value = 0, 1.0
        while self._at < t:
            self._value *= _called(self.function, self._at + 1)
            self._at += 1
        return self._value


class LambdaLR(Lambdas):
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
    _starts_anew = True

    def _values(self, t: int) -> list[float]:
        functions = self.lr_lambdas
        if functions.count(functions[0]) == len(functions):
            return scaled(self.base_lrs, _called(functions[0], t))
        pairs = zip(self.base_lrs, functions)  # noqa: B905
        return [base * _called(function, t) for base, function in pairs]


class MultiplicativeLR(Lambdas):
    """A factor at every step that is a function of the step: ``base × f(1) · f(2) · … · f(t)``.

    Going on by one step calls each function once; jumping to step ``t`` calls it ``t`` times.

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

    __slots__ = ("_products",)
    _settings = ()

    _products: list[_Product]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Begin with no product."""
        self = super().__new__(cls, *args, **kwargs)
        self._products = []
        return self

    def _values(self, t: int) -> list[float]:
        functions, products = self.lr_lambdas, self._products
        if functions.count(functions[0]) == len(functions):
            if not products or products[0].function is not functions[0]:
                self._products = products = [_Product(functions[0])]
            return scaled(self.base_lrs, products[0].until(t))
        if [product.function for product in products] != functions:
            self._products = products = [_Product(function) for function in functions]
        return [base * each.until(t) for base, each in zip(self.base_lrs, products)]  # noqa: B905
