"""Lightning steps schedulers: every update runs at the right rate, and the monitor shows it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.loggers import CSVLogger

import glideslope as gs
from glideslope import optim
from glideslope.optim import lr_scheduler as ours

from .lightning_runs import Network, Slopes, batches, logged, trainer

theirs = torch.optim.lr_scheduler
EPOCHS, BATCHES = 4, 6


class Named(NamedTuple):
    """A scheduler by a name that torch has too."""

    label: str
    build: Callable[[Any, Any], Any]
    """From the module, torch's or ours, and the optimizer."""


NAMED = [
    Named("ConstantLR", lambda m, o: m.ConstantLR(o, 0.5, total_iters=5)),
    Named("LinearLR", lambda m, o: m.LinearLR(o, 0.1, total_iters=9)),
    Named("PolynomialLR", lambda m, o: m.PolynomialLR(o, total_iters=20, power=2)),
    Named("StepLR", lambda m, o: m.StepLR(o, 3, gamma=0.5)),
    Named("MultiStepLR", lambda m, o: m.MultiStepLR(o, [1, 3, 8], gamma=0.5)),
    Named("ExponentialLR", lambda m, o: m.ExponentialLR(o, 0.9)),
    Named("LambdaLR", lambda m, o: m.LambdaLR(o, lambda t: 0.9**t)),
    Named("MultiplicativeLR", lambda m, o: m.MultiplicativeLR(o, lambda t: 0.9)),
    Named("CosineAnnealingLR", lambda m, o: m.CosineAnnealingLR(o, T_max=24, eta_min=0.001)),
    Named("WarmRestarts", lambda m, o: m.CosineAnnealingWarmRestarts(o, T_0=3, T_mult=2)),
    Named("CyclicLR", lambda m, o: m.CyclicLR(o, 0.001, 0.05, 4, cycle_momentum=False)),
    Named("OneCycleLR", lambda m, o: m.OneCycleLR(o, 0.05, total_steps=30, cycle_momentum=False)),
    Named("SWALR", lambda m, o: _swalr(m)(o, swa_lr=0.001, anneal_epochs=5)),
    Named(
        "SequentialLR",
        lambda m, o: m.SequentialLR(
            o, [m.LinearLR(o, 0.1, total_iters=2), m.CosineAnnealingLR(o, T_max=22)], [2]
        ),
    ),
    Named(
        "ChainedScheduler",
        lambda m, o: m.ChainedScheduler([m.LinearLR(o, 0.1, total_iters=4), m.StepLR(o, 3)]),
    ),
]


def _swalr(module: Any) -> Any:
    return torch.optim.swa_utils.SWALR if module is theirs else module.SWALR


def fit(
    folder: Path, configure: Any, monitored: Any = (), epochs: int = EPOCHS, **options: Any
) -> Slopes:
    model = Slopes(configure, monitored)
    trainer(folder, epochs, **options).fit(model, batches(BATCHES))
    return model


def rates(folder: Path, configure: Any, *rest: Any, **options: Any) -> list[float]:
    return fit(folder, configure, *rest, **options).rates[0].of(0)


def stepped(
    scheduler: Callable[[Any], Any], optimizer: Any = torch.optim.AdamW, **options: Any
) -> Any:
    """``configure_optimizers`` with a scheduler, and Lightning's options for it."""

    def configure(parameters: Any) -> Any:
        made = optimizer(parameters, lr=0.01, weight_decay=0.0)
        return {
            "optimizer": made,
            "lr_scheduler": {"scheduler": scheduler(made), "interval": "step", **options},
        }

    return configure


CONTROLS: dict[Any, list[float]] = {}
"""The rates of torch's classes under Lightning, made once for each case."""


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("interval", ["step", "epoch"])
@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, optim.AdamW], ids=["torch's", "ours"])
@pytest.mark.parametrize("named", NAMED, ids=lambda named: named.label)
def test_a_scheduler_with_torchs_name_gives_torchs_rates(
    named: Named, optimizer: Any, interval: str, accumulate: int, tmp_path: Path
) -> None:
    def run(module: Any, optimizer: Any) -> list[float]:
        build = stepped(lambda o: named.build(module, o), optimizer, interval=interval)
        return rates(tmp_path, build, epochs=3, accumulate_grad_batches=accumulate)

    case = named.label, interval, accumulate
    control = CONTROLS.get(case) or run(theirs, torch.optim.AdamW)
    CONTROLS[case] = control
    assert len(control) == 3 * BATCHES // accumulate
    torch.testing.assert_close(run(ours, optimizer), control, rtol=1e-9, atol=1e-12)


