"""torch's names: optimizers, and the schedulers, which are also in `glideslope.optim.lr_scheduler`."""

from __future__ import annotations

from . import lr_scheduler as lr_scheduler
from ._adaptive import Adam as Adam
from ._adaptive import AdamW as AdamW
from ._adaptive import RMSprop as RMSprop
from ._common import Common as Common
from ._momentum import SGD as SGD
from ._momentum import Lion as Lion
from ._optimizer import Optimizer as Optimizer
from ._report import EngineReport as EngineReport
from ._report import EngineReportRow as EngineReportRow
from ._rule_optimizer import RuleOptimizer as RuleOptimizer
from .lr_scheduler import EPOCH_DEPRECATION_WARNING as EPOCH_DEPRECATION_WARNING
from .lr_scheduler import SWALR as SWALR
from .lr_scheduler import Absolute as Absolute
from .lr_scheduler import ChainedScheduler as ChainedScheduler
from .lr_scheduler import ConstantLR as ConstantLR
from .lr_scheduler import CosineAnnealingLR as CosineAnnealingLR
from .lr_scheduler import CosineAnnealingWarmRestarts as CosineAnnealingWarmRestarts
from .lr_scheduler import CyclicLR as CyclicLR
from .lr_scheduler import ExponentialLR as ExponentialLR
from .lr_scheduler import GreedyLR as GreedyLR
from .lr_scheduler import LambdaLR as LambdaLR
from .lr_scheduler import LastLR as LastLR
from .lr_scheduler import LinearLR as LinearLR
from .lr_scheduler import LRScheduler as LRScheduler
from .lr_scheduler import MultiplicativeLR as MultiplicativeLR
from .lr_scheduler import MultiStepLR as MultiStepLR
from .lr_scheduler import NoamScheduler as NoamScheduler
from .lr_scheduler import OneCycleLR as OneCycleLR
from .lr_scheduler import PolynomialLR as PolynomialLR
from .lr_scheduler import ReduceLROnPlateau as ReduceLROnPlateau
from .lr_scheduler import Scheduler as Scheduler
from .lr_scheduler import SequentialLR as SequentialLR
from .lr_scheduler import StepLR as StepLR
from .lr_scheduler import get_constant_schedule as get_constant_schedule
from .lr_scheduler import get_constant_schedule_with_warmup as get_constant_schedule_with_warmup
from .lr_scheduler import get_cosine_schedule_with_warmup as get_cosine_schedule_with_warmup
from .lr_scheduler import (
    get_cosine_with_hard_restarts_schedule_with_warmup as get_cosine_with_hard_restarts_schedule_with_warmup,
)
from .lr_scheduler import (
    get_cosine_with_min_lr_schedule_with_warmup as get_cosine_with_min_lr_schedule_with_warmup,
)
from .lr_scheduler import (
    get_cosine_with_min_lr_schedule_with_warmup_lr_rate as get_cosine_with_min_lr_schedule_with_warmup_lr_rate,
)
from .lr_scheduler import get_greedy_schedule as get_greedy_schedule
from .lr_scheduler import get_inverse_sqrt_schedule as get_inverse_sqrt_schedule
from .lr_scheduler import get_linear_schedule_with_warmup as get_linear_schedule_with_warmup
from .lr_scheduler import (
    get_polynomial_decay_schedule_with_warmup as get_polynomial_decay_schedule_with_warmup,
)
from .lr_scheduler import get_reduce_on_plateau_schedule as get_reduce_on_plateau_schedule
from .lr_scheduler import get_scheduler as get_scheduler
from .lr_scheduler import get_wsd_schedule as get_wsd_schedule

__all__ = [
    "Absolute",
    "Adam",
    "AdamW",
    "ChainedScheduler",
    "Common",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "EPOCH_DEPRECATION_WARNING",
    "EngineReport",
    "EngineReportRow",
    "ExponentialLR",
    "GreedyLR",
    "LRScheduler",
    "LambdaLR",
    "LastLR",
    "LinearLR",
    "Lion",
    "MultiStepLR",
    "MultiplicativeLR",
    "NoamScheduler",
    "OneCycleLR",
    "Optimizer",
    "PolynomialLR",
    "RMSprop",
    "ReduceLROnPlateau",
    "RuleOptimizer",
    "SGD",
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
    "lr_scheduler",
]


def __dir__() -> list[str]:
    return __all__
