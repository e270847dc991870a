"""Settings and results of runs by name, and the runs that differ in their seed alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from glideslope.runs import RecordedRun

REPEATED = ("command", "schedule.json", "settings.schedule", "settings.optimizer", "settings.lr")
"""Settings that say again what others say."""
INCIDENTAL = ("versions", "out", "name", "run")
"""Settings in which two seeds of one run may differ."""
SEED = re.compile(r"[-_. ]*(?:seed|rng)[-_=. ]*\d+", re.IGNORECASE)
LONG_NUMBER = re.compile(r"\d+\.\d{9,}(?:e[-+]?\d+)?")


def settings(runs: Sequence[RecordedRun]) -> list[tuple[str, list[str]]]:
    """Every setting and result by its name, with the value that each run has for it."""
    columns = [dict(flat(run.config)) | dict(flat(run.result)) for run in runs]
    names = dict.fromkeys(name for column in columns for name in column)
    return [(name, [column.get(name, "") for column in columns]) for name in names]


def flat(content: Mapping[str, Any], inside: str = "") -> Iterator[tuple[str, str]]:
    """The values within values, named ``outer.inner``, without what repeats others."""
    for key, value in content.items():
        name = f"{inside}{key}"
        if name in REPEATED:
            continue
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{name}.")
        else:
            yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def short(text: str) -> str:
    """A text whose long decimals are shortened: 0.3 for 0.30000000000000004."""
    return LONG_NUMBER.sub(lambda found: f"{float(found[0]):.6g}", text)


def seeds(runs: Sequence[RecordedRun]) -> list[list[int]]:
    """The numbers of the runs that differ in their seed alone, for each such set of two or more.

    Runs are compared by their configuration. Without one, they are compared by their names, which
    must hold ``seed`` and a number.
    """
    sets: dict[Any, list[int]] = {}
    for number, run in enumerate(runs):
        if (key := without_seed(run)) is not None:
            sets.setdefault(key, []).append(number)
    return [numbers for numbers in sets.values() if len(numbers) > 1]


def without_seed(run: RecordedRun) -> Any:
    """The configuration without its seed, or else the name without its; None without either."""
    found = dict(flat(run.config))
    rest = sorted((name, value) for name, value in found.items() if not is_incidental(name))
    if any(is_seed(name) for name in found):
        return tuple(rest)
    name = SEED.sub("", run.name)
    return (name, *rest) if name != run.name else None


def is_seed(name: str) -> bool:
    """True for the setting of a seed."""
    return "seed" in name.rpartition(".")[2].lower()


def is_incidental(name: str) -> bool:
    """True for a setting in which two seeds of one run may differ."""
    return is_seed(name) or name.partition(".")[0] in INCIDENTAL


def seeds_name(names: Sequence[str]) -> str:
    """A name for runs of several seeds: their own name without the seed, or that of the first."""
    shared = {SEED.sub("", name) for name in names}
    return shared.pop() or names[0] if len(shared) == 1 else f"{names[0]} …"
