"""Ignite's handlers with the schedulers and optimizers of Glideslope.

Ignite's `LRScheduler` never calls ``step``: it adds 1 to ``last_epoch`` and reads ``get_lr()``, so
its call number n writes the value of step n - 1.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.optim.lr_scheduler as torchs
from ignite.engine import Engine, Events
from ignite.handlers import (
    Checkpoint,
    DiskSaver,
    EarlyStopping,
    EMAHandler,
    FastaiLRFinder,
    ReduceLROnPlateauScheduler,
    TerminateOnNan,
)
from ignite.handlers.param_scheduler import (
    ConcatScheduler,
    LRScheduler,
    create_lr_scheduler_with_warmup,
)

import glideslope as gs
from glideslope import optim
from glideslope.errors import InvalidType
from glideslope.optim import lr_scheduler as lrs

from .expected import Updates, cosine, linear, near, warmup_cosine, weights

LR, DECAY = 0.01, 0.1


def weight() -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))


OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "AdamW": lambda: optim.AdamW([weight()], lr=LR, weight_decay=DECAY),
    "SGD": lambda: optim.SGD([weight()], lr=LR, momentum=0.9, weight_decay=DECAY),
    "torch's AdamW": lambda: torch.optim.AdamW([weight()], lr=LR, weight_decay=DECAY),
}

SAME: dict[str, Callable[[Any, Any], Any]] = {
    "LinearLR": lambda m, o: m.LinearLR(o, 0.25, total_iters=12),
    "ConstantLR": lambda m, o: m.ConstantLR(o, 0.5, 7),
    "CosineAnnealingLR": lambda m, o: m.CosineAnnealingLR(o, 30),
    "StepLR": lambda m, o: m.StepLR(o, 5, 0.5),
    "MultiStepLR": lambda m, o: m.MultiStepLR(o, [4, 11], 0.1),
    "ExponentialLR": lambda m, o: m.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda m, o: m.PolynomialLR(o, 30, 2.0),
    "LambdaLR": lambda m, o: m.LambdaLR(o, lambda t: 1 / (1 + t)),
    "MultiplicativeLR": lambda m, o: m.MultiplicativeLR(o, lambda t: 0.95),
    "CosineAnnealingWarmRestarts": lambda m, o: m.CosineAnnealingWarmRestarts(o, 10, 2),
    "OneCycleLR": lambda m, o: m.OneCycleLR(o, 0.05, total_steps=40),
    "CyclicLR": lambda m, o: m.CyclicLR(o, 0.001, 0.05, 7),
}
"""The classes that torch has too; the control is torch's class, stepped by torch."""

KEYS = {"lr": "warmup(4) >> cosine(20)", "betas[0]": "linear(24, end=0.5)"}

OWN: dict[str, tuple[Callable[[Any], Any], Callable[[int], list[float]]]] = {
    "SequentialLR": (
        lambda o: lrs.SequentialLR(
            o, [lrs.LinearLR(o, 0.1, total_iters=5), lrs.CosineAnnealingLR(o, 20)], [5]
        ),
        lambda t: [LR * (0.1 + 0.9 * t / 5 if t < 5 else cosine(t - 5, 20)), 0.9, DECAY],
    ),
    "ChainedScheduler": (
        lambda o: lrs.ChainedScheduler(
            [lrs.LinearLR(o, 0.1, total_iters=5), lrs.ExponentialLR(o, 0.9)]
        ),
        lambda t: [LR * min(1, 0.1 + 0.9 * t / 5) * 0.9**t, 0.9, DECAY],
    ),
    "Scheduler of three keys": (
        lambda o: lrs.Scheduler(o, **KEYS, weight_decay="linear(24)"),
        lambda t: [
            LR * warmup_cosine(t, 4, 20),
            0.9 * linear(t, 24, 0.5),
            DECAY * linear(t, 24),
        ],
    ),
    "get_cosine_schedule_with_warmup": (
        lambda o: lrs.get_cosine_schedule_with_warmup(o, 4, 24),
        lambda t: [LR * warmup_cosine(t, 4, 20), 0.9, DECAY],
    ),
}
"""Those that torch has not, or that raise NotImplementedError there, and their closed forms."""


