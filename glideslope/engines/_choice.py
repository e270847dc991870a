"""Which engine runs what."""

from __future__ import annotations

from typing import Literal, NamedTuple

from torch import Tensor

from glideslope.errors import InvalidValue

from ._engine import Engine, Recipe, Slot
from ._fused.engine import FusedEngine
from ._tensor.engine import TensorEngine
from ._triton.engine import TritonEngine

EngineName = Literal["auto", "fused", "triton", "tensor"]

ENGINES: tuple[Engine, ...] = (FusedEngine(), TritonEngine(), TensorEngine())
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
    against: list[str] = []
    elsewhere: list[str] = []
    for engine in ENGINES:
        if wanted not in ("auto", engine.name):
            continue
        is_made_for_it = slot.parameter.device.type in engine.devices
        reason = engine.reason_against(recipe, slot, gradient)
        if reason is not None:
            (against if is_made_for_it else elsewhere).append(reason)
        elif is_made_for_it:
            return Choice(engine, next(iter(against), None))
        elif engine.name == wanted or not engine.devices:
            return Choice(engine, next(iter((*against, *elsewhere)), None))
    raise InvalidValue(
        f"the {wanted} engine cannot run this parameter: {(*against, *elsewhere)[0]}"
    )
