"""Loss scaling, compiling, hooks, averaging and copies: the parts of torch around an optimizer."""

from __future__ import annotations

import copy
import io
import math
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.optim.lr_scheduler as torchs
from torch import Tensor, nn
from torch.optim import swa_utils

import glideslope as gs
from glideslope import optim
from glideslope.optim import lr_scheduler as lrs

near = pytest.approx

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))


def batches(count: int) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(1)
    for _ in range(count):
        yield torch.randn(5, 4, generator=generator)


def weights(model: nn.Module) -> Tensor:
    return torch.cat([p.detach().reshape(-1).clone() for p in model.parameters()])


Make = Callable[[Any], Any]

OPTIMIZERS: dict[str, Make] = {
    "AdamW": lambda ps: optim.AdamW(ps, lr=0.01),
    "AdamW on tensors": lambda ps: optim.AdamW(ps, lr=0.01, engine="tensor"),
    "AdamW with an average": lambda ps: optim.AdamW(ps, lr=0.01, ema_decay=0.9),
    "AdamW of a schedule": lambda ps: optim.AdamW(ps, lr=0.01 * gs.cosine(12)),
    "SGD": lambda ps: optim.SGD(ps, lr=0.01, momentum=0.9, nesterov=True),
    "Lion": lambda ps: optim.Lion(ps, lr=0.001),
    "LAMB": lambda ps: optim.LAMB(ps, lr=0.01),
    "NAdam": lambda ps: optim.NAdam(ps, lr=0.01),
    "Adafactor": lambda ps: optim.Adafactor(ps, lr=0.01),
    "SOAP": lambda ps: optim.SOAP(ps, lr=0.01),
    "MuonWithAuxAdam": lambda ps: optim.MuonWithAuxAdam(ps, lr=0.01),
    "AdamWScheduleFree": lambda ps: optim.AdamWScheduleFree(ps, lr=0.01),
}
SUMMED: dict[str, Make] = {  # these add up over all parameters
    "Prodigy": lambda ps: optim.Prodigy(ps),
    "clipped": lambda ps: optim.AdamW(ps, lr=0.01, max_grad_norm=0.1),
    "skipping": lambda ps: optim.AdamW(ps, lr=0.01, skip_nonfinite=True),
    "both": lambda ps: optim.SGD(ps, lr=0.01, max_grad_norm=0.1, skip_nonfinite=True),
}


# Loss scaling.


@pytest.mark.parametrize("unscaled_first", [False, True])
@pytest.mark.parametrize("name", [*OPTIMIZERS, *SUMMED])
def test_a_scaler_gives_the_unscaled_run_without_its_infinite_steps(
    name: str, unscaled_first: bool
) -> None:
    """A kernel that divides by the scale rounds in another order."""
    infinite, runs = (0, 3, 4), []
    for is_scaled in (True, False):
        model = net()
        optimizer = (OPTIMIZERS | SUMMED)[name](model.parameters())
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, enabled=is_scaled)
        rates = []
        for t, x in enumerate(batches(7)):
            if t in infinite and not is_scaled:
                continue
            optimizer.zero_grad()
            loss = model(x).square().mean() * (math.inf if t in infinite else 1.0)
            scaler.scale(loss).backward()
            if unscaled_first and is_scaled:
                scaler.unscale_(optimizer)
            if t not in infinite:
                rates.append(optimizer.param_groups[0]["lr"])
            scaler.step(optimizer)
            scaler.update()
        runs.append((weights(model), rates, optimizer.grad_norm, optimizer.skipped_steps))
        assert not is_scaled or scaler.get_scale() == 1024 / 2 ** len(infinite)
    (ours, *told), (plain, *told_plain) = runs
    torch.testing.assert_close(ours, plain, rtol=0, atol=0 if unscaled_first else 1e-7)
    (rates, norm, skipped), (plain_rates, plain_norm, _) = told, told_plain
    assert (rates, norm) == (plain_rates, near(plain_norm, rel=1e-6) if plain_norm else None)
    assert skipped == 0  # the scaler skips; the optimizer does not count it


