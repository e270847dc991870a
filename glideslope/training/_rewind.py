"""Restore a model, an optimizer and all that they hold, in place and bit for bit.

The objects are restored, not replaced: a parameter stays the same tensor at the same address, and
an optimizer keeps its group dicts, so references that other code holds stay valid.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from glideslope.errors import require_type

from ._random import Stream, global_state, set_global_state, set_stream_state, stream_state

Undo = Callable[[], object]

FOLLOWED = (nn.Module, torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler)
BINDINGS = ("glideslope.groups.", "glideslope.optim.lr_scheduler.")
"""The modules of the objects that schedulers share: they belong to a scheduler's state as well."""


class Rewind:
    """Remembers objects as they are now, and the random states of Python, NumPy and torch.

    Of modules, optimizers and schedulers it remembers all that they hold: tensors, gradients,
    containers, counters, flags, hooks, generators. Of other objects, the ``state_dict``.

    Args:
        things: the objects to remember.

    Raises:
        InvalidType: an object is none of these.
    """

    def __init__(self, things: Iterable[Any]) -> None:
        self._known: dict[int, object] = {}  # keeps the objects alive, so that no id is reused
        self._undo: list[Undo] = []
        self._last: list[Undo] = []
        for thing in things:
            self._start(thing)
        self._random = global_state()

    def restore(self) -> None:
        """Restore everything."""
        with torch.no_grad():
            for undo in (*self._undo, *self._last):
                undo()
        set_global_state(self._random)

    def _start(self, thing: Any) -> None:
        is_optimizer = hasattr(thing, "param_groups") or hasattr(thing, "lr")
        if _is_followed(thing) or is_optimizer:
            self._follow(thing)
            return
        has_state = hasattr(thing, "state_dict") and hasattr(thing, "load_state_dict")
        rule = "have `state_dict` and `load_state_dict`"
        require_type(has_state, "something to restore", rule, thing)
        self._last.append(partial(thing.load_state_dict, deepcopy(thing.state_dict())))

    def _visit(self, value: Any) -> None:
        if isinstance(value, Tensor | dict | list | tuple | set | deque | Stream):
            if id(value) not in self._known:
                self._known[id(value)] = value
                self._remember(value)
        elif _is_followed(value):
            self._follow(value)

    def _remember(self, value: Any) -> None:
        if isinstance(value, Tensor):
            self._remember_tensor(value)
        elif isinstance(value, Stream):
            self._undo.append(partial(set_stream_state, value, stream_state(value)))
        else:
            parts = (*value, *value.values()) if isinstance(value, dict) else tuple(value)
            if not isinstance(value, tuple):
                self._undo.append(partial(_refill, value, _kind(value)(value)))
            for part in parts:
                self._visit(part)

    def _remember_tensor(self, tensor: Tensor) -> None:
        grad = tensor.grad if tensor.is_leaf else None
        self._undo.append(partial(_rewrite, tensor, tensor.detach().clone(), grad))
        if grad is not None:
            self._visit(grad)

    def _follow(self, thing: Any) -> None:
        """Remember the attributes of an object."""
        if id(thing) in self._known:
            return
        self._known[id(thing)] = thing
        if hasattr(thing, "__dict__"):
            self._visit(vars(thing))
        slots = {name: getattr(thing, name) for name in _slots(thing) if hasattr(thing, name)}
        self._undo += [partial(setattr, thing, name, value) for name, value in slots.items()]
        for value in slots.values():
            self._visit(value)


def _kind(container: Any) -> type:
    """The built-in kind of a container."""
    return next(kind for kind in (dict, list, set, deque) if isinstance(container, kind))


def _is_followed(value: Any) -> bool:
    return isinstance(value, FOLLOWED) or type(value).__module__.startswith(BINDINGS)


def _slots(thing: Any) -> set[str]:
    names = {name for cls in type(thing).__mro__ for name in getattr(cls, "__slots__", ())}
    return names - {"__dict__", "__weakref__"}


def _refill(container: Any, content: Any) -> None:
    container.clear()
    grow = container.extend if isinstance(container, list | deque) else container.update
    grow(content)


def _rewrite(tensor: Tensor, content: Tensor, grad: Tensor | None) -> None:
    tensor.copy_(content)
    if tensor.is_leaf:
        tensor.grad = grad
