"""The form in which a parameter and its state are held."""

from __future__ import annotations

import torch
from torch import Tensor

from glideslope.engines import REMAINDERS, Rounding
from glideslope.errors import InvalidValue, UnsupportedDtype

from .common import CommonSettings
from .param_state import NARROW


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
