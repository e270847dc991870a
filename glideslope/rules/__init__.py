"""Rules: what an optimizer does to one number, each written once as a plain formula.

A rule is what every engine runs: the tensor engine calls it with tensors, the fused engine compiles
it. So a formula here is the optimizer, and there is no second copy of it for speed.
"""

# ruff: noqa: F403 - each file of the catalogue lists its rules in its own `__all__`

from __future__ import annotations

from . import (
    _accumulated,
    _adam_successors,
    _adam_variants,
    _adaptive,
    _averaging,
    _directions,
    _maths,
    _moments,
    _momentum,
    _norm_scaled,
    _prodigy,
    _schedule_free,
    _signs,
)
from ._accumulated import *
from ._adam_successors import *
from ._adam_variants import *
from ._adaptive import *
from ._averaging import *
from ._directions import *
from ._maths import *
from ._moments import *
from ._momentum import *
from ._norm_scaled import *
from ._prodigy import *
from ._rule import Rule as Rule
from ._rule import rule as rule
from ._schedule_free import *
from ._signs import *

__all__ = ["Rule", "rule"]
__all__ += _accumulated.__all__
__all__ += _adam_successors.__all__
__all__ += _adam_variants.__all__
__all__ += _adaptive.__all__
__all__ += _averaging.__all__
__all__ += _directions.__all__
__all__ += _maths.__all__
__all__ += _moments.__all__
__all__ += _momentum.__all__
__all__ += _norm_scaled.__all__
__all__ += _prodigy.__all__
__all__ += _schedule_free.__all__
__all__ += _signs.__all__
__all__.sort()


def __dir__() -> list[str]:
    return __all__
