"""What a checkpoint says of `Scheduler`, and how that compares with the code that loads it.

The text of a schedule is its fingerprint: equal texts are equal schedules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isclose, isfinite
from typing import Any

from glideslope.errors import ParseError, StateMismatch
from glideslope.schedules import parse

from ._line import Absolute, Curve, Groups, Line, Spec, read_spec

FORMAT = 1
Text = str | list[Any]
"""The text of a schedule, or (group, text) pairs."""


@dataclass(frozen=True)
class SavedLine:
    """One key in a checkpoint.

    ``built`` are the values the groups had when the run began, ``bases`` those with hand edits
    since, ``values`` what was written last.
    """

    schedules: Text
    built: list[float]
    bases: list[float]
    values: list[float]

    def spec(self) -> Spec:
        """The schedules themselves.

        Raises:
            StateMismatch: one of them was a user's function, which a checkpoint cannot hold.
        """
        try:
            if isinstance(self.schedules, str):
                return read_spec("schedule", read_text(self.schedules))
            return Groups({name: read_text(text) for name, text in self.schedules})
        except ParseError as error:
            raise StateMismatch(f"the checkpoint's schedule cannot be adopted: {error}") from None


def save(line: Line) -> dict[str, Any]:
    """A line as plain values that share nothing with it."""
    bases = line.live_bases()
    return {
        "schedules": described(line.spec),
        "built": list(line.built),
        "bases": bases,
        "values": list(line.ledger.written),
    }


def described(spec: Spec) -> Text:
    """The text of every schedule."""
    if isinstance(spec, Groups):
        return [[name, None if curve is None else str(curve)] for name, curve in spec.items()]
    return str(spec)


def read_text(text: str | None) -> Curve:
    """The inverse of `described`, for one schedule."""
    if text is None:
        return None
    if text.startswith("Absolute("):
        return Absolute(parse(text.removeprefix("Absolute(")[:-1]))
    return parse(text)


def checked(state: Mapping[str, Any]) -> tuple[int, dict[str, SavedLine]]:
    """The step and the lines of a state.

    Raises:
        StateMismatch: it is no state of `Scheduler`, or one of another format.
    """
    if not isinstance(state, Mapping) or not {"format", "last_epoch", "keys"} <= state.keys():
        found = sorted(map(str, state)) if isinstance(state, Mapping) else state
        raise StateMismatch(f"not a state of Scheduler: {found!r:.200}")
    if state["format"] != FORMAT:
        raise StateMismatch(f"a state in format {state['format']!r}; this version reads {FORMAT}")
    t, keys = state["last_epoch"], state["keys"]
    if type(t) is not int or t < 0 or not isinstance(keys, Mapping):
        raise StateMismatch(f"a damaged state of Scheduler: last_epoch is {t!r}")
    return t, {key: read_line(key, line) for key, line in keys.items()}


def read_line(key: str, line: Any) -> SavedLine:
    """One key of a state."""
    try:
        saved = SavedLine(**line)
        numbers = [*saved.built, *saved.bases, *saved.values]
        sound = isinstance(saved.schedules, str | list) and all(map(isfinite, numbers))
    except TypeError:
        sound = False
    if not sound:
        raise StateMismatch(f"a damaged state of Scheduler: `{key}` is {line!r:.200}")
    return saved


def compare(lines: Sequence[Line], saved: Mapping[str, SavedLine]) -> list[str]:
    """What differs between the code and a checkpoint, a sentence each."""
    mine = {line.key for line in lines}
    told = [f"`{key}` is scheduled in the checkpoint only" for key in saved if key not in mine]
    for line in lines:
        if line.key not in saved:
            told.append(f"`{line.key}` is scheduled in the code only")
        else:
            told += differences(line, saved[line.key])
    return told


def differences(line: Line, saved: SavedLine) -> Iterator[str]:
    """What differs in one key."""
    if described(line.spec) != saved.schedules:
        mine, theirs = described(line.spec), saved.schedules
        yield f"`{line.key}` is under {mine} in the code, {theirs} in the checkpoint"
    for group in other_bases(line, saved):
        where = f"`{line.key}` of parameter group {group}"
        here, there = line.built[group], saved.built[group]
        yield f"{where} begins at {here} in the code, {there} in the checkpoint"


def other_bases(line: Line, saved: SavedLine) -> list[int]:
    """The groups that begin elsewhere in the code than in the checkpoint.

    A group that holds what the checkpoint wrote last comes from the optimizer's own checkpoint,
    loaded before the scheduler was built: it tells nothing of the code.
    """
    relative = [not isinstance(curve, Absolute) for curve in line.curves]
    rows = zip(relative, line.built, saved.built, saved.values, strict=False)
    return [
        group
        for group, (counts, mine, built, written) in enumerate(rows)
        if counts
        and not isclose(mine, built, rel_tol=1e-6)
        and not isclose(mine, written, rel_tol=1e-6)
    ]


def resumed_bases(line: Line, saved: SavedLine | None, keep: bool) -> list[float]:
    """The bases to go on from: the checkpoint's, or the code's where they differ and are kept."""
    if saved is None:
        return line.bases
    mine = set(other_bases(line, saved)) if keep else set()
    line.built[: len(saved.built)] = [
        line.built[g] if g in mine else built
        for g, built in enumerate(saved.built[: len(line.built)])
    ]
    return [
        line.bases[g] if g in mine else base
        for g, base in enumerate(saved.bases[: len(line.bases)])
    ]
