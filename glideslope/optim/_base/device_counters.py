"""Counts of parameters on their device, for steps that no number of the host decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from .counters import Counts, State, new_count


class DeviceCounters:
    """The named counts of some parameters, each a tensor where its parameter is.

    A tensor is made once and counts in place, as a captured graph needs it.

    Args:
        names: the entries of a state that count.
        states: those of the parameters.
        devices: where these are.
    """

    def __init__(
        self, names: Sequence[str], states: Sequence[State], devices: Sequence[torch.device]
    ) -> None:
        self.names = tuple(names)
        self._states = states
        for state, device in zip(states, devices, strict=True):
            for name in names:
                state[name] = _count_on(device, state[name])
        self._tensors = {name: [dict.__getitem__(s, name) for s in states] for name in names}
        self._note()

    def keys(self) -> list[Counts]:
        """The counts of each parameter, as numbers; they are read from the device."""
        vectors = [
            torch.stack([tensor.cpu() for tensor in self._tensors[name]]).tolist()
            for name in self.names
        ]
        return [*zip(*vectors, strict=True)] if self.names else [()] * len(self._states)

    def are_untouched(self) -> bool:
        """True if only `advance` has changed them."""
        return self._versions == self._present_versions()

    def were_replaced(self) -> bool:
        """True if an entry of a state is another tensor than it was."""
        return any(
            dict.get(state, name) is not tensor
            for name, tensors in self._tensors.items()
            for state, tensor in zip(self._states, tensors, strict=True)
        )

    def of(self, index: int) -> dict[str, Any]:
        """The counts of one parameter, in double precision."""
        return {name: tensors[index].double() for name, tensors in self._tensors.items()}

    def advance(self, name: str, members: Iterable[int], value: Any, skip: Tensor | None) -> None:
        """Set a count of some parameters, unless the step is skipped."""
        tensors = [self._tensors[name][member] for member in members]
        new = torch.as_tensor(value, device=tensors[0].device)
        if skip is not None:
            is_skipped = skip.to(tensors[0].device) != 0
            new = torch.where(is_skipped, tensors[0].double(), new)
        torch._foreach_copy_(tensors, [new.to(tensors[0].dtype)] * len(tensors))
        self._note()

    def _note(self) -> None:
        self._versions = self._present_versions()

    def _present_versions(self) -> list[int]:
        return [tensor._version for tensors in self._tensors.values() for tensor in tensors]


def _count_on(device: torch.device, kept: Any) -> Tensor:
    """A count as a tensor of its own on a device; itself, if it is one."""
    if isinstance(kept, Tensor):
        dtype = kept.dtype if kept.is_floating_point() else new_count(0.0).dtype
        own = kept.detach().reshape(()).to(device, torch.promote_types(dtype, torch.float32))
        is_own = kept.untyped_storage().nbytes() == kept.element_size()
        return kept if own.data_ptr() == kept.data_ptr() and is_own else own.clone()
    return new_count(float(kept)).to(device)
