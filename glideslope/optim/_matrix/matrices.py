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


Compute = Callable[[Sequence[Task]], list[Tensor]]


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
        results = _by_all(chosen, compute) if axis is None else _by_owners(axis, chosen, compute)
        found.update(zip(places, results, strict=True))
    return [found[i] for i in range(len(tasks))]


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
    results = _results(tasks, arrived, compute)
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


def _results(
    tasks: Sequence[Task], arrived: Sequence[Sequence[Any]], compute: Compute
) -> list[list[Tensor | None]]:
    """The direction of each matrix that has arrived and what is kept for it; None of the others."""
    rows: list[list[Tensor | None]] = [[None] * len(row) for row in arrived]
    pairs = zip(tasks, arrived, strict=True)
    own = {i: _whole(task, *row) for i, (task, row) in enumerate(pairs) if row[0] is not None}
    for i, direction in zip(own, compute([*own.values()]), strict=True):
        rows[i] = [direction, *own[i].state.values()]
    return rows


def _whole(task: Task, gradient: Tensor, *kept: Tensor) -> Task:
    """The task of a sharded matrix with the whole of all that its direction needs."""
    return task._replace(gradient=gradient, state=dict(zip(task.state, kept, strict=True)))


def _written(task: Task, direction: Tensor, *kept: Tensor) -> Tensor:
    """A direction sharded as its parameter; the shards of what is kept go where they were."""
    for own, new in zip(task.state.values(), kept, strict=True):
        shard(own).copy_(new)
    model: Any = task.parameter
    return sharded_as(direction, model)


def _by_all(tasks: Sequence[Task], compute: Compute) -> list[Tensor]:
    """The directions of matrices that are cut along several axes or none, by every rank."""
    wholes = [
        _whole(
            task,
            aligned(task.gradient, task.parameter).full_tensor(),  # type: ignore[attr-defined]
            *(kept.full_tensor().clone() for kept in task.state.values()),  # type: ignore[attr-defined]
        )
        for task in tasks
    ]
    found = zip(tasks, wholes, compute(wholes), strict=True)
    return [_cut(task, direction, whole.state) for task, whole, direction in found]


def _cut(task: Task, direction: Tensor, state: Mapping[str, Tensor]) -> Tensor:
    """A direction sharded as its parameter; what is kept, too, goes where it was."""
    kept = [_shard_like(task, state[name], own) for name, own in task.state.items()]
    return _written(task, _shard_like(task, direction, task.parameter), *kept)


def _shard_like(task: Task, whole: Tensor, model: Tensor) -> Tensor:
    from torch.distributed.tensor import DTensor, Replicate

    mesh = task.parameter.device_mesh  # type: ignore[attr-defined]
    everywhere = [Replicate()] * mesh.ndim
    return shard(aligned(DTensor.from_local(whole, mesh, everywhere, run_check=False), model))
