"""Find the random generators that an object holds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from types import BuiltinMethodType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch

from ._random import GLOBAL_STREAMS, Stream

LEAVES = (
    *(str, bytes, bytearray, int, float, complex, type(None), type, ModuleType, CodeType),
    *(torch.Tensor, torch.dtype, torch.device, np.ndarray, np.generic),
)
"""Types that hold no generator; classes are searched with their instances."""

Places = Mapping[str, object]


def streams_of(held: Places) -> dict[str, Stream]:
    """The generators that some objects reach, by place: ``loader.dataset.rng``.

    The search follows attributes, containers, bound methods, closures of functions and of the
    methods of classes, and, among the variables of their modules, generators and functions. Each
    generator is found once, at the shortest of its places. Global generators are left out.

    Args:
        held: the objects, by place.
    """
    found: dict[str, Stream] = {}
    known: dict[int, object] = {id(stream): stream for stream in GLOBAL_STREAMS}
    queue: deque[tuple[str, object]] = deque()

    def meet(place: str, value: object) -> None:
        if id(value) in known or isinstance(value, LEAVES):
            return
        known[id(value)] = value
        if isinstance(value, Stream):
            found[place] = value
        else:
            queue.append((place, value))

    for place, value in held.items():
        meet(place, value)
    while queue:
        place, value = queue.popleft()
        for name, part in _parts(value):
            meet(place + name, part)
    return found


def _parts(value: Any) -> Iterator[tuple[str, object]]:
    """The objects that an object holds, each with the text that reaches it."""
    if isinstance(value, dict):
        if not _is_plain(value.values()):
            yield from ((f"[{key!r}]", part) for key, part in value.items())
    elif isinstance(value, list | tuple | deque):
        if not _is_plain(value):
            yield from ((f"[{index}]", part) for index, part in enumerate(value))
    elif isinstance(value, FunctionType):
        yield from _used_by(value)
    elif isinstance(value, MethodType | BuiltinMethodType):
        yield from (("", part) for part in (value.__self__, getattr(value, "__func__", None)))
    elif isinstance(value, partial):
        yield from (("", part) for part in (value.func, *value.args, *value.keywords.values()))
    yield from _attributes(value)


def _is_plain(parts: Iterable[object]) -> bool:
    """True for leaves, or containers of leaves; fast, because data sets are long lists of them."""
    kinds = set(map(type, parts))
    if not kinds <= {list, tuple}:
        return all(issubclass(kind, LEAVES) for kind in kinds)
    return all(issubclass(kind, LEAVES) for kind in set(map(type, chain.from_iterable(parts))))  # type: ignore[arg-type]


def _attributes(value: Any) -> Iterator[tuple[str, object]]:
    names = getattr(type(value), "__dict__", {}).get("__slots__", ())
    slots = (names,) if isinstance(names, str) else tuple(names)
    held = {name: getattr(value, name) for name in slots if hasattr(value, name)}
    held |= getattr(value, "__dict__", {})
    yield from ((f".{name}", part) for name, part in held.items())
    for kind in type(value).__mro__:
        if kind.__module__.partition(".")[0] not in ("builtins", "torch", "numpy", "typing", "abc"):
            yield from ((f".{name}", _bare(part)) for name, part in vars(kind).items())


def _bare(member: Any) -> object:
    """A member of a class: the function behind a wrapper, or a generator."""
    function = getattr(member, "fget", None) or getattr(member, "__func__", None) or member
    return function if isinstance(function, FunctionType | Stream) else None


def _used_by(function: FunctionType) -> Iterator[tuple[str, object]]:
    """The closure of a function, its defaults, and what it uses of its module."""
    cells = function.__closure__ or ()
    for name, cell in zip(function.__code__.co_freevars, cells, strict=True):
        try:
            yield f".{name}", cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    yield from (("", default) for default in defaults)
    for name in _names(function.__code__):
        value = function.__globals__.get(name)
        if isinstance(value, Stream | FunctionType):
            yield f".{name}", value


def _names(code: CodeType) -> Iterator[str]:
    """The names that code, and code nested in it, looks up."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
