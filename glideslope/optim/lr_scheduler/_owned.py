"""Schedules given to an optimizer as hyperparameters: bindings that the optimizer owns.

``AdamW(params, lr=schedule)`` is an absolute schedule on the optimizer's own clock, which counts
its updates. The binding is the same as a scheduler's, so its factor multiplies with those of
schedulers.

A group keeps its clock under ``"updates"`` and the text of its schedules under ``"schedules"``, so
that both go with the optimizer's state, and through torch's distributed checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from glideslope.errors import StateMismatch
from glideslope.groups import NOTE, Binding, NewGroup, SharedKey, write_all
from glideslope.schedules import Schedule, parse

from ._sources import Evaluated, Plain

CLOCK, TEXTS = "updates", "schedules"
"""The keys under which a group keeps its clock and the texts of its schedules."""

POLICIES = ("error", "keep", "adopt")
HELP = 'load_state_dict(..., on_mismatch="keep") uses those of the code, "adopt" those of the state'


class Followed(NamedTuple):
    """The schedule of one group, and the scale of the group's own base."""

    schedule: Schedule
    curve: Evaluated
    scale: float


class OwnCurves(Plain):
    """``scale · s(t)`` for the groups that follow a schedule; the others keep their value."""

    def __init__(self) -> None:
        self.followed: list[Followed | None] = []
        self.next: Followed | None = None
        """The schedule of the next group to join."""

    def is_absolute(self, group: int) -> bool:
        """True if the group follows a schedule."""
        return self.followed[group] is not None

    @property
    def absolute(self) -> bool:  # type: ignore[override]
        """True if some group follows a schedule."""
        return any(each is not None for each in self.followed)

    def values(self, t: float, bases: list[float]) -> list[float]:
        """The values of every group."""
        return [
            base if each is None else each.curve.at(t) * each.scale
            for base, each in zip(bases, self.followed)  # noqa: B905
        ]

    def join(self, new: NewGroup) -> float:
        """Add a group with the schedule that was given for it."""
        self.followed.append(self.next)
        self.next = None
        return new.base