def row(optimizer: Any) -> list[float]:
    """The rate, the momentum and the weight decay."""
    group = optimizer.param_groups[0]
    momentum = group["betas"][0] if "betas" in group else group["momentum"]
    return [float(group["lr"]), float(momentum), float(group["weight_decay"])]


def called(optimizer: Any, handler: Any, calls: int) -> list[list[float]]:
    rows = []
    for _ in range(calls):
        handler(None)
        rows.append(row(optimizer))
    return rows


def stepped(make: Callable[[Any, Any], Any], optimizer: Any, steps: int) -> list[list[float]]:
    scheduler, rows = make(torchs, optimizer), []
    for _ in range(steps):
        rows.append(row(optimizer))
        optimizer.step()
        scheduler.step()
    return rows


def rows_near(rows: list[list[float]]) -> list[Any]:
    return [near(each, rel=1e-9, abs=1e-17) for each in rows]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", SAME)
def test_the_values_of_torchs_classes(name: str, optimizer: str) -> None:
    made = OPTIMIZERS[optimizer]()
    rows = called(made, LRScheduler(SAME[name](lrs, made)), 24)
    kind = OPTIMIZERS["SGD" if optimizer == "SGD" else "torch's AdamW"]
    assert rows == rows_near(stepped(SAME[name], kind(), 24))


@pytest.mark.parametrize("name", OWN)
def test_the_values_of_other_classes(name: str) -> None:
    make, values = OWN[name]
    optimizer = OPTIMIZERS["AdamW"]()
    rows = called(optimizer, LRScheduler(make(optimizer)), 24)
    assert rows == rows_near([values(t) for t in range(24)])


def test_the_last_step_of_a_chain() -> None:
    optimizer = OPTIMIZERS["AdamW"]()
    scheduler = OWN["ChainedScheduler"][0](optimizer)
    called(optimizer, LRScheduler(scheduler), 5)
    assert scheduler.last_epoch == 5


MAKES = {
    **{name: lambda o, make=make: make(lrs, o) for name, make in SAME.items()},
    **{name: make for name, (make, _) in OWN.items()},
}


@pytest.mark.parametrize("optimizer_first", [True, False])
@pytest.mark.parametrize("name", MAKES)
def test_a_state_continues_in_either_order(name: str, optimizer_first: bool) -> None:
    optimizer = OPTIMIZERS["AdamW"]()
    handler = LRScheduler(MAKES[name](optimizer))
    called(optimizer, handler, 12)
    states = copy.deepcopy([optimizer.state_dict(), handler.state_dict()])
    straight = called(optimizer, handler, 10)
    optimizer = OPTIMIZERS["AdamW"]()
    handler = LRScheduler(MAKES[name](optimizer))
    pairs = list(zip([optimizer, handler], states, strict=True))
    for part, state in pairs if optimizer_first else pairs[::-1]:
        part.load_state_dict(state)
    assert called(optimizer, handler, 10) == straight


@pytest.mark.parametrize("name", MAKES)
def test_simulated_values_leave_the_scheduler_as_it_was(name: str) -> None:
    optimizer = OPTIMIZERS["AdamW"]()
    scheduler = MAKES[name](optimizer)
    before = row(optimizer)
    simulated = LRScheduler.simulate_values(num_events=10, lr_scheduler=scheduler)
    assert row(optimizer) == before
    rows = called(optimizer, LRScheduler(scheduler), 10)
    assert [value for _, value in simulated] == [rate for rate, *_ in rows]


# In an engine.


def trainer(model: Any, optimizer: Any) -> Engine:
    def update(engine: Engine, batch: Any) -> float:
        optimizer.zero_grad()
        loss = model.sum() if batch is None else (model(batch) ** 2).mean()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return Engine(update)


