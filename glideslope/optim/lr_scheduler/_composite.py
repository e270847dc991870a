"""Members of `SequentialLR` and `ChainedScheduler`, and the methods of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import compiler

from glideslope.errors import GlideslopeError, InvalidType, InvalidValue, StateMismatch
from glideslope.groups import Binding, Due, NewGroup, SharedKey, plain, write_all
from glideslope.schedules import Schedule

from ._base import LRScheduler
from ._checks import refused
from ._controller import Controller
from ._last_lr import LastLR
from ._order import step_untraced, watch_order
from ._sources import Plain


class Member(Protocol):
    """The methods that a composite calls on its members; every scheduler here has them."""

    optimizer: Any
    base_lrs: list[float]
    last_epoch: int

    def stop_writing(self) -> None:
        """Stop writing, for the composite does it."""

    def enter(self, t: int) -> list[Due]:
        """Go to step ``t`` and take part; return the values that are due."""

    def advance(self, metrics: Any, /) -> list[Due]:
        """Go one step further; return the values that are due."""

    def advance_and_write(self, metrics: Any, /) -> list[float]:
        """Go one step further and write; return the learning rates."""

    def suspend(self, keys: set[str]) -> None:
        """Set the factors on these keys to 1, while another member drives them."""

    def active_bindings(self) -> list[tuple[Binding, float]]:
        """The bindings that are not suspended, each with the step of its source."""

    def bindings(self) -> list[Binding]:
        """All its bindings, suspended ones included."""

    def rates_at(self, t: int) -> list[float]:
        """The learning rates of step ``t``, without the factors of other schedulers."""

    def planned(self, t: int) -> dict[str, list[float]]:
        """The values of step ``t`` by key."""

    @property
    def schedule(self) -> Any:
        """The curve of its first group."""

    def load(self, state_dict: Mapping[str, Any]) -> None:
        """Adopt a state; nothing is written."""

    def state_dict(self) -> dict[str, Any]:
        """The state of the member alone."""


class Foreign(Plain):
    """A member that reads and writes the groups itself: one of torch's schedulers, or a recursion.

    For each of its steps the groups hold the rates that it wrote last, without other factors. Its
    new rates are then a factor like any other. It is the source of its own binding.
    """

    depends_on_more = True

    def __init__(self, scheduler: Any) -> None:
        self.scheduler = scheduler
        self.optimizer = scheduler.optimizer
        self.base_lrs = plain(getattr(scheduler, "base_lrs", None) or scheduler.get_last_lr())
        self.rates = plain(scheduler.get_last_lr())
        self.binding = Binding("lr", self)
        if scheduler.last_epoch == 0:  # its rates may contain others' factors
            self._begin()

    @property
    def last_epoch(self) -> int:
        """Its present step."""
        return self.scheduler.last_epoch  # type: ignore[no-any-return]

    def values(self, _t: float, _bases: list[float]) -> list[float]:
        """The rates that it wrote last."""
        return list(self.rates)

    def join(self, new: NewGroup) -> float:
        """Add a later group with its own value."""
        for rates in (self.base_lrs, self.rates, getattr(self.scheduler, "base_lrs", [])):
            rates[new.index :] = [new.base]
        return new.base

    def stop_writing(self) -> None:
        """Bind, with the scheduler's own bases."""
        self.binding.attach(self.optimizer, 0)
        self.binding.count_from(self.base_lrs)
        self.binding.suspend()

    def enter(self, t: int) -> list[Due]:
        """Go to a step: restart, and make all the steps up to it."""
        self.binding.follow(self.optimizer, self.last_epoch)
        if t == 0 or t < self.scheduler.last_epoch:
            self._begin()
        for _ in range(self.scheduler.last_epoch, t):
            self._work()
        return self._due(t)

    def advance(self, metrics: Any, /) -> list[Due]:
        """Make one step."""
        self.binding.follow(self.optimizer, self.last_epoch)
        self._work(*([] if metrics is None else [metrics]))
        return self._due(self.last_epoch)

    def advance_and_write(self, metrics: Any, /) -> list[float]:
        """Make one step and write its rates."""
        write_all(self.advance(metrics))
        return self.binding.shared.written

    def suspend(self, keys: set[str]) -> None:
        """Set the factor to 1."""
        if "lr" in keys:
            self.binding.suspend()

    def active_bindings(self) -> list[tuple[Binding, float]]:
        """Its one binding."""
        return [(self.binding, self.last_epoch)]

    def bindings(self) -> list[Binding]:
        """Its one binding."""
        return [self.binding]

    def rates_at(self, _t: int) -> list[float]:
        """The rates that it wrote last."""
        return list(self.rates)

    def planned(self, _t: int) -> dict[str, list[float]]:
        """Refuse: its rates are known only by stepping it."""
        raise InvalidType(f"{type(self.scheduler).__name__} has to be stepped: see `upcoming`")

    @property
    def schedule(self) -> Any:
        """Refuse: a stepped scheduler has no curve."""
        raise AttributeError(f"{type(self.scheduler).__name__} follows no schedule")

    def load(self, state_dict: Mapping[str, Any]) -> None:
        """Adopt a state, with the rates that the member wrote last."""
        self._run(lambda: self.scheduler.load_state_dict(dict(state_dict)))
        self.rates = plain(state_dict.get("_last_lr", self.rates))
        self.binding.count_from(plain(getattr(self.scheduler, "base_lrs", self.base_lrs)))

    def state_dict(self) -> dict[str, Any]:
        """The member's state, with the rates that it wrote last."""
        state: dict[str, Any] = self.scheduler.state_dict()
        return state | {"_last_lr": list(self.rates)}

    def _due(self, t: float) -> list[Due]:
        due = self.binding.due(self.optimizer, t, t)
        self.binding.take_part()
        return [(self.binding, due)]

    def _begin(self) -> None:
        self.rates = list(self.base_lrs)
        self.scheduler.last_epoch = -1
        self._run(self.scheduler._initial_step)

    def _work(self, *metrics: Any) -> None:
        self._run(lambda: self.scheduler.step(*metrics))

    def _run(self, work: Callable[[], object]) -> None:
        shared = SharedKey.of(self.optimizer)
        with shared.unwatched(self.rates):
            work()
            self.rates = shared.observe()


