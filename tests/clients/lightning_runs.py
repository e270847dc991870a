"""Runs of Lightning's trainer that are small enough to be compared number by number."""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

for name in ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero"):
    logging.getLogger(name).setLevel(logging.ERROR)

Configure = Callable[[Iterable[nn.Parameter]], Any]
"""``configure_optimizers`` of a model, as a function of its parameters."""


class Rates:
    """The values that an optimizer's groups show before each update, and the distance it moves by.

    The distance is the learning rate itself where an update is ``lr · 1``.
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.shown: list[list[dict[str, Any]]] = []
        self.moved: list[list[float]] = []
        optimizer.register_step_pre_hook(self._before)
        optimizer.register_step_post_hook(self._after)

    def _before(self, optimizer: Any, *_: Any) -> None:
        self.shown.append([dict(group) for group in optimizer.param_groups])
        self._start = _firsts(optimizer)

    def _after(self, optimizer: Any, *_: Any) -> None:
        pairs = zip(self._start, _firsts(optimizer), strict=True)
        self.moved.append([before - after for before, after in pairs])

    def values(self, key: str, group: int = 0) -> list[Any]:
        """The values of a key of a group, for each update since the group is there."""
        return [groups[group][key] for groups in self.shown if len(groups) > group]

    def of(self, group: int) -> list[float]:
        """The rates of a group, which must be the distances that it was moved by."""
        shown = [float(lr) for lr in self.values("lr", group)]
        moved = [distances[group] for distances in self.moved if len(distances) > group]
        torch.testing.assert_close(moved, shown, rtol=1e-7, atol=1e-12)  # Adam's eps is 1e-8
        return shown


def _firsts(optimizer: Any) -> list[float]:
    return [float(group["params"][0].detach().flatten()[0]) for group in optimizer.param_groups]


class Slope(nn.Module):
    """One weight, whose gradient is 1: Adam without weight decay, and SGD, move it by the rate."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self) -> Tensor:
        return self.weight.sum()


class Module(lightning.LightningModule):
    """Makes its optimizer by a function, and keeps the rates of each."""

    def __init__(self, configure: Configure) -> None:
        super().__init__()
        self._configure = configure
        self.rates: list[Rates] = []

    def configure_optimizers(self) -> Any:
        made = self._configure([p for p in self.parameters() if p.requires_grad])
        self.rates = [Rates(optimizer) for optimizer in optimizers_in(made)]
        return made


def optimizers_in(made: Any) -> list[torch.optim.Optimizer]:
    """The optimizers in a result of ``configure_optimizers``."""
    if isinstance(made, dict):
        return [made["optimizer"]]
    if isinstance(made, tuple):
        return list(made[0])
    return made if isinstance(made, list) else [made]


class Slopes(Module):
    """Two `Slope`, whose loss may be given for each epoch to what is monitored."""

    def __init__(self, configure: Configure, monitored: Iterable[float] = ()) -> None:
        super().__init__(configure)
        self.backbone, self.head, self.lr = Slope(), Slope(), 0.01
        self.monitored = list(monitored)

    def training_step(self, batch: Any, index: int) -> Tensor:
        if self.monitored:
            self.log("metric", self.monitored[self.current_epoch])
        frozen = not self.backbone.weight.requires_grad
        return self.head() + (0.0 if frozen else self.backbone()) + 1.0


class Network(Module):
    """A small network, seeded, whose weights tell whether two runs are the same."""

    def __init__(self, configure: Configure, dropout: float = 0.0) -> None:
        torch.manual_seed(0)
        super().__init__(configure)
        self.layers = nn.Sequential(
            nn.Linear(4, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 6), nn.Linear(6, 1)
        )

    def training_step(self, batch: Any, index: int) -> Tensor:
        loss = nn.functional.mse_loss(self.layers(batch[0]), batch[1])
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    validation_step = training_step

    def weights(self) -> Tensor:
        return torch.cat([parameter.detach().flatten() for parameter in self.parameters()])


def batches(count: int, shuffle: bool = False) -> DataLoader[Any]:
    """Batches of two samples, for `Network` (`Slopes` takes no notice of them)."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2 * count, 4, generator=generator)
    data = TensorDataset(x, x.sin().sum(1, keepdim=True))
    return DataLoader(data, batch_size=2, shuffle=shuffle, generator=generator)


def trainer(folder: Path, epochs: int = 1, devices: int = 1, **options: Any) -> lightning.Trainer:
    """A quiet trainer on the CPU, without checkpoints unless they are asked for."""
    quiet = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    options = dict.fromkeys(quiet, False) | options
    return lightning.Trainer(
        max_epochs=epochs, accelerator="cpu", devices=devices, default_root_dir=folder, **options
    )


def logged(logger: CSVLogger) -> dict[str, list[float]]:
    """The columns that a learning rate monitor logged."""
    logger.save()
    with open(f"{logger.log_dir}/metrics.csv") as file:
        rows = list(csv.DictReader(file))
    columns = [name for name in rows[0] if name.startswith(("lr-", "rate"))]
    return {name: [float(row[name]) for row in rows if row[name]] for name in columns}
