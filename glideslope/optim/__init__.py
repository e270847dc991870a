"""torch's names: optimizers, and the schedulers of `glideslope.optim.lr_scheduler`."""

# ruff: noqa: F403 - each file of the catalogue lists its optimizers in its own `__all__`

from __future__ import annotations

from glideslope import _torch as _torch  # first: it refuses a torch that is missing or too old

# isort: split
from torch.optim import LBFGS as LBFGS
from torch.optim import SparseAdam as SparseAdam

from . import (
    _accumulated,
    _adam_successors,
    _adam_variants,
    _adaptive,
    _averaging,
    _lookahead,
    _momentum,
    _norm_scaled,
    _prodigy,
    _sam,
    _schedule_free,
    _signs,
)
from . import lr_scheduler as lr_scheduler
from ._accumulated import *
from ._adam_successors import *
from ._adam_variants import *
from ._adaptive import *
from ._averaging import *
from ._base.common import Common as Common
from ._base.engine_report import EngineReport as EngineReport
from ._base.engine_report import EngineReportRow as EngineReportRow
from ._base.optimizer import Optimizer as Optimizer
from ._base.released import ReleasedGradients as ReleasedGradients
from ._base.rule_optimizer import RuleOptimizer as RuleOptimizer
from ._batch_size import linear_scaling as linear_scaling
from ._batch_size import sqrt_scaling as sqrt_scaling
from ._catalogue import Catalogue as Catalogue
from ._catalogue import OptimizerRow as OptimizerRow
from ._catalogue import available as available
from ._catalogue import create as create
from ._lookahead import *
from ._matrix import apollo as _apollo
from ._matrix import factored as _factored
from ._matrix import kron as _kron
from ._matrix import muon as _muon
from ._matrix import soap as _soap
from ._matrix.apollo import *
from ._matrix.factored import *
from ._matrix.kron import *
from ._matrix.muon import *
from ._matrix.soap import *
from ._momentum import *
from ._norm_scaled import *
from ._param_groups import ParamGroups as ParamGroups
from ._param_groups import param_groups as param_groups
from ._prodigy import *
from ._qk_clip import qk_clip as qk_clip
from ._sam import *
from ._schedule_free import *
from ._signs import *
from .lr_scheduler import *

__all__ = [
    "Catalogue",
    "Common",
    "EngineReport",
    "EngineReportRow",
    "LBFGS",
    "Optimizer",
    "OptimizerRow",
    "ParamGroups",
    "ReleasedGradients",
    "RuleOptimizer",
    "SparseAdam",
    "available",
    "create",
    "linear_scaling",
    "lr_scheduler",
    "param_groups",
    "qk_clip",
    "sqrt_scaling",
]
__all__ += _accumulated.__all__
__all__ += _adam_successors.__all__
__all__ += _adam_variants.__all__
__all__ += _adaptive.__all__
__all__ += _apollo.__all__
__all__ += _averaging.__all__
__all__ += _factored.__all__
__all__ += _kron.__all__
__all__ += _lookahead.__all__
__all__ += _momentum.__all__
__all__ += _muon.__all__
__all__ += _norm_scaled.__all__
__all__ += _prodigy.__all__
__all__ += _sam.__all__
__all__ += _schedule_free.__all__
__all__ += _signs.__all__
__all__ += _soap.__all__
__all__ += lr_scheduler.__all__
__all__.sort()


def __dir__() -> list[str]:
    return __all__