CYCLED = {
    "OneCycleLR": lambda m, o: m.OneCycleLR(o, 0.05, total_steps=30),
    "CyclicLR": lambda m, o: m.CyclicLR(o, 0.001, 0.05, 4),
}


@pytest.mark.parametrize("name", CYCLED)
def test_cycled_betas_are_torchs(name: str, tmp_path: Path) -> None:
    def betas(module: Any) -> list[Any]:
        configure = stepped(lambda o: CYCLED[name](module, o))
        return fit_moving(tmp_path, configure).rates[0].values("betas")

    got, control = betas(ours), betas(theirs)
    assert len({beta for beta, _ in control}) > 3
    torch.testing.assert_close(got, control, rtol=1e-9, atol=0)


def fit_moving(folder: Path, configure: Any) -> Network:
    """A run in which updates are not as long as the rates."""
    model = Network(configure)
    trainer(folder, EPOCHS).fit(model, batches(BATCHES))
    return model


TEXTS = {
    "cosine(24)": lambda t: 0.5 * (1 + math.cos(math.pi * t / 24)),
    "warmup(6) >> cosine(18)": lambda t: (
        t / 6 if t < 6 else 0.5 * (1 + math.cos(math.pi * (t - 6) / 18))
    ),
    "linear(10, end=0.5)": lambda t: 1 - 0.5 * min(t, 10) / 10,
    "step(5, 0.1)": lambda t: 0.1 ** (t // 5),
}
"""Schedules, and the same as formulas."""

BY_TEXT = {
    "Scheduler on torch's": lambda text: stepped(lambda o: gs.Scheduler(o, lr=text)),
    "Scheduler on ours": lambda text: stepped(lambda o: gs.Scheduler(o, lr=text), optim.AdamW),
    "given to the optimizer": lambda text: (
        lambda parameters: optim.AdamW(parameters, lr=0.01 * gs.parse(text), weight_decay=0.0)
    ),
}
"""The three ways to drive a rate by a schedule."""


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("way", BY_TEXT)
@pytest.mark.parametrize("text", TEXTS)
def test_a_schedule_counts_updates(text: str, way: str, accumulate: int, tmp_path: Path) -> None:
    got = rates(tmp_path, BY_TEXT[way](text), accumulate_grad_batches=accumulate)
    updates = EPOCHS * BATCHES // accumulate
    expected = [0.01 * TEXTS[text](t) for t in range(updates)]
    torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("way", BY_TEXT)
@pytest.mark.parametrize("text", TEXTS)
def test_the_monitor_shows_the_rate_of_every_update(text: str, way: str, tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path)
    options = {"logger": logger, "log_every_n_steps": 1}
    used = rates(tmp_path, BY_TEXT[way](text), callbacks=[LearningRateMonitor("step")], **options)
    (shown,) = logged(logger).values()
    expected = [0.01 * TEXTS[text](t) for t in range(EPOCHS * BATCHES)]
    torch.testing.assert_close(used, expected, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(shown, expected, rtol=1e-6, atol=1e-12)  # through float32


@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, optim.AdamW], ids=["torch's", "ours"])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_scheduler_drives_several_keys(optimizer: Any, accumulate: int, tmp_path: Path) -> None:
    schedules = {
        "lr": "warmup(6) >> cosine(18)",
        "weight_decay": "linear(24, end=0.5)",
        "betas[0]": "linear(12, end=0.9)",
    }

    def configure(parameters: Any) -> Any:
        made = optimizer(parameters, lr=0.01, weight_decay=0.2)
        scheduler = gs.Scheduler(made, **schedules)
        return [made], [{"scheduler": scheduler, "interval": "step"}]

    model = fit(tmp_path, configure, accumulate_grad_batches=accumulate)
    updates = EPOCHS * BATCHES // accumulate
    expected = {
        "lr": [0.01 * TEXTS[schedules["lr"]](t) for t in range(updates)],
        "weight_decay": [0.2 * (1 - 0.5 * t / 24) for t in range(updates)],
        "betas": [(0.9 * (1 - 0.1 * min(t, 12) / 12), 0.999) for t in range(updates)],
    }
    for key, values in expected.items():
        torch.testing.assert_close(model.rates[0].values(key), values, rtol=1e-9, atol=1e-12)


