"""A scheduler for any schedule, on any key, of any group, of any optimizer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Unpack, overload

from glideslope.errors import StateMismatch, require
from glideslope.groups import Binding
from glideslope.schedules import Schedule

from ._base import LRScheduler
from ._checks import whole_number
from ._order import watch_order
from ._saved_keys import FORMAT, SavedKey, checked, compare, resumed, save
from ._specs import (
    BindNumbers,
    Given,
    Keys,
    Spec,
    check_spelling,
    curves_of,
    elements,
    map_spec,
    read_spec,
    source_of,
)

Policy = Literal["error", "keep", "adopt"]
POLICIES = ("error", "keep", "adopt")
HELP = 'Scheduler(..., on_mismatch="keep") uses those of the code, "adopt" those of the checkpoint'


class Scheduler(LRScheduler):
    r"""Drives the keys of an optimizer's parameter groups by schedules.

    ``group[key] = base · s(t)`` where the base is the group's own value when the scheduler was
    built, and t counts optimizer updates from 0: building writes ``s(0)``, so update number t runs
    at ``s(t)``. Other schedulers on the same optimizer multiply; a value set by hand between two
    steps becomes the base of its group; a group added later joins at the current step, with its
    own value as its base.

    A schedule may be given as text; a number is a constant factor; `Absolute` sets the values
    themselves. A list has a schedule for each group, a mapping one for each group's index or
    ``"name"``. None, and groups that are not named, are left alone and need not have the key. A
    tuple, or the key ``"betas[0]"``, drives elements of a tuple.

    Args:
        optimizer: anything with ``param_groups`` (dictionaries that hold the keys), or with a plain
            attribute such as ``lr``.
        lr: the schedule of the learning rate.
        on_mismatch: the policy of `load_state_dict` for a checkpoint with other schedules or other
            bases: ``"error"`` refuses it, ``"keep"`` uses the code's, ``"adopt"`` the checkpoint's.
        verbose: print the learning rates at every step.
        total_steps: the updates of the whole run, which bind lengths such as ``"5%"`` and
            ``"rest"``.
        steps_per_epoch: the updates of an epoch, which bind lengths such as ``"10ep"``.
        tokens_per_step: the tokens of an update, which bind lengths such as ``"2e9tok"``.
        **schedules: a schedule for each other key, such as ``weight_decay``.

    Raises:
        InvalidType: ``optimizer`` cannot be driven, a group lacks a key, or something that is not a
            schedule is given.
        InvalidValue: nothing is scheduled, or groups are named that the optimizer does not have.
        ParseError: a text is not a schedule.
        UnboundError: a schedule has lengths that nothing binds to steps.

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

    __slots__ = ("_on_mismatch", "_specs")
    _warns_of_epoch: ClassVar[bool] = False

    _specs: dict[str, Spec]

    @overload
    def __init__(
        self,
        optimizer: Any,
        lr: Given = None,
        *,
        on_mismatch: Policy = "error",
        verbose: bool = False,
        total_steps: float | None = None,
        steps_per_epoch: float | None = None,
        tokens_per_step: float | None = None,
        **schedules: Unpack[Keys],
    ) -> None: ...

    # For ``**config`` of any keys: a type checker takes a mapping to hold the required keyword.
    @overload
    def __init__(
        self, optimizer: Any, lr: Given = None, *, from_mapping: Given, **options: Given
    ) -> None: ...

    def __init__(  # type: ignore[misc]
        self,
        optimizer: Any,
        lr: Given = None,
        *,
        on_mismatch: str = "error",
        verbose: bool = False,
        total_steps: float | None = None,
        steps_per_epoch: float | None = None,
        tokens_per_step: float | None = None,
        **schedules: Unpack[Keys],
    ) -> None:
        require(on_mismatch in POLICIES, "on_mismatch", f"be one of {POLICIES}", on_mismatch)
        numbers: BindNumbers = {
            "total_steps": total_steps,
            "steps_per_epoch": steps_per_epoch,
            "tokens_per_step": tokens_per_step,
        }
        check_spelling(schedules, [*numbers, "on_mismatch", "verbose"])
        given = {"lr": lr, **schedules}
        self.optimizer = optimizer
        self._on_mismatch = on_mismatch
        self._verbose = verbose
        self._specs = {key: read_spec(key, spec, numbers) for key, spec in elements(given)}
        require(bool(self._specs), "schedules", "name at least one key, such as lr=", given)
        self.last_epoch = -1
        self._bind({key: source_of(key, spec, optimizer) for key, spec in self._specs.items()})
        self._source = self._bindings[0].source
        self._order = watch_order(optimizer) if hasattr(optimizer, "step") else None
        self._initial_step()

    @property
    def schedules(self) -> dict[str, Spec]:
        """The schedules of each key: a schedule, an `Absolute`, or a mapping of them by group."""
        return dict(self._specs)

    @property
    def schedule(self) -> Schedule:
        """The curve of the learning rate of the first group that has one, or of the first key."""
        return curves_of(next(iter(self._specs.values())))[0]

    def curves(self) -> list[Schedule]:
        """The curves of all keys and groups."""
        return [curve for spec in self._specs.values() for curve in curves_of(spec)]

    def _binding(self, key: str, source: Any) -> Binding:
        return Binding(key, source)

    @property
    def _lr(self) -> Binding | None:
        """The binding of the learning rate, if it is scheduled."""
        first = self._bindings[0]
        return first if first.key == "lr" else None

    # -- stepping --------------------------------------------------------------------------------

    def _go(self, t: int, before: int) -> list[float]:
        written = super()._go(t, before)
        return written if self._bindings[0].key == "lr" else self._read_lr()

    def _jump(self, t: float, before: int) -> list[float]:
        require(t >= 0, "epoch", "be at least 0", t)
        return super()._jump(t, before)  # type: ignore[arg-type]

    def _read_lr(self) -> list[float]:
        groups = self._bindings[0].shared.port.groups()
        return [float(group["lr"]) for group in groups if "lr" in group]

    def get_lr(self) -> list[float]:  # type: ignore[override]
        """The learning rates of the step ``last_epoch``, one per parameter group."""
        if self._get_lr_called_within_step:
            return self._write_as_asked()
        return self.rates_at(self.last_epoch)

    def rates_at(self, t: float) -> list[float]:
        """The learning rates of step ``t``, without the factors of other schedulers."""
        lr = self._lr
        return self._read_lr() if lr is None else list(lr.source.values(t, lr.bases))

    # -- longer and other runs -------------------------------------------------------------------

    def extend(self, steps: int) -> None:
        """Make the run ``steps`` steps longer: the rest of each curve is stretched to a later end.

        Past values stay the same, and the present value does not jump. Endless schedules are not
        changed.

        Args:
            steps: the number of additional steps, at least 1.

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
        more = whole_number("steps", steps, 1)
        t = self.last_epoch
        longer = {key: map_spec(spec, lambda s: extended(s, t, more))
                  for key, spec in self._specs.items()}  # fmt: skip
        self._follow_specs(longer)

    def _follow_specs(self, specs: Mapping[str, Spec]) -> None:
        """Drive the groups by other schedules, from the same bases."""
        self._specs = dict(specs)
        for binding in self._bindings:
            binding.source = source_of(binding.key, specs[binding.key], self.optimizer)
        self._source = self._bindings[0].source

    def _follow_settings(self) -> None:
        """Do nothing: no attribute but the schedules sets the values."""

    # -- state -----------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The step, and for each key the text of its schedules, its bases and values.

        Plain values only: ``torch.load(weights_only=True)`` and JSON take them.
        """
        for binding in self._bindings:
            binding.follow(self.optimizer, self.last_epoch)
        keys = {binding.key: save(binding, self._specs[binding.key]) for binding in self._bindings}
        return {"format": FORMAT, "last_epoch": self.last_epoch, "keys": keys}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Resume from a state and write its values, before or after the optimizer is loaded.

        Args:
            state_dict: the result of `state_dict`; it is not changed.

        Raises:
            StateMismatch: it is not a state of `Scheduler`, or it was made under other schedules or
                bases and ``on_mismatch`` is ``"error"``; then nothing was changed.
        """
        saved = self._take(state_dict)
        keep = self._on_mismatch == "keep"
        for binding in self._bindings:
            bases, scales = resumed(binding, saved.get(binding.key), keep)
            binding.resume(self.last_epoch, bases, scales)
        self._last_lr = self._lr.shared.written if self._lr else self._read_lr()

    def load(self, state_dict: Mapping[str, Any]) -> None:
        """Adopt a state; nothing is written."""
        saved = self._take(state_dict)
        keep = self._on_mismatch == "keep"
        for binding in self._bindings:
            binding.count_from(resumed(binding, saved.get(binding.key), keep)[0])

    def _take(self, state_dict: Mapping[str, Any]) -> dict[str, SavedKey]:
        """Set the clock and, if the checkpoint's are adopted, the schedules."""
        t, saved = checked(state_dict)
        for binding in self._bindings:
            binding.follow(self.optimizer, self.last_epoch)
        bindings = {binding.key: binding for binding in self._bindings}
        self._check_groups(saved)
        differences = compare(self._specs, bindings, saved)
        if differences and self._on_mismatch == "error":
            told = "\n  ".join(["the checkpoint is of another run:", *differences])
            raise StateMismatch(f"{told}\n{HELP}")
        if differences and self._on_mismatch == "adopt":
            self._adopt_keys(saved)
        self.last_epoch, self._step_count = t, int(t) + 1  # type: ignore[assignment]
        if self._order is not None:
            self._order.stop()
            self._order = None
        return saved

    def _check_groups(self, saved: Mapping[str, SavedKey]) -> None:
        """Refuse a state of more groups than there are."""
        for binding in self._bindings:
            known, there = len(binding.built), len(saved.get(binding.key, binding).built)
            if there > known:
                raise StateMismatch(
                    f"the state of Scheduler is of {there} parameter groups with `{binding.key}`, "
                    f"the optimizer has {known}"
                )

    def _adopt_keys(self, saved: Mapping[str, SavedKey]) -> None:
        """Drive the keys of the checkpoint by its schedules, and no other key."""
        specs = {key: each.spec() for key, each in saved.items()}
        sources = {key: source_of(key, spec, self.optimizer) for key, spec in specs.items()}
        known = {binding.key: binding for binding in self._bindings}
        for key in known.keys() - specs.keys():
            known[key].detach()
        self._bindings = [known.get(key) or Binding(key, sources[key]) for key in specs]
        for binding in self._bindings:
            binding.attach(self.optimizer, self.last_epoch)
        self._follow_specs(specs)

    def _parts(self) -> list[str]:
        specs = [f"{key}={spec}" for key, spec in self._specs.items()]
        return [f"step {self.last_epoch}", *specs, super()._parts()[-1]]


def extended(schedule: Schedule, t: float, steps: int) -> Schedule:
    """A schedule whose part after step ``t`` is stretched to end ``steps`` later."""
    if math.isinf(schedule.steps):
        return schedule
    require(t < schedule.steps, "extend", f"come before the end of `{schedule}`", f"step {t}")
    longer = schedule.steps + steps
    rest = schedule.shift(-t).stretch(longer - t)
    return schedule.take(t) >> rest if t else schedule.stretch(longer)
