"""Four small problems for every optimizer, from the easiest to the most realistic.

softmax      softmax regression with a penalty on all of scikit-learn's digits at once, in float64;
             reached when within 1e-6 of the minimum
mlp          the next character of Python's own reference from the 16 before it
conv         the digit of an MNIST-1D signal, by three convolutions
transformer  the next character from the 32 before it, by two layers of attention

The targets of the last three are held-out losses, in nats, that a well-tuned AdamW reaches before
its last step. One more, patches, is the held-out problem of the trial, on which nothing is tuned:
the digit of an MNIST-1D signal by attention between ten pieces of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glideslope.demo import CharTransformer, Corpus, python_reference

SOFTMAX_MINIMUM = 0.2373931785063
"""Of the softmax problem, as L-BFGS finds it."""


@dataclass(frozen=True)
class Task:
    """One run of a workload.

    Args:
        model: what is trained.
        batch_loss: the loss of the next batch.
        held_out_loss: what must come down to the workload's target.
    """

    model: nn.Module
    batch_loss: Callable[[], Tensor]
    held_out_loss: Callable[[], float]


@dataclass(frozen=True)
class Workload:
    """A problem with a target.

    Args:
        make: a task for a seed.
        steps: how many updates a run may make.
        target: the loss to reach.
        every: how many steps lie between two looks at the loss.
        is_stochastic: batches are random, so the learning rate must decay.
    """

    make: Callable[[int], Task]
    steps: int
    target: float
    every: int
    is_stochastic: bool = True


class Softmax(nn.Module):
    """Linear scores of the classes; the bias is the weight of a column of ones."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(65, 10, dtype=torch.float64))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        penalty = 0.5e-3 * self.weight.square().sum()
        return F.cross_entropy(x @ self.weight, y) + penalty


class CharMLP(nn.Sequential):
    """Scores of the character that follows 16."""

    def __init__(self, symbols: int) -> None:
        super().__init__(
            nn.Embedding(symbols, 16),
            nn.Flatten(),
            nn.Linear(16 * 16, 128),
            nn.GELU(),
            nn.Linear(128, symbols),
        )


class SignalConv(nn.Sequential):
    """The convolutional network of the MNIST-1D paper."""

    def __init__(self, channels: int = 25) -> None:
        super().__init__(
            nn.Conv1d(1, channels, 5, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv1d(channels, channels, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv1d(channels, channels, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(5 * channels, 10),
        )


class PatchTransformer(nn.Module):
    """Scores of the digits, by attention between ten pieces of a signal."""

    def __init__(self, width: int = 32, layers: int = 2) -> None:
        super().__init__()
        self.piece = nn.Linear(4, width)
        self.position = nn.Parameter(0.02 * torch.randn(10, width))
        block = nn.TransformerEncoderLayer(
            width, 4, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(block, layers, nn.LayerNorm(width), False)
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        """From signals (batch, 1, 40) to scores (batch, 10)."""
        pieces = self.piece(x.view(-1, 10, 4)) + self.position
        scores: Tensor = self.head(self.blocks(pieces).mean(1))
        return scores


def softmax(_seed: int) -> Task:
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = torch.from_numpy(digits.data[:1437] / 16)
    x = torch.cat([pixels, torch.ones(1437, 1, dtype=torch.float64)], 1)
    y = torch.from_numpy(digits.target[:1437])
    model = Softmax()
    return Task(model, lambda: model(x, y), lambda: model(x, y).item() - SOFTMAX_MINIMUM)


def mlp(seed: int) -> Task:
    torch.manual_seed(seed)
    corpus = _corpus()
    model = CharMLP(len(corpus.vocabulary))
    order = torch.Generator().manual_seed(seed)

    def loss(text: Tensor, starts: Tensor) -> Tensor:
        windows = text[starts[:, None] + torch.arange(17)]
        return F.cross_entropy(model(windows[:, :-1]), windows[:, -1])

    def batch_loss() -> Tensor:
        return loss(corpus.train, torch.randint(len(corpus.train) - 16, (128,), generator=order))

    held_out = torch.arange(0, len(corpus.held_out) - 16, 3)
    return Task(model, batch_loss, lambda: loss(corpus.held_out, held_out).item())


def conv(seed: int) -> Task:
    return _signal_task(SignalConv, seed)


def patches(seed: int) -> Task:
    return _signal_task(PatchTransformer, seed)


def _signal_task(make: Callable[[], nn.Module], seed: int) -> Task:
    x, y, held_out_x, held_out_y = _signals()  # draws random numbers of its own
    torch.manual_seed(seed)
    model = make()
    order = torch.Generator().manual_seed(seed)

    def batch_loss() -> Tensor:
        chosen = torch.randint(len(y), (100,), generator=order)
        return F.cross_entropy(model(x[chosen]), y[chosen])

    return Task(model, batch_loss, lambda: F.cross_entropy(model(held_out_x), held_out_y).item())


def transformer(seed: int) -> Task:
    torch.manual_seed(seed)
    corpus = _corpus()
    model = CharTransformer(len(corpus.vocabulary), context=32, width=64)
    order = torch.Generator().manual_seed(seed)
    held_out = [windows[::3] for windows in corpus.held_out_windows(model.context)]
    return Task(
        model,
        lambda: model.loss(*corpus.batch(32, model.context, order)),
        lambda: model.loss(*held_out).item(),
    )


@cache
def _corpus() -> Corpus:
    return Corpus.of(python_reference())


@cache
def _signals() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Signals and digits to learn from, and those held out."""
    from mnist1d.data import get_dataset_args, make_dataset

    arguments = get_dataset_args()
    arguments.num_samples = 10_000
    data = make_dataset(arguments)
    x, held_out_x = (torch.from_numpy(data[name]).float()[:, None] for name in ("x", "x_test"))
    y, held_out_y = (torch.from_numpy(data[name]) for name in ("y", "y_test"))
    return x, y, held_out_x, held_out_y


WORKLOADS = {
    "softmax": Workload(softmax, 1000, 1e-6, 5, is_stochastic=False),
    "mlp": Workload(mlp, 400, 2.2, 20),
    "conv": Workload(conv, 400, 0.5, 20),
    "transformer": Workload(transformer, 300, 2.0, 15),
}


@torch.no_grad()
def held_out_loss(task: Task, optimizer: torch.optim.Optimizer) -> float:
    """At the average of the path, where the optimizer keeps one apart."""
    getattr(optimizer, "eval", bool)()
    loss = task.held_out_loss()
    getattr(optimizer, "train", bool)()
    return loss
