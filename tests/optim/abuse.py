"""Ways in which real programs abuse an optimizer between two steps."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Abuse = Callable[[list[Tensor], Any, random.Random], None]
SHAPES = [(), (0,), (1,), (3,), (7,), (64,), (4, 5), (5, 4), (4, 4), (300, 2), (1000, 100)]


def entries(params: list[Tensor], optimizer: Any) -> list[tuple[Tensor, str]]:
    """The parameters that have state, each with the name of an entry."""
    state = optimizer.state
    return [(p, name) for p in params for name in state[p] if torch.is_tensor(state[p][name])]


def _entry(params: list[Tensor], optimizer: Any, rng: random.Random) -> tuple[Any, str]:
    p, name = rng.choice(entries(params, optimizer))
    return optimizer.state[p], name


def _with_gradient(params: list[Tensor], rng: random.Random) -> Tensor:
    return rng.choice([p for p in params if p.grad is not None])


def state_of_another_shape(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    state, name = _entry(params, optimizer, rng)
    state[name] = torch.ones(rng.choice(SHAPES))


def state_of_another_dtype(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    state, name = _entry(params, optimizer, rng)
    dtypes = [torch.bfloat16, torch.float16, torch.float64, torch.int32, torch.complex64]
    state[name] = state[name].to(rng.choice(dtypes))


def state_on_another_device(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    state, name = _entry(params, optimizer, rng)
    state[name] = state[name].to("meta")


def state_that_is_no_tensor(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    state, name = _entry(params, optimizer, rng)
    state[name] = rng.choice([None, 3.0, [1.0], "text", state[name].numpy()])


def state_without_an_entry(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    state, name = _entry(params, optimizer, rng)
    del state[name]


def state_with_another_entry(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    state, _ = _entry(params, optimizer, rng)
    state[rng.choice(["exp_avg_sq", "step", "another"])] = torch.ones(rng.choice(SHAPES))


def state_cleared(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    rng.choice([optimizer.state.clear, lambda: optimizer.state.pop(params[0], None)])()


def states_swapped(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    p, q = rng.sample(params, 2)
    optimizer.state[p], optimizer.state[q] = optimizer.state[q], optimizer.state[p]


def state_expanded(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    state, name = _entry(params, optimizer, rng)
    state[name] = torch.ones(()).expand(state[name].shape)


def state_aliased(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    p, name = rng.choice(entries(params, optimizer))
    same = [optimizer.state[q][n] for q, n in entries(params, optimizer)] + [p.detach()]
    fitting = [each for each in same if each.shape == optimizer.state[p][name].shape]
    optimizer.state[p][name] = rng.choice(fitting)


def state_resized(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    state, name = _entry(params, optimizer, rng)
    state[name].resize_(rng.choice(SHAPES)).fill_(0.5)


def state_freed(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    state, name = _entry(params, optimizer, rng)
    state[name].untyped_storage().resize_(0)


def state_laid_out_otherwise(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    state, name = _entry(params, optimizer, rng)
    if state[name].ndim == 2:
        state[name] = state[name].t().contiguous().t()


def gradient_shared(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    p = _with_gradient(params, rng)
    for q in params:
        if q.shape == p.shape:
            q.grad = p.grad


def gradient_of_another_shape(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    p = _with_gradient(params, rng)
    assert p.grad is not None
    p.grad.data = torch.ones(rng.choice(SHAPES))


def gradient_laid_out_otherwise(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    p = _with_gradient(params, rng)
    assert p.grad is not None
    if p.ndim == 2:
        p.grad = p.grad.t().contiguous().t()
    else:
        p.grad = torch.ones(()).expand(p.shape)


def gradient_freed(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    p = _with_gradient(params, rng)
    assert p.grad is not None
    p.grad.untyped_storage().resize_(0)


def gradient_sparse(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    p = _with_gradient(params, rng)
    assert p.grad is not None
    p.grad = p.grad.to_sparse()


def gradient_missing(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    _with_gradient(params, rng).grad = None


def gradient_is_the_parameter(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    p = rng.choice(params)
    p.grad = p.detach()


def data_of_another_shape(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    p = rng.choice(params)
    p.data = torch.ones(rng.choice(SHAPES))
    if rng.random() < 0.5:
        p.grad = torch.ones_like(p)


def data_transposed(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    p = rng.choice(params)
    p.data = p.data.t() if p.ndim == 2 else p.data[: len(p) // 2]


def data_of_another_dtype(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    p = rng.choice(params)
    p.data = p.data.to(rng.choice([torch.float64, torch.bfloat16, torch.float16]))


def data_freed(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    rng.choice(params).untyped_storage().resize_(0)


def data_shared(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    p = rng.choice(params)
    for q in params:
        if q.shape == p.shape:
            q.data = p.data


def parameter_added(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    p = torch.ones(4, 4, requires_grad=True)
    p.grad = torch.ones(4, 4)
    optimizer.add_param_group({"params": [p]})
    params.append(p)


def parameter_removed(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    if len(params) > 2:
        optimizer.param_groups[0]["params"].pop(0)
        params.pop(0)


def parameters_moved(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    optimizer.param_groups[0]["params"].reverse()


def state_loaded(params: list[Tensor], optimizer: Any, rng: random.Random) -> None:
    saved = copy.deepcopy(optimizer.state_dict())
    for entry in saved["state"].values():
        for name in entry:
            if rng.random() < 0.2:
                entry[name] = torch.ones(rng.choice(SHAPES))
    optimizer.load_state_dict(saved)


ABUSES: list[Abuse] = [
    state_of_another_shape,
    state_of_another_dtype,
    state_on_another_device,
    state_that_is_no_tensor,
    state_without_an_entry,
    state_with_another_entry,
    state_cleared,
    states_swapped,
    state_expanded,
    state_aliased,
    state_resized,
    state_freed,
    state_laid_out_otherwise,
    gradient_shared,
    gradient_of_another_shape,
    gradient_laid_out_otherwise,
    gradient_freed,
    gradient_sparse,
    gradient_missing,
    gradient_is_the_parameter,
    data_of_another_shape,
    data_transposed,
    data_of_another_dtype,
    data_freed,
    data_shared,
    parameter_added,
    parameter_removed,
    parameters_moved,
    state_loaded,
]
