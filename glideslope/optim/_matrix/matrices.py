"""Directions of sharded matrices: each on the rank that owns the matrix, from all of it.

What is kept for a direction is sharded, too: as the parameter where it has its shape, else along
its first dimension. So no rank holds more than its share, and torch's distributed checkpoint saves
it as any sharded tensor.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from glideslope.distributed import (
    Axis,
    Exchange,
    aligned,
    axis_of,
    cut_of,
    is_sharded,
    owners,
    shard,
    sharded_as,
)

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor, Placement


T = TypeVar("T")


class Task(NamedTuple):
    """A parameter whose direction is to be found.

    Attributes:
        place: among all parameters.
        parameter: the parameter.
        gradient: its gradient.
        group: its hyperparameters.
        state: what is kept for the direction; computing it writes there.
        step: the number of this update, from 1.
    """

    place: int
    parameter: Tensor
    gradient: Tensor
    group: Mapping[str, Any]
    state: dict[str, Tensor]
    step: int


Compute = Callable[[Task], Tensor]


def zeros_beside(parameter: Tensor, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Zeros where a parameter is, sharded if that is."""
    if not is_sharded(parameter):
        return parameter.new_zeros(shape, dtype=dtype, requires_grad=False)
    from torch.distributed.tensor import zeros

    placements = _placements(parameter, shape)
    return zeros(shape, dtype=dtype, device_mesh=parameter.device_mesh, placements=placements)


def placed_beside(parameter: Tensor, kept: Tensor) -> Tensor:
    """An entry of a parameter's state, sharded as by `zeros_beside`."""
    if not is_sharded(parameter):
        return kept
    placements = _placements(parameter, kept.shape)
    if not is_sharded(kept):
        from torch.distributed.tensor import distribute_tensor

        return distribute_tensor(kept, parameter.device_mesh, placements)
    return kept.redistribute(parameter.device_mesh, placements)


def _placements(parameter: DTensor, shape: Sequence[int]) -> Sequence[Placement]:
    """As the parameter is, where its shape is the same; else along the first dimension."""
    from torch.distributed.tensor import Replicate, Shard

    if torch.Size(shape) == parameter.shape:
        return parameter.placements
    axis = axis_of(parameter)
    cut = None if axis is None else axis.dimension
    return [Shard(0) if i == cut else Replicate() for i in range(parameter.device_mesh.ndim)]


def sharded_directions(tasks: Sequence[Task], compute: Compute) -> list[Tensor]:
    """The directions of sharded parameters, sharded as these are."""
    by_axis: dict[Axis | None, list[int]] = defaultdict(list)
    for i, task in enumerate(tasks):
        by_axis[axis_of(task.parameter)].append(i)  # type: ignore[arg-type]
    found: dict[int, Tensor] = {}
    for axis, places in by_axis.items():
        chosen = [tasks[i] for i in places]
        results = (
            [_by_all(t, compute) for t in chosen]
            if axis is None
            else _by_owners(axis, chosen, compute)
        )
        found.update(zip(places, results, strict=True))
    return [found[i] for i in range(len(tasks))]


def _cut_alike(axis: Axis | None, tasks: Sequence[Task], compute: Compute) -> list[Tensor]:
    if axis is None:
        return [_by_all(task, compute) for task in tasks]
    return _by_owners(axis, tasks, compute)


def _by_owners(axis: Axis, tasks: Sequence[Task], compute: Compute) -> list[Tensor]:
    """The directions of matrices that one axis cuts: two exchanges for all of them."""
    exchange = Exchange(axis)
    owner_of = owners([_cost(task.parameter) for task in tasks], exchange.ranks)
    sent: list[list[Any]] = [
        [aligned(task.gradient, task.parameter), *task.state.values()] for task in tasks
    ]
    cuts = [[cut_of(tensor, axis) for tensor in row] for row in sent]
    shards = [[shard(tensor) for tensor in row] for row in sent]
    spread = [owner for owner, row in zip(owner_of, sent, strict=True) for _ in row]
    arrived = _rows_like(sent, exchange.gathered(_flat(shards), _flat(cuts), spread))
    results = [
        [None] * len(row) if row[0] is None else _results(task, row, compute)
        for task, row in zip(tasks, arrived, strict=True)
    ]
    for task, row in zip(tasks, cuts, strict=True):
        row[0] = row[0]._replace(dtype=torch.promote_types(task.parameter.dtype, torch.float32))
    returned = _rows_like(sent, exchange.scattered(_flat(results), _flat(cuts), spread))
    return [_written(task, *row) for task, row in zip(tasks, returned, strict=True)]


def _cost(parameter: Tensor) -> float:
    """A measure of the work on a matrix: its elements times its shorter side."""
    return parameter.numel() * float(min(parameter.shape, default=1))


def _flat(rows: Iterable[Iterable[T]]) -> list[T]:
    return list(chain.from_iterable(rows))


def _rows_like(model: Sequence[Sequence[Any]], flat: Sequence[Any]) -> list[list[Any]]:
    """A flat list in rows as long as the model's."""
    items = iter(flat)
    return [[next(items) for _ in row] for row in model]


def _results(task: Task, wholes: Sequence[Tensor], compute: Compute) -> list[Tensor]:
    """The direction of a matrix and what is kept for it, from the whole of all that it needs."""
    gradient, *kept = wholes
    state = dict(zip(task.state, kept, strict=True))
    return [compute(task._replace(gradient=gradient, state=state)), *state.values()]


def _written(task: Task, direction: Tensor, *kept: Tensor) -> Tensor:
    """A direction sharded as its parameter; the shards of what is kept go where they were."""
    for own, new in zip(task.state.values(), kept, strict=True):
        shard(own).copy_(new)
    model: Any = task.parameter
    return sharded_as(direction, model)


def _by_all(task: Task, compute: Compute) -> Tensor:
    """The direction of a matrix that is cut along several axes or none: every rank finds it."""
    from torch.distributed.tensor import DTensor, Replicate

    mesh = task.parameter.device_mesh  # type: ignore[attr-defined]
    everywhere = [Replicate()] * mesh.ndim

    def shard_like(whole: Tensor, model: Tensor) -> Tensor:
        return shard(aligned(DTensor.from_local(whole, mesh, everywhere, run_check=False), model))

    state = {name: kept.full_tensor().clone() for name, kept in task.state.items()}  # type: ignore[attr-defined]
    gradient = aligned(task.gradient, task.parameter).full_tensor()  # type: ignore[attr-defined]
    direction = compute(task._replace(gradient=gradient, state=state))
    kept = [shard_like(state[name], own) for name, own in task.state.items()]
    return _written(task, shard_like(direction, task.parameter), *kept)
