"""Several processes: the local parts of sharded tensors, and numbers that all ranks agree on.

`torch.distributed` is the engine. Terms:

- a **rank** is one process of a process group, or of a **launch** by ``torchrun``;
- a **sharded tensor** is a `DTensor`: one tensor of which each rank holds a part (``Shard``) or a
  copy (``Replicate``), as `fully_shard` and tensor parallelism make them;
- its **shard** is the plain tensor that this rank holds of it;
- an **axis** is the dimension of a mesh along which a tensor is cut; an **exchange** moves tensors
  between their shards and the rank that **owns** them, which computes with them whole;
- a **reduction** adds up numbers over ranks. An element that several ranks hold is counted once, on
  the first of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glideslope._lazy import lazy

from ._agreement import Agree as Agree
from ._agreement import agreed as agreed
from ._agreement import check_agree as check_agree
from ._agreement import gathered as gathered
from ._agreement import has_peers as has_peers
from ._agreement import mean as mean
from ._agreement import own_rank as own_rank
from ._agreement import rank_count as rank_count
from ._launch import Launch as Launch
from ._launch import apparent_launch as apparent_launch
from ._launch import launch as launch

__all__ = [
    "Agree",
    "Axis",
    "Comparison",
    "Cut",
    "Exchange",
    "Launch",
    "Reduction",
    "ZeroParts",
    "agreed",
    "aligned",
    "apparent_launch",
    "axis_of",
    "check_agree",
    "connect",
    "cut_of",
    "exchanged",
    "fail_together",
    "gathered",
    "has_peers",
    "is_flat_shard",
    "is_own_group",
    "is_sharded",
    "launch",
    "layout_of",
    "mean",
    "named_ranks",
    "own_rank",
    "owners",
    "part_of",
    "rank_count",
    "reduction_of",
    "shard",
    "sharded_as",
    "time_out",
    "zero_group",
    "zero_parts",
]

if TYPE_CHECKING:
    from ._connecting import connect as connect
    from ._deepspeed import ZeroParts as ZeroParts
    from ._deepspeed import zero_parts as zero_parts
    from ._exchange import Axis as Axis
    from ._exchange import Cut as Cut
    from ._exchange import Exchange as Exchange
    from ._exchange import axis_of as axis_of
    from ._exchange import cut_of as cut_of
    from ._exchange import owners as owners
    from ._failure import fail_together as fail_together
    from ._peers import exchanged as exchanged
    from ._peers import named_ranks as named_ranks
    from ._peers import time_out as time_out
    from ._reduction import Reduction as Reduction
    from ._reduction import reduction_of as reduction_of
    from ._shards import aligned as aligned
    from ._shards import is_flat_shard as is_flat_shard
    from ._shards import is_sharded as is_sharded
    from ._shards import layout_of as layout_of
    from ._shards import part_of as part_of
    from ._shards import shard as shard
    from ._shards import sharded_as as sharded_as
    from ._sharing import Comparison as Comparison
    from ._sharing import is_own_group as is_own_group
    from ._sharing import zero_group as zero_group
else:
    __getattr__ = lazy(
        __name__,
        {
            "Axis": "_exchange",
            "Comparison": "_sharing",
            "Cut": "_exchange",
            "Exchange": "_exchange",
            "Reduction": "_reduction",
            "ZeroParts": "_deepspeed",
            "aligned": "_shards",
            "axis_of": "_exchange",
            "connect": "_connecting",
            "cut_of": "_exchange",
            "exchanged": "_peers",
            "fail_together": "_failure",
            "is_flat_shard": "_shards",
            "is_own_group": "_sharing",
            "is_sharded": "_shards",
            "layout_of": "_shards",
            "named_ranks": "_peers",
            "owners": "_exchange",
            "part_of": "_shards",
            "reduction_of": "_reduction",
            "shard": "_shards",
            "sharded_as": "_shards",
            "time_out": "_peers",
            "zero_group": "_sharing",
            "zero_parts": "_deepspeed",
        },
        first="glideslope._torch",
    )


def __dir__() -> list[str]:
    return __all__
