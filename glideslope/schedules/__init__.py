"""Schedules: the values of a hyperparameter over the steps of a run, as immutable values.

- A **schedule** is a function of the step with a length in steps, or without an end.
- A **curve** is a class that defines such a function. Its lower-case name is the one that texts and
  `repr` use: ``gs.cosine(100)``, ``gs.Cosine(100)`` and ``gs.parse("cosine(100)")`` are equal.
- A **recipe** is a function that combines curves, such as ``gs.warmup_cosine``.
- A **transformation** is the result of a method of a schedule, such as ``.repeat(3)``.
- A **phase** is a span of steps in which one curve gives the value.
- A length is **bound** once it is a number of steps: ``"10ep"`` and ``"5%"`` are not.
"""

from __future__ import annotations

from ._algebra import Product as Product
from ._algebra import Sequence as Sequence
from ._algebra import Sum as Sum
from ._curves import Constant as Constant
from ._curves import Exponential as Exponential
from ._curves import PowerLaw as PowerLaw
from ._curves import Rectifier as Rectifier
from ._curves import Saturation as Saturation
from ._far import Area as Area
from ._far import Peak as Peak
from ._length import Length as Length
from ._lint import Finding as Finding
from ._parse import parse as parse
from ._published import ExpHyperbolic as ExpHyperbolic
from ._published import GrowingPolynomial as GrowingPolynomial
from ._published import Hyperbolic as Hyperbolic
from ._published import Tanh as Tanh
from ._ramps import Cosine as Cosine
from ._ramps import Geometric as Geometric
from ._ramps import HalfLife as HalfLife
from ._ramps import Linear as Linear
from ._ramps import Logarithmic as Logarithmic
from ._ramps import Polynomial as Polynomial
from ._ramps import Ramp as Ramp
from ._ramps import Relaxation as Relaxation
from ._ramps import Rex as Rex
from ._recipes import chebyshev as chebyshev
from ._recipes import cooldown as cooldown
from ._recipes import cosine_waves as cosine_waves
from ._recipes import fractal_chebyshev as fractal_chebyshev
from ._recipes import hold as hold
from ._recipes import inverse_sqrt as inverse_sqrt
from ._recipes import inverse_time as inverse_time
from ._recipes import multistep as multistep
from ._recipes import natural_exponential as natural_exponential
from ._recipes import noam as noam
from ._recipes import noam_clamped as noam_clamped
from ._recipes import one_cycle as one_cycle
from ._recipes import range_test as range_test
from ._recipes import slanted_triangular as slanted_triangular
from ._recipes import step as step
from ._recipes import triangular as triangular
from ._recipes import warmup as warmup
from ._recipes import warmup_cosine as warmup_cosine
from ._recipes import wsd as wsd
from ._recipes import wsd_s as wsd_s
from ._repeat import Repeat as Repeat
from ._schedule import Phase as Phase
from ._schedule import Schedule as Schedule
from ._tables import Function as Function
from ._tables import Piecewise as Piecewise
from ._transformations import Branch as Branch
from ._transformations import Clip as Clip
from ._transformations import Reverse as Reverse
from ._transformations import Shift as Shift
from ._transformations import Staircase as Staircase
from ._transformations import Stretch as Stretch
from ._transformations import Take as Take

# The notation's names.
constant = Constant
cosine = Cosine
exp_hyperbolic = ExpHyperbolic
exponential = Exponential
function = Function
geometric = Geometric
growing_polynomial = GrowingPolynomial
half_life = HalfLife
hyperbolic = Hyperbolic
linear = Linear
logarithmic = Logarithmic
piecewise = Piecewise
polynomial = Polynomial
power_law = PowerLaw
rectifier = Rectifier
relaxation = Relaxation
rex = Rex
saturation = Saturation
tanh = Tanh

__all__ = [
    "Area",
    "Branch",
    "Clip",
    "Constant",
    "Cosine",
    "ExpHyperbolic",
    "Exponential",
    "Finding",
    "Function",
    "Geometric",
    "GrowingPolynomial",
    "HalfLife",
    "Hyperbolic",
    "Length",
    "Linear",
    "Logarithmic",
    "Peak",
    "Phase",
    "Piecewise",
    "Polynomial",
    "PowerLaw",
    "Product",
    "Ramp",
    "Rectifier",
    "Relaxation",
    "Repeat",
    "Reverse",
    "Rex",
    "Saturation",
    "Schedule",
    "Sequence",
    "Shift",
    "Staircase",
    "Stretch",
    "Sum",
    "Take",
    "Tanh",
    "chebyshev",
    "constant",
    "cooldown",
    "cosine",
    "cosine_waves",
    "exp_hyperbolic",
    "exponential",
    "fractal_chebyshev",
    "function",
    "geometric",
    "growing_polynomial",
    "half_life",
    "hold",
    "hyperbolic",
    "inverse_sqrt",
    "inverse_time",
    "linear",
    "logarithmic",
    "multistep",
    "natural_exponential",
    "noam",
    "noam_clamped",
    "one_cycle",
    "parse",
    "piecewise",
    "polynomial",
    "power_law",
    "range_test",
    "rectifier",
    "relaxation",
    "rex",
    "saturation",
    "slanted_triangular",
    "step",
    "tanh",
    "triangular",
    "warmup",
    "warmup_cosine",
    "wsd",
    "wsd_s",
]


def __dir__() -> list[str]:
    return __all__
