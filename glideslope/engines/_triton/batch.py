"""The tensors of one Triton kernel, and the table of their addresses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from glideslope.rules import Rule

from .._aim import Aim
from .._engine import Batch, Slot, Values
from .._kernel import Kernel
from .._layout import real_count
from .kernel import measure, sum_of_squares, update
from .launch import launch_of
from .rows import Rows
from .table import DeviceTable


class TritonBatch(Batch):
    """Tensors on one device; what is computed of them stays there."""

    def __init__(self, kernel: Kernel, slots: Sequence[Slot], gradients: Sequence[Tensor]) -> None:
        self._kernel, self._slots = kernel, slots
        self._aim = Aim(kernel.recipe, slots, gradients)
        self._passes = _Passes.of(kernel, slots)
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
        text = sum_of_squares(self._kernel.dtypes[1], len(self._kernel.dtypes))
        table = self._passes.table
        return table.totals(launch_of(text), self._passes.nothing, 1).sum()

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
        return _Passes.of(kernel, [slot._replace(whole=None) for slot in self._slots]), columns

    def run(self, cohorts: Sequence[Values]) -> None:
        self._passes.update(cohorts)
        if self._kernel.recipe.zeroing:
            self._aim.zero_copied()

    def release(self) -> None:
        self._aim.release()


class _Passes(NamedTuple):
    """The launches of a kernel's stages over one table."""

    kernel: Kernel
    table: DeviceTable
    rows: Rows
    first: Slot
    nothing: Tensor
    """An argument that a kernel does not use."""

    @classmethod
    def of(cls, kernel: Kernel, slots: Sequence[Slot]) -> _Passes:
        """Passes over slots, whose table has no addresses yet."""
        device = slots[0].parameter.device
        counts = [real_count(slot.parameter) for slot in slots]
        rows = Rows(kernel, slots, device)
        table = DeviceTable(counts, rows.layout.row_of, len(kernel.dtypes), device)
        nothing = torch.zeros(1, dtype=torch.float64, device=device)
        return cls(kernel, table, rows, slots[0], nothing)

    def measured(self, cohorts: Sequence[Values]) -> list[Tensor]:
        """The totals of the rule, each over every tensor."""
        totals: list[Tensor] = []
        for number, stage in enumerate(self.kernel.line.measuring):
            rows = self.rows.at(number, cohorts, totals)
            launch = launch_of(measure(self.kernel, number))
            own = self.table.totals(launch, rows, len(stage.outputs))
            totals += self.first.summed(own)
        return totals

    def update(self, cohorts: Sequence[Values]) -> None:
        """All stages: those that measure, then the one that updates."""
        totals = self.measured(cohorts)
        rows = self.rows.at(len(self.kernel.line.measuring), cohorts, totals)
        self.table.run(launch_of(update(self.kernel)), rows, self.nothing)
