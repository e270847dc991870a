"""Rows of scalars of a kernel: one for each cohort, or for each tensor where totals are taken."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ._engine import Slot
from ._kernel import Kernel


class RowLayout:
    """Which row of scalars each tensor of a batch uses.

    Attributes:
        elements: the number of elements of each whole tensor.
        apart: True if each tensor has a row of its own.
        row_of: the row of each tensor.
        height: the number of rows.
        members: the places of the tensors of each cohort.
    """

    def __init__(self, kernel: Kernel, slots: Sequence[Slot]) -> None:
        self.elements = np.array([slot.elements for slot in slots])
        cohorts = [slot.cohort for slot in slots]
        self.apart = len(kernel.line.stages) > 1
        self.row_of: Sequence[int] = range(len(cohorts)) if self.apart else cohorts
        self.height = 1 + max(self.row_of)
        places = np.array(cohorts)
        self.members = {cohort: np.flatnonzero(places == cohort) for cohort in set(cohorts)}
