"""Resuming: the bases that the groups note, and the rates of a loaded state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from glideslope.groups import SharedKey

_MISSING = (
    "param 'initial_lr' is not specified in param_groups[{}] when resuming scheduler with "
    "last_epoch >= 0.\nThis typically happens when:\n"
    "1. You're trying to resume training from a checkpoint but haven't properly loaded the "
    "optimizer state\n"
    "2. You're using last_epoch >= 0 for a fresh training run (not recommended)"
)


def required(shared: SharedKey) -> list[float]:
    """The noted bases to resume from.

    Raises:
        KeyError: a group has none.
    """
    bases = shared.noted()
    for index, base in enumerate(bases):
        if base is None:
            raise KeyError(_MISSING.format(index))
    return [base for base in bases if base is not None]


def restored(scheduler: Any, rates: Sequence[float]) -> list[float]:
    """Write the rates of a loaded state, with every source of ``scheduler`` at its step.

    Groups that the state does not contain keep their own bases. Keys other than the learning rate
    get the values of their sources.
    """
    shared = SharedKey.of(scheduler.optimizer)
    own = list(shared.bases)
    shared.edit([*rates, *shared.observe()[len(rates) :]])
    for binding, t in scheduler.active_bindings():
        if binding.key == "lr":
            binding.restore(t)
            shared.note(binding.bases)
        else:
            binding.resume(t)
    if len(own) > len(rates):
        shared.bases[len(rates) :] = shared.origins[len(rates) :] = own[len(rates) :]
        shared.flush()
    return list(shared.written)
