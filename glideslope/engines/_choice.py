"""Which engine runs what."""

from __future__ import annotations

from typing import Literal, NamedTuple

from torch import Tensor

from glideslope.errors import InvalidValue

from ._engine import Engine, Recipe, Slot
from ._fused.engine import FusedEngine
from ._tensor.engine import TensorEngine

EngineName = Literal["auto", "fused", "tensor"]

ENGINES: tuple[Engine, ...] = (FusedEngine(), TensorEngine())
"""From fast to general; the last one runs everything."""


class Choice(NamedTuple):
    """An engine, and why it is no faster one: None if it is the fastest or was requested."""

    engine: Engine
    reason: str | None


def choose(wanted: EngineName, recipe: Recipe, slot: Slot, gradient: Tensor) -> Choice:
    """The fastest engine that is right for a slot, or the one that is wanted.

    Raises:
        InvalidValue: the wanted engine cannot run this slot.
    """
    first_reason = None
    for engine in ENGINES:
        if wanted not in ("auto", engine.name):
            continue
        reason = engine.reason_against(recipe, slot, gradient)
        if reason is None:
            return Choice(engine, first_reason)
        first_reason = first_reason or reason
    raise InvalidValue(f"the {wanted} engine cannot run this parameter: {first_reason}")