@pytest.mark.parametrize("name", MAKES)
def test_what_the_updates_of_an_engine_use(name: str) -> None:
    parameter = weight()
    optimizer = optim.AdamW([parameter], lr=LR)
    seen = Updates(optimizer)
    engine = trainer(parameter, optimizer)
    handler = LRScheduler(MAKES[name](optimizer), save_history=True)
    engine.add_event_handler(Events.ITERATION_STARTED, handler)
    engine.run([None] * 10, max_epochs=2)
    assert seen.rates == near([rate for (rate,) in engine.state.param_history["lr"]])
    other = optim.AdamW([weight()], lr=LR)
    assert seen.rates == near(
        [rate for rate, *_ in called(other, LRScheduler(MAKES[name](other)), 20)]
    )


def test_step_as_a_handler_gets_the_engine() -> None:
    optimizer = OPTIMIZERS["AdamW"]()
    scheduler = lrs.StepLR(optimizer, 3)
    engine = trainer(optimizer.param_groups[0]["params"][0], optimizer)
    engine.logger.disabled = True
    engine.add_event_handler(Events.ITERATION_COMPLETED, scheduler.step)
    with pytest.raises(InvalidType, match=r"`lambda _: scheduler.step\(\)`"):
        engine.run([None])


@pytest.mark.parametrize("name", MAKES)
def test_a_lambda_as_a_handler(name: str) -> None:
    parameter = weight()
    optimizer = optim.AdamW([parameter], lr=LR)
    seen = Updates(optimizer)
    scheduler = MAKES[name](optimizer)
    engine = trainer(parameter, optimizer)
    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda _: scheduler.step())
    engine.run([None] * 20)
    other = optim.AdamW([weight()], lr=LR)
    rows = called(other, LRScheduler(MAKES[name](other)), 20)
    assert seen.rates == near([rate for rate, *_ in rows], rel=1e-9, abs=1e-17)


def test_a_schedule_given_to_the_optimizer() -> None:
    parameter = weight()
    optimizer = optim.AdamW([parameter], lr=LR * gs.parse("warmup(4) >> cosine(16)"))
    seen = Updates(optimizer)
    trainer(parameter, optimizer).run([None] * 20)
    assert seen.rates == near([LR * warmup_cosine(t, 4, 16) for t in range(20)], abs=1e-17)


METRICS = [1.0, 0.9, 0.95, 0.95, 0.96, 0.8, 0.7, 0.6, 0.65, 0.66, 0.67, 0.68]


@pytest.mark.parametrize(
    "make",
    [
        lambda m, o: m.ReduceLROnPlateau(o, factor=0.5, patience=1),
        lambda m, o: m.ReduceLROnPlateau(o, factor=0.5, patience=0, min_lr=0.002),
    ],
)
def test_a_plateau_of_an_evaluator(make: Callable[[Any, Any], Any]) -> None:
    rates = []
    for module in (lrs, torchs):
        optimizer = OPTIMIZERS["AdamW"]()
        scheduler = make(module, optimizer)
        evaluator = Engine(lambda engine, batch: METRICS[engine.state.epoch - 1])
        evaluator.add_event_handler(
            Events.EPOCH_COMPLETED,
            lambda engine: scheduler.step(engine.state.output),  # noqa: B023
        )
        shown: list[float] = []
        evaluator.add_event_handler(
            Events.EPOCH_COMPLETED,
            lambda _: shown.append(row(optimizer)[0]),  # noqa: B023
        )
        evaluator.run([None], max_epochs=len(METRICS))
        rates.append(shown)
    assert rates[0] == near(rates[1])
    assert len(set(rates[0])) > 2


