"""Adapter for an optimizer: its parameter groups, or its plain attribute ``lr``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol
from weakref import ref

from glideslope.errors import require_type


class Group(Protocol):
    """A parameter group; torch's are dictionaries, and those of a `Port` keep to it."""

    def __contains__(self, key: object, /) -> bool: ...
    def __getitem__(self, key: str, /) -> Any: ...
    def __setitem__(self, key: str, value: Any, /) -> None: ...


class AttributeGroup:
    """The single group of an optimizer that keeps its hyperparameters as attributes.

    Keys the optimizer has no attribute for, such as ``initial_lr``, are kept here.
    """

    def __init__(self, find: Callable[[], Any]) -> None:
        self._find = find
        self._notes: dict[str, Any] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._notes or (isinstance(key, str) and hasattr(self._find(), key))

    def __getitem__(self, key: str) -> Any:
        if key in self:
            return self._notes[key] if key in self._notes else getattr(self._find(), key)
        raise KeyError(key)

    def __setitem__(self, key: str, value: Any) -> None:
        optimizer = self._find()
        if hasattr(optimizer, key):
            setattr(optimizer, key, value)
        else:
            self._notes[key] = value


def unwrapped(optimizer: Any) -> Any:
    """The optimizer inside a wrapper that shows its groups, such as Accelerate's.

    The wrapper and its ``optimizer`` share one list of groups. Hooks, loads and the other writers
    of the groups are those of the inner optimizer.
    """
    inner = getattr(optimizer, "optimizer", None)
    groups = getattr(inner, "param_groups", None)
    if inner is optimizer or groups is None or groups is not optimizer.param_groups:
        return optimizer
    return unwrapped(inner)


class Port:
    """One optimizer as a list of groups, read again each time, because a load replaces them.

    It holds a weak reference to the optimizer; the schedulers hold strong ones. A wrapper's
    optimizer is the one inside.

    Args:
        optimizer: anything with ``param_groups``, or with a plain attribute ``lr``.

    Attributes:
        groups: gives the groups as they are now.

    Raises:
        InvalidType: the optimizer has neither ``param_groups`` nor ``lr``.

    Example:
        >>> from types import SimpleNamespace
        >>> optimizer = SimpleNamespace(lr=0.1)
        >>> (group,) = Port(optimizer).groups()
        >>> group["lr"] = 0.05
        >>> optimizer.lr
        0.05
    """

    groups: Callable[[], list[Any]]

    def __init__(self, optimizer: Any) -> None:
        optimizer = unwrapped(optimizer)
        self.has_groups = has_groups = hasattr(optimizer, "param_groups")
        rule = "have `param_groups`, a list of dictionaries with an 'lr', or a plain `lr`"
        require_type(has_groups or hasattr(optimizer, "lr"), "optimizer", rule, optimizer)
        self._find = _finder(optimizer)
        self.groups = _reader(self._find) if has_groups else _fixed([AttributeGroup(self._find)])

    @property
    def optimizer(self) -> Any:
        """The optimizer, or None after it was deleted."""
        return self._find()

    def is_stepped_by_torch(self) -> bool:
        """True if one of torch's own schedulers also writes, so an edit may be its step."""
        return hasattr(getattr(self.optimizer, "step", None), "_wrapped_by_lr_sched")

    def sync(self) -> None:
        """Notify an optimizer that has the hook that its hyperparameters have changed."""
        self._find()._sync_hyperparams()


def _reader(find: Callable[[], Any]) -> Callable[[], list[Any]]:
    return lambda: find().param_groups


def _fixed(groups: list[Any]) -> Callable[[], list[Any]]:
    return lambda: groups


def _finder(optimizer: Any) -> Callable[[], Any]:
    """A weak reference, or a strong one for an object that does not allow it."""
    try:
        return ref(optimizer)
    except TypeError:
        return lambda: optimizer
