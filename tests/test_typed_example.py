"""A user's program under strict types, which runs as well.

`make check` gives this file to mypy. A line that ends in ``type: ignore`` must be refused: mypy
reports the comment where it is not needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, assert_type

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import LBFGS, SparseAdam

import glideslope as gs
from glideslope.optim import AdamW, RuleOptimizer, create, param_groups
from glideslope.optim.lr_scheduler import LRScheduler, Scheduler, StepLR
from glideslope.schedules import Schedule
from glideslope.training import (
    Checkpoint,
    Checkpointer,
    EarlyStopping,
    History,
    LRMonitor,
    PlateauPreview,
    ResumableLoader,
    StoppingPreview,
    TrainingState,
    preview,
)


@pytest.fixture
def model() -> nn.Module:
    return nn.Linear(3, 1)


@pytest.fixture
def optimizer(model: nn.Module) -> AdamW:
    return AdamW(model.named_parameters(), lr=gs.linear(9) * 0.5, betas=(0.9, 0.99))


def batches() -> Iterator[Tensor]:
    return iter([torch.ones(2, 3), torch.zeros(2, 3)])


def test_schedules_are_values() -> None:
    curve = gs.warmup(10) >> gs.cosine(90) * 0.5
    assert_type(gs.parse("cosine(90)"), Schedule)
    assert_type(3e-4 * curve, Schedule)
    assert_type(curve.bind(total_steps=100), Schedule)
    at_five: float = curve(5)
    rounded = round(curve(5), 3)
    end: float = curve.end
    assert (at_five, rounded, end) == (0.5, 0.5, 0.0)


def test_a_schedule_is_no_number(optimizer: AdamW) -> None:
    with pytest.raises(TypeError):
        gs.cosine(90) + "cosine(90)"  # type: ignore[operator]
    with pytest.raises(TypeError):
        gs.cosine(90, ende=0.1)  # type: ignore[call-arg]


def test_optimizers_by_class(model: nn.Module) -> None:
    groups = param_groups(model, weight_decay=0.1)
    optimizer = AdamW(groups, lr=1e-3, max_grad_norm=1.0, ema_decay=0.99, engine="tensor")
    model(torch.ones(2, 3)).sum().backward()
    optimizer.step(zero_grad=True)
    assert_type(optimizer.grad_norm, float | None)
    assert_type(optimizer.skipped_steps, int)
    with optimizer.averaged():
        assert model(torch.ones(2, 3)).isfinite().all()
    with pytest.raises(TypeError):
        AdamW(groups, max_gradnorm=1.0)  # type: ignore[call-arg]
    with pytest.raises(gs.errors.InvalidValue):
        AdamW(groups, engine="quick")  # type: ignore[arg-type]


def test_a_step_gives_the_loss_of_its_closure(model: nn.Module) -> None:
    optimizer = AdamW(model.parameters())

    def closure() -> torch.Tensor:
        loss: torch.Tensor = model(torch.ones(2, 3)).sum()
        loss.backward()
        return loss

    assert_type(optimizer.step(closure), torch.Tensor)
    loss = optimizer.step()
    assert loss is None


def test_optimizers_by_name(model: nn.Module) -> None:
    ours = create("adamw", model.named_parameters(), lr=1e-3, ema_decay=0.9)
    assert_type(ours, RuleOptimizer)
    model(torch.ones(2, 3)).sum().backward()
    ours.step(zero_grad=True)
    with ours.averaged():
        pass
    found: torch.optim.Optimizer = ours
    assert found is ours


def test_torchs_own_optimizers_by_name(model: nn.Module) -> None:
    assert_type(create("LBFGS", model.parameters()), LBFGS)
    lbfgs = create("lbfgs", model.parameters())
    sparse = create("sparseadam", model.parameters())
    assert_type(sparse, SparseAdam)
    with pytest.raises(AttributeError):
        lbfgs.averaged()  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        print(sparse.grad_norm)  # type: ignore[attr-defined]


def test_schedulers(optimizer: AdamW) -> None:
    decay = {0: gs.linear(9)}
    scheduler = Scheduler(optimizer, lr="warmup(3) >> cosine(9)", weight_decay=decay)
    optimizer.step()
    scheduler.step()
    rate: float = scheduler.get_last_lr()[0]
    kept: LRScheduler = scheduler
    assert kept.get_last_lr() == [rate]
    state: dict[str, Any] = scheduler.state_dict()
    scheduler.load_state_dict(state)


def test_schedules_from_a_configuration(optimizer: AdamW) -> None:
    texts: dict[str, str] = {"lr": "linear(9)", "betas[0]": "linear(9, start=0.9, end=0.8)"}
    assert_type(gs.Scheduler(optimizer, **texts), Scheduler)
    curves: dict[str, gs.Schedule] = {"weight_decay": gs.linear(9)}
    Scheduler(optimizer, "linear(9)", **curves)
    read: dict[str, Any] = {"lr": {0: "linear(9)"}, "on_mismatch": "keep"}
    Scheduler(optimizer, **read)
    numbers: dict[str, float] = {"lr": 0.5}
    Scheduler(optimizer, **numbers)


def test_values_and_steps_to_come(optimizer: AdamW) -> None:
    assert_type(gs.linear(9)(5), float)
    steps: NDArray[np.float64] = np.array([0.0, 5.0])
    assert_type(gs.linear(9)(steps), NDArray[np.float64])
    assert_type(gs.linear(9)(torch.tensor([0.0])), Tensor)
    assert_type(gs.linear(9).table(), str)
    assert_type(gs.linear(9).outline().values, NDArray[np.float64])
    scheduler = StepLR(optimizer, step_size=2)
    assert_type(scheduler.upcoming(3), dict[str, list[list[float]]])
    assert_type(scheduler.schedule, gs.Schedule)


def test_pictures_are_axes(optimizer: AdamW) -> None:
    axes = Figure().subplots()
    assert_type(gs.linear(9).plot(gs.cosine(9), ax=axes), Axes)
    assert_type(StepLR(optimizer, step_size=2).plot(ax=axes), Axes)


def test_what_is_no_keyword_of_a_scheduler_is_refused(optimizer: AdamW) -> None:
    with pytest.raises((TypeError, ValueError)):
        Scheduler(optimizer, lr=gs.cosine(9), on_mismach="keep")  # type: ignore[call-overload]


def test_what_is_no_schedule_is_refused(optimizer: AdamW) -> None:
    with pytest.raises(TypeError):
        Scheduler(optimizer, lr=5.5j)  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        Scheduler(optimizer, weight_decay=object())  # type: ignore[call-overload]


def test_checkpoints(model: nn.Module, optimizer: AdamW, tmp_path: Path) -> None:
    loader = ResumableLoader([torch.ones(2, 3)])
    assert_type(loader, ResumableLoader[Tensor])
    run = TrainingState(model=model, optimizer=optimizer, loader=loader, step=0)
    run.step += 1
    with Checkpointer(tmp_path, keep=2, keep_best=("loss", "min"), every=5) as saved:
        saved.save(run.step, run.state_dict(), loss=torch.tensor(0.5))
        saved.wait()
        found = saved.latest()
    assert_type(found, Checkpoint | None)
    assert found is not None
    run.load_state_dict(found.state)
    loss: float = found.metrics["loss"]
    assert loss == 0.5
    gs.save_checkpoint({"step": run.step}, tmp_path / "last.pt")
    assert gs.load_checkpoint(tmp_path / "last.pt") == {"step": 1}


def test_companions(optimizer: AdamW, tmp_path: Path) -> None:
    history = History(tmp_path / "history.jsonl")
    monitor = LRMonitor(optimizer, history)
    stopping = EarlyStopping(patience=2, mode="min")
    for step, batch in enumerate(batches()):
        loss = batch.sum()
        monitor.record(step, loss=loss)
        stop: bool = stopping.step(loss)
        assert not stop
    assert_type(stopping.reason, str | None)
    assert_type(preview(history, stopping, name="loss"), StoppingPreview)
    plateau = gs.optim.lr_scheduler.ReduceLROnPlateau(AdamW([torch.ones(1)], lr=0.1))
    assert_type(preview([0.5, 0.4], plateau), PlateauPreview)


def test_what_is_no_metric_is_refused(optimizer: AdamW) -> None:
    with pytest.raises(TypeError):
        EarlyStopping(patience=2).step("a")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        EarlyStopping(patience=2).step(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        EarlyStopping(2, "max")  # type: ignore[call-arg]
