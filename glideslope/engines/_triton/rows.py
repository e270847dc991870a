"""The scalars of a kernel on a device, from numbers of the host and of the device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._engine import SEED, SKIP, Slot, Values
from .._front.statements import Stage
from .._kernel import Kernel
from .._rows import RowLayout
from .kernel import ROW_FIELDS
from .upload import Upload, kept_for_graphs


class _Written(NamedTuple):
    """A column of some rows, and what it holds: one number, or one for each of the rows."""

    rows: NDArray[np.intp]
    column: int
    value: Any


class Rows:
    """The rows of scalars of a kernel's launches.

    Args:
        kernel: its key.
        slots: the tensors it walks through.
        device: where they are.
    """

    def __init__(self, kernel: Kernel, slots: Sequence[Slot], device: torch.device) -> None:
        self._kernel, self._device = kernel, device
        self._first = slots[0].cohort
        self.layout = RowLayout(kernel, slots)
        self._width = len(kernel.scalars) + ROW_FIELDS
        self._uploads = [Upload(device) for _ in kernel.line.stages]
        elements = torch.from_numpy(self.layout.elements).double().to(device)
        self._places = {
            cohort: torch.from_numpy(members).to(device)
            for cohort, members in self.layout.members.items()
        }
        self._elements = {cohort: elements[places] for cohort, places in self._places.items()}
        self._flat: dict[tuple[int, ...], Tensor] = {}

    def at(self, number: int, cohorts: Sequence[Values], totals: Sequence[Tensor]) -> Tensor:
        """The rows of a stage.

        Args:
            number: the stage's.
            cohorts: the scalars of the step; those on the device are not read.
            totals: what earlier stages have added up, each over every tensor.
        """
        host = np.zeros((self.layout.height, self._width))
        late: list[_Written] = []
        for written in self._columns(number, cohorts, totals):
            if isinstance(written.value, Tensor):
                late.append(written)
            else:
                host[written.rows, written.column] = written.value
        rows = self._uploads[number](host)
        if late:
            rows = self._completed(rows, late)
        kept_for_graphs(*self._places.values(), *self._elements.values(), *self._flat.values())
        return rows

    def _columns(
        self, number: int, cohorts: Sequence[Values], totals: Sequence[Tensor]
    ) -> Iterator[_Written]:
        stage, first = self._kernel.line.stages[number], len(self._kernel.constants)
        for cohort, members in self.layout.members.items():
            rows = members if self.layout.apart else np.array([cohort])
            values = cohorts[cohort]
            constants = self._constants(stage, cohort, values, totals)
            for column, constant in zip(stage.known, constants, strict=True):
                yield _Written(rows, column, constant)
            extras = [values[name] for name in self._kernel.recipe.extras]
            whole = cohorts[self._first]  # the noise of a batch starts from one seed
            for column, value in enumerate((*extras, whole[SEED], values[SKIP]), start=first):
                yield _Written(rows, column, self._near(value))

    def _constants(
        self, stage: Stage, cohort: int, values: Values, totals: Sequence[Tensor]
    ) -> tuple[Any, ...]:
        scalars = [self._near(values[name]) for name in self._kernel.recipe.rule.scalars]
        sums = [total[self._places[cohort]] for total in totals]
        return stage.prologue(*scalars, self._elements[cohort], *sums)

    def _near(self, value: Any) -> Any:
        """A number of the host, or one in double precision on this device."""
        if not isinstance(value, Tensor):
            return float(value)
        if value.device.type == "cpu" != self._device.type:
            return float(value)
        return value.detach().to(self._device, torch.float64).reshape(())

    def _completed(self, rows: Tensor, late: Sequence[_Written]) -> Tensor:
        """The rows with what was computed on the device."""
        flat = tuple(int(row) * self._width + each.column for each in late for row in each.rows)
        if flat not in self._flat:
            self._flat[flat] = torch.tensor(flat, device=self._device)
        values = [each.value.to(torch.float64).expand(len(each.rows)) for each in late]
        return rows.flatten().index_copy(0, self._flat[flat], torch.cat(values)).view_as(rows)
