"""Rules: what an optimizer does to one number, each written once as a plain formula.

A rule is what every engine runs: the tensor engine calls it with tensors, the fused engine compiles
it. So a formula here is the optimizer, and there is no second copy of it for speed.
"""

from __future__ import annotations

from ._accumulated import adadelta as adadelta
from ._accumulated import adagrad as adagrad
from ._adam_successors import adabelief as adabelief
from ._adam_successors import ademamix as ademamix
from ._adam_successors import adopt as adopt
from ._adam_variants import adamax as adamax
from ._adam_variants import nadam as nadam
from ._adam_variants import radam as radam
from ._adaptive import adam as adam
from ._adaptive import rmsprop as rmsprop
from ._averaging import asgd as asgd
from ._directions import adafactor as adafactor
from ._directions import descent as descent
from ._directions import soap as soap
from ._maths import absolute as absolute
from ._maths import agreeing as agreeing
from ._maths import clip as clip
from ._maths import maximum as maximum
from ._maths import mean as mean
from ._maths import minimum as minimum
from ._maths import norm as norm
from ._maths import sign as sign
from ._maths import sqrt as sqrt
from ._maths import total as total
from ._maths import where as where
from ._maths import wide as wide
from ._momentum import lion as lion
from ._momentum import sgd as sgd
from ._momentum import signum as signum
from ._norm_scaled import lamb as lamb
from ._norm_scaled import lars as lars
from ._norm_scaled import mars as mars
from ._norm_scaled import stable_adamw as stable_adamw
from ._prodigy import prodigy as prodigy
from ._prodigy import prodigy_totals as prodigy_totals
from ._rule import Rule as Rule
from ._rule import rule as rule
from ._schedule_free import adamw_schedule_free as adamw_schedule_free
from ._schedule_free import sgd_schedule_free as sgd_schedule_free
from ._signs import rprop as rprop

__all__ = [
    "Rule",
    "absolute",
    "adabelief",
    "adadelta",
    "adafactor",
    "adagrad",
    "adam",
    "adamax",
    "adamw_schedule_free",
    "ademamix",
    "adopt",
    "agreeing",
    "asgd",
    "clip",
    "descent",
    "lamb",
    "lars",
    "lion",
    "mars",
    "maximum",
    "mean",
    "minimum",
    "nadam",
    "norm",
    "prodigy",
    "prodigy_totals",
    "radam",
    "rmsprop",
    "rprop",
    "rule",
    "sgd",
    "sgd_schedule_free",
    "sign",
    "signum",
    "soap",
    "sqrt",
    "stable_adamw",
    "total",
    "where",
    "wide",
]


def __dir__() -> list[str]:
    return __all__
