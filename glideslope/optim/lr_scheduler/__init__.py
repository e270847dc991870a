"""Schedulers with torch's names, signatures, values and states, for any optimizer.

Several schedulers on one optimizer multiply, in any order and nested to any depth, and keep a rate
that is set by hand between two steps. Each follows a closed form, so it jumps and resumes exactly.
A state that torch wrote loads here, and the reverse.

- The **clock** of a scheduler is ``last_epoch``: it counts calls of `step`, one per optimizer
  update.
- A **source** gives the values of a key for every group at a step: it evaluates a schedule, or
  keeps a factor that a metric changes, or calls a user's `get_lr`.
- A **binding** (`glideslope.groups`) ties one source to one key, such as ``"lr"``. A scheduler is a
  clock, a source for each key, and their bindings.
- The **base** is a group's own value; a **factor** is what a scheduler multiplies it by. A source
  is **absolute** if its values do not depend on the base, and writes **outright** if they contain
  the factors of other schedulers already.
- A **composite** is `SequentialLR` or `ChainedScheduler`; the schedulers in it are its **members**.
- A value is **due** once it is computed for a step and not written yet.
- A member is **suspended** while another one drives its key: its factor is then 1.
"""

from __future__ import annotations

from ._base import EPOCH_DEPRECATION_WARNING as EPOCH_DEPRECATION_WARNING
from ._base import LRScheduler as LRScheduler
from ._base import _LRScheduler as _LRScheduler
from ._chained import ChainedScheduler as ChainedScheduler
from ._cosine import CosineAnnealingLR as CosineAnnealingLR
from ._cosine import CosineAnnealingWarmRestarts as CosineAnnealingWarmRestarts
from ._cyclic import CyclicLR as CyclicLR
from ._factors import ConstantLR as ConstantLR
from ._factors import ExponentialLR as ExponentialLR
from ._factors import LinearLR as LinearLR
from ._factors import MultiStepLR as MultiStepLR
from ._factors import PolynomialLR as PolynomialLR
from ._factors import StepLR as StepLR
from ._greedy import GreedyLR as GreedyLR
from ._lambdas import LambdaLR as LambdaLR
from ._lambdas import MultiplicativeLR as MultiplicativeLR
from ._last_lr import LastLR as LastLR
from ._noam import NoamScheduler as NoamScheduler
from ._one_cycle import OneCycleLR as OneCycleLR
from ._plateau import ReduceLROnPlateau as ReduceLROnPlateau
from ._scheduler import Scheduler as Scheduler
from ._sequential import SequentialLR as SequentialLR
from ._specs import Absolute as Absolute
from ._swa import SWALR as SWALR
from ._transformers import (
    get_constant_schedule,
    get_constant_schedule_with_warmup,
    get_cosine_schedule_with_warmup,
    get_cosine_with_hard_restarts_schedule_with_warmup,
    get_cosine_with_min_lr_schedule_with_warmup,
    get_cosine_with_min_lr_schedule_with_warmup_lr_rate,
    get_greedy_schedule,
    get_inverse_sqrt_schedule,
    get_linear_schedule_with_warmup,
    get_polynomial_decay_schedule_with_warmup,
    get_reduce_on_plateau_schedule,
    get_scheduler,
    get_wsd_schedule,
)

__all__ = [
    "Absolute",
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "EPOCH_DEPRECATION_WARNING",
    "ExponentialLR",
    "GreedyLR",
    "LRScheduler",
    "LambdaLR",
    "LastLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "NoamScheduler",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SWALR",
    "Scheduler",
    "SequentialLR",
    "StepLR",
    "get_constant_schedule",
    "get_constant_schedule_with_warmup",
    "get_cosine_schedule_with_warmup",
    "get_cosine_with_hard_restarts_schedule_with_warmup",
    "get_cosine_with_min_lr_schedule_with_warmup",
    "get_cosine_with_min_lr_schedule_with_warmup_lr_rate",
    "get_greedy_schedule",
    "get_inverse_sqrt_schedule",
    "get_linear_schedule_with_warmup",
    "get_polynomial_decay_schedule_with_warmup",
    "get_reduce_on_plateau_schedule",
    "get_scheduler",
    "get_wsd_schedule",
]


def __dir__() -> list[str]:
    return __all__
