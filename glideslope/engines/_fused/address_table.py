"""The addresses a kernel walks through: one row for a tensor, equal chunks of elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .._kernel import CHUNK
from .kernel import TENSOR_FIELDS
from .threads import Native, launch

SMALL = 1 << 17
"""Elements below which waking other threads costs more than they save."""

TURNS = 8
"""Turns that each thread takes at least, so that a late one does not keep the others waiting."""


class AddressTable:
    """Tensors as a kernel sees them.

    Args:
        counts: the number of elements of each tensor.
        row_of: the row of scalars that each tensor uses.
        arrays: how many arrays the kernel touches.
        rows: the scalars.
    """

    def __init__(
        self,
        counts: Sequence[int],
        row_of: Sequence[int],
        arrays: int,
        rows: NDArray[np.floating[Any]],
    ) -> None:
        chunks = -(-np.array(counts, np.int64) // CHUNK)
        width = TENSOR_FIELDS + arrays
        self.elements = sum(counts)
        self.rows = rows
        self._tensors = np.zeros((len(counts), width), np.int64)
        self._tensors[:, 0], self._tensors[:, 1] = counts, row_of
        self._tensors[:, 2] = np.cumsum(chunks) - chunks
        self._owners = np.repeat(np.arange(len(counts), dtype=np.int32), chunks)
        self._job = np.array([0, len(self._owners), 1, 0, 0, 0, 0, 0, width], np.int64)
        parts = (self._owners, self._tensors, self.rows)
        self._job[3:6] = [part.ctypes.data for part in parts]
        self._job_address = self._job.ctypes.data

    @property
    def counts(self) -> NDArray[np.int64]:
        """The number of elements of each tensor."""
        return self._tensors[:, 0]

    @property
    def addresses(self) -> NDArray[np.int64]:
        """The address of each array of each tensor, to be written."""
        return self._tensors[:, TENSOR_FIELDS:]

    def run(self, function: Native, seed: int = 0) -> None:
        """Walk all chunks once, on as many threads as torch may use and the work is worth."""
        threads = min(torch.get_num_threads(), 1 + self.elements // SMALL)
        turn = 1 + len(self._owners) // (TURNS * threads)
        self._job[0], self._job[2], self._job[7] = 0, turn, seed
        launch(function, self._job_address, threads)

    def totals(self, function: Native, count: int) -> list[NDArray[np.float64]]:
        """For each total, its sum over each tensor; threads do not change the order of adding."""
        partial = np.zeros((len(self._owners), count))
        self._job[6] = partial.ctypes.data
        self.run(function)
        by_tensor = (np.bincount(self._owners, column, len(self.counts)) for column in partial.T)
        return [sums.astype(np.float64) for sums in by_tensor]
