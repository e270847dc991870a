"""Host arrays on a device, sent without waiting for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_READ_BY_GRAPHS: list[Tensor] = []
"""Memory that captured graphs use at each replay: nothing says when the last one is."""


class Upload:
    """A host array's copy on a device, made again where the array has changed.

    Memory that a launch reads is never written again, and what a graph captures is its own: so a
    graph that is replayed finds what it was captured with.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._array: NDArray[Any] = np.empty(0)
        self._copy: Tensor | None = None

    def __call__(self, array: NDArray[Any]) -> Tensor:
        """The array on the device."""
        if is_capturing(self._device):
            return self._sent(array)
        if self._copy is None or not np.array_equal(array, self._array, equal_nan=True):
            self._array, self._copy = array.copy(), self._sent(array)
        return self._copy

    def _sent(self, array: NDArray[Any]) -> Tensor:
        host = torch.from_numpy(array.copy())
        if self._device.type == "cpu":
            return host
        host = host.pin_memory() if self._device.type == "cuda" else host
        if is_capturing(self._device):
            _READ_BY_GRAPHS.append(host)
        return host.to(self._device, non_blocking=True)


def kept_for_graphs(*tensors: Tensor) -> None:
    """Keep tensors of one device for good, if a graph that uses them is being captured."""
    if tensors and is_capturing(tensors[0].device):
        _READ_BY_GRAPHS.extend(tensors)


def is_capturing(device: torch.device) -> bool:
    """True if what is launched now becomes part of a CUDA graph."""
    return device.type == "cuda" and torch.cuda.is_current_stream_capturing()
