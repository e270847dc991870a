"""Values of a run that are the same on all of its ranks, and the message where they are not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from torch import Tensor

from glideslope.distributed import exchanged, named_ranks

Facts = dict[str, str]
Tensors = Mapping[str, Tensor]

HASH = "tensors "
"""The beginning of a hash."""


def facts_of(state: object) -> Facts:
    """The counters, hyperparameters and models in the state of a run, as text by their places.

    Counters are the whole numbers at the top, such as ``step``; hyperparameters those of every
    parameter group; of a model, which is a mapping of names to tensors, there is a hash of the
    names, shapes and dtypes.

    Args:
        state: a nest, as `TrainingState.state_dict` gives it.

    >>> facts_of({"step": 3, "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]}})
    {'step': '3', 'optimizer.param_groups[0].lr': '0.1'}
    """
    counters = state.items() if isinstance(state, Mapping) else ()
    facts = {str(name): repr(value) for name, value in counters if isinstance(value, int)}
    for place, part in _parts("", state):
        if _is_optimizer(part):
            for number, group in enumerate(part["param_groups"]):
                facts |= _of_group(_joined(place, f"param_groups[{number}]"), group)
        else:
            facts[place] = _hash(part)
    return facts


def difference(facts: Sequence[Facts], state: object, call: str) -> str | None:
    """The first value that ranks differ in, as the end of a sentence; None if there is none.

    Every rank calls it, with the same facts. Of models that differ, the first tensor is found by
    one more exchange.

    Args:
        facts: of all ranks.
        state: of this rank.
        call: what all ranks call, see `exchanged`.

    >>> difference([{"lr": "0.1"}, {"lr": "0.2"}, {"lr": "0.1"}], {}, "a doctest")
    '`lr` is 0.1 on ranks 0 and 2, 0.2 on rank 1'
    """
    place = _first_difference(facts)
    if place is None:
        return None
    if any(each.get(place, "").startswith(HASH) for each in facts):
        facts = exchanged(_shapes(place, state), call)
        place = _first_difference(facts) or place
    return f"`{place}` is {_told([each.get(place, 'missing') for each in facts])}"


def _first_difference(facts: Sequence[Facts]) -> str | None:
    """The first place where not all ranks have the same value."""
    places = dict.fromkeys(place for each in facts for place in each)
    return next((each for each in places if len({of.get(each) for of in facts}) > 1), None)


def _told(values: Sequence[str]) -> str:
    """Each value, with the ranks that have it."""
    ranks_of: dict[str, list[int]] = {}
    for rank, value in enumerate(values):
        ranks_of.setdefault(value, []).append(rank)
    return ", ".join(f"{value} on {named_ranks(ranks)}" for value, ranks in ranks_of.items())


def _parts(place: str, nest: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The states of optimizers and of models in a nest, with their places."""
    if isinstance(nest, Mapping):
        if _is_optimizer(nest) or _is_model(nest):
            yield place, nest
            return
        for name, value in nest.items():
            yield from _parts(_joined(place, name), value)
    elif isinstance(nest, list | tuple):
        for number, value in enumerate(nest):
            yield from _parts(f"{place}[{number}]", value)


def _is_optimizer(state: Mapping[str, Any]) -> bool:
    groups = state.get("param_groups")
    is_list = "state" in state and isinstance(groups, list)
    return is_list and all(isinstance(group, Mapping) for group in groups or ())


def _is_model(state: Mapping[str, Any]) -> bool:
    return bool(state) and all(isinstance(value, Tensor) for value in state.values())


def _joined(place: str, name: object) -> str:
    return f"{place}.{name}" if place else str(name)


def _of_group(place: str, group: Mapping[str, Any]) -> Facts:
    """The hyperparameters of a group that are numbers, or tuples of numbers."""
    facts = {}
    for name, value in group.items():
        number = value.item() if isinstance(value, Tensor) and value.numel() == 1 else value
        if isinstance(number, int | float | tuple):
            facts[f"{place}.{name}"] = repr(number)
    return facts


def _shapes(place: str, state: object) -> Facts:
    """The shapes and dtypes of the tensors in a model."""
    model = dict(_parts("", state)).get(place, {})
    return {_joined(place, name): _kind(tensor) for name, tensor in model.items()}


def _kind(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"


def _hash(model: Tensors) -> str:
    """A short hash of the names, shapes and dtypes of tensors, in any order."""
    rows = sorted(f"{name} {_kind(tensor)}" for name, tensor in model.items())
    return HASH + sha256("\n".join(rows).encode()).hexdigest()[:16]
