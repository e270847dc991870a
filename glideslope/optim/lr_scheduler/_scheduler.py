"""The scheduler that puts schedules to work: on any key, of any group, of any optimizer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from glideslope.errors import StateMismatch, require, require_type

from ._base import LRScheduler
from ._line import Absolute, Groups, Line, Spec
from ._order import watch_order
from ._saved_line import FORMAT, SavedLine, checked, compare, resumed_bases, save

POLICIES = ("error", "keep", "adopt")
HELP = 'Scheduler(..., on_mismatch="keep") goes on as the code says, "adopt" as the checkpoint does'


class Scheduler(LRScheduler):
    r"""Drives the keys of an optimizer's parameter groups by schedules.

    ``group[key] = base · s(t)`` where the base is the group's own value when the scheduler was
    built, and t counts optimizer updates from 0: building writes ``s(0)``, so update number t runs
    at ``s(t)``. Other schedulers on the same optimizer multiply; a value that somebody sets by hand
    between two steps is respected and scheduled from there; a group added later joins at the
    current step with its own value for its base.

    A schedule may be given as text, a number stands for a constant factor, `Absolute` sets values
    themselves. A list has a schedule for each group, a mapping one for each group's index or
    ``"name"``; None and groups not named are left alone. A tuple, or the key ``"betas[0]"``,
    reaches the elements of a tuple.

    Args:
        optimizer: anything with ``param_groups`` (dictionaries that hold the keys), or with a plain
            attribute such as ``lr``.
        lr: the schedule of the learning rate.
        on_mismatch: what `load_state_dict` does when the checkpoint was made under other schedules
            or other bases: ``"error"`` refuses, ``"keep"`` goes on with the code's, ``"adopt"``
            with the checkpoint's.
        verbose: print the learning rates at every step.
        **schedules: a schedule for each other key, such as ``weight_decay``.

    Raises:
        InvalidType: ``optimizer`` cannot be driven, a group lacks a key, or something that is not a
            schedule is given.
        InvalidValue: nothing is scheduled, or groups are named that the optimizer does not have.
        ParseError: a text is not a schedule.
        UnboundError: a schedule has lengths that are not in steps.

    Example:
        >>> import torch, glideslope as gs
        >>> optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = Scheduler(
        ...     optimizer, lr=gs.warmup(4) >> gs.cosine(6), weight_decay="linear(10)"
        ... )
        >>> for t in range(4):
        ...     print(f"update {t} at lr {scheduler.last_lr:.3f}")
        ...     optimizer.step()
        ...     scheduler.step()
        update 0 at lr 0.000
        update 1 at lr 0.025
        update 2 at lr 0.050
        update 3 at lr 0.075
        >>> optimizer.param_groups[0]["weight_decay"]
        0.006
    """

    __slots__ = ("_lines", "_on_mismatch")
    _warns_of_epoch: ClassVar[bool] = False

    def __init__(
        self,
        optimizer: Any,
        lr: Any = None,
        *,
        on_mismatch: str = "error",
        verbose: bool = False,
        **schedules: Any,
    ) -> None:
        require(on_mismatch in POLICIES, "on_mismatch", f"be one of {POLICIES}", on_mismatch)
        given = {"lr": lr, **schedules}
        self.optimizer = optimizer
        self._on_mismatch = on_mismatch
        self._verbose = verbose
        self._lines = [Line(key, spec) for key, spec in elements(given)]
        require(bool(self._lines), "schedules", "name at least one key, such as lr=", given)
        self.last_epoch = -1
        self._order = watch_order(optimizer) if hasattr(optimizer, "step") else None
        self._initial_step()

    @property
    def schedules(self) -> dict[str, Any]:
        """What each key is under: a schedule, an `Absolute`, or a mapping of them by group."""
        return {line.key: line.spec for line in self._lines}

    # -- stepping --------------------------------------------------------------------------------

    def step(self, epoch: int | None = None) -> None:
        """Go to the next step and write its values; call it after ``optimizer.step()``.

        Args:
            epoch: go to this step instead.

        Raises:
            InvalidValue: a value would not be finite; then no key of any group was written.
        """
        if epoch is None and self._step_count == 1 and self._order is not None:
            self._order.check(self.optimizer)
            self._order = None
        self._step_count += 1
        self._go_to(self.last_epoch + 1 if epoch is None else epoch)
        if self._verbose:
            self._announce(self.last_epoch)

    def _go_to(self, t: int) -> None:
        due = [line.due(self, t) for line in self._lines]  # all of them before any is written
        self.last_epoch = t
        for line, values in zip(self._lines, due, strict=True):
            line.write(values)
        self._last_lr = self._read_lr()

    def _read_lr(self) -> list[float]:
        line = self._lines[0]
        if line.key == "lr":
            return list(line.ledger.written)
        return [float(group["lr"]) for group in line.ledger.port.groups() if "lr" in group]

    def get_lr(self) -> list[float]:  # type: ignore[override]
        """The learning rates of the step ``last_epoch``, one per parameter group."""
        line = self._lines[0]
        return line.values(self.last_epoch) if line.key == "lr" else self._read_lr()

    # -- longer and other runs -------------------------------------------------------------------

    def extend(self, steps: int) -> None:
        """Make the run ``steps`` steps longer: what remains of each curve is stretched over them.

        The past stays as it was and the value does not jump; the end comes later. Endless schedules
        need nothing and stay.

        Args:
            steps: how many steps more, at least 1.

        Raises:
            InvalidValue: ``steps`` below 1, or the schedules have ended already.

        Example:
            >>> import torch, glideslope as gs
            >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
            >>> scheduler = Scheduler(optimizer, lr=gs.linear(10))
            >>> scheduler.step(5)
            >>> scheduler.extend(5)
            >>> scheduler.step(10); optimizer.param_groups[0]["lr"]
            0.25
            >>> scheduler.schedules["lr"]
            linear(10).take(5) >> linear(10).shift(-5).stretch(10)
        """
        require_type(isinstance(steps, int), "steps", "be a whole number", steps)
        require(steps >= 1, "steps", "be at least 1", steps)
        specs = [extended(line.spec, self.last_epoch, steps) for line in self._lines]
        for line, spec in zip(self._lines, specs, strict=True):
            line.replace(spec)

    # -- state -----------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The step, and for each key the text of its schedules, its bases and values.

        Plain values only: ``torch.load(weights_only=True)`` and JSON take them.
        """
        keys = {line.key: save(line) for line in self._lines}
        return {"format": FORMAT, "last_epoch": self.last_epoch, "keys": keys}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a state and write its values, whether or not the optimizer is loaded yet.

        Args:
            state_dict: what `state_dict` gave; it is not changed.

        Raises:
            StateMismatch: it is not a state of `Scheduler`, or it was made under other schedules or
                bases and ``on_mismatch`` is ``"error"``; then nothing was changed.
        """
        t, saved = checked(state_dict)
        for line in self._lines:
            line.attach(self)
        differences = compare(self._lines, saved)
        if differences and self._on_mismatch == "error":
            told = "\n  ".join(["the checkpoint is of another run:", *differences])
            raise StateMismatch(f"{told}\n{HELP}")
        if differences and self._on_mismatch == "adopt":
            self._adopt_lines(saved)
        self._resume(t, saved)

    def _adopt_lines(self, saved: Mapping[str, SavedLine]) -> None:
        """Put every key under the schedules of the checkpoint, and no other key."""
        specs = {key: line.spec() for key, line in saved.items()}
        lines = {line.key: line for line in self._lines}
        self._lines = [lines.get(key) or Line(key, spec) for key, spec in specs.items()]
        for line in self._lines:
            line.attach(self)
            line.replace(specs[line.key])

    def _resume(self, t: int, saved: Mapping[str, SavedLine]) -> None:
        """Write the values of step ``t``."""
        keep = self._on_mismatch == "keep"
        self.last_epoch, self._step_count = t, t + 1
        for line in self._lines:
            line.resume(resumed_bases(line, saved.get(line.key), keep), t)
        self._last_lr = self._read_lr()


def elements(given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each key with what was given for it; a tuple stands for the elements of a tuple."""
    for key, spec in given.items():
        if isinstance(spec, tuple):
            yield from elements({f"{key}[{index}]": part for index, part in enumerate(spec)})
        elif spec is not None:
            yield key, spec


def extended(spec: Spec, t: int, steps: int) -> Spec:
    """The schedules with what remains after step ``t`` stretched to end ``steps`` later."""
    if isinstance(spec, Groups):
        return Groups({name: curve and extended(curve, t, steps) for name, curve in spec.items()})
    if isinstance(spec, Absolute):
        return Absolute(extended(spec.schedule, t, steps))
    if math.isinf(spec.steps):
        return spec
    require(t < spec.steps, "extend", f"come before the end of `{spec}`", f"step {t}")
    longer = spec.steps + steps
    return spec.take(t) >> spec.shift(-t).stretch(longer - t) if t else spec.stretch(longer)
