"""Parts of a run, one by one or in lists and dicts: their states, and where in a run they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

import torch

from glideslope.errors import GlideslopeError, StateMismatch, require, require_type, shortened

from ._nest import LEAVES, MAX_DEPTH, plain
from ._random import Stream, set_stream_state, stream_state

RULE = (
    "have `state_dict` and `load_state_dict` (as ResumableLoader gives to a data loader), "
    "be a random generator, hold plain values, or be a list or dict of those"
)
TEXT_LENGTH = 30
"""The longest text of a plain value that is printed whole."""

PLAIN = LEAVES | {int, bytes, torch.Tensor}

Leaf = tuple[str, Any]


def is_stateful(part: object) -> bool:
    """It has a state that it gives and takes; a class has none."""
    has_state = hasattr(part, "state_dict") and hasattr(part, "load_state_dict")
    return has_state and not isinstance(part, type)


def leaves(place: str, part: Any, depth: int = 0) -> Iterator[Leaf]:
    """The parts in a part, each with its place: ``optimizers[1]``; of plain values, the whole."""
    if not _is_nest(part, place, depth):
        yield place, part
        return
    for key, inner in _items(part):
        yield from leaves(f"{place}[{key!r}]", inner, depth + 1)


def require_part(place: str, part: Any) -> None:
    """Refuse what has no state, by its place."""
    for where, leaf in leaves(place, part):
        require_type(_is_leaf(leaf), where, RULE, leaf)


def state_of(place: str, part: Any) -> Any:
    """The state of a part; of a nest of them, the same nest of states."""
    if isinstance(part, Stream):
        return stream_state(part)
    if is_stateful(part):
        return part.state_dict()
    if not _is_nest(part, place):
        return part
    states = {key: state_of(f"{place}[{key!r}]", inner) for key, inner in _items(part)}
    return states if isinstance(part, dict) else _kind(part)(states.values())


def check(place: str, part: Any, state: Any) -> None:
    """Refuse the state of another nest, by the place where they part."""
    if not _is_nest(part, place):
        return
    here, there = _outline(part), _outline(state)
    if here != there:
        raise StateMismatch(f"`{place}` is {here}; its state is of {there}")
    for key, inner in _items(part):
        check(f"{place}[{key!r}]", inner, state[key])


def restore(place: str, part: Any, state: Any, chosen: set[int]) -> Any:
    """Give their states to the ``chosen`` parts of a part, by identity; what is to be there now.

    Plain values are replaced by their states, those in a nest too.
    """
    if isinstance(part, Stream) or is_stateful(part):
        if id(part) in chosen:
            _load(place, part, state)
        return part
    if not _is_nest(part, place):
        return state
    for key, inner in _items(part):
        new = restore(f"{place}[{key!r}]", inner, state[key], chosen)
        if new is not inner:
            part = _replaced(part, key, new)
    return part


def text_of(part: Any) -> str:
    """A plain value as it is; of anything else, its class."""
    if isinstance(part, Stream) or is_stateful(part):
        return type(part).__name__
    if not _is_nest(part, ""):
        return shortened(part, TEXT_LENGTH)
    if isinstance(part, dict):
        return "{" + ", ".join(f"{key!r}: {text_of(inner)}" for key, inner in part.items()) + "}"
    return "[" + ", ".join(map(text_of, part)) + "]"


def _load(place: str, part: Any, state: Any) -> None:
    try:
        if isinstance(part, Stream):
            set_stream_state(part, state)
        else:
            part.load_state_dict(state)
    except Exception as error:
        _reraise(place, error)


def _reraise(place: str, error: Exception) -> NoReturn:
    """Name the place of an error: in its sentence where it is about the state."""
    about_state = isinstance(error, ValueError | TypeError | LookupError | AttributeError)
    ours = isinstance(error, GlideslopeError) and not isinstance(error, StateMismatch)
    if ours or not (about_state or type(error) is RuntimeError):
        error.add_note(f"while `{place}` was restored")
        raise error
    said = f"no {error}" if isinstance(error, KeyError) else str(error)
    raise StateMismatch(f"`{place}` does not take its state: {said}") from error


def _is_nest(part: object, place: str, depth: int = 0) -> bool:
    """It is a list or dict of parts, and not of plain values alone."""
    if not isinstance(part, list | tuple | dict) or is_stateful(part):
        return False
    require(depth <= MAX_DEPTH, place.partition("[")[0], f"be at most {MAX_DEPTH} deep", type(part))
    inside = part.values() if isinstance(part, dict) else part
    if set(map(type, inside)) <= PLAIN:  # a long list of losses
        return False
    return any(
        isinstance(inner, Stream) or is_stateful(inner) or _is_nest(inner, place, depth + 1)
        for inner in inside
    )


def _is_leaf(part: object) -> bool:
    if is_stateful(part) or isinstance(part, Stream):
        return True
    try:
        plain(part, lambda _, tensor: tensor)
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
    """The nest with a new value in it: the same one, but a tuple is another."""
    if isinstance(nest, tuple):
        return (*nest[:key], value, *nest[key + 1 :])
    nest[key] = value
    return nest
