"""The warning about `scheduler.step()` called before `optimizer.step()`, as torch words it.

torch replaces the optimizer's ``step`` to see the call. Here the optimizer's own hooks report it,
until the scheduler has made its first step; the method is left alone.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch

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
    """Watches one optimizer from the construction of a scheduler to its first step."""

    def __init__(self, optimizer: Any) -> None:
        self._step = _step_function(optimizer)
        self._calls = _Calls()
        self._hook = optimizer.register_step_post_hook(self._calls)

    @property
    def has_stepped(self) -> bool:
        """True if the optimizer has made an update since the scheduler was built."""
        return self._calls.seen

    def check(self, optimizer: Any) -> None:
        """Warn if the optimizer's ``step`` was replaced, or has not been called.

        With gradients waiting, a loss scaler may have skipped the update; then the optimizer's next
        update says so, if it uses these same gradients.
        """
        self.stop()
        if _step_function(optimizer) is not self._step and not _is_wrapped(optimizer):
            warnings.warn(_OVERRIDDEN, UserWarning, stacklevel=4)
        elif not getattr(optimizer, "_opt_called", False):
            gradient = _first_gradient(optimizer)
            if gradient is None:
                warnings.warn(_TOO_EARLY, UserWarning, stacklevel=4)
            else:
                _Gradient(gradient).watch(optimizer)

    def stop(self) -> None:
        """Remove the hook."""
        self._hook.remove()


class _Calls:
    """Hook that records an update."""

    seen = False

    def __call__(self, optimizer: Any, *_: object) -> None:
        self.seen = True
        optimizer._opt_called = True  # torch's own mark, which its schedulers read too


class _Gradient:
    """Hook that warns if the next update uses a gradient that was there before."""

    def __init__(self, gradient: Any) -> None:
        self._gradient, self._version = gradient, gradient._version

    def watch(self, optimizer: Any) -> None:
        self._hook = optimizer.register_step_pre_hook(self)

    def __call__(self, optimizer: Any, *_: object) -> None:
        self._hook.remove()
        now = _first_gradient(optimizer)
        if now is self._gradient and now._version == self._version:
            warnings.warn(_TOO_EARLY, UserWarning, stacklevel=3)


def watch_order(optimizer: Any) -> CallOrder | None:
    """Watch an optimizer that has step hooks."""
    if not hasattr(optimizer, "_optimizer_step_post_hooks"):
        return None
    replaced = "step" in vars(optimizer) and not _is_wrapped(optimizer)
    return None if replaced else CallOrder(optimizer)


def _step_function(optimizer: Any) -> object:
    return getattr(optimizer.step, "__func__", optimizer.step)


def _is_wrapped(optimizer: Any) -> bool:
    """True if one of torch's schedulers has wrapped the method; it still calls the original."""
    return hasattr(optimizer.step, "_wrapped_by_lr_sched")


def _first_gradient(optimizer: Any) -> Any:
    parameters = (p for group in optimizer.param_groups for p in group["params"])
    return next((p.grad for p in parameters if p.grad is not None), None)


@torch._compile._disable_dynamo
def step_untraced(scheduler: Any, argument: Any) -> None:
    """Step outside a graph that is being compiled, as torch's schedulers do."""
    scheduler.step(argument)
