"""Parts of a run, alone or in lists and dicts: their places and states."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import signature
from typing import Any

import torch

from glideslope.errors import GlideslopeError, StateMismatch, require, require_type, shortened
from glideslope.optim import Optimizer

from ._nest import LEAVES, MAX_DEPTH, Buffers, plain
from ._random import Stream, stream_state

RULE = (
    "have `state_dict` and `load_state_dict` (as ResumableLoader gives to a data loader), "
    "be a random generator, hold plain values, or be a list or dict of those"
)
TEXT_LENGTH = 30
"""The number of characters up to which a plain value is printed in full."""

PLAIN = LEAVES | {int, bytes, torch.Tensor}

Leaf = tuple[str, Any]

Located = tuple[str, Any, Any]
"""The place of a part, the part, and a state for it."""


def is_stateful(part: object) -> bool:
    """True if an object gives and takes a state; a class does not."""
    has_state = hasattr(part, "state_dict") and hasattr(part, "load_state_dict")
    return has_state and not isinstance(part, type)


def leaves(place: str, part: Any, depth: int = 0) -> Iterator[Leaf]:
    """The parts in a part, each with its place, such as ``optimizers[1]``."""
    if not _is_nest(part, place, depth):
        yield place, part
        return
    for key, inner in _items(part):
        yield from leaves(f"{place}[{key!r}]", inner, depth + 1)


def require_part(place: str, part: Any) -> None:
    """Refuse a part without a state, by its place."""
    for where, leaf in leaves(place, part):
        require_type(_is_leaf(leaf), where, RULE, leaf)


def state_of(place: str, part: Any) -> Any:
    """The state of a part; for a nest of parts, the same nest of states."""
    if isinstance(part, Stream):
        return stream_state(part)
    if isinstance(part, Optimizer) and "share" in signature(part.state_dict).parameters:
        return part.state_dict(share=True)
    if is_stateful(part):
        return part.state_dict()
    if not _is_nest(part, place):
        return part
    states = {key: state_of(f"{place}[{key!r}]", inner) for key, inner in _items(part)}
    return states if isinstance(part, dict) else _kind(part)(states.values())


def check(place: str, part: Any, state: Any) -> None:
    """Refuse the state of a different nest, by the place of the first difference."""
    if not _is_nest(part, place):
        return
    here, there = _outline(part), _outline(state)
    if here != there:
        raise StateMismatch(f"`{place}` is {here}; its state is of {there}")
    for key, inner in _items(part):
        check(f"{place}[{key!r}]", inner, state[key])


def stateful_parts(place: str, part: Any, state: Any) -> Iterator[Located]:
    """The parts that have a state, each with its place and its share of ``state``."""
    if _has_own_state(part):
        yield place, part, state
    elif _is_nest(part, place):
        for key, inner in _items(part):
            yield from stateful_parts(f"{place}[{key!r}]", inner, state[key])


def with_values(part: Any, state: Any) -> Any:
    """The part, with its plain values replaced by those of ``state``."""
    if _has_own_state(part):
        return part
    if not _is_nest(part, ""):
        return Buffers().snapshot(state, sharded=True)
    for key, inner in _items(part):
        new = with_values(inner, state[key])
        if new is not inner:
            part = _replaced(part, key, new)
    return part


def values_of(part: Any) -> Any:
    """The part as `with_values` takes it: parts that have a state of their own are None."""
    if _has_own_state(part):
        return None
    if not _is_nest(part, ""):
        return part
    values = {key: values_of(inner) for key, inner in _items(part)}
    return values if isinstance(part, dict) else _kind(part)(values.values())


def text_of(part: Any) -> str:
    """A plain value's text; the class of any other part."""
    if _has_own_state(part):
        return type(part).__name__
    if not _is_nest(part, ""):
        return shortened(part, TEXT_LENGTH)
    if isinstance(part, dict):
        return "{" + ", ".join(f"{key!r}: {text_of(inner)}" for key, inner in part.items()) + "}"
    return "[" + ", ".join(map(text_of, part)) + "]"


def _has_own_state(part: object) -> bool:
    return isinstance(part, Stream) or is_stateful(part)


def _is_nest(part: object, place: str, depth: int = 0) -> bool:
    """True for a list or dict that holds parts, not only plain values."""
    if not isinstance(part, list | tuple | dict) or is_stateful(part):
        return False
    require(depth <= MAX_DEPTH, place.partition("[")[0], f"be at most {MAX_DEPTH} deep", type(part))
    inside = part.values() if isinstance(part, dict) else part
    if set(map(type, inside)) <= PLAIN:  # a long list of losses
        return False
    return any(_has_own_state(inner) or _is_nest(inner, place, depth + 1) for inner in inside)


def _is_leaf(part: object) -> bool:
    if _has_own_state(part):
        return True
    try:
        plain(part, lambda _, tensor: tensor, sharded=True)
    except GlideslopeError:
        return False
    return True


def _items(nest: Any) -> list[tuple[Any, Any]]:
    return list(nest.items() if isinstance(nest, dict) else enumerate(nest))


def _kind(nest: object) -> Any:
    return tuple if isinstance(nest, tuple) else list


def _outline(nest: Any) -> str:
    if isinstance(nest, dict):
        return f"a dict with {', '.join(map(repr, nest)) or 'nothing'}"
    return f"a list of {len(nest)}" if isinstance(nest, list | tuple) else type(nest).__name__


def _replaced(nest: Any, key: Any, value: Any) -> Any:
    """The nest with a new value; a tuple is copied."""
    if isinstance(nest, tuple):
        return (*nest[:key], value, *nest[key + 1 :])
    nest[key] = value
    return nest