def test_ignites_own_plateau_on_our_optimizer() -> None:
    rates = []
    for module in (optim, torch.optim):
        optimizer = module.SGD([weight()], lr=1.0)
        handler = ReduceLROnPlateauScheduler(optimizer, "loss", factor=0.5, patience=0)
        evaluator = Engine(lambda engine, batch: None)
        shown: list[float] = []

        def report(engine: Engine) -> None:
            engine.state.metrics["loss"] = METRICS[engine.state.epoch - 1]

        evaluator.add_event_handler(Events.EPOCH_COMPLETED, report)
        evaluator.add_event_handler(Events.EPOCH_COMPLETED, handler)
        evaluator.add_event_handler(
            Events.EPOCH_COMPLETED,
            lambda _: shown.append(optimizer.param_groups[0]["lr"]),  # noqa: B023
        )
        evaluator.run([None], max_epochs=len(METRICS))
        rates.append(shown)
    assert rates[0] == near(rates[1])


# Ignite's combinations.


@pytest.mark.parametrize("simulated", [False, True])
def test_ignites_warm_up_in_front(simulated: bool) -> None:
    """Also after a simulation, which loads the state of a clock that was set by hand."""
    values = []
    for module in (lrs, torchs):
        optimizer = OPTIMIZERS["torch's AdamW"]()
        handler = create_lr_scheduler_with_warmup(
            module.CosineAnnealingLR(optimizer, 20),
            warmup_start_value=0.0,
            warmup_end_value=LR,
            warmup_duration=5,
            output_simulated_values=[None] * 20 if simulated else None,  # type: ignore[list-item]
        )
        values.append([rate for rate, *_ in called(optimizer, handler, 20)])
    # A warm-up of five that ends at the peak, of which the cosine's first value is the last.
    right = [LR * t / 4 if t < 5 else LR * cosine(t - 4, 20) for t in range(20)]
    assert values[0] == near(right, abs=1e-17)
    assert values[0] == near(values[1], abs=1e-17)


def test_a_hand_edit_after_a_simulation_counts() -> None:
    optimizer = OPTIMIZERS["AdamW"]()
    scheduler = lrs.ExponentialLR(optimizer, 0.5)
    LRScheduler.simulate_values(3, scheduler)
    handler = LRScheduler(scheduler)
    called(optimizer, handler, 2)
    optimizer.param_groups[0]["lr"] *= 0.25
    rows = called(optimizer, handler, 2)
    assert [rate for rate, *_ in rows] == near([LR * 0.25 * 0.5**t for t in (2, 3)])


def test_ignites_concatenation_multiplies() -> None:
    """The factor of the first one stays; `SequentialLR` in one handler replaces it."""
    optimizer = OPTIMIZERS["AdamW"]()
    first = LRScheduler(lrs.ConstantLR(optimizer, 0.5, 100))
    second = LRScheduler(lrs.CosineAnnealingLR(optimizer, 10))
    rows = called(optimizer, ConcatScheduler([first, second], [5]), 15)
    right = [LR / 2] * 5 + [LR / 2 * cosine(t, 10) for t in range(10)]
    assert [rate for rate, *_ in rows] == near(right)


def test_a_scheduler_for_each_group() -> None:
    optimizer = optim.SGD([{"params": [weight()]}, {"params": [weight()], "lr": LR / 2}], lr=LR)
    handler = LRScheduler(lrs.Scheduler(optimizer, lr=["cosine(10)", "linear(10)"]))
    for t in range(10):
        handler(None)
        rates = [group["lr"] for group in optimizer.param_groups]
        assert rates == near([LR * cosine(t, 10), LR / 2 * linear(t, 10)])


# Other handlers.


