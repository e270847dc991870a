"""The base of all schedulers: a clock, the bindings of its sources, and torch's interface."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import compiler

from glideslope.errors import GlideslopeError, InvalidType
from glideslope.groups import Binding, Due, SharedKey, Source, due_values, plain
from glideslope.plot import plot_scheduler
from glideslope.schedules import Schedule

from . import _state
from ._checks import as_step, refused, same
from ._last_lr import LastLR
from ._order import CallOrder, step_untraced, watch_order
from ._resume import required, restored
from ._sources import OwnRates, Scaled
from ._upcoming import upcoming

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EPOCH_DEPRECATION_WARNING: str = torch.optim.lr_scheduler.EPOCH_DEPRECATION_WARNING


class LRScheduler(torch.optim.lr_scheduler.LRScheduler):
    """The base class of all schedulers, and of user-written ones in torch's style.

    A subclass writes `get_lr`, which gives one learning rate per parameter group for the step
    ``last_epoch``. Building a scheduler writes the rates of step 0, so the optimizer's update
    number t runs at the rate of step t. Other schedulers on the same optimizer multiply; hand edits
    and loaded states are kept.

    A subclass that follows a schedule gives it as ``_curve()`` instead, and names the arguments
    that the schedule is made from in ``_settings``.

    Args:
        optimizer: anything with ``param_groups`` (dictionaries that hold ``"lr"``), or with a plain
            attribute ``lr``.
        last_epoch: -1 to begin; N >= 0 to resume after step N, with ``"initial_lr"`` in the groups.
            It is the last finished step: after ``k`` calls of `step`, ``k - 1``.
        verbose: print ``Epoch 3: setting learning rate to 0.1.`` at every step; with several groups
            the rates are in brackets.

    Raises:
        InvalidType: ``optimizer`` is not one.
        KeyError: ``last_epoch >= 0`` and a group without ``"initial_lr"``.

    Example:
        >>> import torch
        >>> class Halving(LRScheduler):
        ...     def get_lr(self):
        ...         return [base * 0.5**self.last_epoch for base in self.base_lrs]
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = Halving(optimizer, verbose=True)
        Epoch 0: setting learning rate to 0.1.
        >>> optimizer.step(); scheduler.step()
        Epoch 1: setting learning rate to 0.05.
        >>> optimizer.param_groups[0]["lr"], f"{scheduler.last_lr:.3f}"
        (0.05, '0.050')

    `torch.optim.lr_scheduler.LRScheduler`
    """

    # Not in ``__dict__``, which holds the attributes of torch's schedulers and no others.
    __slots__ = (
        "_ahead",
        "_asking",
        "_bindings",
        "_first_rates",
        "_jumps",
        "_made_from",
        "_order",
        "_settings_now",
        "_source",
        "_verbose",
        "_written_at",
    )

    _settings: ClassVar[tuple[str, ...]] = ()  # arguments that a state carries
    _progress: ClassVar[tuple[str, ...]] = ("base_lrs", "last_epoch")  # and what moves
    _curve_from: ClassVar[tuple[str, ...] | None] = None  # the settings a curve is made from
    _unsaved: ClassVar[frozenset[str]] = frozenset({"optimizer"})
    _keeps_late_rates: ClassVar[bool] = False  # a late group continues from its rate, as in torch
    _resets: ClassVar[bool] = False  # starts from bases without the factors of deleted schedulers
    _watches_order: ClassVar[bool] = True
    _warns_of_epoch: ClassVar[bool] = True
    _read_settings: ClassVar[attrgetter[Any] | None] = None  # reads those a curve is made from
    _get_lr_called_within_step = False  # torch's flag, set on the object while it is on

    optimizer: Any
    last_epoch: int
    _last_lr: list[float]  # type: ignore[assignment]
    _step_count: int
    _ahead: float  # fractions of a step have brought the curve ahead of the clock by this
    _asking: bool  # this class is calling `get_lr`
    _bindings: list[Binding]
    _first_rates: list[float]  # of step 0, where they do not come from the optimizer
    _jumps: bool  # `step` was given a step
    _made_from: Any  # the settings when the curve was made
    _order: CallOrder | None
    _settings_now: attrgetter[Any] | None  # `_read_settings`, where reading it is quicker
    _source: Source
    _verbose: bool
    _written_at: float  # the step whose values were written last

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Watch the arguments that a curve is made from."""
        super().__init_subclass__(**kwargs)
        names = cls._curve_from if cls._curve_from is not None else cls._settings
        names = () if cls._curve is LRScheduler._curve else names
        cls._read_settings = attrgetter(*names) if names else None

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Any:
        """Create it unbound; a copy, for which `__init__` is not called, binds at its next step."""
        self = super().__new__(cls)
        self._bindings, self._first_rates = [], []
        self._written_at = self._ahead = 0
        self._order = self._made_from = None
        self._settings_now = self._read_settings
        self._verbose = self._asking = self._jumps = False
        return self

    def __init__(self, optimizer: Any, last_epoch: int = -1, verbose: bool = False) -> None:
        self.optimizer = optimizer
        self._verbose = verbose
        self.last_epoch = last_epoch
        bases = required(self._shared_lr()) if last_epoch >= 0 else None
        self._bind(self._sources())
        if bases is not None:
            self._resume(bases)
        if self._watches_order or self._shared_lr().unsure:
            self._order = watch_order(optimizer)
        self._initial_step()

    # Methods that a kind of scheduler defines.

    def _curve(self) -> Schedule:
        """The schedule of factors that every group follows."""
        raise NotImplementedError

    def _lr_source(self) -> Source:
        """The source of the learning rates."""
        if type(self)._curve is LRScheduler._curve:
            return OwnRates(self, outright=True)
        return Scaled(self._curve(), self._keeps_late_rates, self._resets)

    def _sources(self) -> dict[str, Source]:
        """A source for each key, ``"lr"`` first."""
        self._made_from = self._settings_now and self._settings_now(self)
        self._source = self._lr_source()
        has_own = type(self).get_lr is not LRScheduler.get_lr and not self._source.outright
        return {"lr": OwnRates(self, outright=False) if has_own else self._source}

    @property
    def schedule(self) -> Schedule:
        """The curve of the first group as a schedule, to be drawn, linted or saved as text.

        Its values are factors of the group's own rate or, where the rates do not come from the
        optimizer's, the rates themselves.
        """
        if type(self)._curve is LRScheduler._curve:
            raise AttributeError(f"{type(self).__name__} follows no schedule")
        return self._curve()

    def curves(self) -> list[Schedule]:
        """The curves that it follows."""
        return [self.schedule]

    # The optimizer.

    def _bind(self, sources: Mapping[str, Source]) -> None:
        """Bind each source to its key; the groups join with their own values."""
        bindings = [self._binding(key, source) for key, source in sources.items()]
        bindings[0].bases = self._first_rates
        self._bindings = bindings
        self._attach(self.last_epoch)

    def _attach(self, t: float) -> None:
        for binding in self._bindings:
            binding.attach(self.optimizer, t)

    def _binding(self, key: str, source: Source) -> Binding:
        return Binding(key, source, notes=key == "lr")

    @property  # type: ignore[override]
    def base_lrs(self) -> list[float]:
        """The rate of each group that this scheduler counts from."""
        return self._bindings[0].bases if self._bindings else self._first_rates

    @base_lrs.setter
    def base_lrs(self, bases: list[float]) -> None:
        if self._bindings:
            self._bindings[0].bases = bases
        else:
            self._first_rates = bases

    def _shared_lr(self) -> SharedKey:
        """The shared key of the learning rates of the present optimizer."""
        first = self._bindings[0] if self._bindings else None
        if first is not None and first.key == "lr" and first.bound_to is self.optimizer:
            return first.shared
        return SharedKey.of(self.optimizer)

    def _resume(self, bases: list[float]) -> None:
        """Resume from these bases; groups that hold the right rates already are not written."""
        binding = self._bindings[0]
        shared, t = binding.shared, self.last_epoch + 1
        if not self._source.absolute:
            binding.count_from(bases)
        if self._source.outright:
            shared.rebase(self.base_lrs)
            return
        if not self._source.absolute:
            shared.rebase(self.base_lrs)
            binding.entry.references = list(self.base_lrs)
        rates = self._source.values(t + self._ahead, binding.bases)
        if same(shared.observe(), rates):
            shared.restore(binding.entry, binding.references, rates)

    # Stepping.

    def _initial_step(self) -> None:
        """Write the first rates. torch's composites call this to restart a member."""
        if getattr(self, "_step_count", 0) and not self._source.outright:
            self._step_count = 1
            self._update_lr(self.last_epoch + 1)
            return
        self._step_count = 0
        self._is_initial = True
        self._get_lr_called_within_step = False
        try:
            self.step()
        finally:
            self._is_initial = False

    def step(self, epoch: int | None = None) -> None:
        """Go to the next step and write its learning rates; call it after ``optimizer.step()``.

        Args:
            epoch: go to this step instead.
        """
        if compiler.is_dynamo_compiling():
            return step_untraced(self, epoch)
        if self._step_count == 1:
            self._check_first_step(epoch)
        if epoch is not None:
            epoch = as_step(epoch)
            if self._warns_of_epoch:
                warnings.warn(EPOCH_DEPRECATION_WARNING, PendingDeprecationWarning, stacklevel=2)
        before = self.last_epoch
        self._step_count += 1
        try:
            if epoch is None:
                self._last_lr = self._go(before + 1, before)
            else:
                self._last_lr = self._jump(epoch, before)
        except (GlideslopeError, OverflowError) as error:
            refusal = refused(self, error)
            self.last_epoch = before  # the step was not taken
            self._step_count -= 1
            raise refusal from error
        self._written_at = self.last_epoch
        if self._verbose:
            self._announce()
        return None

    def _jump(self, t: int, before: int) -> list[float]:
        self._jumps = True
        try:
            return self._go(t, before)
        finally:
            self._jumps = False

    def _go(self, t: int, before: int, /) -> list[float]:
        """Set the clock to ``t`` and write the values of that step."""
        if self._settings_now is not None and self._settings_now(self) != self._made_from:
            self._follow_settings()
        self.last_epoch = t
        optimizer, time, bindings = self.optimizer, t + self._ahead, self._bindings
        binding = bindings[0]
        if binding.bound_to is not optimizer:
            self._attach(before)
        if len(bindings) > 1:
            return self._write_all_keys(time, before)
        shared = binding.shared
        groups = optimizer.param_groups if shared.is_whole else shared.groups()
        if len(groups) != len(binding.bases):
            binding.refit(before)
            groups = shared.groups()
        values = binding.source.values(time, binding.bases)
        if binding.entry is None:
            return binding.write(values)
        return shared.post(binding.entry, values, groups)

    def _write_all_keys(self, time: float, before: int) -> list[float]:
        """Write several keys, once the values of all are known."""
        optimizer, due = self.optimizer, []
        for binding in self._bindings:
            shared = binding.shared
            groups = optimizer.param_groups if shared.is_whole else shared.groups()
            if len(groups) != len(binding.bases):
                binding.refit(before)
                groups = shared.groups()
            due.append((shared, binding.entry, binding.source.values(time, binding.bases), groups))
        for shared, entry, values, groups in due:
            shared.post(entry, values, groups)
        return self._bindings[0].shared.written

    def _follow_settings(self) -> None:
        """Make the sources again after an attribute such as ``gamma`` was changed."""
        if type(self)._curve is LRScheduler._curve:
            return
        for binding, source in zip(self._bindings, self._sources().values(), strict=True):
            binding.source = source

    def _check_first_step(self, epoch: int | None) -> None:
        """Warn of a wrong order of calls, and detect a resumed run."""
        order, self._order = self._order, None
        has_stepped = order is None or order.has_stepped
        if order is not None and self._watches_order and (epoch is None or self._warns_of_epoch):
            order.check(self.optimizer)
        elif order is not None:
            order.stop()
        for binding in self.bindings():
            if binding.is_bound and binding.shared.unsure:
                is_resumed = epoch is not None or self.last_epoch != 0 or not has_stepped
                self._resume_key(binding) if is_resumed else binding.shared.begin()

    def _resume_key(self, binding: Binding) -> None:
        """Use the bases of the resumed run for one key."""
        if binding.shared.unsure:
            binding.shared.resume()
            if binding.source.outright:
                binding.bases = list(binding.shared.bases)
            self._resumed()

    def _resumed(self) -> None:
        """Called when the bases turn out to be those of an earlier run."""

    def get_lr(self) -> list[float]:  # type: ignore[override]
        """The learning rates of the step ``last_epoch``, one per parameter group.

        Nothing is changed, unless a loop that sets ``last_epoch`` itself calls it for an update
        (under torch's flag ``_get_lr_called_within_step``, as Ignite does): then every key that
        this scheduler drives is written too.
        """
        if self._get_lr_called_within_step and not self._asking:
            return self._write_as_asked()
        return list(self._source.values(self.last_epoch + self._ahead, self._bindings[0].bases))

    def own_rates(self) -> list[float]:
        """The rates of `get_lr`, called under the flag that torch's subclasses check."""
        self._get_lr_called_within_step = self._asking = True
        try:
            return self._get_closed_form_lr() if self._jumps else self.get_lr()
        finally:
            self._get_lr_called_within_step = self._asking = False

    def _write_as_asked(self) -> list[float]:
        if self.last_epoch > 0:
            for binding in self.bindings():
                self._resume_key(binding)
                binding.take_written(self.last_epoch - 1 + self._ahead)
        self._last_lr = self._go(self.last_epoch, self.last_epoch)
        self._written_at = self.last_epoch
        return list(self._last_lr)

    def _get_closed_form_lr(self) -> list[float]:
        """The rates of torch's method of this name."""
        return self.get_lr()

    def _update_lr(self, epoch: int | None = None) -> None:
        """Write the rates without the factors of others, for one of torch's composites."""
        before = self.last_epoch
        self.last_epoch = t = before + 1 if epoch is None else epoch
        self._attach(before)
        binding = self._bindings[0]
        rates = binding.source.values(t + self._ahead, binding.bases)
        self._last_lr = list(binding.claim(rates))

    def _announce(self) -> None:
        print(f"Epoch {self.last_epoch}: setting learning rate to {self.get_last_lr():.6g}.")

    # The rates set last.

    def get_last_lr(self) -> LastLR:  # type: ignore[override]
        """The learning rates written last: a list of floats, also when the groups hold tensors."""
        return LastLR(self._last_lr)

    @property
    def last_lr(self) -> LastLR:
        """The same as `get_last_lr`."""
        return self.get_last_lr()

    # The steps to come.

    def planned(self, t: int) -> dict[str, list[float]]:
        """The values of step ``t`` by key, a list with one per group.

        They are this scheduler's own: its bases times its factors, without other schedulers'
        factors.

        Raises:
            InvalidType: they depend on more than the step.
        """
        time = t + self._ahead
        for binding in self._bindings:
            if binding.source.depends_on_more:
                rule = "give values that depend on the step alone"
                raise InvalidType(f"{type(self).__name__} does not {rule}: see `upcoming`")
        return {b.key: list(b.source.values(time, b.bases)) for b in self._bindings}

    def upcoming(self, steps: int, *metrics: Any) -> dict[str, list[list[float]]]:
        """The values that the next calls of `step` would write; nothing is stepped.

        A copy steps on a copy of the groups, so hand edits and the present factors of other
        schedulers are in the values.

        Args:
            steps: the number of calls.
            metrics: the argument of each call, for a scheduler that is stepped with a metric.

        Returns:
            By key, a list for each group with one value for each call.

        Example:
            >>> import torch
            >>> from glideslope.optim.lr_scheduler import StepLR
            >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.8)
            >>> StepLR(optimizer, step_size=2, gamma=0.5).upcoming(4)
            {'lr': [[0.8, 0.4, 0.4, 0.2]]}
        """
        return upcoming(self, steps, metrics)

    def plot(
        self, key: str | None = None, steps: int | None = None, ax: Axes | None = None
    ) -> Axes:
        """Draw the values of each group over the steps of the run; see `glideslope.plot`.

        Args:
            key: such as ``"weight_decay"``; the learning rate, or the first key, unless given.
            steps: the last step drawn; the end of the schedule unless given.
            ax: Matplotlib axes to draw on; a new figure unless given.

        Returns:
            The axes drawn on.
        """
        return plot_scheduler(self, key, steps, ax)

    # As a member of a composite: see `_composite.Member`.

    @property
    def can_enter(self) -> bool:
        """True if it can go to a step without reading the groups' values."""
        return not self._source.outright

    def stop_writing(self) -> None:
        """Stop writing, for a composite does it."""
        if self._order is not None:
            self._order.stop()
        self._order = None
        for binding in self._bindings:
            binding.suspend()

    def enter(self, t: int) -> list[Due]:
        """Go to step ``t``; return the values that are due."""
        if self._settings_now is not None and self._settings_now(self) != self._made_from:
            self._follow_settings()
        before, self.last_epoch = self.last_epoch, t
        optimizer, time, due = self.optimizer, t + self._ahead, []
        for binding in self._bindings:
            due.append((binding, binding.due(optimizer, time, before)))
            if not binding.takes_part:
                binding.take_part()
        return due

    def advance(self, _metrics: Any, /) -> list[Due]:
        """Go one step further; return the values that are due."""
        self._step_count += 1
        return self.enter(self.last_epoch + 1)

    def advance_and_write(self, _metrics: Any, /) -> list[float]:
        """Go one step further and write; return the learning rates."""
        self._step_count += 1
        before = self.last_epoch
        self._last_lr = rates = self._go(before + 1, before)
        self._written_at = self.last_epoch
        return rates

    def suspend(self, keys: set[str]) -> None:
        """Set the factors on these keys to 1, while another member drives them."""
        for binding in self._bindings:
            if binding.key in keys:
                binding.suspend()

    def active_bindings(self) -> list[tuple[Binding, float]]:
        """The bindings that are not suspended, each with the step of its source."""
        return [(binding, self.last_epoch + self._ahead) for binding in self._bindings]

    def bindings(self) -> list[Binding]:
        """All its bindings, suspended ones included."""
        return self._bindings

    def rates_at(self, t: int) -> list[float]:
        """The learning rates of step ``t``, without the factors of other schedulers."""
        return list(self._source.values(t + self._ahead, self.base_lrs))

    # State.

    def state_dict(self) -> dict[str, Any]:
        """The state in torch's format: plain values that share nothing with the scheduler.

        ``_last_lr`` are the rates in the groups now, so a hand edit is kept in a checkpoint.
        """
        saved = {key: value for key, value in vars(self).items() if key not in self._unsaved}
        state: dict[str, Any] = _state.copied(saved)
        if "base_lrs" in self._progress:
            state["base_lrs"] = list(self.base_lrs)
        if self._is_bound():
            state["_last_lr"] = list(self._rates_now())
        return state

    def _rates_now(self) -> list[float]:
        """The rates in the groups or, if the clock was set by hand, those that are due."""
        shared = self._shared_lr()
        held = shared.observe()
        if self.last_epoch == self._written_at:
            return held
        self._ahead = 0
        return due_values(shared, self.enter(self.last_epoch))

    def _is_bound(self) -> bool:
        """True if the groups of its present optimizer hold the values that it wrote."""
        return any(binding.bound_to is self.optimizer for binding in self.bindings())

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume from a state, also one of torch's, and write its learning rates.

        The settings of the state are adopted, with a warning that names those that differ.

        Args:
            state_dict: the result of `state_dict`; it is not changed.

        Raises:
            StateMismatch: it is the state of another class, or of more parameter groups than the
                optimizer has.
        """
        self.load(state_dict)
        self._write_loaded(vars(self).get("_last_lr"))

    def load(self, state_dict: Mapping[str, Any]) -> None:
        """Adopt a state; nothing is written."""
        state = self._translate(_state.copied(dict(state_dict)))
        strict = "_settings" in vars(type(self))
        known = [*self._settings, *self._progress, *(vars(self) if strict else ())]
        name = type(self).__name__
        _state.check_keys(name, set(known) - self._unsaved, state, strict)
        _state.check_count(name, state, len(self._shared_lr().groups()))
        for binding in self._bindings:
            binding.follow(self.optimizer, self.last_epoch + self._ahead)
        own = {key: getattr(self, key) for key in self._settings if hasattr(self, key)}
        _state.warn_of_changes(name, own, state)
        self._adopt(state)
        self._follow_settings()
        self._join_unknown(len(state.get("base_lrs") or state.get("_last_lr") or self.base_lrs))

    def _join_unknown(self, known: int) -> None:
        """Add groups that a loaded state does not contain, with their own values."""
        for binding in self._bindings:
            unknown = range(known, len(binding.shared.bases))
            joined = [binding.source.join(binding.shared.new_group(i)) for i in unknown]
            binding.bases = [*binding.bases[:known], *joined]

    def _translate(self, state: dict[str, Any]) -> dict[str, Any]:
        """Convert a state of an older torch, or one with tensors, to the present plain form."""
        for key in {"base_lrs", "_last_lr"} & set(state):
            state[key] = plain(state[key])
        state.pop("verbose", None)
        return state

    def _adopt(self, state: Mapping[str, Any]) -> None:
        if "base_lrs" in state:
            self._bindings[0].count_from(state["base_lrs"])
        vars(self).update({key: state[key] for key in state if key != "base_lrs"})

    def _write_loaded(self, rates: list[float] | None) -> None:
        """Write the loaded rates, and take part with the factors that gave them."""
        self._written_at = self.last_epoch
        if rates is not None:
            self._last_lr = restored(self, rates)

    def __repr__(self) -> str:
        """The scheduler, its step, its arguments and its rates."""
        if not hasattr(self, "_last_lr"):  # an error raised in `__init__` may print it
            return f"{type(self).__name__}(not built)"
        return f"{type(self).__name__}({', '.join(self._parts())})"

    def _parts(self) -> list[str]:
        shown = (name for name in self._settings if not name.startswith("_"))
        arguments = [f"{name}={getattr(self, name)!r}" for name in shown]
        return [f"step {self.last_epoch}", *arguments, f"now {self.get_last_lr():.6g}"]

    def __setstate__(self, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
        """Restore a copied or pickled state; it binds again at the next step."""
        for name, value in (state[0] | state[1]).items():
            setattr(self, name, value)
        for binding in self._bindings:
            if isinstance(binding.source, OwnRates):
                binding.source.ask(self)

    def __getstate__(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Everything but the hook on this optimizer, for copies and pickles."""
        slots = {name for cls in type(self).__mro__ for name in vars(cls).get("__slots__", ())}
        kept = slots - {"_order"}
        return vars(self), {name: getattr(self, name) for name in kept if hasattr(self, name)}


# Including `_LRScheduler` for old code: a class of its own, for its name.
class _LRScheduler(LRScheduler):
    """The base under its old name."""