# torch.compile.

TRACED = [
    "AdamW",
    "SGD",
    *(pytest.param(name, marks=pytest.mark.long) for name in ("AdamW with an average", "NAdam")),
]
WRITERS: dict[str, Make] = {
    "Scheduler": lambda o: lrs.Scheduler(o, lr="cosine(9)", weight_decay="linear(9)"),
    "OneCycleLR": lambda o: lrs.OneCycleLR(o, 0.02, 9),
}


def graphs(make: Make, writer: Make, whole: bool = False, steps: int = 6) -> tuple[Tensor, int]:
    """The weights, and how many graphs the steps of a run were compiled into."""
    torch.compiler.reset()
    model = net()
    optimizer = make(model.parameters())
    scheduler, count = writer(optimizer), 0

    def backend(module: Any, _: Any) -> Any:
        nonlocal count
        count += 1
        return module.forward

    step = optimizer.step if whole else torch.compile(optimizer.step, backend=backend)

    def train(x: Tensor) -> None:
        optimizer.zero_grad()
        model(x).square().mean().backward()
        step()

    train = torch.compile(train, backend=backend) if whole else train
    for x in batches(steps):
        train(x)
        scheduler.step()
    return weights(model), count


def eager(make: Make, writer: Make, steps: int = 6) -> Tensor:
    model = net()
    optimizer = make(model.parameters())
    scheduler = writer(optimizer)
    for x in batches(steps):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
        scheduler.step()
    return weights(model)


@pytest.fixture(scope="module")
def torchs_graphs() -> int:
    """The number of graphs of torch's AdamW under a rate that changes."""
    _, count = graphs(
        lambda ps: torch.optim.AdamW(ps, lr=0.01), lambda o: torchs.CosineAnnealingLR(o, 9)
    )
    return count


@pytest.mark.parametrize(
    "writer", ["Scheduler", pytest.param("OneCycleLR", marks=pytest.mark.long)]
)
@pytest.mark.parametrize("name", TRACED)
def test_a_compiled_step_has_no_more_graphs_than_torchs(
    name: str, writer: str, torchs_graphs: int
) -> None:
    found, count = graphs(OPTIMIZERS[name], WRITERS[writer])
    assert count <= torchs_graphs
    torch.testing.assert_close(found, eager(OPTIMIZERS[name], WRITERS[writer]), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["AdamW", "SOAP", "AdamW of a schedule"])
def test_a_compiled_training_step(name: str, torchs_graphs: int) -> None:
    make = (OPTIMIZERS | SUMMED)[name]
    found, count = graphs(make, WRITERS["Scheduler"], whole=True)
    assert count <= torchs_graphs + 2
    torch.testing.assert_close(found, eager(make, WRITERS["Scheduler"]), rtol=0, atol=1e-6)


# An optimizer in the backward pass.


@pytest.mark.parametrize(
    ("name", "is_torchs_helper"), [*((name, False) for name in OPTIMIZERS), ("AdamW", True)]
)
def test_one_optimizer_for_each_parameter_in_the_backward_pass(
    name: str, is_torchs_helper: bool
) -> None:
    model = net()
    if is_torchs_helper:
        from torch.distributed.optim import _apply_optimizer_in_backward

        _apply_optimizer_in_backward(_Makes(OPTIMIZERS[name]), list(model.parameters()), {})
        optimizers = [p._in_backward_optimizers[0] for p in model.parameters()]  # type: ignore[attr-defined]
    else:
        optimizers = [OPTIMIZERS[name]([p]) for p in model.parameters()]
        for p, optimizer in zip(model.parameters(), optimizers, strict=True):
            p.register_post_accumulate_grad_hook(_stepping(optimizer))
    schedulers = [lrs.Scheduler(each, lr="linear(16)") for each in optimizers]
    for x in batches(8):
        model(x).square().mean().backward()
        assert all(p.grad is None for p in model.parameters())
        for scheduler in schedulers:
            scheduler.step()
    reference = net()
    one = OPTIMIZERS[name](reference.parameters())
    scheduler = lrs.Scheduler(one, lr="linear(16)")
    for x in batches(8):
        one.zero_grad()
        reference(x).square().mean().backward()
        one.step()
        scheduler.step()
    torch.testing.assert_close(weights(model), weights(reference), rtol=0, atol=1e-7)


