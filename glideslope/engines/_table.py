"""The addresses a kernel walks through: one row for a tensor, equal chunks of elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ._kernel import CHUNK, TENSOR_FIELDS
from ._threads import Native, launch

SMALL = 1 << 17
"""Elements below which waking other threads costs more than they save."""

SHARES = 8
"""Turns that each thread takes at least, so that a late one does not keep the others waiting."""


class Table:
    """Tensors as a kernel sees them.

    Args:
        counts: the number of elements of each tensor.
        cohorts: the row of scalars that each tensor uses.
        arrays: how many arrays the kernel touches.
        rows: the scalars, one row for a cohort.
    """

    def __init__(
        self,
        counts: Sequence[int],
        cohorts: Sequence[int],
        arrays: int,
        rows: NDArray[np.floating[Any]],
    ) -> None:
        chunks = -(-np.array(counts, np.int64) // CHUNK)
        self.elements = sum(counts)
        self.rows = rows
        self._tensors = np.zeros((len(counts), TENSOR_FIELDS + arrays), np.int64)
        self._tensors[:, 0], self._tensors[:, 1] = counts, cohorts
        self._tensors[:, 2] = np.cumsum(chunks) - chunks
        self._owners = np.repeat(np.arange(len(counts), dtype=np.int32), chunks)
        self._partial = np.zeros(len(self._owners), np.float64)
        self._job = np.array([0, len(self._owners), 1, 0, 0, 0, 0, 0, arrays], np.int64)
        parts = (self._owners, self._tensors, self.rows, self._partial)
        self._job[3:7] = [part.ctypes.data for part in parts]
        self._job_address = self._job.ctypes.data

    @property
    def addresses(self) -> NDArray[np.int64]:
        """The address of each array of each tensor, to be written."""
        return self._tensors[:, TENSOR_FIELDS:]

    def run(self, function: Native, seed: int = 0) -> None:
        """Walk all chunks once, on as many threads as torch may use and the work is worth."""
        threads = min(torch.get_num_threads(), 1 + self.elements // SMALL)
        turn = 1 + len(self._owners) // (SHARES * threads)
        self._job[0], self._job[2], self._job[7] = 0, turn, seed
        launch(function, self._job_address, threads)

    def total(self, function: Native) -> float:
        """The sum of what a kernel leaves for each chunk; threads do not change its order."""
        self.run(function)
        return float(self._partial.sum())
