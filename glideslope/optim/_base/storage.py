"""The form in which a parameter and its state are held."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from glideslope.distributed import is_sharded
from glideslope.engines import REMAINDERS, Rounding
from glideslope.errors import InvalidValue, UnsupportedDtype
from glideslope.rules import Rule

from .common import EIGHT_BITS, CommonSettings
from .param_state import NARROW


def check_packing(rules: Sequence[Rule], parameter: Tensor, differentiable: bool) -> None:
    """Refuse state that cannot be held in 8 bits.

    Raises:
        UnsupportedDtype: the parameter holds complex numbers.
        InvalidValue: a state would lose its meaning, the parameter is sharded, or gradients are to
            flow through the state.
    """
    asked = f'`state_dtype="{EIGHT_BITS}"`'
    if parameter.is_complex():
        raise UnsupportedDtype(f"{asked} is for real parameters, got {parameter.dtype}")
    if is_sharded(parameter):
        raise InvalidValue(f"{asked} is for parameters that are whole, got a sharded one")
    if differentiable:
        raise InvalidValue(f"`differentiable` must be False with {asked}")
    for rule in rules:
        for name in rule.state:
            if reason := rule.reason_against_rounding(name):
                raise InvalidValue(f"{asked} is not for {rule.name}: its `{name}` is {reason}")


def rounding_of(settings: CommonSettings, parameter: Tensor, differentiable: bool) -> Rounding:
    """The rounding of a parameter: that of the settings where it has 16 bits.

    Raises:
        UnsupportedDtype: a parameter of this dtype cannot be split.
        InvalidValue: gradients are to flow through the parts of a parameter.
    """
    if parameter.dtype not in NARROW:
        return "nearest"
    rounding = settings.rounding
    if rounding in REMAINDERS:
        if parameter.dtype is not torch.bfloat16:
            raise UnsupportedDtype(
                f'`rounding="{rounding}"` is for parameters of bfloat16, got {parameter.dtype}'
            )
        if differentiable:
            raise InvalidValue(f'`differentiable` must be False with `rounding="{rounding}"`')
    return rounding
