"""All of a run in one state."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import torch

from glideslope.errors import (
    READABLE,
    GlideslopeError,
    StateMismatch,
    require,
    require_type,
    shortened,
)

from ._nest import Buffers, plain
from ._random import Stream, global_state, set_global_state, set_stream_state, stream_state

ENVIRONMENT = "environment"
PART = (
    "have `state_dict` and `load_state_dict` (as ResumableLoader gives to a data loader), "
    "be a random generator, or hold plain values"
)
PART_LENGTH = 30
"""The longest text of a plain value that is printed whole."""


class TrainingState:
    """Everything that a run needs to go on as if it had never stopped.

    `state_dict` captures every part, and the random states of Python, NumPy and torch;
    `load_state_dict` restores them all, in whatever order the parts were built. On the same
    machine, the run then goes on bit for bit.

    A part is an attribute, and a counter is counted on it: ``run.step += 1``.

    Args:
        parts: by name: whatever has ``state_dict`` and ``load_state_dict`` (a model, an optimizer,
            schedulers, a `GradScaler`, a `ResumableLoader`, `EarlyStopping`, `History`); random
            generators of torch, NumPy or Python; and plain values: counters, a list of losses.

    Raises:
        InvalidType: a part is none of these.
        InvalidValue: a part is named like a method or ``environment``, which holds the random
            states, the version of torch and the number of threads.

    Example:
        >>> import torch, glideslope as gs
        >>> model = torch.nn.Linear(2, 1)
        >>> run = gs.training.TrainingState(model=model, step=0, losses=[])
        >>> run.step += 1
        >>> run.losses.append(0.5)
        >>> saved = run.state_dict()
        >>> again = gs.training.TrainingState(model=torch.nn.Linear(2, 1), step=0, losses=[])
        >>> again.load_state_dict(saved)
        >>> again.step, again.losses, bool((again.model.weight == model.weight).all())
        (1, [0.5], True)
    """

    def __init__(self, **parts: Any) -> None:
        for name, part in parts.items():
            free = name != ENVIRONMENT and not hasattr(type(self), name)
            require(free, "name of a part", "be none that TrainingState uses", name)
            require_type(_is_part(part), name, PART, part)
        vars(self).update(parts)

    def state_dict(self) -> dict[str, Any]:
        """The state of every part under its name, and ``environment``. Nothing is copied."""
        environment = {
            "torch": str(torch.__version__),
            "threads": torch.get_num_threads(),
            "random": global_state(),
        }
        parts = {name: _state(part) for name, part in vars(self).items()}
        return {**parts, ENVIRONMENT: environment}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore every part, and then the random states.

        ``state`` is left as it was. A plain value is replaced, so read it from here afterwards.

        Raises:
            StateMismatch: ``state`` has other parts than these.
        """
        if state.keys() != {*vars(self), ENVIRONMENT}:
            here, there = ", ".join(vars(self)), ", ".join(state)
            raise StateMismatch(f"this run consists of {here}; the state holds {there}")
        for name, part in vars(self).items():
            self._restore(name, part, Buffers().snapshot({name: state[name]})[name])
        set_global_state(state[ENVIRONMENT]["random"])
        _warn_of_changes(state[ENVIRONMENT])

    def __repr__(self) -> str:
        parts = [f"{name}={_part_text(part)}" for name, part in vars(self).items()]
        while len(", ".join(parts)) > READABLE:
            parts = [*parts[:-2], "…"]
        return f"TrainingState({', '.join(parts)})"

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in vars(self):
            raise AttributeError(f"`{name}` is no part of this run: name it when building it")
        vars(self)[name] = value

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def _restore(self, name: str, part: Any, saved: Any) -> None:
        if _is_stateful(part):
            part.load_state_dict(saved)
        elif isinstance(part, Stream):
            set_stream_state(part, saved)
        else:
            vars(self)[name] = saved


def _is_stateful(part: object) -> bool:
    return hasattr(part, "state_dict") and hasattr(part, "load_state_dict")


def _is_part(part: object) -> bool:
    if _is_stateful(part) or isinstance(part, Stream):
        return True
    try:
        plain(part, lambda _, tensor: tensor)
    except GlideslopeError:
        return False
    return True


def _part_text(part: Any) -> str:
    """A plain value as it is; of anything else, its class."""
    is_object = _is_stateful(part) or isinstance(part, Stream)
    return type(part).__name__ if is_object else shortened(part, PART_LENGTH)


def _state(part: Any) -> Any:
    if _is_stateful(part):
        return part.state_dict()
    return stream_state(part) if isinstance(part, Stream) else part


def _warn_of_changes(environment: dict[str, Any]) -> None:
    saved = environment["torch"], environment["threads"]
    here = str(torch.__version__), torch.get_num_threads()
    for name, before, now in zip(("torch", "threads"), saved, here, strict=True):
        if before != now:
            message = f"saved with {name} {before}, goes on with {now}: the last bits may differ"
            warnings.warn(message, stacklevel=3)
