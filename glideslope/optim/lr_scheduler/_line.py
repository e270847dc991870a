"""One key of an optimizer under its schedules: `Scheduler` has one of these for each key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from glideslope.errors import require, require_type
from glideslope.schedules import Constant, Schedule, parse

from ._ledger import Entry, Ledger


@dataclass(frozen=True)
class Absolute:
    """A schedule whose values are the hyperparameter itself, not factors of each group's own.

    Args:
        schedule: a schedule, or the text of one.

    Raises:
        InvalidType: ``schedule`` is neither.

    Example:
        >>> import torch, glideslope as gs
        >>> from glideslope.optim.lr_scheduler import Scheduler
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> scheduler = Scheduler(optimizer, lr=Absolute(gs.noam(512, 4000)))
        >>> scheduler.step(4000)
        >>> round(optimizer.param_groups[0]["lr"], 8)
        0.00069877
    """

    schedule: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "schedule", as_schedule("schedule", self.schedule))

    def __str__(self) -> str:
        return f"Absolute({self.schedule})"


Curve = Schedule | Absolute | None
"""What one group is under; None leaves it alone."""


TIES = ("optimizer", "ledger", "entry")
NOBODY = object()


class Line:
    """The schedules of one key and their place in its ledger: ``value = base · s(t)``.

    The base is the value a group had when it joined; under an absolute schedule it is 1.
    """

    def __init__(self, key: str, spec: Any) -> None:
        self.key = key
        self.spec = read_spec(key, spec)
        self.curves: list[Curve] = []
        self.bases: list[float] = []
        self.built: list[float] = []
        self.optimizer: Any = NOBODY  # the one whose ledger this has entered
        self.ledger: Ledger
        self.entry: Entry

    def due(self, owner: Any, t: float) -> list[float]:
        """What every group is due at step ``t``."""
        if self.optimizer is not owner.optimizer:
            self.attach(owner)
        if len(self.ledger.port.groups()) > len(self.bases):
            self._welcome()
        return self.values(t)

    def values(self, t: float) -> list[float]:
        """``base · s(t)`` for every group."""
        if not isinstance(self.spec, Groups):
            factor = schedule_of(self.spec)(t)
            return [base * factor for base in self.bases]
        pairs = zip(self.bases, self.curves, strict=True)
        return [base if curve is None else base * schedule_of(curve)(t) for base, curve in pairs]

    def attach(self, owner: Any) -> None:
        """Enter the ledger of the owner's optimizer; the first time, every group joins."""
        if self.optimizer is owner.optimizer:
            return
        self.ledger, self.optimizer = Ledger.of(owner.optimizer, self.key), owner.optimizer
        bases = self.ledger.free_bases()
        self.entry = self.ledger.join(owner, [])
        if self.bases:  # a copy: the values it finds have its factor in them already
            self.ledger.restore(self.entry, self.bases, self.values(owner.last_epoch))
            return
        check_groups(self.key, self.spec, self.ledger.port.groups())
        self.ledger.bases = bases
        self._welcome()

    def write(self, values: list[float]) -> list[float]:
        """Ask the ledger for ``values``; what it wrote comes back."""
        return self.ledger.post(self.entry, values)

    def resume(self, bases: Sequence[float], t: float) -> None:
        """Go on from ``bases`` at step ``t``, whatever the groups hold."""
        self.bases[: len(bases)] = bases[: len(self.bases)]
        self.ledger.rebase(self.bases)
        self.entry.references = list(self.bases)
        self.write(self.values(t))

    def live_bases(self) -> list[float]:
        """The bases, hand edits included."""
        self.ledger.observe()
        return list(self.ledger.bases)

    def replace(self, spec: Any) -> None:
        """Put the groups under other schedules, from the same bases."""
        self.spec = spec
        groups = self.ledger.port.groups()
        self.curves = [curve_of(spec, index, group) for index, group in enumerate(groups)]

    def _welcome(self) -> None:
        """Let the groups that are new join, each with its own value for its base."""
        self.ledger.observe()
        groups = self.ledger.port.groups()
        for index in range(len(self.bases), len(groups)):
            curve, own = curve_of(self.spec, index, groups[index]), self.ledger.bases[index]
            base = 1.0 if isinstance(curve, Absolute) else own
            self.curves.append(curve)
            self.built.append(own)
            self.bases.append(base)
            self.ledger.extend(self.entry, base, base, base)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the ties to this very optimizer, for copies and pickles."""
        kept = {name: value for name, value in vars(self).items() if name not in TIES}
        return kept | {"optimizer": NOBODY}


# -- what is given for a key ---------------------------------------------------------------------


class Groups(dict[Any, Curve]):
    """Schedules by the index or the ``"name"`` of a group; groups not named are left alone."""


Spec = Schedule | Absolute | Groups
"""One schedule for all groups, or one for each."""


def read_spec(key: str, spec: Any) -> Spec:
    """What was given for ``key``: a schedule, or a list or mapping of them by group."""
    if isinstance(spec, Mapping):
        return Groups({name: as_curve(key, curve) for name, curve in spec.items()})
    if isinstance(spec, list):
        return Groups({index: as_curve(key, curve) for index, curve in enumerate(spec)})
    return spec if isinstance(spec, Absolute) else as_schedule(key, spec)


def as_curve(key: str, curve: Any) -> Curve:
    """One group's schedule, absolute schedule, or None."""
    return curve if curve is None or isinstance(curve, Absolute) else as_schedule(key, curve)


def as_schedule(key: str, value: Any) -> Schedule:
    """A schedule from a schedule, its text, or a number."""
    if isinstance(value, str):
        return parse(value)
    if isinstance(value, Real) and not isinstance(value, bool):
        return Constant(float(value))
    require_type(isinstance(value, Schedule), key, "be a schedule or the text of one", value)
    return value  # type: ignore[no-any-return]


def schedule_of(curve: Any) -> Schedule:
    """The schedule itself, of an absolute one too."""
    return curve.schedule if isinstance(curve, Absolute) else curve  # type: ignore[no-any-return]


def curve_of(spec: Spec, index: int, group: Any) -> Curve:
    """What the group at ``index`` is under."""
    if not isinstance(spec, Groups):
        return spec
    name = group.get("name") if hasattr(group, "get") else None
    return spec.get(index) if name is None else spec.get(name, spec.get(index))


def check_groups(key: str, spec: Spec, groups: Sequence[Any]) -> None:
    """Refuse schedules for groups that are not there."""
    if not isinstance(spec, Groups):
        return
    names = [group.get("name") for group in groups if hasattr(group, "get")]
    known = {*range(len(groups)), *(name for name in names if name is not None)}
    for name in spec:
        require(name in known, key, f"name groups of the optimizer ({shown(known)})", name)


def shown(names: set[Any]) -> str:
    """Indices and names, in order."""
    return ", ".join(map(str, sorted(names, key=lambda name: (isinstance(name, str), name))))