class Composite:
    """The methods that `SequentialLR` and `ChainedScheduler` share, mixed into both."""

    __slots__ = ()
    can_enter = True

    optimizer: Any
    _members: list[Member]
    _own: list[LRScheduler]  # the members that are no torch schedulers

    def _gather(self: Any, optimizer: Any, schedulers: Sequence[Any], verbose: bool) -> None:
        """Check the members and stop their writing."""
        name = type(self).__name__
        if len(schedulers) < 1:
            raise InvalidValue(f"{name} expects at least one scheduler, but got no scheduler.")
        self.optimizer = optimizer or getattr(schedulers[0], "optimizer", None)
        for index, scheduler in enumerate(schedulers):
            self._check_member(index, scheduler)
        self._verbose = verbose
        self._schedulers = schedulers
        shared = self._shared_lr()
        self._members = [s if getattr(s, "can_enter", False) else Foreign(s) for s in schedulers]
        self._own = [member for member in self._members if isinstance(member, LRScheduler)]
        for member in self._members:
            member.stop_writing()
        foreign = [member for member in self._members if isinstance(member, Foreign)]
        if foreign:  # their writes on construction are no edits
            shared.rebase(foreign[0].base_lrs)
        if shared.unsure:
            self._order = watch_order(self.optimizer)

    def _check_member(self: Any, index: int, scheduler: Any) -> None:
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
                f"{name} expects all schedulers to belong to the same optimizer, but got scheduler "
                f"{type(scheduler).__name__} at index {index} which is different from the optimizer"
            )

    def bindings(self: Any) -> list[Binding]:
        """The bindings of all members, suspended ones included."""
        return [binding for member in self._members for binding in member.bindings()]

    def stop_writing(self: Any) -> None:
        """Stop writing, for another composite does it."""
        self.suspend({binding.key for binding in self.bindings()})

    def suspend(self: Any, keys: set[str]) -> None:
        """Set the factors on these keys to 1, while another member drives them."""
        for member in self._members:
            member.suspend(keys)

    def _count_from(self: Any, bases: Sequence[float]) -> None:
        """Set the bases of every member."""
        for binding in self.bindings():
            if binding.key == "lr":
                follow(binding, bases)
                binding.built = list(bases)

    def _resumed(self: Any) -> None:
        """Set the bases of every member to those of the resumed run."""
        self._count_from(self._shared_lr().bases)

    def step(self: Any, metrics: Any = None) -> None:
        """Go to the next step and write its learning rates; call it after ``optimizer.step()``.

        Args:
            metrics: the metric, for a `ReduceLROnPlateau` among the members.

        Raises:
            InvalidType: such a member is active and there is no metric.
        """
        if compiler.is_dynamo_compiling():
            return step_untraced(self, metrics)
        if self._order is not None:
            self._check_first_step(None)
        if self._members[0].optimizer is not self.optimizer:
            for member in self._members:
                member.optimizer = self.optimizer
        try:
            self._last_lr = self.advance_and_write(metrics)
        except (GlideslopeError, OverflowError) as error:
            raise refused(self, error) from error
        if self._verbose:
            self._announce()
        return None

    def advance_and_write(self: Any, metrics: Any, /) -> list[float]:
        """Go one step further and write; return the learning rates."""
        rates: list[float] = self._write_due(self.advance(metrics))
        return rates

    def _go(self: Any, t: int, _before: int, /) -> list[float]:
        """Go to a step and write its values."""
        written: list[float] = self._write_due(self.enter(t))
        return written

    def _write_due(self: Any, due: list[Due]) -> list[float]:
        """Write the values that are due, and return the learning rates."""
        if len(due) == 1:
            rates = due[0][0].write(due[0][1])
        else:
            write_all(due)
            first = due[0][0]
            rates = (first.shared if first.key == "lr" else self._shared_lr()).written
        for member in self._own:  # as if each had written them
            member._last_lr, member._written_at = rates, member.last_epoch
        self._written_at = self.last_epoch
        return rates

    def state_dict(self: Any) -> dict[str, Any]:
        """The state in torch's format, with those of the members in it."""
        state: dict[str, Any] = LRScheduler.state_dict(self)
        return state | {"_schedulers": [member.state_dict() for member in self._members]}

    def _adopt(self: Any, state: Mapping[str, Any]) -> None:
        members = state["_schedulers"]
        if len(members) != len(self._members):
            name, count = type(self).__name__, len(self._members)
            raise StateMismatch(
                f"not a state of this {name}: it has {len(members)} schedulers, not {count}"
            )
        LRScheduler._adopt(self, {key: state[key] for key in state if key != "_schedulers"})
        for member, saved in zip(self._members, members, strict=True):
            member.load(saved)
        rates = [binding for binding in self.bindings() if binding.key == "lr"]
        leader = next((binding for binding in rates if leads(binding)), None)
        for binding in rates:
            if leader is not None and not leads(binding):
                follow(binding, leader.bases)

    def _joined(self: Any, join: Callable[[list[Schedule]], Schedule]) -> Schedule:
        """The members' schedules as one: factors of the base or, if one is absolute, values."""
        bindings = [next(b for b in member.bindings() if b.key == "lr") for member in self._members]
        absolute = [binding.source.absolute for binding in bindings]
        base = bindings[0].references[0] or 1.0
        pairs = zip(self._members, absolute, strict=True)
        whole = join([member.schedule / base if own else member.schedule for member, own in pairs])
        return whole * base if any(absolute) else whole

    def _parts(self: Any) -> list[str]:
        members = ", ".join(f"{type(member).__name__}" for member in self._schedulers)
        return [f"step {self.last_epoch}", f"[{members}]", f"now {LastLR(self._last_lr):.6g}"]


def leads(binding: Binding) -> bool:
    """True if the bases of this binding come from a loaded state."""
    return not binding.source.absolute and not isinstance(binding.source, Controller)


def follow(binding: Binding, bases: Sequence[float]) -> None:
    """Set the bases of a binding or, if it is absolute, its references."""
    binding.count_from([] if binding.source.absolute else bases)
    binding.references = list(bases)
