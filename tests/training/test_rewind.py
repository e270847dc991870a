"""After a range test, a run has the same bits as without one."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

import glideslope as gs
from glideslope.errors import InvalidType
from glideslope.optim import available, lr_scheduler
from glideslope.training._rewind import Rewind

from .values import same

Factory = Callable[[Any], torch.optim.Optimizer]

NOT_DENSE = {"Optimizer", "SparseAdam"}
TORCHS = {
    f"torch.{name}": kind
    for name, kind in vars(torch.optim).items()
    if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer) and name not in NOT_DENSE
}
OURS = {row.name: row.optimizer for row in available() if row.name not in NOT_DENSE}
OPTIMIZERS = {
    **TORCHS,
    **OURS,
    "with everything": lambda parameters: gs.optim.AdamW(
        parameters, ema_decay=0.9, max_grad_norm=0.1, skip_nonfinite=True
    ),
    "groups": lambda parameters: torch.optim.SGD(
        [{"params": [p], "lr": 0.1 / (i + 1)} for i, p in enumerate(parameters)], momentum=0.9
    ),
    "tensor rate": lambda parameters: torch.optim.Adam(
        parameters, lr=torch.tensor(0.01), capturable=False, foreach=False
    ),
}


class Run:
    """A run in the middle of an epoch, drawing on every random state there is."""

    def __init__(self, make: Factory, make_scheduler: Callable[[Any], Any] | None = None) -> None:
        torch.manual_seed(0)
        np.random.seed(0)
        random.seed(0)
        layers = [nn.Linear(6, 8, bias=False), nn.BatchNorm1d(8, affine=False), nn.Dropout(0.2)]
        self.model = nn.Sequential(*layers, nn.Linear(8, 6, bias=False))
        self.optimizer = make(self.model.parameters())
        self.scheduler = None if make_scheduler is None else make_scheduler(self.optimizer)
        points = DataLoader(torch.randn(40, 6), batch_size=8, shuffle=True)
        self.loader = gs.training.ResumableLoader(points)
        self.losses: list[float] = []

    def step(self, model: nn.Module, batch: Tensor) -> Tensor:
        noise = random.random() + np.random.rand()
        scale = 100 * self.optimizer.param_groups[0]["lr"]

        def closure() -> Tensor:
            self.optimizer.zero_grad()
            loss: Tensor = (model(batch) * float(scale) + noise - batch).square().mean()
            loss.backward()
            return loss

        loss = self.optimizer.step(closure)
        if self.scheduler is not None:
            is_plateau = isinstance(self.scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)
            self.scheduler.step(*([loss.item()] if is_plateau else []))
        assert loss is not None
        return loss

    def train(self, epochs: int) -> None:
        for _ in range(epochs):
            for batch in self.loader:
                self.losses.append(self.step(self.model, batch).item())

    def test(self, updates: int = 7, start_lr: float | None = None, end_lr: float = 1.0) -> None:
        others = [] if self.scheduler is None else [self.scheduler]
        gs.training.lr_range_test(
            self.model,
            self.optimizer,
            start_lr,
            end_lr,
            updates,
            train_step=self.step,
            batches=self.loader,
            also_restore=others,
        )

    def state(self) -> Any:
        scheduler = self.scheduler and self.scheduler.state_dict()
        grads = [parameter.grad for parameter in self.model.parameters()]
        optimizer = self.optimizer.state_dict()
        parts = (self.model.state_dict(), optimizer["state"], optimizer["param_groups"], grads)
        draws = (torch.rand(1), np.random.rand(), random.random())
        return [*parts, scheduler, self.losses, self.loader.state_dict()["epoch"], draws]


def continues(make: Factory, make_scheduler: Callable[[Any], Any] | None = None) -> bool:
    """True if a run with range tests at its start and in the middle ends as one without."""
    straight = Run(make, make_scheduler)
    straight.train(4)
    wanted = straight.state()
    tested = Run(make, make_scheduler)
    tested.test()
    tested.train(2)
    tested.test()
    tested.train(2)
    return same(tested.state(), wanted)


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_every_optimizer_continues_with_the_same_bits(make: Factory) -> None:
    assert continues(make)


def twice(optimizer: Any) -> Any:
    torch.optim.lr_scheduler.StepLR(optimizer, 3)
    return lr_scheduler.ExponentialLR(optimizer, 0.9)


SCHEDULERS: dict[str, Callable[[Any], Any]] = {
    "Scheduler": lambda optimizer: lr_scheduler.Scheduler(
        optimizer, lr="warmup(3, start=0.1) >> cosine(30)", weight_decay="linear(20)"
    ),
    "StepLR": lambda optimizer: lr_scheduler.StepLR(optimizer, 3, 0.7),
    "plateau": lambda optimizer: lr_scheduler.ReduceLROnPlateau(optimizer, patience=0),
    "chained": lambda optimizer: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ConstantLR(optimizer, 0.3), lr_scheduler.ExponentialLR(optimizer, 0.9)]
    ),
    "torch.StepLR": lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 3, 0.7),
    "torch plateau": lambda optimizer: torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, patience=0
    ),
    "torch.SequentialLR": lambda optimizer: torch.optim.lr_scheduler.SequentialLR(
        optimizer,
        [
            torch.optim.lr_scheduler.LinearLR(optimizer),
            torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 0.9**t),
        ],
        [4],
    ),
    "on top of another": twice,
}


@pytest.mark.parametrize("make_scheduler", SCHEDULERS.values(), ids=SCHEDULERS)
def test_every_scheduler_continues_with_the_same_bits(make_scheduler: Any) -> None:
    assert continues(lambda p: torch.optim.AdamW(p, lr=0.1), make_scheduler)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("moment", [0, 3])
def test_a_step_that_fails_leaves_nothing_behind(error: type[BaseException], moment: int) -> None:
    def make(parameters: Any) -> torch.optim.Optimizer:
        return gs.optim.AdamW(parameters, lr=0.1)

    straight = Run(make)
    straight.train(2)
    wanted = straight.state()
    failing = Run(make)
    failing.train(1)
    calls = []

    def step(model: nn.Module, batch: Tensor) -> Tensor:
        calls.append(batch)
        loss = failing.step(model, batch)
        if len(calls) > moment:
            raise error
        return loss

    with pytest.raises(error):
        gs.training.LRFinder(failing.model, failing.optimizer, step).run(failing.loader)
    assert len(calls) == moment + 1
    failing.train(1)
    assert same(failing.state(), wanted)


def test_objects_are_restored_not_replaced() -> None:
    run = Run(lambda p: torch.optim.Adam(p, lr=0.1))
    run.train(1)
    model, optimizer = run.model, run.optimizer
    things = [
        *(*model.parameters(), *model.buffers(), *(p.grad for p in model.parameters())),
        *(t for entry in optimizer.state.values() for t in entry.values()),
        *(optimizer.param_groups, *optimizer.param_groups),
    ]
    run.test()
    again = [
        *(*model.parameters(), *model.buffers(), *(p.grad for p in model.parameters())),
        *(t for entry in optimizer.state.values() for t in entry.values()),
        *(optimizer.param_groups, *optimizer.param_groups),
    ]
    assert list(map(id, again)) == list(map(id, things))


class Odd(nn.Module):
    """A module with attributes that modules rarely have."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.recent: deque[int] = deque([1], maxlen=2)
        self.seen = {1}
        self.generator = torch.Generator().manual_seed(1)
        self.cache = torch.zeros(2)
        self.register_buffer("hidden", torch.zeros(2), persistent=False)


def test_everything_in_a_module_is_restored() -> None:
    module = Odd().train()
    drawn = torch.rand(3, generator=module.generator.clone_state())
    kept = Rewind([module])
    module.calls += 1
    module.recent.append(7)
    module.seen.add(2)
    module.cache = torch.ones(1)
    module.hidden.fill_(3)
    module.extra = "new"
    module.eval()
    torch.rand(3, generator=module.generator)
    module.register_forward_hook(lambda *_: None)
    kept.restore()
    assert (module.calls, list(module.recent), module.recent.maxlen, module.seen) == (
        0,
        [1],
        2,
        {1},
    )
    assert module.cache.tolist() == module.hidden.tolist() == [0, 0]
    assert module.training
    assert not hasattr(module, "extra")
    assert not module._forward_hooks
    assert bool((torch.rand(3, generator=module.generator) == drawn).all())


def test_an_object_without_a_state_is_refused() -> None:
    with pytest.raises(InvalidType, match="something to restore` must have `state_dict`"):
        Rewind([object()])
