"""The fused engine for the CPU: one compiled loop over all tensors, one pass over memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glideslope.rules import Rule

from .._aim import Aim
from .._engine import SEED, Batch, Engine, Recipe, Slot, Values
from .._kernel import Kernel
from .._layout import real_count
from .._obstacle import obstacle
from .._reach import unreachable
from .._rows import RowLayout
from .address_table import AddressTable
from .compilation import machine_code, numba_is_installed
from .kernel import measure, sum_of_squares, update
from .threads import Native


class FusedEngine(Engine):
    """Compiles the rule and runs it over dense tensors on the CPU."""

    name = "fused"
    devices = frozenset({"cpu"})

    def reason_against(self, recipe: Recipe, slot: Slot, gradient: Tensor) -> str | None:
        if recipe.differentiable:
            return "gradients must flow through the step"
        if reason := unreachable(recipe, slot, gradient, _elsewhere):
            return reason
        if not numba_is_installed():
            return "Numba is not installed"
        return obstacle(recipe.rule, recipe.options)

    def kind(self, recipe: Recipe, slot: Slot, gradient: Tensor) -> Kernel:
        return Kernel.of(recipe, slot, gradient)

    def prepare(
        self, recipe: Recipe, slots: Sequence[Slot], gradients: Sequence[Tensor]
    ) -> FusedBatch:
        return FusedBatch(self.kind(recipe, slots[0], gradients[0]), slots, gradients)


class FusedBatch(Batch):
    """The tensors of one kernel, and the table of their addresses."""

    def __init__(self, kernel: Kernel, slots: Sequence[Slot], gradients: Sequence[Tensor]) -> None:
        self._kernel, self._function = kernel, machine_code(update(kernel))
        self._parameters = [slot.parameter for slot in slots]
        self._aim = Aim(kernel.recipe, slots, gradients)
        self._slots = slots
        self._rows = _Rows(kernel, slots)
        self._measures: dict[Rule, tuple[_Rows, AddressTable, list[int]]] = {}
        self._table = _new_table(kernel, self._rows, self._parameters)
        self._table.addresses[:, 0] = self._aim.parameters
        states = np.array(self._aim.states, np.int64).reshape(-1, len(slots))
        self._table.addresses[:, 2:] = states.T

    def aim(self, gradients: Sequence[Tensor | None]) -> bool:
        addresses = self._aim.take(gradients)
        if addresses is None:
            return False
        self._table.addresses[:, 1] = addresses
        return True

    def has_moved(self) -> bool:
        return self._aim.has_moved()

    def is_shared(self) -> bool:
        return self._aim.is_shared()

    def sum_of_squares(self) -> float:
        (squares,) = self._table.totals(_squaring(self._kernel.dtypes[1]), 1)
        return float(squares.sum())

    def totals(self, measure: Rule, cohorts: Sequence[Values]) -> list[float]:
        if measure not in self._measures:
            self._measures[measure] = self._measured_by(measure)
        rows, table, columns = self._measures[measure]
        table.addresses[:] = self._table.addresses[:, columns]
        return [float(total.sum()) for total in rows.measured(table, cohorts)]

    def _measured_by(self, measure: Rule) -> tuple[_Rows, AddressTable, list[int]]:
        """The rows and the table of a rule of totals, and the columns of its arrays in ours."""
        kernel = self._kernel.measuring_by(measure)
        rows = _Rows(kernel, [slot._replace(whole=None) for slot in self._slots])
        columns = [list(self._kernel.arrays).index(name) for name in kernel.arrays]
        return rows, _new_table(kernel, rows, self._parameters), columns

    def run(self, cohorts: Sequence[Values]) -> None:
        totals = self._rows.measured(self._table, cohorts)
        self._rows.fill(self._table, len(self._kernel.line.measuring), cohorts, totals)
        self._table.run(self._function, int(cohorts[self._slots[0].cohort][SEED]))
        if self._kernel.recipe.zeroing:
            self._aim.zero_copied()

    def release(self) -> None:
        self._aim.release()


class _Rows:
    """The scalars of a kernel: a row for each cohort, or for each tensor where totals are taken."""

    def __init__(self, kernel: Kernel, slots: Sequence[Slot]) -> None:
        self._kernel, self._first = kernel, slots[0]
        self.layout = RowLayout(kernel, slots)
        self._passes = [
            (machine_code(measure(kernel, number)), len(stage.outputs))
            for number, stage in enumerate(kernel.line.measuring)
        ]

    def measured(self, table: AddressTable, cohorts: Sequence[Values]) -> list[NDArray[np.float64]]:
        """The totals of the rule, each over every tensor."""
        totals: list[NDArray[np.float64]] = []
        for number, (function, count) in enumerate(self._passes):
            self.fill(table, number, cohorts, totals)
            totals += self._summed(table.totals(function, count))
        return totals

    def _summed(self, totals: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
        """Totals over whole tensors, of totals over the parts that this process holds."""
        if self._first.whole is None:
            return totals
        return [*self._first.summed(torch.from_numpy(np.stack(totals))).numpy()]

    def fill(
        self,
        table: AddressTable,
        number: int,
        cohorts: Sequence[Values],
        totals: Sequence[NDArray[np.float64]],
    ) -> None:
        """Write the constants that are known at a stage, and the scalars of the recipe."""
        stage, recipe = self._kernel.line.stages[number], self._kernel.recipe
        for cohort, members in self.layout.members.items():
            values = cohorts[cohort]
            scalars = [float(values[name]) for name in recipe.rule.scalars]
            extras = [values[name] for name in recipe.extras]
            sums = [total[members] for total in totals]
            with np.errstate(divide="ignore", invalid="ignore"):  # a tensor may have no elements
                constants = stage.prologue(*scalars, self.layout.elements[members], *sums)
            if self.layout.apart:
                for column, constant in zip(stage.known, constants, strict=True):
                    table.rows[members, column] = constant
                table.rows[members, len(self._kernel.line.constants) :] = extras
            else:
                table.rows[cohort] = [*constants, *extras]


def _new_table(kernel: Kernel, rows: _Rows, parameters: Sequence[Tensor]) -> AddressTable:
    """A table of these parameters that has no addresses yet."""
    counts = [real_count(parameter) for parameter in parameters]
    scalars = np.zeros((rows.layout.height, len(kernel.scalars)), kernel.real)
    return AddressTable(counts, rows.layout.row_of, len(kernel.dtypes), scalars)


@cache
def _squaring(dtype: str) -> Native:
    """The kernel that adds up the squares of gradients."""
    return machine_code(sum_of_squares(dtype))


def _elsewhere(device: torch.device) -> str | None:
    return None if device.type == "cpu" else f"a tensor is on {device}"
