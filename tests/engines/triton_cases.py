"""Runs of optimizers on the Triton engine, interpreted on the CPU, beside those on another."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from glideslope import optim
from glideslope.optim import RuleOptimizer

CHUNK = 16384
SMALL = ((1,), (17, 5), (0,), (300,))
LARGE = ((CHUNK + 70,), (3,))
BIT_EQUAL = 0.0

FLOAT32 = torch.float32
FLOAT64 = torch.float64
BFLOAT16 = torch.bfloat16
FLOAT16 = torch.float16


READS = {"aten._local_scalar_dense.default", "aten.item.default", "aten.nonzero.default"}
"""Operations that wait for a device."""


class Case(NamedTuple):
    """An optimizer, its options, and how far parameters and state on two engines may be apart.

    The distance is relative to the number or to one, whichever is larger. It is 0 where nothing is
    added up over elements: every other operation is rounded alike, products in sums too.
    """

    name: str
    dtype: torch.dtype
    options: dict[str, Any]
    tolerance: float
    shapes: tuple[tuple[int, ...], ...] = SMALL

    def __str__(self) -> str:
        words = [f"{key}={value}" for key, value in self.options.items()]
        return "-".join([self.name, str(self.dtype).removeprefix("torch."), *words])


class Run(NamedTuple):
    """The parameters and the optimizer after some steps."""

    parameters: list[Tensor]
    optimizer: RuleOptimizer


def parameters(case: Case) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    numbers = [torch.randn(shape, generator=generator, dtype=FLOAT64) for shape in case.shapes]
    return [each.to(case.dtype).requires_grad_() for each in numbers]


def give_gradients(params: list[Tensor], step: int) -> None:
    generator = torch.Generator().manual_seed(1 + step)
    for p in params:
        g = torch.randn(p.shape, generator=generator, dtype=FLOAT64)
        p.grad = g.to(p.dtype)


def run(case: Case, engine: str, steps: int = 2, zero_grad: bool = False) -> Run:
    """The case after some steps on an engine."""
    params = parameters(case)
    optimizer = getattr(optim, case.name)(params, engine=engine, **case.options)
    for step in range(steps):
        give_gradients(params, step)
        optimizer.step(zero_grad=zero_grad)
    return Run(params, optimizer)


def distance(one: Tensor, other: Tensor) -> float:
    """The largest distance of two tensors, relative to the second or to one."""
    if not one.numel():
        return 0.0
    one, other = one.detach().double(), other.detach().double()
    return float(((one - other).abs() / other.abs().clamp_min(1.0)).max())


def arrays_of_state(found: Run) -> list[Tensor]:
    """Every array of the state."""
    state = [found.optimizer.state[p] for p in found.parameters]
    return [value for entry in state for value in entry.values() if value.ndim]


class Counted(TorchDispatchMode):
    """Counts torch's operations by name."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls[str(func)] += 1
        return func(*args, **(kwargs or {}))
