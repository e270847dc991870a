"""Records of an optimizer's hyperparameters during training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from glideslope.errors import require_type
from glideslope.groups import Port, group_names

from ._scalar import scalar
from ._writers import Writer

KEYS = ("lr", "momentum", "betas", "weight_decay")


class LRMonitor:
    """Records the learning rate, the momentum or betas, and the weight decay of every group.

    The names are ``lr``, ``momentum``, ``betas[0]``, ``betas[1]`` and ``weight_decay``; where the
    optimizer has several groups, ``lr/NAME``, with the ``"name"`` of the group or its number. An
    update that ``skip_nonfinite`` skipped is marked by ``"skipped": True``.

    Args:
        optimizer: anything with ``param_groups``, or with a plain attribute ``lr``.
        writers: where records go: a `History`, a `CSVWriter`, a `TensorBoardWriter`, or anything
            with ``append``.

    Raises:
        InvalidType: ``optimizer`` has no learning rate, or a writer no ``append``.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import torch, glideslope as gs
        >>> weight = torch.nn.Parameter(torch.zeros(1))
        >>> optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
        >>> scheduler = gs.optim.lr_scheduler.Scheduler(optimizer, lr="step(2, gamma=0.5)")
        >>> with TemporaryDirectory() as folder:
        ...     history = gs.training.History(folder + "/history.jsonl")
        ...     monitor = gs.training.LRMonitor(optimizer, history)
        ...     for step in range(3):
        ...         optimizer.step()
        ...         monitor.record(step, loss=1.0)      # before scheduler.step()
        ...         scheduler.step()
        ...     list(history)[2]
        {'step': 2, 'lr': 0.05, 'momentum': 0.9, 'weight_decay': 0, 'loss': 1.0}
    """

    def __init__(self, optimizer: Any, *writers: Writer) -> None:
        for writer in writers:
            require_type(hasattr(writer, "append"), "writer", "have `append`", writer)
        self.writers = writers
        self._port = Port(optimizer)
        self._optimizer = optimizer
        self._skipped_steps = _skipped_steps(self._port.optimizer)

    def values(self) -> dict[str, float]:
        """The present hyperparameters, by the names above."""
        groups = self._port.groups()
        names = group_names(groups)
        ends = [f"/{name}" for name in names] if len(names) > 1 else [""]
        pairs = zip(groups, ends, strict=True)
        return {name + end: value for group, end in pairs for name, value in _numbers(group)}

    def record(self, step: int, **metrics: Any) -> None:
        """Write a record: the step, the hyperparameters and the metrics.

        Call it after ``optimizer.step()`` and before ``scheduler.step()``: then the record holds
        the hyperparameters of the update.

        Args:
            step: the number of the update.
            metrics: numbers by name, such as ``loss=loss``.
        """
        skipped = {"skipped": True} if self._has_skipped() else {}
        record = {"step": step, **self.values(), **skipped, **metrics}
        for writer in self.writers:
            writer.append(record)

    def __repr__(self) -> str:
        into = " and ".join(type(writer).__name__ for writer in self.writers) or "nothing"
        return f"LRMonitor({type(self._optimizer).__name__}, into {into})"

    def _has_skipped(self) -> bool:
        """True if the optimizer has skipped an update since the last call."""
        before, self._skipped_steps = self._skipped_steps, _skipped_steps(self._port.optimizer)
        return self._skipped_steps > before


def _skipped_steps(optimizer: Any) -> int:
    """The number of skipped updates so far; 0 where the optimizer does not count them."""
    return getattr(optimizer, "skipped_steps", 0)


def _numbers(group: Any) -> Iterator[tuple[str, Any]]:
    for key in KEYS:
        if key not in group:
            continue
        value = group[key]
        if isinstance(value, tuple | list):
            yield from ((f"{key}[{i}]", scalar(element)) for i, element in enumerate(value))
        else:
            yield key, scalar(value)
