"""The parts that each rank writes, as torch's planner for distributed checkpoints divides them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor
from torch.distributed.checkpoint.default_planner import DefaultSavePlanner
from torch.distributed.checkpoint.planner import SavePlan

from .stored import Part


class Planner:
    """Divides the tensors of all ranks among them, so that each element is written once.

    Args:
        tensors: those of this rank, by key.
        rank: its number.
    """

    def __init__(self, tensors: Mapping[str, Tensor], rank: int) -> None:
        self._planner = DefaultSavePlanner(flatten_state_dict=False)
        self._planner.set_up_planner(dict(tensors), is_coordinator=rank == 0)
        self._rank = rank
        self.local: SavePlan = self._planner.create_local_plan()
        """The parts that this rank could write."""

    def parts(self, plans: Sequence[SavePlan]) -> dict[str, list[Part]]:
        """The parts that this rank writes, by key, given the local plans of all ranks."""
        whole, _ = self._planner.create_global_plan(list(plans))
        found: dict[str, list[Part]] = {}
        for key, part in self._resolved(self._planner.finish_plan(whole[self._rank])):
            found.setdefault(key, []).append(part)
        return found

    def _resolved(self, plan: SavePlan) -> Iterator[tuple[str, Part]]:
        for item in plan.items:
            data = self._planner.resolve_data(item)
            assert isinstance(data, torch.Tensor)
            assert item.tensor_data is not None
            yield item.index.fqn, Part(tuple(item.tensor_data.chunk.offsets), data)
