"""Lightning's callbacks and its tuner find what they expect in schedulers and optimizers."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import (
    BaseFinetuning,
    EarlyStopping,
    LearningRateMonitor,
    ModelCheckpoint,
    StochasticWeightAveraging,
    WeightAveraging,
)
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.tuner import Tuner
from torch.optim.swa_utils import get_ema_avg_fn

import glideslope as gs
from glideslope import optim
from glideslope.optim import lr_scheduler as ours

from .lightning_runs import Network, Slopes, batches, logged, trainer

theirs = torch.optim.lr_scheduler
BATCHES = 4


def plain(kind: Any) -> Callable[[Any], Any]:
    return lambda parameters: kind(parameters, lr=0.01, weight_decay=0.0)


def given(text: str) -> Callable[[Any], Any]:
    return lambda parameters: optim.AdamW(parameters, lr=0.01 * gs.parse(text), weight_decay=0.0)


def stepped(build: Callable[[Any], Any], kind: Any = torch.optim.AdamW) -> Callable[[Any], Any]:
    """``configure_optimizers`` with a scheduler that counts updates."""

    def configure(parameters: Any) -> Any:
        made = kind(parameters, lr=0.01, weight_decay=0.0)
        return [made], [{"scheduler": build(made), "interval": "step"}]

    return configure


def scheduled(text: str, kind: Any = torch.optim.AdamW) -> Callable[[Any], Any]:
    return stepped(lambda optimizer: gs.Scheduler(optimizer, lr=text), kind)


def close(got: Any, expected: Any, rtol: float = 1e-9) -> None:
    torch.testing.assert_close(got, expected, rtol=rtol, atol=1e-12)


# Learning rate finder.

SWEPT = {
    "our AdamW": plain(optim.AdamW),
    "given, cosine": given("cosine(100)"),
    "given, warmup": given("warmup(50)"),
    "Scheduler, cosine": scheduled("cosine(100)"),
    "Scheduler, warmup": scheduled("warmup(50)"),
    "Scheduler on ours": scheduled("warmup(50)", optim.AdamW),
    "OneCycleLR": stepped(lambda o: ours.OneCycleLR(o, 0.05, total_steps=100)),
    "SequentialLR": stepped(
        lambda o: ours.SequentialLR(o, [ours.ConstantLR(o, 0.1), ours.ConstantLR(o, 1)], [5])
    ),
}


@pytest.mark.parametrize("mode", ["exponential", "linear"])
@pytest.mark.parametrize("label", SWEPT)
def test_the_finder_sweeps_the_same_rates_as_with_torchs(
    label: str, mode: str, tmp_path: Path
) -> None:
    def sweep(configure: Any) -> tuple[list[float], list[float]]:
        model = Slopes(configure)
        options = {"min_lr": 1e-8, "max_lr": 1.0, "num_training": 20, "mode": mode}
        found = Tuner(trainer(tmp_path, 10)).lr_find(
            model, batches(40), early_stop_threshold=None, update_attr=False, **options
        )
        return found.results["lr"], model.rates[0].of(0)

    told, used = sweep(plain(torch.optim.AdamW))
    assert len(told) == 20
    got = sweep(SWEPT[label])
    close(got[0], told)
    close(got[1], used)


@pytest.mark.parametrize("label", ["given", "Scheduler", "Scheduler on ours"])
def test_a_fit_after_the_finder_is_a_fit_without_it(label: str, tmp_path: Path) -> None:
    text = "warmup(5)"
    ways = {"given": given(text), "Scheduler": scheduled(text)}
    model = Slopes(ways.get(label) or scheduled(text, optim.AdamW))
    run = trainer(tmp_path, limit_train_batches=8)
    Tuner(run).lr_find(
        model, batches(40), num_training=20, early_stop_threshold=None, update_attr=False
    )
    run.fit(model, batches(8))
    close(model.rates[0].of(0), [0.01 * min(t / 5, 1) for t in range(8)])


# Averaging of weights.

AVERAGED = {
    "our AdamW": plain(optim.AdamW),
    "given": given("hold(100)"),
    "Scheduler": scheduled("hold(100)"),
    "StepLR": stepped(lambda o: ours.StepLR(o, 1000)),
}


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("label", AVERAGED)
def test_stochastic_weight_averaging_uses_its_own_rates(
    label: str, strategy: str, tmp_path: Path
) -> None:
    def run(configure: Any) -> list[float]:
        callback = StochasticWeightAveraging(
            swa_lrs=0.001, swa_epoch_start=1, annealing_epochs=2, annealing_strategy=strategy
        )
        model = Slopes(configure)
        trainer(tmp_path, 5, callbacks=[callback]).fit(model, batches(BATCHES))
        return model.rates[0].of(0)

    control = run(plain(torch.optim.AdamW))
    assert min(control) == pytest.approx(0.001)
    close(run(AVERAGED[label]), control)


@pytest.mark.parametrize("configure", [scheduled("cosine(100)"), given("cosine(100)")])
def test_stochastic_weight_averaging_takes_over_from_a_schedule(
    configure: Any, tmp_path: Path
) -> None:
    callback = StochasticWeightAveraging(swa_lrs=0.001, swa_epoch_start=1, annealing_epochs=2)
    model = Slopes(configure)
    trainer(tmp_path, 5, callbacks=[callback]).fit(model, batches(BATCHES))
    close(model.rates[0].of(0)[12], 0.001)


def test_averages_of_weights_are_those_of_torchs_updates(tmp_path: Path) -> None:
    def run(kind: Any) -> Any:
        averaging = WeightAveraging(avg_fn=get_ema_avg_fn(0.9))
        model = Network(plain(kind))
        trainer(tmp_path, 3, callbacks=[averaging]).fit(model, batches(BATCHES))
        return model.weights()  # of the average, which Lightning moves into the model

    torch.testing.assert_close(run(optim.AdamW), run(torch.optim.AdamW), rtol=0, atol=2e-6)


def test_ema_decay_is_weight_averaging(tmp_path: Path) -> None:
    class Averaged(Network):
        def on_train_end(self) -> None:
            with self.optimizers().averaged():
                self.average = self.weights().clone()

    model = Averaged(
        lambda parameters: optim.AdamW(parameters, lr=0.01, weight_decay=0.0, ema_decay=0.9)
    )
    trainer(tmp_path, 3).fit(model, batches(BATCHES))
    average = Network(plain(torch.optim.AdamW)).weights()

    class Followed(torch.optim.AdamW):
        def step(self, closure: Any = None) -> Any:
            loss = super().step(closure)
            average.mul_(0.9).add_(control.weights(), alpha=0.1)
            return loss

    control = Network(plain(Followed))
    trainer(tmp_path, 3).fit(control, batches(BATCHES))
    torch.testing.assert_close(model.average, average, rtol=0, atol=2e-6)


# Early stopping, and the best checkpoint.

METRICS = [1.0, 0.8, 0.9, 0.7, 0.75, 0.72, 0.71, 0.6]


@pytest.mark.parametrize("kind", [torch.optim.AdamW, optim.AdamW], ids=["torch's", "ours"])
def test_early_stopping_and_a_plateau_on_one_metric(kind: Any, tmp_path: Path) -> None:
    def run(module: Any, kind: Any) -> tuple[int, list[float]]:
        def configure(parameters: Any) -> Any:
            made = kind(parameters, lr=0.01, weight_decay=0.0)
            plateau = module.ReduceLROnPlateau(made, factor=0.5, patience=0)
            return {"optimizer": made, "lr_scheduler": plateau, "monitor": "metric"}

        model = Slopes(configure, METRICS)
        stopping = EarlyStopping("metric", patience=3)
        run = trainer(tmp_path, len(METRICS), callbacks=[stopping])
        run.fit(model, batches(BATCHES))
        return stopping.stopped_epoch, model.rates[0].of(0)

    control = run(theirs, torch.optim.AdamW)
    assert control[0] == 6
    assert run(ours, kind) == control


def test_early_stopping_of_ours_stops_the_trainer(tmp_path: Path) -> None:
    class Stopped(Slopes):
        stopping = gs.training.EarlyStopping(patience=3)

        def on_train_epoch_end(self) -> None:
            metric = self.trainer.callback_metrics["metric"]
            self.trainer.should_stop = self.stopping.step(metric)

    model = Stopped(plain(optim.AdamW), METRICS)
    run = trainer(tmp_path, len(METRICS))
    run.fit(model, batches(BATCHES))
    assert run.current_epoch == 7
    assert model.stopping.best == pytest.approx(0.7)


# Groups that are added by a callback.


class Late(BaseFinetuning):
    """Unfreezes the backbone at epoch 2, with a tenth of the rate that the head has then."""

    def freeze_before_training(self, model: Any) -> None:
        self.freeze(model.backbone)

    def finetune_function(self, model: Any, epoch: int, optimizer: Any) -> None:
        if epoch == 2:
            self.unfreeze_and_add_param_group(model.backbone, optimizer, initial_denom_lr=10.0)


class Joined(Slopes):
    """The rates of both groups, while a group joins."""

    def fit(self, folder: Path, epochs: int = 5, **options: Any) -> tuple[list[float], list[float]]:
        trainer(folder, epochs, callbacks=[Late()], **options).fit(self, batches(BATCHES))
        return self.rates[0].of(0), self.rates[0].of(1)


FORMULAS = {
    "cosine(20)": lambda t: 0.5 * (1 + math.cos(math.pi * t / 20)),
    "warmup(4) >> cosine(16)": lambda t: (
        t / 4 if t < 4 else 0.5 * (1 + math.cos(math.pi * (t - 4) / 16))
    ),
}
WAYS = {
    "given": given,
    "Scheduler": scheduled,
    "Scheduler on ours": lambda text: scheduled(text, optim.AdamW),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("text", FORMULAS)
def test_a_late_group_follows_a_schedule_from_its_own_rate(
    text: str, way: str, tmp_path: Path
) -> None:
    head, backbone = Joined(WAYS[way](text)).fit(tmp_path)
    factors = [FORMULAS[text](t) for t in range(20)]
    close(head, [0.01 * factor for factor in factors])
    # The first update may still run at the rate that the callback gave.
    close(backbone[1:], [0.1 * head[8] * factor for factor in factors[9:]])


LATE = {
    "ConstantLR": lambda m, o: m.ConstantLR(o, 0.5, total_iters=12),
    "LinearLR": lambda m, o: m.LinearLR(o, 0.2, total_iters=16),
    "StepLR": lambda m, o: m.StepLR(o, 3, gamma=0.5),
    "MultiStepLR": lambda m, o: m.MultiStepLR(o, [5, 10, 15], gamma=0.5),
    "ExponentialLR": lambda m, o: m.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda m, o: m.PolynomialLR(o, total_iters=30),
    "CosineAnnealingLR": lambda m, o: m.CosineAnnealingLR(o, T_max=20),
    "WarmRestarts": lambda m, o: m.CosineAnnealingWarmRestarts(o, T_0=20),
    "LambdaLR": lambda m, o: m.LambdaLR(o, lambda t: 1 - t / 40),
    "MultiplicativeLR": lambda m, o: m.MultiplicativeLR(o, lambda t: 0.9),
    "OneCycleLR": lambda m, o: m.OneCycleLR(o, 0.05, total_steps=30, cycle_momentum=False),
    "CyclicLR": lambda m, o: m.CyclicLR(o, 0.001, 0.05, 4, cycle_momentum=False),
    "SequentialLR": lambda m, o: m.SequentialLR(
        o, [m.LinearLR(o, 0.1, total_iters=4), m.CosineAnnealingLR(o, 16)], [4]
    ),
    "ChainedScheduler": lambda m, o: m.ChainedScheduler(
        [m.LinearLR(o, 0.1, total_iters=4), m.ExponentialLR(o, 0.9)]
    ),
}

CONTINUE = {"StepLR", "MultiStepLR", "ExponentialLR", "PolynomialLR", "ChainedScheduler"}
"""Those under which a late group continues from its rate; under others it is the group's base."""
OWN_RATES = {"OneCycleLR", "CyclicLR"}
"""Those whose rates do not come from the groups' own."""


