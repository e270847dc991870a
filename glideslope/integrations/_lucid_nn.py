"""All of `torch.nn`, and a `Parameter` that also takes numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from glideslope.errors import InvalidType, shortened


def __getattr__(name: str) -> Any:
    return getattr(nn, name)


def __dir__() -> list[str]:
    return dir(nn)


class _ParameterType(type(nn.Parameter)):  # type: ignore[misc]
    """Counts torch's parameters as lucid's: they are what the layers of `nn` hold."""

    def __instancecheck__(self, instance: object) -> bool:
        if self is Parameter:
            return isinstance(instance, nn.Parameter)
        return bool(super().__instancecheck__(instance))


class Parameter(nn.Parameter, metaclass=_ParameterType):
    """A `torch.nn.Parameter`, of a tensor or of numbers.

    Args:
        data: a tensor, or a number, lists of numbers, or an array, copied to torch's default dtype.
        requires_grad: whether it is trained.

    Raises:
        InvalidType: ``data`` is none of these.

    Example:
        >>> Parameter([1.0, 2.0, 3.0])
        Parameter containing:
        tensor([1., 2., 3.], requires_grad=True)

    Source: ``lucid.nn.Parameter``.
    """

    def __new__(cls, data: Any, requires_grad: bool = True) -> Any:
        """Give one of torch's own kind, which every optimizer knows."""
        tensor = data if isinstance(data, torch.Tensor) else _tensor(data)
        kind = nn.Parameter if cls is Parameter else cls
        return nn.Parameter.__new__(kind, tensor, requires_grad)


def _tensor(numbers: Any) -> torch.Tensor:
    try:
        return torch.tensor(numbers, dtype=torch.get_default_dtype())
    except (TypeError, ValueError, RuntimeError, OverflowError):
        rule = "must be a tensor, a number, or numbers in lists of equal lengths"
        raise InvalidType(f"`data` {rule}, got {shortened(numbers)}") from None
