"""Schedulers and companions given the wrapper of an optimizer, such as Accelerate's."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch

import glideslope as gs
from glideslope.optim import SGD, AdamW
from glideslope.optim import lr_scheduler as lrs

near = pytest.approx


class Wrapper(torch.optim.Optimizer):
    """An optimizer that passes all on, and has no hooks of its own, as Accelerate's."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer

    @property
    def state(self) -> Any:  # type: ignore[override]
        return self.optimizer.state

    @property
    def param_groups(self) -> Any:  # type: ignore[override]
        return self.optimizer.param_groups

    @property
    def defaults(self) -> Any:  # type: ignore[override]
        return self.optimizer.defaults

    def add_param_group(self, group: Any) -> None:
        self.optimizer.add_param_group(group)

    def state_dict(self) -> Any:
        return self.optimizer.state_dict()

    def load_state_dict(self, state: Any) -> None:
        self.optimizer.load_state_dict(state)

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.optimizer.step(closure)


def weight() -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.zeros(1))


def torchs(parameters: Any, lr: float = 1.0) -> Any:
    return torch.optim.SGD(parameters, lr=lr)


MAKES: dict[str, Callable[[Any], Any]] = {
    "Scheduler": lambda o: lrs.Scheduler(o, lr="linear(10)"),
    "LinearLR": lambda o: lrs.LinearLR(o, 1.0, 0.0, 10),
    "LambdaLR": lambda o: lrs.LambdaLR(o, lambda t: 1 - t / 10),
    "SequentialLR": lambda o: lrs.SequentialLR(
        o, [lrs.LinearLR(o, 1.0, 0.5, 5), lrs.LinearLR(o, 0.5, 0.0, 5)], [5]
    ),
    "ChainedScheduler": lambda o: lrs.ChainedScheduler([lrs.LinearLR(o, 1.0, 0.0, 10)]),
}


@pytest.mark.parametrize("kind", [torchs, SGD])
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("name", MAKES)
def test_a_scheduler_of_a_wrapper(name: str, depth: int, kind: Any) -> None:
    optimizer = inner = kind([weight()], lr=1.0)
    for _ in range(depth):
        optimizer = Wrapper(optimizer)
    scheduler = MAKES[name](optimizer)
    plateau = lrs.ReduceLROnPlateau(inner, factor=0.5, patience=0)
    plateau.step(1.0)
    for t in range(6):
        halved = 0.5 if t >= 3 else 1.0
        assert optimizer.param_groups[0]["lr"] == near(halved * (1 - t / 10)), f"step {t}"
        optimizer.step()
        scheduler.step()
        if t == 2:
            plateau.step(2.0)  # their factors multiply, though it was given the inner optimizer
    assert scheduler.optimizer is optimizer

    parts = optimizer, scheduler, plateau
    states = copy.deepcopy([part.state_dict() for part in parts])
    other = Wrapper(kind([weight()], lr=1.0))
    resumed = MAKES[name](other)
    again = lrs.ReduceLROnPlateau(other, factor=0.5, patience=0)
    for part, state in zip((other, resumed, again), states, strict=True):
        part.load_state_dict(state)
    assert other.param_groups[0]["lr"] == near(0.5 * 0.4)
    other.step()
    resumed.step()
    assert other.param_groups[0]["lr"] == near(0.5 * 0.3)


def test_a_wrapped_optimizer_of_a_schedule() -> None:
    optimizer = Wrapper(SGD([weight()], lr=gs.linear(10)))
    scheduler = lrs.Scheduler(optimizer, lr="linear(20)")
    for t in range(8):
        assert optimizer.param_groups[0]["lr"] == near((1 - t / 10) * (1 - t / 20))
        optimizer.step()
        scheduler.step()


def test_a_range_test_of_a_wrapper() -> None:
    model = torch.nn.Linear(1, 1)
    optimizer = Wrapper(AdamW(model.parameters(), lr=0.1))
    used: list[float] = []

    def train_step(model: torch.nn.Module, batch: Any) -> float:
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        return 1.0

    found = gs.training.lr_range_test(
        model, optimizer, 1e-3, 1.0, 10, train_step=train_step, batches=[0]
    )
    assert used == near(found.lrs)
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_a_monitor_of_a_wrapper_counts_skipped_updates() -> None:
    parameter = weight()
    optimizer = Wrapper(SGD([parameter], lr=0.1, skip_nonfinite=True))
    records: list[dict[str, Any]] = []
    monitor = gs.training.LRMonitor(optimizer, records)
    for step, gradient in enumerate([1.0, float("inf"), 1.0]):
        parameter.grad = torch.full((1,), gradient)
        optimizer.step()
        monitor.record(step)
    assert [record.get("skipped", False) for record in records] == [False, True, False]


class Lightning:
    """A wrapper that takes the class of its optimizer as a base, as Lightning's does."""

    def __init__(self, optimizer: Any) -> None:
        self._optimizer = optimizer
        self.__class__ = type(  # type: ignore[assignment]
            f"Lightning{type(optimizer).__name__}", (Lightning, type(optimizer)), {}
        )

    @property
    def optimizer(self) -> Any:
        return self._optimizer

    def step(self, closure: Any = None) -> None:
        self._optimizer.step(closure)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._optimizer, name)


def test_a_group_added_through_a_wrapper_follows_the_schedule() -> None:
    optimizer = SGD([weight()], lr=gs.linear(10))
    for _ in range(5):
        optimizer.step()
    Lightning(optimizer).add_param_group({"params": [weight()], "lr": 3.0})
    for t in range(5, 8):
        rates = [group["lr"] for group in optimizer.param_groups]
        assert rates == near([1 - t / 10, 3 * (1 - t / 10)])
        optimizer.step()


def test_a_wrapper_shows_the_values_of_its_optimizer() -> None:
    parameter = weight()
    optimizer = SGD([parameter], lr=0.1, max_grad_norm=1.0, skip_nonfinite=True, ema_decay=0.5)
    wrapper: Any = Lightning(optimizer)
    for gradient in (3.0, float("inf"), 2.0):
        parameter.grad = torch.full((1,), gradient)
        wrapper.step()
    assert (wrapper.grad_norm, wrapper.skipped_steps) == (2.0, 1)
    with wrapper.averaged():
        average = parameter.item()
    assert average == near(-0.125)  # (0 - 0.1) / 2 · 1/2 + (-0.2) / 2
    assert repr(wrapper) == f"Lightning{optimizer!r}"
    assert wrapper.engine_report() == optimizer.engine_report()
