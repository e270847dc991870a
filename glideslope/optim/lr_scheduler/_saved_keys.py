"""The state of `Scheduler`: each key of a checkpoint, compared with the code that loads it.

The text of a schedule is its fingerprint: equal texts are equal schedules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isclose, isfinite
from typing import Any

from glideslope.errors import ParseError, StateMismatch
from glideslope.groups import Binding
from glideslope.schedules import parse

from ._specs import Absolute, GroupCurve, Groups, Spec

FORMAT = 1
Text = str | list[Any]
"""The text of a schedule, or (group, text) pairs."""


@dataclass(frozen=True)
class SavedKey:
    """One key in a checkpoint.

    Attributes:
        schedules: their text.
        built: the value of each group at the start of the run.
        bases: these values with hand edits since; under an absolute schedule, the edits alone.
        values: the values written last.
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
                curve = read_text(self.schedules)
                assert curve is not None
                return curve
            return Groups({name: read_text(text) for name, text in self.schedules})
        except ParseError as error:
            raise StateMismatch(f"the checkpoint's schedule cannot be adopted: {error}") from None


def save(binding: Binding, spec: Spec) -> dict[str, Any]:
    """The state of a key as plain values that share nothing with it."""
    scales = binding.scales()
    return {
        "schedules": described(spec),
        "built": list(binding.built),
        "bases": [
            scale if binding.source.is_absolute(group) else base
            for group, (scale, base) in enumerate(zip(scales, binding.shared.bases, strict=False))
        ],
        "values": list(binding.shared.written),
    }


def described(spec: Spec) -> Text:
    """The text of every schedule."""
    if isinstance(spec, Groups):
        return [[name, None if curve is None else str(curve)] for name, curve in spec.items()]
    return str(spec)


def read_text(text: str | None) -> GroupCurve:
    """The inverse of `described`, for one schedule."""
    if text is None:
        return None
    if text.startswith("Absolute("):
        return Absolute(parse(text.removeprefix("Absolute(")[:-1]))
    return parse(text)


def checked(state: Mapping[str, Any]) -> tuple[float, dict[str, SavedKey]]:
    """The step and the keys of a state.

    Raises:
        StateMismatch: it is no state of `Scheduler`, or one of another format.
    """
    if not isinstance(state, Mapping) or not {"format", "last_epoch", "keys"} <= state.keys():
        found = sorted(map(str, state)) if isinstance(state, Mapping) else state
        raise StateMismatch(f"not a state of Scheduler: {found!r:.200}")
    if state["format"] != FORMAT:
        raise StateMismatch(f"a state in format {state['format']!r}; this version reads {FORMAT}")
    t, keys = state["last_epoch"], state["keys"]
    is_step = type(t) in (int, float) and t >= 0 and isfinite(t)
    if not is_step or not isinstance(keys, Mapping) or not keys:
        raise StateMismatch(f"a damaged state of Scheduler: last_epoch is {t!r}, keys {keys!r:.80}")
    return t, {key: read_key(key, saved) for key, saved in keys.items()}


def read_key(key: str, saved: Any) -> SavedKey:
    """One key of a state."""
    try:
        read = SavedKey(**saved)
        numbers = [*read.built, *read.bases, *read.values]
        sound = isinstance(read.schedules, str | list) and all(map(isfinite, numbers))
    except TypeError:
        sound = False
    if not sound:
        raise StateMismatch(f"a damaged state of Scheduler: `{key}` is {saved!r:.200}")
    return read


def compare(
    specs: Mapping[str, Spec], bindings: Mapping[str, Binding], saved: Mapping[str, SavedKey]
) -> list[str]:
    """The differences between the code and a checkpoint, a sentence each."""
    told = [f"`{key}` is scheduled in the checkpoint only" for key in saved if key not in specs]
    for key, spec in specs.items():
        if key not in saved:
            told.append(f"`{key}` is scheduled in the code only")
        else:
            told += differences(spec, bindings[key], saved[key])
    return told


def differences(spec: Spec, binding: Binding, saved: SavedKey) -> Iterator[str]:
    """The differences in one key."""
    key = binding.key
    if described(spec) != saved.schedules:
        mine, theirs = described(spec), saved.schedules
        yield f"`{key}` is under {mine} in the code, {theirs} in the checkpoint"
    for group in other_bases(binding, saved):
        where = f"`{key}` of parameter group {group}"
        here, there = in_code(binding)[group], saved.built[group]
        yield f"{where} begins at {here} in the code, {there} in the checkpoint"


def other_bases(binding: Binding, saved: SavedKey) -> list[int]:
    """The groups whose first value differs between the code and the checkpoint.

    The first value in the code is not known for a group of torch's optimizers that was loaded
    before the scheduler was built.
    """
    rows = enumerate(zip(in_code(binding), saved.built, strict=False))
    return [
        group
        for group, (mine, built) in rows
        if not binding.source.is_absolute(group)
        and mine is not None
        and not isclose(mine, built, rel_tol=1e-7)
    ]


def in_code(binding: Binding) -> list[float | None]:
    """The first value of each group in the code; None where a load has overwritten it."""
    shared = binding.shared
    return [
        None if group in shared.unsure and code is None else built if code is None else code
        for group, built in enumerate(binding.built)
        for code in [shared.in_code[group] if group < len(shared.in_code) else None]
    ]


def resumed(
    binding: Binding, saved: SavedKey | None, keep: bool
) -> tuple[list[float], list[float]]:
    """The bases and edits to resume from: the checkpoint's or, with ``keep``, the code's."""
    if saved is None:
        return list(binding.bases), binding.scales()
    mine = set(other_bases(binding, saved)) if keep else set()
    bases, scales = list(binding.bases), [1.0] * len(binding.bases)
    was_absolute = _were_absolute(saved, len(bases))
    for group in range(min(len(bases), len(saved.bases))):
        if binding.source.is_absolute(group):
            scales[group] = saved.bases[group] if was_absolute[group] else 1.0
        elif group in mine:
            bases[group] = in_code(binding)[group] or bases[group]
        else:
            bases[group] = saved.built[group] if was_absolute[group] else saved.bases[group]
            binding.built[group] = saved.built[group]
    return bases, scales


def _were_absolute(saved: SavedKey, count: int) -> list[bool]:
    """True for each group that had an absolute schedule, according to its text."""
    if isinstance(saved.schedules, str):
        return [saved.schedules.startswith("Absolute(")] * count
    texts = {name: text or "" for name, text in saved.schedules}
    return [texts.get(group, "").startswith("Absolute(") for group in range(count)]
