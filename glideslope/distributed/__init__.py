"""Several processes: the local parts of sharded tensors, and numbers that all ranks agree on.

`torch.distributed` is the engine. Terms:

- a **rank** is one process of a process group;
- a **sharded tensor** is a `DTensor`: one tensor of which each rank holds a part (``Shard``) or a
  copy (``Replicate``), as `fully_shard` and tensor parallelism make them;
- its **shard** is the plain tensor that this rank holds of it;
- an **axis** is the dimension of a mesh along which a tensor is cut; an **exchange** moves tensors
  between their shards and the rank that **owns** them, which computes with them whole;
- a **reduction** adds up numbers over ranks. An element that several ranks hold is counted once, on
  the first of them.
"""

from __future__ import annotations

from glideslope import _torch as _torch  # first: it refuses a torch that is missing or too old

from ._exchange import Axis as Axis
from ._exchange import Cut as Cut
from ._exchange import Exchange as Exchange
from ._exchange import axis_of as axis_of
from ._exchange import cut_of as cut_of
from ._exchange import owners as owners
from ._reduction import Reduction as Reduction
from ._reduction import reduction_of as reduction_of
from ._shards import aligned as aligned
from ._shards import is_sharded as is_sharded
from ._shards import layout_of as layout_of
from ._shards import shard as shard
from ._shards import sharded_as as sharded_as

__all__ = [
    "Axis",
    "Cut",
    "Exchange",
    "Reduction",
    "aligned",
    "axis_of",
    "cut_of",
    "is_sharded",
    "layout_of",
    "owners",
    "reduction_of",
    "shard",
    "sharded_as",
]


def __dir__() -> list[str]:
    return __all__
