"""Values of a run that are the same on all of its ranks, and the message where they are not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from torch import Tensor

Facts = dict[str, str]


def facts_of(state: object, tensors: bool = False) -> Facts:
    """The counters and the hyperparameters in the state of a run, as text by their places.

    Counters are the whole numbers at the top, such as ``step``; hyperparameters those of every
    parameter group.

    Args:
        state: a nest, as `TrainingState.state_dict` gives it.
        tensors: add a hash of the names, shapes and dtypes of each mapping of names to tensors.

    >>> facts_of({"step": 3, "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]}})
    {'step': '3', 'optimizer.param_groups[0].lr': '0.1'}
    """
    counters = state.items() if isinstance(state, Mapping) else ()
    facts = {str(name): repr(value) for name, value in counters if isinstance(value, int)}
    return facts | dict(_within("", state, tensors))


def difference(facts: Sequence[Facts]) -> str | None:
    """The first value that ranks differ in, as the end of a sentence; None if there is none.

    >>> difference([{"lr": "0.1"}, {"lr": "0.2"}, {"lr": "0.1"}])
    '`lr` is 0.1 on ranks 0 and 2, 0.2 on rank 1'
    """
    for place in dict.fromkeys(place for each in facts for place in each):
        ranks_of: dict[str, list[int]] = {}
        for rank, each in enumerate(facts):
            ranks_of.setdefault(each.get(place, "missing"), []).append(rank)
        if len(ranks_of) > 1:
            told = ", ".join(f"{value} on {_named(ranks)}" for value, ranks in ranks_of.items())
            return f"`{place}` is {told}"
    return None


def _named(ranks: Sequence[int]) -> str:
    *others, last = map(str, ranks)
    return f"ranks {', '.join(others)} and {last}" if others else f"rank {last}"


def _within(place: str, nest: object, tensors: bool) -> Iterator[tuple[str, str]]:
    """The facts of a part and of all parts within it."""
    if isinstance(nest, Mapping):
        if {"state", "param_groups"} <= nest.keys():
            for number, group in enumerate(nest["param_groups"]):
                yield from _of_group(f"{place}.param_groups[{number}]".lstrip("."), group)
        elif nest and all(isinstance(value, Tensor) for value in nest.values()):
            if tensors:
                yield f"tensors of {place}", _hash(nest)
        else:
            for name, value in nest.items():
                yield from _within(f"{place}.{name}".lstrip("."), value, tensors)
    elif isinstance(nest, list | tuple):
        for number, value in enumerate(nest):
            yield from _within(f"{place}[{number}]", value, tensors)


def _of_group(place: str, group: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The hyperparameters of a group that are numbers, or tuples of numbers."""
    for name, value in group.items():
        number = value.item() if isinstance(value, Tensor) and value.numel() == 1 else value
        if isinstance(number, int | float | tuple):
            yield f"{place}.{name}", repr(number)


def _hash(tensors: Mapping[str, Tensor]) -> str:
    """A short hash of the names, shapes and dtypes of tensors."""
    rows = [f"{name} {tuple(each.shape)} {each.dtype}" for name, each in tensors.items()]
    return sha256("\n".join(rows).encode()).hexdigest()[:12]