class OwnedSchedules:
    """The schedules of one optimizer, each bound to its key, and the clock that they share."""

    def __init__(self) -> None:
        self.updates = 0
        self.bindings: dict[str, Binding] = {}

    def __bool__(self) -> bool:
        return bool(self.bindings)

    # Groups.

    def take_group(self, optimizer: Any) -> None:
        """Bind the schedules in the last group, and write their first values.

        A group that holds a number where the optimizer's default is a schedule follows the
        default; the number is its value at the peak of the schedule.
        """
        *_, group = optimizer.param_groups
        held = dict(_schedules_in(group))
        default = dict(_schedules_in(optimizer.defaults))
        for key in {**default, **held}:
            schedule = held.get(key) or default[key]
            peak = reference(schedule)
            if key in held:
                _put(group, key, peak)
            self._follow(optimizer, key, schedule, peak)
        self._show(optimizer)

    def _follow(self, optimizer: Any, key: str, schedule: Schedule, peak: float) -> None:
        binding = self.bindings.get(key)
        if binding is None:
            binding = self.bindings[key] = Binding(key, OwnCurves())
            others = len(optimizer.param_groups) - 1
            binding.source.followed = [None] * others  # type: ignore[attr-defined]
        source: Any = binding.source
        base = float(_held(optimizer.param_groups[-1], key))
        followed = Followed(schedule, Evaluated(schedule), base / peak)
        if binding.is_bound:
            source.next = followed
            binding.refit(self.updates)
        else:
            source.followed.append(followed)
            binding.attach(optimizer, self.updates)

    def _show(self, optimizer: Any) -> None:
        """Write the values of the next update, the clock and the texts into the groups."""
        if not self.bindings:
            return
        write_all(
            (binding, binding.due(optimizer, self.updates, self.updates))
            for binding in self.bindings.values()
        )
        for number, group in enumerate(optimizer.param_groups):
            group[CLOCK] = self.updates
            group[TEXTS] = self.texts(number)

    def followed(self, number: int) -> dict[str, Followed]:
        """The schedules of a group, by key."""
        found = {key: _followed(binding, number) for key, binding in self.bindings.items()}
        return {key: each for key, each in found.items() if each is not None}

    def texts(self, number: int) -> dict[str, str]:
        """The texts of a group's schedules, by key: their fingerprints."""
        return {key: str(each.schedule) for key, each in self.followed(number).items()}

    def put_into(self, number: int, group: dict[str, Any]) -> dict[str, Any]:
        """A copy of a group that holds its schedules instead of their present values."""
        shown = dict(group)
        for key, each in self.followed(number).items():
            _put(shown, key, each.schedule if each.scale == 1 else each.schedule * each.scale)
        return shown

    # Updates.

    def advance(self, optimizer: Any) -> None:
        """Count an update, and write the values of the next one.

        torch's distributed checkpoint creates an optimizer's state by a first step at a rate of 0,
        which it sets by hand; that is no update.
        """
        if self.updates == 0 and SharedKey.of(optimizer).zeroed():
            return
        self.updates += 1
        before = self.updates - 1
        write_all([(b, b.due(optimizer, self.updates, before)) for b in self.bindings.values()])
        for group in optimizer.param_groups:
            group[CLOCK] = self.updates

    # State.

    def compare(self, optimizer: Any, saved: Sequence[Mapping[str, Any]]) -> list[str]:
        """The differences between these schedules and those of a saved state, a sentence each."""
        told = []
        for number, group in enumerate(saved[: len(optimizer.param_groups)]):
            mine, theirs = self.texts(number), dict(group.get(TEXTS) or {})
            if TEXTS in group or CLOCK in group:
                told += [
                    f"`{key}` of parameter group {number} is under {mine.get(key, 'no schedule')} "
                    f"in the code, {theirs.get(key, 'no schedule')} in the state"
                    for key in {**mine, **theirs}
                    if mine.get(key) != theirs.get(key)
                ]
        return told

    def check(self, optimizer: Any, saved: Sequence[Mapping[str, Any]], policy: str) -> bool:
        """True if a saved state was made under these schedules.

        Raises:
            StateMismatch: it was not, and ``policy`` is ``"error"``; or its schedules cannot be
                adopted.
        """
        differences = self.compare(optimizer, saved)
        if differences and policy == "error":
            told = "\n  ".join(["the state is of another run:", *differences])
            raise StateMismatch(f"{told}\n{HELP}")
        if policy == "adopt":
            for group in saved:
                for key, text in (group.get(TEXTS) or {}).items():
                    _parsed(key, text)
        return not differences

    def resume(self, optimizer: Any, own: Sequence[Mapping[str, Any]], same: bool) -> None:
        """Resume from the state that was loaded into the groups.

        With ``same`` the values are those of these schedules, hand edits included, unless another
        scheduler has loaded and written its state already. Otherwise these schedules continue from
        their own bases, and a key that only the state schedules keeps its earlier base, in ``own``.
        """
        theirs = {key for group in optimizer.param_groups for key in group.pop(TEXTS, {})}
        for key in theirs - self.bindings.keys():
            _put_back(optimizer, key, own)
        clocks = [int(group.pop(CLOCK)) for group in optimizer.param_groups if CLOCK in group]
        self.updates = max(clocks, default=self.updates)
        for binding in self.bindings.values():
            binding.attach(optimizer, self.updates)
            if not same or not clocks:
                binding.resume(self.updates)
            elif binding.shared.is_restored:
                binding.write(binding.source.values(self.updates, binding.bases))
            else:
                binding.restore(self.updates)
            binding.entry.restored = False  # the state of the groups is its state
        self._show(optimizer)

    def fill(self, optimizer: Any, told: Sequence[Mapping[str, Any]]) -> None:
        """Write the values of the loaded update where the saved groups have none."""
        for number, (group, values) in enumerate(zip(optimizer.param_groups, told, strict=True)):
            for key, each in self.followed(number).items():
                if key.partition("[")[0] not in values:
                    value = each.curve.at(int(group.get(CLOCK, self.updates))) * each.scale
                    held = _held(group, key)
                    is_tensor = hasattr(held, "fill_")
                    _put(group, key, held.detach().clone().fill_(value) if is_tensor else value)

    def adopt(self, optimizer: Any, saved: Sequence[Mapping[str, Any]]) -> None:
        """Bind the groups to the schedules of a saved state."""
        for binding in self.bindings.values():
            binding.detach()
        keys = {key for group in saved for key in group.get(TEXTS) or {}}
        for key in {*keys, *self.bindings}:
            SharedKey.of(optimizer, key).rebase(_bases(saved, key))
        self.bindings = {}
        for key in sorted(keys):
            source = OwnCurves()
            for group in saved:
                text = (group.get(TEXTS) or {}).get(key)
                source.followed.append(None if text is None else _adopted(key, text, group))
            binding = self.bindings[key] = Binding(key, source)
            binding.attach(optimizer, self.updates)

    def __getstate__(self) -> dict[str, Any]:
        return {"updates": self.updates, "bindings": self.bindings}


