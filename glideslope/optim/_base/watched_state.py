"""The state of one parameter, as a dict that notices when it is read or changed.

A plan holds the addresses of state tensors. To look up each tensor and its address again would take
as long as the rest of a step where parameters are small and many. Nobody can move a tensor that
nobody has looked at, so that is what an entry tells.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class AccessLog:
    """Says whether any of the entries that share it has been read or changed."""

    touched = False


class WatchedState(dict[str, Any]):
    """A dict that tells its log when its values are read or set; pickled and copied, a plain one.

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