@pytest.mark.parametrize("kind", [torch.optim.AdamW, optim.AdamW], ids=["torch's", "ours"])
@pytest.mark.parametrize("name", LATE)
def test_a_late_group_joins_any_scheduler(name: str, kind: Any, tmp_path: Path) -> None:
    head, backbone = Joined(stepped(lambda o: LATE[name](ours, o), kind)).fit(tmp_path)
    control = Slopes(stepped(lambda o: LATE[name](theirs, o)))
    trainer(tmp_path, 5).fit(control, batches(BATCHES))
    expected = control.rates[0].of(0)
    close(head, expected)
    assert len(backbone) == len(head) - 8
    ratios = [late / first for late, first in zip(backbone[1:], head[9:], strict=True)]
    share = 1.0 if name in CONTINUE else head[8] / 0.01
    close(ratios, [ratios[0] if name in OWN_RATES else 0.1 * share] * len(ratios))


def test_a_late_group_joins_a_plateau(tmp_path: Path) -> None:
    def configure(parameters: Any) -> Any:
        made = optim.AdamW(parameters, lr=0.01, weight_decay=0.0)
        plateau = ours.ReduceLROnPlateau(made, factor=0.5, patience=0)
        return {"optimizer": made, "lr_scheduler": plateau, "monitor": "metric"}

    head, backbone = Joined(configure, [1.0, 2.0, 0.5, 1.0, 0.1]).fit(tmp_path)
    assert head[::BATCHES] == [0.01, 0.01, 0.005, 0.005, 0.0025]
    assert backbone[::BATCHES] == pytest.approx([0.0005, 0.0005, 0.00025])


