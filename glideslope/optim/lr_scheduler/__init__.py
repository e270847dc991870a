"""Schedulers with torch's names, signatures, values and states, for any optimizer."""

from __future__ import annotations

from ._base import EPOCH_DEPRECATION_WARNING as EPOCH_DEPRECATION_WARNING
from ._base import LRScheduler as LRScheduler
from ._base import _LRScheduler as _LRScheduler
from ._cosine import CosineAnnealingLR as CosineAnnealingLR
from ._cosine import CosineAnnealingWarmRestarts as CosineAnnealingWarmRestarts
from ._factors import ConstantLR as ConstantLR
from ._factors import ExponentialLR as ExponentialLR
from ._factors import LinearLR as LinearLR
from ._factors import MultiStepLR as MultiStepLR
from ._factors import PolynomialLR as PolynomialLR
from ._factors import StepLR as StepLR
from ._lambdas import LambdaLR as LambdaLR
from ._lambdas import MultiplicativeLR as MultiplicativeLR
from ._last_lr import LastLR as LastLR
from ._line import Absolute as Absolute
from ._scheduler import Scheduler as Scheduler
