"""torch's names: optimizers, and the schedulers of `glideslope.optim.lr_scheduler`."""

from __future__ import annotations

from glideslope import _torch as _torch  # first: it refuses a torch that is missing or too old

# isort: split
from torch.optim import LBFGS, SparseAdam

from . import lr_scheduler
from ._accumulated import Adadelta, Adagrad
from ._adam_successors import ADOPT, AdaBelief, AdEMAMix
from ._adam_variants import Adamax, NAdam, RAdam
from ._adaptive import Adam, AdamW, RMSprop
from ._averaging import ASGD
from ._catalogue import Catalogue, OptimizerRow, available, create
from ._common import Common
from ._factored import CAME, Adafactor
from ._momentum import SGD, Lion, Signum
from ._muon import Muon, MuonWithAuxAdam
from ._norm_scaled import LAMB, LARS, MARS, StableAdamW
from ._optimizer import Optimizer
from ._param_groups import ParamGroups, param_groups
from ._prodigy import Prodigy
from ._report import EngineReport, EngineReportRow
from ._rule_optimizer import RuleOptimizer
from ._schedule_free import AdamWScheduleFree, ScheduleFree, SGDScheduleFree
from ._signs import Rprop
from ._soap import SOAP
from .lr_scheduler import (
    EPOCH_DEPRECATION_WARNING,
    SWALR,
    Absolute,
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    GreedyLR,
    LambdaLR,
    LastLR,
    LinearLR,
    LRScheduler,
    MultiplicativeLR,
    MultiStepLR,
    NoamScheduler,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    Scheduler,
    SequentialLR,
    StepLR,
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
    "ADOPT",
    "ASGD",
    "Absolute",
    "AdEMAMix",
    "AdaBelief",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "AdamWScheduleFree",
    "Adamax",
    "CAME",
    "Catalogue",
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
    "LAMB",
    "LARS",
    "LBFGS",
    "LRScheduler",
    "LambdaLR",
    "LastLR",
    "LinearLR",
    "Lion",
    "MARS",
    "MultiStepLR",
    "MultiplicativeLR",
    "Muon",
    "MuonWithAuxAdam",
    "NAdam",
    "NoamScheduler",
    "OneCycleLR",
    "Optimizer",
    "OptimizerRow",
    "ParamGroups",
    "PolynomialLR",
    "Prodigy",
    "RAdam",
    "RMSprop",
    "ReduceLROnPlateau",
    "Rprop",
    "RuleOptimizer",
    "SGD",
    "SGDScheduleFree",
    "SOAP",
    "SWALR",
    "ScheduleFree",
    "Scheduler",
    "SequentialLR",
    "Signum",
    "SparseAdam",
    "StableAdamW",
    "StepLR",
    "available",
    "create",
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
    "param_groups",
]


def __dir__() -> list[str]:
    return __all__