def test_the_monitor_shows_named_groups_and_their_keys(tmp_path: Path) -> None:
    def configure(parameters: Any) -> Any:
        head, backbone = parameters
        groups = [
            {"params": [head], "name": "head"},
            {"params": [backbone], "lr": 0.1, "name": "body"},
        ]
        made = optim.AdamW(groups, lr=0.01, weight_decay=0.5)
        scheduler = gs.Scheduler(
            made, lr={"head": "linear(8)"}, weight_decay="linear(8)", **{"betas[0]": "linear(8)"}
        )
        return [made], [{"scheduler": scheduler, "interval": "step", "name": "rate"}]

    logger = CSVLogger(tmp_path)
    monitor = LearningRateMonitor("step", log_momentum=True, log_weight_decay=True)
    options = {"logger": logger, "callbacks": [monitor], "log_every_n_steps": 1}
    model = Slopes(configure)
    trainer(tmp_path, 2, **options).fit(model, batches(BATCHES))
    expected = {
        "rate/head": [0.01 * (1 - t / 8) for t in range(8)],
        "rate/body": [0.1] * 8,
        "rate/head-weight_decay": [0.5 * (1 - t / 8) for t in range(8)],
        "rate/head-momentum": [0.9 * (1 - t / 8) for t in range(8)],
    }
    shown = logged(logger)
    for name, values in expected.items():
        close(shown[name], values, 1e-6)


def test_the_best_checkpoint_holds_our_states(tmp_path: Path) -> None:
    best = ModelCheckpoint(dirpath=tmp_path, monitor="metric", filename="best")
    model = Slopes(scheduled("cosine(32)", optim.AdamW), METRICS)
    run = trainer(tmp_path, len(METRICS), callbacks=[best], enable_checkpointing=True)
    run.fit(model, batches(BATCHES))
    saved = torch.load(best.best_model_path, weights_only=True)
    assert saved["epoch"] == 7
    optimizer, scheduler = saved["optimizer_states"][0], saved["lr_schedulers"][0]
    other = optim.AdamW(
        [torch.nn.Parameter(torch.zeros(1, dtype=torch.float64)) for _ in "12"], weight_decay=0.0
    )
    other.load_state_dict(copy.deepcopy(optimizer))
    assert scheduler["last_epoch"] == 32
