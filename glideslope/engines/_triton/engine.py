"""The Triton engine: one launch over all tensors of a GPU, one pass over its memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .._engine import Engine, Recipe, Slot
from .._kernel import Kernel
from .._obstacle import obstacle
from .._reach import unreachable
from .launch import is_interpreted, triton_is_installed

if TYPE_CHECKING:
    from .batch import TritonBatch

DEVICES = frozenset({"cuda", "xpu"})
"""Devices that Triton compiles for; torch calls AMD's ``cuda`` as well."""


class TritonEngine(Engine):
    """Compiles the rule with Triton and runs it over dense tensors on a GPU."""

    name = "triton"
    devices = DEVICES
    is_on_device = True

    def reason_against(self, recipe: Recipe, slot: Slot, gradient: Tensor) -> str | None:
        if recipe.differentiable:
            return "gradients must flow through the step"
        if reason := unreachable(recipe, slot, gradient, _elsewhere):
            return reason
        if reason := _obstacle_on(slot.parameter.device):
            return reason
        return obstacle(recipe.rule, recipe.options)

    def kind(self, recipe: Recipe, slot: Slot, gradient: Tensor) -> tuple[Kernel, torch.device]:
        return Kernel.of(recipe, slot, gradient), slot.parameter.device

    def prepare(
        self, recipe: Recipe, slots: Sequence[Slot], gradients: Sequence[Tensor]
    ) -> TritonBatch:
        from .batch import TritonBatch

        return TritonBatch(Kernel.of(recipe, slots[0], gradients[0]), slots, gradients)


def lacks_graphs(device: torch.device, wanted: str) -> str | None:
    """Why no step can be captured in a graph on a device, or None if one can.

    Args:
        device: the device.
        wanted: the engine that is asked for; Triton interprets only where it is.
    """
    if device.type not in DEVICES and wanted != TritonEngine.name:
        return f"a tensor is on {device}"
    return _obstacle_on(device)


def _obstacle_on(device: torch.device) -> str | None:
    if reason := _elsewhere(device):
        return reason
    return None if triton_is_installed() else "Triton is not installed"


def _elsewhere(device: torch.device) -> str | None:
    """Why Triton runs nothing on a device, or None if it does."""
    if device.type in DEVICES or (device.type == "cpu" and is_interpreted()):
        return None
    return f"a tensor is on {device}"
