"""What a scheduler drives: the parameter groups of an optimizer, or a plain attribute ``lr``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol
from weakref import ref

from glideslope.errors import require_type


class Group(Protocol):
    """What is asked of a parameter group; torch's are dictionaries."""

    def __contains__(self, key: object, /) -> bool: ...
    def __getitem__(self, key: str, /) -> Any: ...
    def __setitem__(self, key: str, value: Any, /) -> None: ...


class AttributeGroup:
    """The single group of an optimizer that keeps its hyperparameters as attributes.

    What the optimizer does not have, such as ``initial_lr``, is kept here.
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


class Port:
    """One optimizer as a list of groups, read anew each time: loading a state replaces them.

    It does not keep the optimizer alive; the schedulers on it do.

    Raises:
        InvalidType: the optimizer has neither ``param_groups`` nor ``lr``.
    """

    def __init__(self, optimizer: Any) -> None:
        has_groups = hasattr(optimizer, "param_groups")
        rule = "have `param_groups`, a list of dictionaries with an 'lr', or a plain `lr`"
        require_type(has_groups or hasattr(optimizer, "lr"), "optimizer", rule, optimizer)
        self._find = _finder(optimizer)
        self._groups: list[Group] | None = None if has_groups else [AttributeGroup(self._find)]

    @property
    def optimizer(self) -> Any:
        """The optimizer, or None when it is gone."""
        return self._find()

    def groups(self) -> list[Any]:
        """The groups as they are now."""
        return self._find().param_groups if self._groups is None else self._groups

    def sync(self) -> None:
        """Tell an optimizer that wants to know that its hyperparameters have changed."""
        self._find()._sync_hyperparams()


def _finder(optimizer: Any) -> Callable[[], Any]:
    """A weak reference, or what serves as one for the few that allow none."""
    try:
        return ref(optimizer)
    except TypeError:
        return lambda: optimizer
