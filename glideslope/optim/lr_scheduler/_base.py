"""What every scheduler shares: the clock, the write, the state, torch's interface."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from glideslope.errors import GlideslopeError, InvalidType, InvalidValue

from . import _initial_lr, _state
from ._checks import plain
from ._last_lr import LastLR
from ._ledger import Entry, Ledger
from ._order import CallOrder, watch_order

EPOCH_DEPRECATION_WARNING: str = torch.optim.lr_scheduler.EPOCH_DEPRECATION_WARNING


class LRScheduler(torch.optim.lr_scheduler.LRScheduler):
    """The base of all schedulers, and of your own in torch's style.

    A subclass writes `get_lr`, which gives one learning rate per parameter group for the step
    ``last_epoch``. Building a scheduler writes the rates of step 0, so the optimizer's update
    number t runs at the rate of step t. Whatever stands in the groups is respected: other
    schedulers on the same optimizer, hand edits, a loaded state.

    Args:
        optimizer: anything with ``param_groups`` (dictionaries that hold ``"lr"``), or with a plain
            attribute ``lr``.
        last_epoch: -1 to begin; N >= 0 to go on after step N, with ``"initial_lr"`` in every group.
            It is the last step that is finished: after ``k`` calls of `step`, ``k - 1``.
        verbose: print ``Epoch 3: setting learning rate to 0.1.`` at every step; with several groups
            the rates stand in brackets.

    Raises:
        InvalidType: ``optimizer`` is none.
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

    # Kept out of ``__dict__``, which holds what torch's schedulers hold and no more.
    __slots__ = ("_bound", "_entry", "_ledger", "_order", "_origins", "_verbose")

    _ties: ClassVar[frozenset[str]] = frozenset({"_bound", "_entry", "_ledger", "_order"})
    _settings: ClassVar[tuple[str, ...]] = ()  # arguments that a state carries
    _progress: ClassVar[tuple[str, ...]] = ("base_lrs", "last_epoch")  # and what moves
    _unsaved: ClassVar[frozenset[str]] = frozenset({"optimizer"})
    _starts_anew: ClassVar[bool] = False  # from the bases, whatever gone schedulers made of them
    _watches_order: ClassVar[bool] = True
    _warns_of_epoch: ClassVar[bool] = True

    optimizer: Any
    base_lrs: list[float]  # type: ignore[assignment]
    last_epoch: int
    _last_lr: list[float]  # type: ignore[assignment]
    _step_count: int
    _bound: Any  # the optimizer that the ledger is of
    _ledger: Ledger
    _entry: Entry | None
    _order: CallOrder | None
    _origins: list[float]
    _verbose: bool

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Any:
        """Begin unbound; a copy, which is not built anew, joins its optimizer at its next step."""
        self = super().__new__(cls)
        self._bound = self._entry = self._order = None
        self._origins = []
        self._verbose = False
        return self

    def __init__(self, optimizer: Any, last_epoch: int = -1, verbose: bool = False) -> None:
        self.optimizer = optimizer
        self._verbose = verbose
        self.base_lrs = self._find_bases(self._bind(), last_epoch)
        self.last_epoch = last_epoch
        if self._watches_order:
            self._order = watch_order(optimizer)
        self._initial_step()

    def _initial_step(self) -> None:
        """Write the first rates. torch's composites call this to start a member anew."""
        self._step_count = 0
        self._is_initial = True
        self._get_lr_called_within_step = False
        try:
            self.step()
        finally:
            self._is_initial = False

    # Stepping.

    def step(self, epoch: int | None = None) -> None:
        """Go to the next step and write its learning rates; call it after ``optimizer.step()``.

        Args:
            epoch: go to this step instead, by the closed form where there is one.
        """
        if self._order is not None and self._step_count == 1:
            self._order.check(self.optimizer)
            self._order = None
        self._step_count += 1
        if epoch is not None and self._warns_of_epoch:
            warnings.warn(EPOCH_DEPRECATION_WARNING, PendingDeprecationWarning, stacklevel=2)
        ledger = self._ledger if self._bound is self.optimizer else self._bind()
        groups = ledger.groups()
        if len(groups) > len(self.base_lrs):
            self._welcome(ledger)
        before = self.last_epoch
        try:
            if epoch is None:
                self.last_epoch = t = before + 1
                values = self._rates(t)
            else:
                values = self._jump(epoch)
            self._last_lr = self._write(ledger, values, groups)
        except (GlideslopeError, OverflowError) as error:
            refusal = self._refusal(error)
            self.last_epoch = before  # the step was not taken
            self._step_count -= 1
            raise refusal from error
        if self._verbose:
            self._announce(self.last_epoch)

    def _refusal(self, error: Exception) -> Exception:
        """The error with the scheduler and the step in front."""
        kind = InvalidType if isinstance(error, InvalidType) else InvalidValue
        what = "the rate is beyond all floats" if isinstance(error, OverflowError) else error
        return kind(f"{type(self).__name__}, step {self._clock()}: {what}")

    def get_lr(self) -> list[float]:  # type: ignore[override]
        """The learning rates of the step ``last_epoch``, one per parameter group."""
        raise NotImplementedError

    def _move(self, t: int) -> list[float]:
        """Set the clock to ``t`` and give its rates."""
        self.last_epoch = t
        return self._rates(t)

    def _rates(self, _t: int) -> list[float]:
        """The rates of `get_lr`, under the flag that torch's subclasses look for."""
        self._get_lr_called_within_step = True
        try:
            return self.get_lr()
        finally:
            self._get_lr_called_within_step = False

    def _jump(self, t: int) -> list[float]:
        """Set the clock to any step, by the closed form if the subclass has one."""
        closed_form = getattr(self, "_get_closed_form_lr", None)
        if closed_form is None:
            return self._move(t)
        self.last_epoch = t
        return closed_form()  # type: ignore[no-any-return]

    def _write(self, ledger: Ledger, values: Any, groups: list[Any]) -> list[float]:
        """Write the rates outright, as torch does: a recursion has all factors in them already."""
        if len(values) < len(groups):
            rule = f"give {len(groups)} rates, one per parameter group"
            raise InvalidValue(f"get_lr() must {rule}, got {values!r}")
        return ledger.edit(plain(values))

    def _update_lr(self, epoch: int | None = None) -> None:
        """Step without counting it, as torch's composites ask of a member."""
        ledger = self._bind()
        values = self._move(self.last_epoch + 1) if epoch is None else self._jump(epoch)
        self._last_lr = list(self._write(ledger, values, ledger.groups()))

    def _clock(self) -> int:
        """The step it is at."""
        return self.last_epoch

    def _announce(self, epoch: float) -> None:
        print(f"Epoch {epoch}: setting learning rate to {LastLR(self._last_lr):.6g}.")

    # What was set last.

    def get_last_lr(self) -> LastLR:  # type: ignore[override]
        """The learning rates written last: a list of floats, also when the groups hold tensors."""
        return LastLR(self._last_lr)

    @property
    def last_lr(self) -> LastLR:
        """The same as `get_last_lr`."""
        return self.get_last_lr()

    # The optimizer.

    def _bind(self) -> Ledger:
        """Find the ledger of the optimizer this scheduler has now."""
        if self._bound is None or self._bound is not self.optimizer:
            if self._entry is not None:
                self._ledger.leave(self._entry)
                self._entry = None
            self._ledger = Ledger.of(self.optimizer)
            self._bound = self.optimizer
        return self._ledger

    def _find_bases(self, ledger: Ledger, last_epoch: int) -> list[float]:
        if last_epoch >= 0:
            bases = _initial_lr.required(ledger)
            ledger.rebase(bases)
        else:
            bases = ledger.free_bases(self._starts_anew)
            _initial_lr.note(ledger, bases)
        self._origins = list(ledger.origins)
        return bases

    def _welcome(self, ledger: Ledger) -> None:
        """Let groups that were added later join: here, each from the rate it has."""
        rates = ledger.observe()
        for group in range(len(self.base_lrs), len(rates)):
            base = _initial_lr.given(ledger, group)
            self._set_base(group, rates[group] if base is None else base)
            _initial_lr.note_one(ledger, group, self.base_lrs[group])

    def _set_base(self, group: int, base: float) -> None:
        """Set the base of a group, of the next new one too."""
        self.base_lrs = [*self.base_lrs[:group], base, *self.base_lrs[group + 1 :]]

    def _base_on(self, bases: list[float]) -> None:
        """Take the bases of a run that is resumed."""
        self.base_lrs = list(bases)

    def _hand_over(self) -> None:
        """Leave the optimizer to a composite."""
        if self._order is not None:
            self._order.stop()
        self._bound = self._entry = self._order = None

    def _begin_anew(self) -> None:
        """Go back to the bases without what gone schedulers made of them."""
        self._base_on(self._origins)

    def _saved_bases(self) -> list[float] | None:
        """The bases, if a state holds them."""
        return self.base_lrs

    def _share_bases(self, bases: list[float]) -> None:
        """Learn the bases that the other members of a composite have loaded."""

    def _settle(self) -> None:
        """Write what goes along with the rates; a composite asks for it when it has been loaded."""

    # State.

    def state_dict(self) -> dict[str, Any]:
        """The state in torch's format: plain values that share nothing with the scheduler.

        ``_last_lr`` is what the groups hold now, so a hand edit survives a checkpoint.
        """
        saved = {key: value for key, value in vars(self).items() if key not in self._unsaved}
        state: dict[str, Any] = _state.copied(saved)
        if self._bound is not None:
            state["_last_lr"] = list(self._ledger.observe())
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state, one of torch's too, and write its learning rates.

        The settings of the state are adopted, with a warning that names those that differ.

        Args:
            state_dict: what `state_dict` gave; it is not changed.

        Raises:
            StateMismatch: it is the state of another class.
        """
        self._load(state_dict)
        self._reenter(self._bind(), vars(self).get("_last_lr"))

    def _load(self, state_dict: Mapping[str, Any]) -> None:
        """Take over a state and write nothing."""
        state = self._translate(_state.copied(dict(state_dict)))
        strict = "_settings" in vars(type(self))
        known = [*self._settings, *self._progress, *(vars(self) if strict else ())]
        name = type(self).__name__
        _state.check_keys(name, set(known) - self._unsaved, state, strict)
        own = {key: getattr(self, key) for key in self._settings if hasattr(self, key)}
        _state.warn_of_changes(name, own, state)
        self._adopt(state)

    def _translate(self, state: dict[str, Any]) -> dict[str, Any]:
        """Bring a state of an older torch, or one with tensors, into today's plain form."""
        for key in {"base_lrs", "_last_lr"} & set(state):
            state[key] = plain(state[key])
        state.pop("verbose", None)
        return state

    def _adopt(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state)

    def _reenter(self, ledger: Ledger, rates: list[float] | None) -> None:
        """Write the loaded rates and stand in the ledger as the one who wrote them."""
        if rates is not None:
            self._last_lr = list(ledger.edit(self._fitted(ledger, rates)))

    @staticmethod
    def _fitted(ledger: Ledger, rates: list[float]) -> list[float]:
        """The loaded rates; groups that the state does not know keep theirs."""
        return rates + ledger.observe()[len(rates) :]

    def __getstate__(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Everything but the ties to this very optimizer, for copies and pickles."""
        slots = {name for cls in type(self).__mro__ for name in vars(cls).get("__slots__", ())}
        kept = slots - self._ties
        return vars(self), {name: getattr(self, name) for name in kept if hasattr(self, name)}


# Including `_LRScheduler` for old code: a class of its own, for its name.
class _LRScheduler(LRScheduler):
    """The base under its old name."""
