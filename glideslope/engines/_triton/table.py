"""The addresses a Triton kernel walks through, on the device: a program for each chunk."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._kernel import CHUNK
from .kernel import BLOCK, TENSOR_FIELDS
from .launch import Launch
from .upload import Upload

ALIGNMENT = 16
"""Bytes that one instruction loads at most, if all addresses are multiples of so many."""


class DeviceTable:
    """Tensors as a kernel sees them.

    Args:
        counts: the number of elements of each tensor.
        row_of: the row of scalars that each tensor uses.
        arrays: how many arrays the kernel touches.
        device: where they are.
    """

    def __init__(
        self, counts: Sequence[int], row_of: Sequence[int], arrays: int, device: torch.device
    ) -> None:
        self._tensors, self._owners = chunked(counts, row_of, arrays)
        self._device = device
        self._upload_tensors, self._upload_owners = Upload(device), Upload(device)

    @property
    def addresses(self) -> NDArray[np.int64]:
        """The address of each array of each tensor, to be written."""
        return self._tensors[:, TENSOR_FIELDS:]

    def run(self, launch: Launch, rows: Tensor, sums: Tensor) -> None:
        """One program for each chunk."""
        if len(self._owners):
            aligned = not np.any(self.addresses % ALIGNMENT)
            with on(self._device):
                launch.chunks(
                    self._upload_owners(self._owners),
                    self._upload_tensors(self._tensors),
                    rows,
                    sums,
                    ALIGNMENT if aligned else 1,
                )

    def totals(self, launch: Launch, rows: Tensor, count: int) -> Tensor:
        """For each total, its sum over each tensor; the order of adding is always the same."""
        sums = torch.empty(len(self._owners), count, dtype=torch.float64, device=self._device)
        totals = sums.new_zeros(count, len(self._tensors))
        self.run(launch, rows, sums)
        with on(self._device):
            launch.add_up(self._upload_tensors(self._tensors), sums, totals, CHUNK, BLOCK)
        return totals


def chunked(
    counts: Sequence[int], row_of: Sequence[int], arrays: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The table of tensors, whose addresses are still 0, and the tensor of each chunk."""
    chunks = -(-np.array(counts, np.int64) // CHUNK)
    tensors = np.zeros((len(counts), TENSOR_FIELDS + arrays), np.int64)
    tensors[:, 0], tensors[:, 1] = counts, row_of
    tensors[:, 2] = np.cumsum(chunks) - chunks
    return tensors, np.repeat(np.arange(len(counts), dtype=np.int32), chunks)


def on(device: torch.device) -> AbstractContextManager[Any]:
    """A context in which a device is the current one of its kind."""
    if device.type == "cpu":
        return nullcontext()
    guard: AbstractContextManager[Any] = torch.get_device_module(device).device(device)
    return guard
