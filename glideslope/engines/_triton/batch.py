"""The tensors of one Triton kernel, and the table of their addresses."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from glideslope.rules import Rule

from .._aim import Aim
from .._engine import Batch, Slot, Values
from .._kernel import Kernel
from .._layout import real_count
from .kernel import measure, sum_of_squares, update
from .launch import Launch, launch_of
from .rows import Rows
from .table import DeviceTable


class TritonBatch(Batch):
    """Tensors on one device; what is computed of them stays there."""

    def __init__(self, kernel: Kernel, slots: Sequence[Slot], gradients: Sequence[Tensor]) -> None:
        self._kernel, self._slots = kernel, slots
        self._aim = Aim(kernel.recipe, slots, gradients)
        self._passes = _Passes(kernel, slots)
        self._update = launch_of(update(kernel))
        self._measures: dict[Rule, tuple[_Passes, list[int]]] = {}
        addresses = self._passes.table.addresses
        addresses[:, 0] = self._aim.parameters
        addresses[:, 2:] = np.array(self._aim.states, np.int64).reshape(-1, len(slots)).T

    def aim(self, gradients: Sequence[Tensor | None]) -> bool:
        addresses = self._aim.take(gradients)
        if addresses is None:
            return False
        self._passes.table.addresses[:, 1] = addresses
        return True

    def has_moved(self) -> bool:
        return self._aim.has_moved()

    def is_shared(self) -> bool:
        return self._aim.is_shared()

    def sum_of_squares(self) -> Tensor:
        return self._passes.table.totals(self._squaring, self._passes.nothing, 1).sum()

    @cached_property
    def _squaring(self) -> Launch:
        """The launch that adds up the squares of gradients."""
        return launch_of(sum_of_squares(self._kernel.dtypes[1], len(self._kernel.dtypes)))

    def totals(self, measure: Rule, cohorts: Sequence[Values]) -> list[Tensor]:
        if measure not in self._measures:
            self._measures[measure] = self._measured_by(measure)
        passes, columns = self._measures[measure]
        passes.table.addresses[:] = self._passes.table.addresses[:, columns]
        return [total.sum() for total in passes.measured(cohorts)]

    def _measured_by(self, measure: Rule) -> tuple[_Passes, list[int]]:
        """The passes of a rule of totals, and the columns of its arrays in ours."""
        kernel = self._kernel.measuring_by(measure)
        columns = [list(self._kernel.arrays).index(name) for name in kernel.arrays]
        return _Passes(kernel, [slot._replace(whole=None) for slot in self._slots]), columns

    def run(self, cohorts: Sequence[Values]) -> None:
        passes = self._passes
        totals = passes.measured(cohorts)
        rows = passes.rows.at(len(passes.measuring), cohorts, totals)
        passes.table.run(self._update, rows, passes.nothing)
        if self._kernel.recipe.zeroing:
            self._aim.zero_copied()

    def release(self) -> None:
        self._aim.release()


class _Passes:
    """The passes of a kernel over one table, which has no addresses yet.

    Attributes:
        table: the table.
        rows: the scalars.
        measuring: the launch of each pass that measures, and how many totals it gives.
        nothing: an argument that a kernel does not use.
    """

    def __init__(self, kernel: Kernel, slots: Sequence[Slot]) -> None:
        device = slots[0].parameter.device
        self._summed = slots[0].summed
        self.rows = Rows(kernel, slots, device)
        counts = [real_count(slot.parameter) for slot in slots]
        row_of = self.rows.layout.row_of
        self.table = DeviceTable(counts, row_of, len(kernel.dtypes), device)
        self.measuring = [
            (launch_of(measure(kernel, number)), len(stage.outputs))
            for number, stage in enumerate(kernel.line.measuring)
        ]
        self.nothing = torch.zeros(1, dtype=torch.float64, device=device)

    def measured(self, cohorts: Sequence[Values]) -> list[Tensor]:
        """The totals of the rule, each over every tensor."""
        totals: list[Tensor] = []
        for number, (launch, count) in enumerate(self.measuring):
            rows = self.rows.at(number, cohorts, totals)
            totals += self._summed(self.table.totals(launch, rows, count))
        return totals
