"""Many tensors as one, so that each word of a formula is one call for all of them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

JOINT: dict[Any, Any] = {torch.sqrt: torch._foreach_sqrt, torch.sign: torch._foreach_sign}
"""What torch does to a whole list at once, besides arithmetic."""


class Tensors:
    """A list of tensors of one dtype that a formula takes for a tensor.

    Arithmetic, and the functions of `JOINT`, are torch's operations on lists; every other function
    of torch is called with one member after the other, which gives the same numbers.
    """

    def __init__(self, members: Sequence[Tensor]) -> None:
        self.members = list(members)

    @classmethod
    def __torch_function__(
        cls,
        function: Callable[..., Tensor],
        types: Sequence[type],
        arguments: Sequence[Any] = (),
        options: Mapping[str, Any] | None = None,
    ) -> Tensors:
        if function in JOINT:
            return cls(JOINT[function](arguments[0].members))
        count = next(len(each.members) for each in arguments if isinstance(each, cls))
        columns = [each.members if isinstance(each, cls) else [each] * count for each in arguments]
        return cls([function(*row, **options or {}) for row in zip(*columns, strict=True)])

    @property
    def dtype(self) -> torch.dtype:
        return self.members[0].dtype

    def to(self, dtype: torch.dtype) -> Tensors:
        return self if dtype == self.dtype else Tensors([each.to(dtype) for each in self.members])

    def double(self) -> Tensors:
        return self.to(torch.float64)

    def sum(self) -> Tensors:
        """The sum of each."""
        return Tensors([each.sum() for each in self.members])

    def numel(self) -> list[int]:
        """The number of elements of each."""
        return [each.numel() for each in self.members]

    def new_tensor(self, value: float) -> Tensor:
        return self.members[0].new_tensor(value)

    def copy_(self, source: Tensors) -> None:
        torch._foreach_copy_(self.members, source.members)

    def __neg__(self) -> Tensors:
        return Tensors(torch._foreach_neg(self.members))

    def __abs__(self) -> Tensors:
        return Tensors(torch._foreach_abs(self.members))


def _arithmetic(each: Callable[[Any, Any], Any], joint: Callable[..., Any]) -> Any:
    """An operation with other tensors, with one number, or with a number for each."""

    def apply(these: Tensors, other: Any) -> Tensors:
        if isinstance(other, Tensor):
            return Tensors([each(this, other) for this in these.members])
        return Tensors(joint(these.members, getattr(other, "members", other)))

    return apply


def _one_by_one(each: Callable[[Any, Any], Any]) -> Any:
    def apply(these: Tensors, other: Any) -> Tensors:
        others = other.members if isinstance(other, Tensors) else [other] * len(these.members)
        return Tensors(list(map(each, these.members, others)))

    return apply


def _reflected(each: Callable[[Any, Any], Any]) -> Any:
    return _one_by_one(lambda this, other: each(other, this))


_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "add": torch._foreach_add,
    "sub": torch._foreach_sub,
    "mul": torch._foreach_mul,
    "truediv": torch._foreach_div,
}
for _name, _joint in _ARITHMETIC.items():
    _each = getattr(operator, _name)
    _swaps = _name in ("add", "mul")
    setattr(Tensors, f"__{_name}__", _arithmetic(_each, _joint))
    setattr(Tensors, f"__r{_name}__", _arithmetic(_each, _joint) if _swaps else _reflected(_each))
for _name in ("lt", "le", "gt", "ge", "eq", "ne", "and", "or"):
    setattr(Tensors, f"__{_name}__", _one_by_one(getattr(operator, f"__{_name}__")))