def test_all_keys_given_to_the_optimizer(tmp_path: Path) -> None:
    def configure(parameters: Any) -> Any:
        betas = (gs.linear(12, start=0.9, end=0.8), 0.999)
        return optim.AdamW(
            parameters, lr=0.01 * gs.cosine(24), betas=betas, weight_decay=0.2 * gs.linear(24)
        )

    shown = fit(tmp_path, configure, accumulate_grad_batches=2).rates[0]
    for t in range(EPOCHS * BATCHES // 2):
        group = shown.shown[t][0]
        got = [group["lr"], group["weight_decay"], *group["betas"]]
        betas = [0.9 - 0.1 * min(t, 12) / 12, 0.999]
        expected = [0.01 * TEXTS["cosine(24)"](t), 0.2 * (1 - t / 24), *betas]
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-12)


METRICS = [1.0, 0.8, 0.9, 0.9, 0.7, 0.95, 0.9, 0.9, 0.9, 0.1]

CONTROLLED = {
    "plateau": lambda m, o: m.ReduceLROnPlateau(o, factor=0.5, patience=0),
    "plateau, patience": lambda m, o: m.ReduceLROnPlateau(o, factor=0.1, patience=1, cooldown=1),
    "plateau, max": lambda m, o: m.ReduceLROnPlateau(o, mode="max", factor=0.5, patience=1),
}


@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, optim.AdamW], ids=["torch's", "ours"])
@pytest.mark.parametrize("label", CONTROLLED)
def test_a_plateau_with_a_monitor_reduces_as_torchs(
    label: str, optimizer: Any, tmp_path: Path
) -> None:
    def run(module: Any) -> list[float]:
        build = stepped(
            lambda o: CONTROLLED[label](module, o), optimizer, interval="epoch", monitor="metric"
        )
        return rates(tmp_path, build, METRICS, epochs=len(METRICS))

    control = run(theirs)
    assert min(control) < 0.01
    torch.testing.assert_close(run(ours), control, rtol=1e-9, atol=1e-12)


def test_a_plateau_beside_a_schedule_multiplies(tmp_path: Path) -> None:
    def configure(parameters: Any) -> Any:
        made = optim.AdamW(parameters, lr=0.01, weight_decay=0.0)
        plateau = ours.ReduceLROnPlateau(made, factor=0.5, patience=0)
        return [made], [
            {"scheduler": gs.Scheduler(made, lr="cosine(60)"), "interval": "step"},
            {"scheduler": plateau, "monitor": "metric"},
        ]

    got = rates(tmp_path, configure, METRICS, epochs=10)
    control = rates(
        tmp_path,
        stepped(lambda o: CONTROLLED["plateau"](theirs, o), interval="epoch", monitor="metric"),
        METRICS,
        epochs=10,
    )
    cosine = [0.5 * (1 + math.cos(math.pi * t / 60)) for t in range(60)]
    expected = [rate * factor for rate, factor in zip(control, cosine, strict=True)]
    torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-12)


def test_greedy_follows_the_monitored_metric(tmp_path: Path) -> None:
    def build(optimizer: Any) -> Any:
        return ours.GreedyLR(optimizer, factor=0.5, patience=0, warmup=0, min_lr=1e-4, max_lr=1.0)

    got = rates(
        tmp_path,
        stepped(build, interval="epoch", monitor="metric"),
        METRICS,
        epochs=len(METRICS),
    )
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=0.01)
    scheduler, expected = build(optimizer), []
    for metric in METRICS:
        expected += [optimizer.param_groups[0]["lr"]] * BATCHES
        optimizer.step()
        scheduler.step(metric)
    assert len(set(expected)) > 2
    torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-12)


def test_a_metric_scheduler_without_a_monitor_is_refused(tmp_path: Path) -> None:
    from lightning.pytorch.utilities.exceptions import MisconfigurationException

    for build in (CONTROLLED["plateau"], lambda m, o: m.GreedyLR(o)):
        with pytest.raises(MisconfigurationException, match="monitor"):
            fit(tmp_path, stepped(lambda o, build=build: build(ours, o)))


def test_lengths_in_percent_are_bound_to_the_trainers_updates(tmp_path: Path) -> None:
    class Told(Slopes):
        def configure_optimizers(self) -> Any:
            total = self.trainer.estimated_stepping_batches
            self._configure = stepped(
                lambda o: gs.Scheduler(o, lr="warmup(25%) >> cosine(75%)", total_steps=total)
            )
            return super().configure_optimizers()

    model = Told(None)  # type: ignore[arg-type]
    trainer(tmp_path, 4, accumulate_grad_batches=2).fit(model, batches(BATCHES))
    expected = [0.01 * gs.parse("warmup(3) >> cosine(9)")(t) for t in range(12)]
    assert model.rates[0].of(0) == expected
