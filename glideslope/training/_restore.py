"""Load the states of several parts: all of them, or none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, NamedTuple

from glideslope.errors import GlideslopeError, StateMismatch
from glideslope.optim import Optimizer

from ._nest import Buffers
from ._parts import Located, state_of
from ._random import Stream, global_state, set_global_state, set_stream_state
from ._sharded.fitting import sharded_like


class Before(NamedTuple):
    """A part, and the state that it had; an error where that could not be copied."""

    place: str
    part: Any
    state: Any


class Restoration:
    """Loads states into parts; `undo` gives all of them their former states back.

    Args:
        parts: all that are to be loaded: loading one, such as a data loader, may change others.
    """

    def __init__(self, parts: Iterable[Located]) -> None:
        self._before = [Before(place, part, _copied_state(place, part)) for place, part, _ in parts]
        self._random = global_state()

    def load(self, parts: Iterable[Located]) -> None:
        """Load states, which stay as they are, into parts.

        Raises:
            StateMismatch: a part refuses its state.
        """
        former = {place: state for place, _, state in self._before}
        for place, part, state in parts:
            with naming(place):
                _set_state(part, _own_copy(part, sharded_like(part, state, former[place])))

    def undo(self, error: BaseException) -> None:
        """Load the former states; a part that refuses its own is named in a note to ``error``."""
        for place, part, state in self._before:
            try:
                if isinstance(state, Exception):
                    raise state
                _set_state(part, state)
            except Exception as failed:
                error.add_note(f"`{place}` could not be restored: {failed}")
        set_global_state(self._random)


@contextmanager
def naming(place: str) -> Iterator[None]:
    """Name the place of an error: in its sentence where it is about the state, else in a note."""
    try:
        yield
    except Exception as error:
        about_state = isinstance(error, ValueError | TypeError | LookupError | AttributeError)
        ours = isinstance(error, GlideslopeError) and not isinstance(error, StateMismatch)
        if ours or not (about_state or type(error) is RuntimeError):
            error.add_note(f"while `{place}` was restored")
            raise
        said = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise StateMismatch(f"`{place}` does not take its state: {said}") from error


def _set_state(part: Any, state: Any) -> None:
    if isinstance(part, Stream):
        set_stream_state(part, state)
    else:
        part.load_state_dict(state)


def _own_copy(part: Any, state: Any) -> Any:
    """A copy of a state for a part that keeps the tensors it is given; our optimizers copy them."""
    return state if isinstance(part, Optimizer) else Buffers().snapshot(state, sharded=True)


def _copied_state(place: str, part: Any) -> Any:
    try:
        return deepcopy(state_of(place, part))
    except Exception as error:  # raised only if the part has to be restored
        return error
