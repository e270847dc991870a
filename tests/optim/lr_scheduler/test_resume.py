"""Going on where a run was left: by `last_epoch`, and with settings that have changed since."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from glideslope.optim import lr_scheduler as gs

from .driving import rates_of, sgd

pytestmark = pytest.mark.filterwarnings(
    "ignore:Detected call of `lr_scheduler.step:UserWarning",
    "ignore:.*takes the settings of the loaded state:UserWarning",
)
near = pytest.approx
STEPS = 16
RESUMED: dict[str, Callable[..., Any]] = {
    "lambda": lambda o, **k: gs.LambdaLR(o, lambda t: 1 / (1 + t), **k),
    "multiplicative": lambda o, **k: gs.MultiplicativeLR(o, lambda t: 1 - 0.5 / t, **k),
    "step": lambda o, **k: gs.StepLR(o, 3, **k),
    "multistep": lambda o, **k: gs.MultiStepLR(o, [4, 9], **k),
    "constant": lambda o, **k: gs.ConstantLR(o, 0.5, 6, **k),
    "linear": lambda o, **k: gs.LinearLR(o, 0.1, 1.0, 7, **k),
    "exponential": lambda o, **k: gs.ExponentialLR(o, 0.9, **k),
    "polynomial": lambda o, **k: gs.PolynomialLR(o, 30, 2.0, **k),
    "cosine": lambda o, **k: gs.CosineAnnealingLR(o, 6, 0.01, **k),
    "restarts": lambda o, **k: gs.CosineAnnealingWarmRestarts(o, 2, 2, **k),
    "cyclic": lambda o, **k: gs.CyclicLR(o, 0.1, 1.0, 3, **k),
    "one cycle": lambda o, **k: gs.OneCycleLR(o, 1.0, 20, **k),
    "swa": lambda o, **k: gs.SWALR(o, 0.05, 9, **k),
    "noam": lambda o, **k: gs.NoamScheduler(o, 8, 4, **k),
    "sequence": lambda o, **k: gs.SequentialLR(
        o, [gs.LinearLR(o, 0.1, 1.0, 4), gs.CosineAnnealingLR(o, 11)], [4], **k
    ),
    "sequence of a chain": lambda o, **k: gs.SequentialLR(
        o,
        [gs.ConstantLR(o, 0.1, 9), gs.ChainedScheduler([gs.LinearLR(o), gs.StepLR(o, 4)])],
        [3],
        **k,
    ),
}


@pytest.mark.parametrize("stop", range(1, STEPS))
@pytest.mark.parametrize("make", RESUMED.values(), ids=RESUMED)
def test_last_epoch_is_the_last_step_done(make: Callable[..., Any], stop: int) -> None:
    optimizer = sgd(0.8, 0.4)
    scheduler = make(optimizer)
    for _ in range(stop):
        scheduler.step()
    other = sgd(0.3, 0.3)
    other.load_state_dict(optimizer.state_dict())
    resumed = make(other, last_epoch=stop - 1)
    assert resumed.last_epoch == scheduler.last_epoch
    for _ in range(4):
        assert rates_of(other) == near(rates_of(optimizer), abs=1e-15)
        scheduler.step()
        resumed.step()


@pytest.mark.parametrize("name", ["exponential", "cosine", "linear", "polynomial", "one cycle"])
def test_a_state_resumes_to_the_very_bits(name: str) -> None:
    bases = [0.1 + 0.37 * k for k in range(40)]
    optimizer = sgd(*bases)
    scheduler = RESUMED[name](optimizer)
    for _ in range(5):
        scheduler.step()
    other = sgd(*reversed(bases))
    resumed = RESUMED[name](other)
    resumed.load_state_dict(scheduler.state_dict())
    for _ in range(9):
        assert rates_of(other) == rates_of(optimizer)
        scheduler.step()
        resumed.step()


def test_one_that_continues_another_on_the_same_optimizer_does_not_multiply() -> None:
    optimizer = sgd(0.8)
    first = gs.ExponentialLR(optimizer, 0.5)
    first.step()
    second = gs.ExponentialLR(optimizer, 0.5, last_epoch=0)
    assert rates_of(optimizer) == near([0.4])
    second.step()
    assert rates_of(optimizer) == near([0.2])


def test_the_base_that_torch_reads_is_loaded_with_the_state() -> None:
    optimizer = sgd(0.8)
    scheduler = gs.ExponentialLR(optimizer, 0.5)
    for _ in range(3):
        scheduler.step()
    other = sgd(0.1)
    other.load_state_dict(optimizer.state_dict())
    resumed = gs.ExponentialLR(other, 0.5)  # does not say yet if the run is resumed
    assert other.param_groups[0]["initial_lr"] == 0.8
    resumed.load_state_dict(scheduler.state_dict())
    assert other.param_groups[0]["initial_lr"] == 0.8


def test_a_cycle_continues_as_it_was_when_the_code_has_changed() -> None:
    optimizer = sgd(0.8)
    scheduler = gs.OneCycleLR(optimizer, 1.0, 20)
    for _ in range(4):
        scheduler.step()
    other = sgd(0.8)
    changed = gs.OneCycleLR(other, 3.0, 20, div_factor=10.0, final_div_factor=7.0)
    changed.step()
    other.load_state_dict(optimizer.state_dict())  # torch keeps the limits in there
    changed.load_state_dict(scheduler.state_dict())
    for _ in range(12):
        assert rates_of(other) == near(rates_of(optimizer))
        scheduler.step()
        changed.step()


def test_fractions_of_a_step_are_in_the_state() -> None:
    optimizer, other = sgd(0.8), sgd(0.8)
    scheduler = gs.CosineAnnealingWarmRestarts(optimizer, 10, 2)
    scheduler.step(12.5)
    resumed = gs.CosineAnnealingWarmRestarts(other, 10, 2)
    resumed.load_state_dict(scheduler.state_dict())
    for _ in range(3):
        assert (resumed.T_cur, rates_of(other)) == (scheduler.T_cur, near(rates_of(optimizer)))
        scheduler.step()
        resumed.step()
    assert resumed.T_cur == 5.5
