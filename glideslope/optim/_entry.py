"""The state of one parameter, as a dict that notices changes.

A plan holds the addresses of state tensors. Looking each of them up again at every step would cost
as much as the step itself where parameters are small and many.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Log:
    """Says whether any of the entries that share it has changed."""

    changed = False


class Entry(dict[str, Any]):
    """A dict that tells its log when a name is set or removed; pickled and copied, a plain dict."""

    def __init__(self, content: dict[str, Any], log: Log) -> None:
        super().__init__(content)
        self._log = log

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


def _noted(method: Callable[..., Any]) -> Callable[..., Any]:
    def noting(self: Entry, *args: Any, **kwargs: Any) -> Any:
        self._log.changed = True
        return method(self, *args, **kwargs)

    return noting


for _name in (
    "__delitem__",
    "__ior__",
    "__setitem__",
    "clear",
    "pop",
    "popitem",
    "setdefault",
    "update",
):
    setattr(Entry, _name, _noted(getattr(dict, _name)))