@pytest.mark.parametrize("mode", ["exp", "linear"])
@pytest.mark.parametrize(
    ("lr", "now"),
    [(LR, LR), (LR * gs.cosine(100), LR), (LR * gs.warmup(10, start=0.5), LR / 2)],
    ids=["number", "schedule", "rising schedule"],
)
def test_the_finder_sweeps_and_restores(lr: Any, now: float, mode: str) -> None:
    def sweep(make: Callable[[Any], Any]) -> tuple[Any, list[float], Any, list[float]]:
        parameter = weight()
        optimizer = make([parameter])
        seen = Updates(optimizer)
        engine = trainer(parameter, optimizer)
        finder = FastaiLRFinder()
        kept = {"model": torch.nn.ParameterList([parameter]), "optimizer": optimizer}
        arguments = {"start_lr": 1e-6, "end_lr": 1.0, "num_iter": 20, "diverge_th": 1e30}
        with finder.attach(engine, to_save=kept, step_mode=mode, **arguments) as running:
            running.run([None] * 30)
        after = row(optimizer)[0]
        count = len(seen.rates)
        engine.run([None])
        return finder.get_results()["lr"], seen.rates[:count], after, seen.rates[count:]

    found, used, after, then = sweep(lambda ps: optim.AdamW(ps, lr=lr, weight_decay=DECAY))
    control = sweep(lambda ps: torch.optim.AdamW(ps, lr=now, weight_decay=DECAY))
    assert found == near(control[0])
    # The first update is at a rate that the exponential sweep computes from "initial_lr".
    assert used[1:] == near(control[1][1:])
    assert after == near(now)
    assert then == near([now])


@pytest.mark.parametrize("name", ["AdamW", "SOAP", "Prodigy", "AdamWScheduleFree", "Lion"])
def test_a_checkpoint_of_a_run(name: str, tmp_path: Path) -> None:
    data = [torch.randn(4, 3, generator=torch.Generator().manual_seed(i)) for i in range(8)]

    def parts() -> tuple[Any, dict[str, Any]]:
        torch.manual_seed(0)
        model = torch.nn.Linear(3, 2)
        optimizer = getattr(optim, name)(model.parameters(), lr=LR)
        handler = LRScheduler(lrs.Scheduler(optimizer, lr=KEYS["lr"], weight_decay="linear(24)"))
        engine = trainer(model, optimizer)
        engine.add_event_handler(Events.ITERATION_STARTED, handler)
        kept = {"model": model, "optimizer": optimizer, "scheduler": handler, "trainer": engine}
        return model, kept

    model, kept = parts()
    saver = Checkpoint(kept, DiskSaver(str(tmp_path), create_dir=True), n_saved=None)
    kept["trainer"].add_event_handler(Events.EPOCH_COMPLETED(once=1), saver)
    kept["trainer"].run(data, max_epochs=3)

    again, parts_again = parts()
    (file,) = tmp_path.glob("*.pt")
    Checkpoint.load_objects(parts_again, torch.load(file, weights_only=True))
    parts_again["trainer"].run(data, max_epochs=3)
    assert torch.equal(weights(again), weights(model))


def test_averages_of_weights() -> None:
    averages = []
    for module in (optim, torch.optim):
        torch.manual_seed(0)
        model = torch.nn.Linear(3, 2)
        optimizer = module.AdamW(model.parameters(), lr=LR)
        engine = trainer(model, optimizer)
        handler = EMAHandler(model, momentum=0.1)
        handler.attach(engine, event=Events.ITERATION_COMPLETED)
        engine.run([torch.ones(4, 3)] * 10)
        averages.append(weights(handler.ema_model))
    torch.testing.assert_close(averages[0], averages[1], rtol=1e-5, atol=1e-7)


def test_early_stopping_and_nan() -> None:
    for module, schedulers in ((optim, lrs), (torch.optim, torchs)):
        parameter = weight()
        optimizer = module.SGD([parameter], lr=1.0)
        scheduler = schedulers.StepLR(optimizer, 1, 0.0)
        engine = trainer(parameter, optimizer)
        engine.add_event_handler(Events.ITERATION_STARTED, LRScheduler(scheduler))
        engine.add_event_handler(Events.ITERATION_COMPLETED, TerminateOnNan())
        stopper = EarlyStopping(3, lambda e: -e.state.output, engine)
        engine.add_event_handler(Events.ITERATION_COMPLETED, stopper)
        engine.run([None] * 20)
        assert engine.state.iteration == 5  # one update at 1, which the second output shows