def reference(schedule: Schedule) -> float:
    """The value of a schedule that a group's base replaces: the largest at a phase boundary."""
    stops = {0.0}
    for phase in schedule.phases():
        stops |= {phase.start, phase.stop} - {float("inf")}
    values = [schedule(stop) for stop in sorted(stops)]
    return max(values, key=abs) or 1.0


def _adopted(key: str, text: str, group: Mapping[str, Any]) -> Followed:
    schedule = _parsed(key, text)
    peak = reference(schedule)
    return Followed(schedule, Evaluated(schedule), float(group.get(NOTE + key, peak)) / peak)


def _parsed(key: str, text: str) -> Schedule:
    try:
        return parse(text)
    except ValueError as error:
        raise StateMismatch(f"the state's schedule of `{key}` cannot be adopted: {error}") from None


def _schedules_in(values: Mapping[str, Any]) -> Iterator[tuple[str, Schedule]]:
    """Every schedule among hyperparameters, those inside tuples too, by key."""
    for key, value in values.items():
        if isinstance(value, Schedule):
            yield key, value
        elif isinstance(value, tuple | list) and key not in ("params", "param_names"):
            for index, part in enumerate(value):
                if isinstance(part, Schedule):
                    yield f"{key}[{index}]", part


def _held(group: Mapping[str, Any], key: str) -> Any:
    name, _, index = key.rstrip("]").partition("[")
    return group[name][int(index)] if index else group[name]


def _put(group: dict[str, Any], key: str, value: Any) -> None:
    name, _, index = key.rstrip("]").partition("[")
    if not index:
        group[name] = value
    else:
        held = list(group[name])
        held[int(index)] = value
        group[name] = tuple(held)


def _bases(groups: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    """The base of a key in every group that has it: the one noted, or the value."""
    name = key.partition("[")[0]
    holders = [group for group in groups if name in group]
    return [float(group.get(NOTE + key, _held(group, key))) for group in holders]


def _put_back(optimizer: Any, key: str, before: Sequence[Mapping[str, Any]]) -> None:
    """Restore the values and bases that the groups had before a load."""
    for group, old in zip(optimizer.param_groups, before, strict=True):
        _put(group, key, _held(old, key))
        if NOTE + key in old:
            group[NOTE + key] = old[NOTE + key]
    if SharedKey.is_driven(optimizer, key):
        SharedKey.of(optimizer, key).rebase(_bases(before, key))


def _followed(binding: Binding, number: int) -> Followed | None:
    source: Any = binding.source
    return source.followed[number] if number < len(source.followed) else None
