"""Engines: how a rule runs over all parameters at once.

A rule is what an optimizer does to one number, written once in `glideslope.rules`. Here is the way
from that formula to a step::

    rule  +  active options, dtypes, extras of the pass        known when the first step begins
      │
      │  specialise     branches on options are taken; what is computed from scalars alone leaves
      │                 the formula for a Python function of them, evaluated in double precision
      ▼
    straight line       p, g, exp_avg, ..., _c0, _c1, ...  ->  p, exp_avg, ...
      │
      │  kernel         the line inside one loop with its loads, its stores and the extras; a small
      │                 module of text, compiled by Numba and cached under a hash of that text
      ▼
    machine code        run(job): takes chunks off a shared counter until none is left
      ▲
      │  table          one row of addresses for each tensor of all groups, one row of scalars for
      │                 each group and step; rebuilt only when an address has changed
    parameters, gradients, state

Terms:

- a **recipe** is everything one pass does to an element: the rule, its active options, and what is
  common to all optimizers (maximize, a factor for the gradient, an average of the parameter,
  zeroing the gradient, the rounding of 16-bit parameters);
- a **slot** is one parameter with its state; a **cohort** is the slots that share scalars: those of
  one group that are at the same step;
- a **batch** is the slots that an engine updates together: for the fused engine one kernel, one
  table, one parallel region; for the Triton engine one launch.
- a **stage** is one pass of a rule: a rule that takes a `total`, `mean` or `norm` over a tensor has
  a pass that adds it up before the one that uses it, on the same table, with a row of scalars for
  each tensor.

The **fused** engine is the above. The **Triton** engine writes the same lines as a kernel for a
GPU: one launch, a program for each chunk of the same table, and what a step computes of its
gradients stays on the device. The **tensor** engine turns the same straight line into torch's
operations on lists of tensors, on any device and dtype: each is a pass over memory, so there are as
few as can be. Where gradients must flow through the step, or torch traces it, the formula itself is
called with tensors: the reference for all. All compute in float32, or in float64 if any tensor is,
and round a 16-bit number once, when it is stored. An `Engine` says why it cannot run a slot, or
prepares a `Batch` of them; `choose` takes the first that has no reason.

Threads are torch's own, reached through the OpenMP library it is linked to: they are warm from the
backward pass, `torch.set_num_threads` holds, and there is no second pool to fight with. Small work
stays on the calling thread. Chunks do not depend on threads, and sums are added up in the order of
chunks, so any number of threads gives the same bits.
"""

from __future__ import annotations

from glideslope import _torch as _torch  # first: it refuses a torch that is missing or too old

from ._choice import Choice as Choice
from ._choice import EngineName as EngineName
from ._choice import choose as choose
from ._eight_bits import CODES as CODES
from ._eight_bits import packed as packed
from ._eight_bits import scale_shape as scale_shape
from ._eight_bits import unpacked as unpacked
from ._engine import COMPENSATION as COMPENSATION
from ._engine import EMA_WEIGHT as EMA_WEIGHT
from ._engine import FACTOR as FACTOR
from ._engine import REMAINDER as REMAINDER
from ._engine import SEED as SEED
from ._engine import SKIP as SKIP
from ._engine import Batch as Batch
from ._engine import Engine as Engine
from ._engine import Recipe as Recipe
from ._engine import Rounding as Rounding
from ._engine import Slot as Slot
from ._engine import Whole as Whole
from ._engine import scale_of as scale_of
from ._front.specialise import count_totals as count_totals
from ._front.specialise import takes_totals as takes_totals
from ._layout import is_plain as is_plain
from ._memory import Use as Use
from ._memory import is_backed as is_backed
from ._memory import overlaps_itself as overlaps_itself
from ._memory import sharing_owners as sharing_owners
from ._memory import tangled as tangled
from ._split import REMAINDERS as REMAINDERS
from ._split import joined as joined
from ._split import parted as parted
from ._tensor.engine import runs_on_parts as runs_on_parts
from ._tensor.engine import update as update
from ._tensor.norms import squares_of as squares_of
from ._tensor.rounding import generator_of as generator_of
from ._tensor.rounding import stored as stored
from ._triton.engine import lacks_graphs as lacks_graphs
from ._triton.upload import is_capturing as is_capturing
from ._triton.upload import kept_for_graphs as kept_for_graphs
from ._watch import StateWatch as StateWatch
from ._watch import Watch as Watch
from ._watch import addresses_of as addresses_of

__all__ = [
    "Batch",
    "CODES",
    "COMPENSATION",
    "Choice",
    "EMA_WEIGHT",
    "Engine",
    "EngineName",
    "FACTOR",
    "REMAINDER",
    "REMAINDERS",
    "Recipe",
    "Rounding",
    "SEED",
    "SKIP",
    "Slot",
    "StateWatch",
    "Use",
    "Watch",
    "Whole",
    "addresses_of",
    "choose",
    "count_totals",
    "generator_of",
    "is_backed",
    "is_capturing",
    "is_plain",
    "joined",
    "kept_for_graphs",
    "lacks_graphs",
    "overlaps_itself",
    "packed",
    "parted",
    "runs_on_parts",
    "scale_of",
    "scale_shape",
    "sharing_owners",
    "squares_of",
    "stored",
    "takes_totals",
    "tangled",
    "unpacked",
    "update",
]


def __dir__() -> list[str]:
    return __all__
