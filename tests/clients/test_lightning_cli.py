"""LightningCLI builds our optimizers and schedulers from a YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from lightning.pytorch.cli import LightningCLI, OptimizerCallable

import glideslope as gs
from glideslope import optim
from glideslope.optim import lr_scheduler as ours

from .lightning_runs import Rates, Slopes, batches

EPOCHS, BATCHES = 3, 4
STEPS = EPOCHS * BATCHES


class CommandLineModel(Slopes):
    """A model whose optimizer the command line makes; it steps the scheduler at each update."""

    def __init__(self) -> None:
        super().__init__(lambda _: None)

    def train_dataloader(self) -> Any:
        return batches(BATCHES)

    def on_train_start(self) -> None:
        self.rates = [Rates(optimizer) for optimizer in self.trainer.optimizers]


class SteppedCLI(LightningCLI):
    """Schedulers are stepped at each update, as the Lightning documentation shows."""

    @staticmethod
    def configure_optimizers(module: Any, optimizer: Any, lr_scheduler: Any = None) -> Any:
        if lr_scheduler is None:
            return optimizer
        return [optimizer], [{"scheduler": lr_scheduler, "interval": "step"}]


TRAINER = {
    "max_epochs": EPOCHS,
    "accelerator": "cpu",
    "devices": 1,
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


def run(folder: Path, config: dict[str, Any], model: Any = CommandLineModel) -> Any:
    """``fit --config FILE``, with the file that the config is written to."""
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump({"trainer": TRAINER, **config}))
    cli = SteppedCLI(
        model,
        args=["fit", "--config", str(file)],
        trainer_defaults={"default_root_dir": folder / "run"},
    )
    assert isinstance(cli.model, Slopes)
    return cli


OPTIMIZERS = {
    "AdamW": {"lr": 0.02, "weight_decay": 0.0},
    "Lion": {"lr": 0.02, "weight_decay": 0.0, "betas": [0.8, 0.9]},
    "SGD": {"lr": 0.02, "momentum": 0.0, "max_grad_norm": 10.0},
    "SOAP": {"lr": 0.02},
    "Prodigy": {"lr": 0.5},
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_by_its_class_path(name: str, tmp_path: Path) -> None:
    given = OPTIMIZERS[name]
    chosen = {"class_path": f"glideslope.optim.{name}", "init_args": given}
    (optimizer,) = run(tmp_path, {"optimizer": chosen}).trainer.optimizers
    assert type(optimizer) is getattr(optim, name)
    assert optimizer.param_groups[0]["lr"] == given["lr"]


SCHEDULERS: dict[str, Any] = {
    "CosineAnnealingLR": {"T_max": STEPS},
    "StepLR": {"step_size": 3, "gamma": 0.5},
    "OneCycleLR": {"max_lr": 0.05, "total_steps": STEPS + 1, "cycle_momentum": False},
    "Scheduler": {"lr": "warmup(4) >> cosine(8)", "weight_decay": "linear(12)"},
}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_scheduler_by_its_class_path(name: str, tmp_path: Path) -> None:
    config = {
        "optimizer": {
            "class_path": "glideslope.optim.AdamW",
            "init_args": {"lr": 0.02, "weight_decay": 0.1, "eps": 1e-30},
        },
        "lr_scheduler": {
            "class_path": f"glideslope.optim.lr_scheduler.{name}",
            "init_args": SCHEDULERS[name],
        },
    }
    shown = run(tmp_path, config).model.rates[0]
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=0.02, weight_decay=0.1)
    scheduler = getattr(ours, name)(optimizer, **SCHEDULERS[name])
    expected = []
    for _ in range(STEPS):
        group = optimizer.param_groups[0]
        expected.append((group["lr"], group["weight_decay"]))
        optimizer.step()
        scheduler.step()
    assert list(zip(shown.values("lr"), shown.values("weight_decay"), strict=True)) == expected


class Scheduled(CommandLineModel):
    """Takes the text of a schedule, which an optimizer of its own follows."""

    def __init__(self, schedule: str = "hold(10)", lr: float = 0.01) -> None:
        super().__init__()
        self.schedule = lr * gs.parse(schedule)

    def configure_optimizers(self) -> Any:
        return optim.AdamW(self.parameters(), lr=self.schedule, weight_decay=0.0)


def test_a_model_takes_the_text_of_a_schedule(tmp_path: Path) -> None:
    config = {"model": {"schedule": "warmup(4) >> cosine(8)", "lr": 0.02}}
    model = run(tmp_path, config, Scheduled).model
    schedule = 0.02 * gs.parse("warmup(4) >> cosine(8)")
    assert model.rates[0].of(0) == [schedule(t) for t in range(STEPS)]


class Injected(CommandLineModel):
    """Takes its optimizer as a callable that the command line fills in."""

    def __init__(self, optimizer: OptimizerCallable = optim.AdamW) -> None:
        super().__init__()
        self.make = optimizer

    def configure_optimizers(self) -> Any:
        return self.make(self.parameters())


def test_a_model_takes_an_optimizer_as_a_callable(tmp_path: Path) -> None:
    chosen = {"class_path": "glideslope.optim.Lion", "init_args": {"lr": 0.03}}
    (optimizer,) = run(tmp_path, {"model": {"optimizer": chosen}}, Injected).trainer.optimizers
    assert type(optimizer) is optim.Lion
    assert optimizer.param_groups[0]["lr"] == 0.03


def test_a_schedule_as_the_rate_of_an_optimizer(tmp_path: Path) -> None:
    chosen = {
        "class_path": "glideslope.optim.AdamW",
        "init_args": {
            "lr": {
                "class_path": "glideslope.Cosine",
                "init_args": {"steps": STEPS, "start": 0.02, "end": 0.0},
            },
            "weight_decay": 0.0,
        },
    }
    model = run(tmp_path, {"optimizer": chosen}).model
    schedule = gs.cosine(STEPS, start=0.02)
    assert model.rates[0].of(0) == [schedule(t) for t in range(STEPS)]
