"""Learning-rate range test: raise the rate until the loss diverges, then restore everything."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import Any, SupportsFloat

from torch import nn

from glideslope.distributed import Agree, agreed, check_agree
from glideslope.errors import InvalidValue, require, require_type
from glideslope.groups import KeyValues, Port, group_names, key_values
from glideslope.schedules import Schedule, range_test

from ._loader import ResumableLoader
from ._range_test_result import Average, RangeTestResult
from ._rewind import Rewind
from ._scalar import number

TrainStep = Callable[[Any, Any], SupportsFloat]
Rates = float | Sequence[float]


def lr_range_test(
    model: nn.Module,
    optimizer: Any,
    start_lr: Rates | None = 1e-7,
    end_lr: Rates = 10.0,
    num_it: int = 100,
    *,
    train_step: TrainStep,
    batches: Iterable[Any],
    mode: str = "geometric",
    smoothing: float = 0.98,
    divergence: float = 4.0,
    also_restore: Iterable[Any] = (),
    agree: Agree = "mean",
) -> RangeTestResult:
    """Train at rising learning rates until the loss diverges, then restore everything.

    The first update runs at ``start_lr``, the last at ``end_lr``. See `LRFinder` for what is
    restored.

    Args:
        model: the model.
        optimizer: the optimizer; of its own learning rates, only the ratios of groups are used.
        start_lr: the first rate; None for the optimizer's own. With several groups it is that of
            the group with the highest rate, and the others keep their ratio to it; or a list with
            one for each group.
        end_lr: the last rate, or a list with one for each group.
        num_it: how many updates to make.
        train_step: called as ``train_step(model, batch)``: makes one update, ``optimizer.step()``
            included, and returns its loss.
        batches: a data loader or a list of batches, repeated as needed; or an iterator.
        mode: ``"geometric"``, equal ratios from rate to rate, or ``"linear"``, equal differences.
        smoothing: β of the average of the losses, in [0, 1).
        divergence: stop when that average is this many times the best one.
        also_restore: other objects that ``train_step`` changes, such as schedulers.
        agree: on several ranks, the loss that all use: ``"mean"`` of theirs, that of
            ``"rank0"``, or each its own (None). The test ends on all of them at once.

    Returns:
        The rates, the losses, and suggestions; ``lrs, losses = lr_range_test(...)`` works too.

    Raises:
        InvalidValue: a number out of range, no batches, a ``train_step`` that makes no updates.

    Example:
        >>> import torch, glideslope as gs
        >>> _ = torch.manual_seed(0)
        >>> model = torch.nn.Linear(4, 1)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> def train_step(model, batch):
        ...     optimizer.zero_grad()
        ...     loss = (model(batch) - batch.sum(1, keepdim=True)).square().mean()
        ...     loss.backward()
        ...     optimizer.step()
        ...     return loss
        >>> batches = [torch.randn(8, 4) for _ in range(10)]
        >>> result = gs.training.lr_range_test(
        ...     model, optimizer, train_step=train_step, batches=batches, smoothing=0.5
        ... )
        >>> result.reason.partition(":")[0]
        'diverged at a learning rate of 1.29'
        >>> 0.01 < result.suggest() < 1
        True
        >>> optimizer.param_groups[0]["lr"]
        0.1

    Source: Smith, arXiv:1506.01186.
    """
    finder = LRFinder(
        model,
        optimizer,
        train_step,
        smoothing=smoothing,
        divergence=divergence,
        also_restore=also_restore,
        agree=agree,
    )
    highest = max(finder.rates()) if start_lr is None else start_lr
    pairs = zip(*_paired(highest, end_lr), strict=True)
    return finder.run(batches, *(range_test(num_it, low, high, mode) for low, high in pairs))


class LRFinder:
    """Runs range tests on a model with the caller's own training step.

    `run` restores, exactly and even if ``train_step`` fails or Ctrl-C is pressed: the model with
    its buffers, modes and gradients, the optimizer with its state and groups, all that is in
    ``also_restore``, the random states of Python, NumPy and torch, and the position of the batches
    where they have one: a `ResumableLoader`, or the generators of a `DataLoader`. Batches taken
    from an iterator are not restored. During the test, memory holds a copy of the model and of the
    optimizer's state.

    Args:
        model: the model.
        optimizer: anything with ``param_groups``, or with a plain attribute ``lr``.
        train_step: called as ``train_step(model, batch)``: makes one update, ``optimizer.step()``
            included, and returns its loss.
        smoothing: β of the average of the losses, in [0, 1).
        divergence: stop when that average is this many times the best one. (Of a negative one:
            when it is worse by as much.)
        also_restore: other objects that ``train_step`` changes, such as schedulers.
        agree: on several ranks, the loss that all use: ``"mean"`` of theirs, that of
            ``"rank0"``, or each its own (None). The test ends on all of them at once.

    Raises:
        InvalidType: ``model`` is not a module, or ``optimizer`` has no learning rate.
        InvalidValue: a number out of range.

    Example:
        >>> import torch, glideslope as gs
        >>> weight = torch.nn.Linear(1, 1, bias=False)
        >>> optimizer = torch.optim.SGD(weight.parameters(), lr=0.1)
        >>> def train_step(model, batch):
        ...     optimizer.zero_grad()
        ...     loss = model(batch).square().sum()
        ...     loss.backward()
        ...     optimizer.step()
        ...     return loss
        >>> finder = gs.training.LRFinder(weight, optimizer, train_step)
        >>> result = finder.run([torch.ones(1, 1)], gs.linear(50, start=0.0, end=0.5))
        >>> result.reason, len(result.losses), f"{result.lrs[-1]:.2f}"
        ('the sweep is over', 50, '0.49')

    Source: Smith, arXiv:1506.01186; smoothing and divergence as in fastai's ``LRFinder``.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Any,
        train_step: TrainStep,
        *,
        smoothing: float = 0.98,
        divergence: float = 4.0,
        also_restore: Iterable[Any] = (),
        agree: Agree = "mean",
    ) -> None:
        require_type(isinstance(model, nn.Module), "model", "be a torch.nn.Module", model)
        require_type(callable(train_step), "train_step", "be a function", train_step)
        require(0 <= smoothing < 1, "smoothing", "be at least 0 and less than 1", smoothing)
        require(divergence > 1, "divergence", "be more than 1", divergence)
        self.model, self.optimizer, self.train_step = model, optimizer, train_step
        self.smoothing, self.divergence = smoothing, divergence
        self.also_restore = list(also_restore)
        check_agree(agree)
        self.agree = agree
        self._port = Port(optimizer)

    def __repr__(self) -> str:
        things = ", ".join(type(thing).__name__ for thing in (self.model, self.optimizer))
        settings = f"smoothing={self.smoothing:g}, divergence={self.divergence:g}"
        return f"LRFinder({things}, {settings})"

    def rates(self) -> list[float]:
        """The present learning rates of the groups."""
        groups = self._port.groups()
        return key_values("lr").numbers(groups)

    def run(self, batches: Iterable[Any], *sweeps: Schedule) -> RangeTestResult:
        """Run one test.

        Args:
            batches: a data loader or a list of batches, repeated as needed; or an iterator.
            sweeps: a schedule of the learning rate itself: unless given, `range_test` from 1e-7
                to 10 in 100 updates. With several groups it is that of the group with the highest
                rate, and the others keep their ratio to it; or one for each group.

        Raises:
            InvalidValue: an endless sweep, another number of sweeps than of groups, no batches, or
                a ``train_step`` that makes no updates or sets the rates itself.
        """
        curves = self._curves(sweeps or (range_test(100),))
        has_state = hasattr(batches, "state_dict") and hasattr(batches, "load_state_dict")
        is_kept = has_state or isinstance(batches, Iterator)
        loader: Any = batches if is_kept else ResumableLoader(batches)
        loaders = [loader] if hasattr(loader, "state_dict") else []
        kept = Rewind([self.model, self.optimizer, *self.also_restore, *loaders])
        try:
            with closing(_endless(loader)) as stream:
                losses, reason = self._sweep(stream, curves)
        finally:
            kept.restore()
        names = group_names(self._port.groups())
        return RangeTestResult(tuple(names), curves, tuple(losses), self.smoothing, reason)

    def _curves(self, sweeps: Sequence[Schedule]) -> tuple[Schedule, ...]:
        """The sweep of each group."""
        rates = self.rates()
        for sweep in sweeps:
            require_type(isinstance(sweep, Schedule), "sweeps", "be schedules", sweep)
            require(math.isfinite(sweep.steps), "sweeps", "have an end", sweep)
        if len(sweeps) > 1:
            rule = f"be 1, or as many as the groups, {len(rates)}"
            require(len(sweeps) == len(rates), "len(sweeps)", rule, len(sweeps))
            return tuple(sweeps)
        highest = max(rates)
        ratios = [rate / highest if highest else 1.0 for rate in rates]
        return tuple(sweeps[0] if ratio == 1 else sweeps[0] * ratio for ratio in ratios)

    def _agreed(self, name: str, value: Any) -> float:
        """The number that every rank uses."""
        return agreed(name, partial(number, name, value), self.agree)

    def _sweep(self, batches: Iterator[Any], curves: Sequence[Schedule]) -> tuple[list[float], str]:
        """The losses of the sweep, and the reason for its end."""
        losses: list[float] = []
        average, best = Average(self.smoothing), math.inf
        with _Rates(self._port) as rates:
            for t in range(math.ceil(max(curve.steps for curve in curves))):
                lr = rates.write([float(curve(t)) for curve in curves])
                batch = next(batches, batches)
                if self._agreed("batches", float(batch is not batches)) < 1:
                    require(t > 0, "len(batches)", "be at least 1", 0)
                    return losses, "the batches are used up"
                loss = self._agreed("train_step(model, batch)", self.train_step(self.model, batch))
                if not math.isfinite(loss):
                    return losses, f"the loss was {loss} at a learning rate of {lr:.3g}"
                losses.append(loss)
                smooth = average(loss)
                best = min(best, smooth)
                if smooth > best + (self.divergence - 1) * abs(best):
                    worse = f"the loss averaged {smooth:.4g}, after {best:.4g} at best"
                    return losses, f"diverged at a learning rate of {lr:.3g}: {worse}"
            rates.check_steps()
        return losses, "the sweep is over"


