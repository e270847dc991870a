"""The state of one parameter, as a dict that records whether it was read or changed.

A plan holds the addresses of state tensors. To look up each tensor and its address at every step
would take as long as the rest of the step, if parameters are small and many. Other code cannot move
a tensor without reading or changing the dict, so the plan checks addresses after such accesses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class AccessLog:
    """Flag shared by several states: ``touched`` after one of them is read or changed."""

    touched = False


class WatchedState(dict[str, Any]):
    """A dict that sets its log when its values are read or set; pickled or copied, a plain dict.

    `dict.get` and its like, called with an entry, read it unnoticed.
    """

    def __init__(self, content: dict[str, Any], log: AccessLog) -> None:
        super().__init__(content)
        self._log = log

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


def _noted(method: Callable[..., Any]) -> Callable[..., Any]:
    def noting(self: WatchedState, *args: Any, **kwargs: Any) -> Any:
        self._log.touched = True
        return method(self, *args, **kwargs)

    return noting


# `__iter__` is here because a dict with one of its own is copied by its methods, not in C.
for _name in (
    "__delitem__",
    "__getitem__",
    "__ior__",
    "__iter__",
    "__or__",
    "__ror__",
    "__setitem__",
    "clear",
    "copy",
    "get",
    "items",
    "pop",
    "popitem",
    "setdefault",
    "update",
    "values",
):
    setattr(WatchedState, _name, _noted(getattr(dict, _name)))
