"""The warning about `scheduler.step()` called before `optimizer.step()`, as torch words it.

torch replaces the optimizer's ``step`` to see the call. Here the optimizer's own hook tells, until
the scheduler has made its first step; the method is left alone.
"""

from __future__ import annotations

import warnings
from typing import Any

_LINK = "See more details at https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate"
_OVERRIDDEN = (
    "Seems like `optimizer.step()` has been overridden after learning rate scheduler "
    "initialization. Please, make sure to call `optimizer.step()` before "
    f"`lr_scheduler.step()`. {_LINK}"
)
_TOO_EARLY = (
    "Detected call of `lr_scheduler.step()` before `optimizer.step()`. "
    "In PyTorch 1.1.0 and later, you should call them in the opposite order: "
    "`optimizer.step()` before `lr_scheduler.step()`.  Failure to do this "
    f"will result in PyTorch skipping the first value of the learning rate schedule. {_LINK}"
)


class CallOrder:
    """Watches one optimizer between the making of a scheduler and its first step."""

    def __init__(self, optimizer: Any) -> None:
        self._step = _step_function(optimizer)
        self._hook = optimizer.register_step_post_hook(_note_step)

    def check(self, optimizer: Any) -> None:
        """Warn if the optimizer's ``step`` was replaced, or has not been called."""
        self.stop()
        if _step_function(optimizer) is not self._step and not _is_wrapped(optimizer):
            warnings.warn(_OVERRIDDEN, UserWarning, stacklevel=3)
        elif not getattr(optimizer, "_opt_called", False) and not _was_skipped(optimizer):
            warnings.warn(_TOO_EARLY, UserWarning, stacklevel=3)

    def stop(self) -> None:
        """Take the hook away."""
        self._hook.remove()


def watch_order(optimizer: Any) -> CallOrder | None:
    """Watch an optimizer that can tell when it has stepped."""
    if not hasattr(optimizer, "_optimizer_step_post_hooks"):
        return None
    replaced = "step" in vars(optimizer) and not _is_wrapped(optimizer)
    return None if replaced else CallOrder(optimizer)


def _note_step(optimizer: Any, *_: object) -> None:
    optimizer._opt_called = True  # torch's own mark, so its schedulers and these know it together


def _step_function(optimizer: Any) -> object:
    return getattr(optimizer.step, "__func__", optimizer.step)


def _is_wrapped(optimizer: Any) -> bool:
    """Whether one of torch's schedulers has wrapped the method; it still calls the original."""
    return hasattr(optimizer.step, "_wrapped_by_lr_sched")


def _was_skipped(optimizer: Any) -> bool:
    """Whether gradients are waiting: a loss scaler skipped the step, nothing was forgotten."""
    parameters = (p for group in optimizer.param_groups for p in group["params"])
    return any(p.grad is not None for p in parameters)