class _Rates:
    """Writes the learning rates, and checks that the optimizer steps at them."""

    def __init__(self, port: Port) -> None:
        optimizer = port.optimizer
        self._groups = port.groups
        self._values: KeyValues = key_values("lr")
        self._written: list[float] = []
        self._steps = 0
        self._hook = None
        if hasattr(optimizer, "register_step_pre_hook"):
            self._hook = optimizer.register_step_pre_hook(self._watch)

    def __enter__(self) -> _Rates:
        return self

    def __exit__(self, *_: object) -> None:
        if self._hook is not None:
            self._hook.remove()

    def write(self, rates: list[float]) -> float:
        """Set the rate of each group, and return the highest."""
        groups = self._groups()
        self._values.fill(groups, rates)
        self._written = self._values.numbers(groups)
        return max(rates)

    def check_steps(self) -> None:
        """Refuse a test without updates."""
        if self._hook is not None and not self._steps:
            raise InvalidValue("`train_step` must call optimizer.step(): it never did")

    def _watch(self, *_: object) -> None:
        self._steps += 1
        used = self._values.numbers(self._groups())
        if used != self._written:
            raise InvalidValue(
                f"the optimizer steps at learning rates of {used}, not {self._written}: "
                "something in `train_step` sets them"
            )


def _endless(loader: Iterable[Any]) -> Generator[Any, None, None]:
    """Batches, epoch after epoch, until an epoch is empty."""
    found = True
    while found:
        found = False
        for batch in loader:
            found = True
            yield batch


def _paired(low: Rates, high: Rates) -> tuple[Sequence[float], Sequence[float]]:
    """The ends of each group's range; one number is for all groups."""
    if isinstance(low, Sequence) and isinstance(high, Sequence):
        rule = f"be as many as the start_lr, {len(low)}"
        require(len(low) == len(high), "end_lr", rule, high)
        return low, high
    if isinstance(low, Sequence):
        return low, [high] * len(low)  # type: ignore[list-item]
    if isinstance(high, Sequence):
        return [low] * len(high), high
    return [low], [high]
