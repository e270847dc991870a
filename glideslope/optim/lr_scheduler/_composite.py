"""What `SequentialLR` and `ChainedScheduler` share: members that leave the writing to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch

from glideslope.errors import GlideslopeError, InvalidType, InvalidValue, StateMismatch

from ._base import LRScheduler
from ._checks import plain
from ._composable import Composable
from ._ledger import Ledger


class Foreign:
    """A member that works on the groups themselves: one of torch's, or somebody's own.

    It gets the groups to itself for each of its steps, holding the rates that it left there.
    """

    def __init__(self, scheduler: Any) -> None:
        self.scheduler = scheduler
        bases = getattr(scheduler, "base_lrs", None) or scheduler.get_last_lr()
        self.base_lrs = plain(bases)
        self._rates = plain(scheduler.get_last_lr())
        if scheduler.last_epoch == 0:  # what it has written may have others' factors in it
            self._begin()

    def _clock(self) -> int:
        return self.scheduler.last_epoch  # type: ignore[no-any-return]

    def _now(self) -> list[float]:
        return list(self._rates)

    def _advance(self, metrics: Any) -> list[float]:
        self._work(*([] if metrics is None else [metrics]))
        return self._now()

    def _move(self, t: int) -> list[float]:
        """Go to a step: begin anew, and make all the steps up to it."""
        if t == 0 or t < self.scheduler.last_epoch:
            self._begin()
        for _ in range(self.scheduler.last_epoch, t):
            self._work()
        return self._now()

    def _begin(self) -> None:
        self._rates = list(self.base_lrs)
        self.scheduler.last_epoch = -1
        self._lend(self.scheduler._initial_step)

    def _work(self, *metrics: Any) -> None:
        self._lend(lambda: self.scheduler.step(*metrics))

    def _lend(self, work: Callable[[], object]) -> None:
        ledger = Ledger.of(self.scheduler.optimizer)
        with ledger.lend(self._rates):
            work()
            self._rates = ledger.observe()

    def _set_base(self, group: int, base: float) -> None:
        for rates in (self.base_lrs, self._rates, getattr(self.scheduler, "base_lrs", [])):
            rates[group : group + 1] = [base]

    def _base_on(self, bases: list[float]) -> None:
        self.base_lrs = list(bases)
        self.scheduler.base_lrs = list(bases)

    def _load(self, state: Mapping[str, Any]) -> None:
        self._lend(lambda: self.scheduler.load_state_dict(dict(state)))
        self._rates = plain(state.get("_last_lr", self._rates))

    def _begin_anew(self) -> None:
        pass

    def _saved_bases(self) -> list[float]:
        return self.base_lrs

    def _share_bases(self, bases: list[float]) -> None:
        pass

    def _settle(self) -> None:
        pass

    def state_dict(self) -> dict[str, Any]:
        """The member's state, with the rates that it left."""
        state: dict[str, Any] = self.scheduler.state_dict()
        return state | {"_last_lr": self._now()}


class Composite(Composable):
    """A scheduler made of others on the same optimizer, whose places in the ledger it takes."""

    __slots__ = ("_members",)
    _settings: ClassVar[tuple[str, ...]] = ()
    _progress: ClassVar[tuple[str, ...]] = ("_schedulers",)

    _schedulers: Sequence[Any]
    _members: list[Any]

    def _gather(self, optimizer: Any, schedulers: Sequence[Any], verbose: bool) -> Ledger:
        """Check the members and take them over."""
        name = type(self).__name__
        if len(schedulers) < 1:
            raise InvalidValue(f"{name} expects at least one scheduler, but got no scheduler.")
        self.optimizer = optimizer or getattr(schedulers[0], "optimizer", None)
        for index, scheduler in enumerate(schedulers):
            self._check_member(index, scheduler)
        self._verbose = verbose
        self._schedulers = schedulers
        ledger = self._bind()
        self._members = [s if hasattr(s, "_advance") else Foreign(s) for s in schedulers]
        for scheduler in schedulers:
            if isinstance(scheduler, LRScheduler):
                scheduler._hand_over()
        return ledger

    def _check_member(self, index: int, scheduler: Any) -> None:
        name = type(self).__name__
        if not hasattr(scheduler, "optimizer"):
            raise InvalidType(f"{name} at index {index} should have `optimizer` as its attribute.")
        is_torchs = not isinstance(scheduler, LRScheduler)
        if is_torchs and isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            raise InvalidValue(
                f"{name} does not support torch's `ReduceLROnPlateau`, got one at index {index}: "
                "use the one of `glideslope.optim`"
            )
        if self.optimizer != scheduler.optimizer:
            raise InvalidValue(
                f"{name} expects all schedulers to belong to the same optimizer, but got "
                f"scheduler {type(scheduler).__name__} at index {index} has {scheduler.optimizer}, "
                f"which is different from {type(self.optimizer).__name__}."
            )

    # Stepping.

    def step(self, metrics: Any = None) -> None:
        """Go to the next step and write its learning rates; call it after ``optimizer.step()``.

        Args:
            metrics: the metric, for a `ReduceLROnPlateau` among the members.

        Raises:
            InvalidType: such a member is at work and there is no metric.
        """
        ledger = self._ledger if self._bound is self.optimizer else self._bind()
        groups = ledger.groups()
        if len(groups) > len(self._entry.references):  # type: ignore[union-attr]
            self._welcome(ledger)
        try:
            rates = self._advance(metrics)
            self._last_lr = ledger.post(self._entry, rates, groups)  # type: ignore[arg-type]
        except (GlideslopeError, OverflowError) as error:
            raise self._refusal(error) from error
        if self._verbose:
            self._announce(self._clock())

    # The members' bases are its own.

    def _set_base(self, group: int, base: float) -> None:
        for member in self._members:
            member._set_base(group, base)

    def _base_on(self, bases: list[float]) -> None:
        for member in self._members:
            member._base_on(bases)

    def _begin_anew(self) -> None:
        for member in self._members:
            member._begin_anew()

    # State.

    def state_dict(self) -> dict[str, Any]:
        """The state in torch's format, with those of the members in it."""
        return super().state_dict() | {"_schedulers": [m.state_dict() for m in self._members]}

    def _adopt(self, state: Mapping[str, Any]) -> None:
        members = state["_schedulers"]
        if len(members) != len(self._members):
            name, count = type(self).__name__, len(self._members)
            raise StateMismatch(
                f"not a state of this {name}: it has {len(members)} schedulers, not {count}"
            )
        super()._adopt({key: state[key] for key in state if key != "_schedulers"})
        for member, saved in zip(self._members, members, strict=True):
            member._load(saved)
        bases = self._saved_bases()
        if bases is not None:
            self._share_bases(bases)

    def _saved_bases(self) -> list[float] | None:
        known = (member._saved_bases() for member in self._members)
        return next((bases for bases in known if bases is not None), None)

    def _share_bases(self, bases: list[float]) -> None:
        for member in self._members:
            member._share_bases(bases)

    def _reenter(self, ledger: Ledger, rates: list[float] | None) -> None:
        super()._reenter(ledger, rates)
        if rates is not None:
            self._settle()