class _Makes:
    """A class, as `_apply_optimizer_in_backward` calls it."""

    def __init__(self, make: Make) -> None:
        self._make = make

    def __call__(self, parameters: Any, **_: Any) -> Any:
        return self._make(parameters)


def _stepping(optimizer: Any) -> Callable[[Tensor], None]:
    def step(_: Tensor) -> None:
        optimizer.step()
        optimizer.zero_grad()

    return step


# Averages over a run.


@pytest.mark.parametrize("strategy", ["cos", "linear"])
def test_stochastic_weight_averaging(strategy: Any) -> None:
    runs = []
    for module, schedule, swa in ((optim, lrs, lrs.SWALR), (torch.optim, torchs, swa_utils.SWALR)):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 2)).double()
        average = swa_utils.AveragedModel(model)
        optimizer = module.SGD(model.parameters(), lr=0.1, momentum=0.9)
        scheduler = schedule.CosineAnnealingLR(optimizer, 20)
        last = swa(optimizer, swa_lr=0.05, anneal_epochs=3, anneal_strategy=strategy)
        rates = []
        for t, x in enumerate(batches(16)):
            optimizer.zero_grad()
            model(x.double()).square().mean().backward()
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if t >= 8:
                average.update_parameters(model)
                last.step()
            else:
                scheduler.step()
        swa_utils.update_bn([x.double() for x in batches(4)], average)
        runs.append((rates, weights(average), average.module[1].running_mean.clone()))
    assert runs[0][0] == near(runs[1][0], rel=1e-12)
    torch.testing.assert_close(runs[0][1:], runs[1][1:], rtol=1e-10, atol=1e-12)


# Copies.

COPIES: dict[str, Callable[[Any], Any]] = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda parts: pickle.loads(pickle.dumps(parts)),
}


def _saved(parts: Any) -> Any:
    file = io.BytesIO()
    torch.save(parts, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


COPIES["torch.save"] = _saved

SCHEDULERS: dict[str, Make] = {
    "Scheduler": lambda o: lrs.Scheduler(o, lr="cosine(12)"),
    "SequentialLR": lambda o: lrs.SequentialLR(
        o, [lrs.LinearLR(o, 0.1, total_iters=3), lrs.CosineAnnealingLR(o, 9)], [3]
    ),
    "ReduceLROnPlateau": lambda o: lrs.ReduceLROnPlateau(o, factor=0.5, patience=0),
}


def continued(model: nn.Module, optimizer: Any, scheduler: Any, data: list[Tensor]) -> Any:
    rates = []
    for x in data:
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        is_plateau = isinstance(scheduler, lrs.ReduceLROnPlateau)
        scheduler.step(*([1.0] if is_plateau else []))
    return weights(model), rates


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize(
    ("name", "scheduler"),
    [
        *((name, "Scheduler") for name in OPTIMIZERS),
        *((name, other) for name in ("AdamW", "AdamW of a schedule") for other in SCHEDULERS),
    ],
)
def test_a_copy_of_a_run_continues_it(name: str, scheduler: str, way: str) -> None:
    data = list(batches(9))
    model = net()
    optimizer = OPTIMIZERS[name](model.parameters())
    made = SCHEDULERS[scheduler](optimizer)
    continued(model, optimizer, made, data[:4])
    copied = COPIES[way]([model, optimizer, made])
    right, rates = continued(model, optimizer, made, data[4:])
    found, found_rates = continued(*copied, data[4:])
    assert torch.equal(found, right)
    assert found_rates == rates
