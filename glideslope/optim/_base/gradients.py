"""Gradients outside an engine: check, densify, take norms."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from glideslope.distributed import Reduction, shard
from glideslope.engines import is_backed, overlaps_itself, squares_of, tangled
from glideslope.errors import InvalidValue


def dense(gradient: Tensor) -> Tensor:
    """A gradient with its zeros."""
    return gradient if gradient.layout is torch.strided else gradient.to_dense()


def check_gradient(name: str, parameter: Tensor, gradient: Tensor) -> None:
    """Refuse a gradient that does not belong to its parameter as it is now.

    Raises:
        InvalidValue: another shape or kind of number, or memory that was freed.
    """
    for prefix, tensor in (("", parameter), ("`grad` of ", gradient)):
        if not is_backed(tensor):
            raise InvalidValue(f"the memory of {prefix}{name} was freed or is too small for it")
    if overlaps_itself(parameter):
        raise InvalidValue(f"the elements of {name} share memory, such as an expanded tensor's")
    if gradient.device != parameter.device:
        devices = f"{parameter.device}, where the parameter is, got {gradient.device}"
        raise InvalidValue(f"`grad` of {name} must be on {devices}")
    if gradient.shape != parameter.shape:
        shapes = f"{tuple(parameter.shape)} of the parameter, got {tuple(gradient.shape)}"
        raise InvalidValue(f"`grad` of {name} must have the shape {shapes}")
    if gradient.is_complex() != parameter.is_complex():
        dtypes = f"{parameter.dtype}, as the parameter is, got {gradient.dtype}"
        raise InvalidValue(f"`grad` of {name} must be of a kind with {dtypes}")


def check_apart(
    name: str, parameter: Tensor, gradient: Tensor, state: Mapping[str, Tensor | None]
) -> None:
    """Refuse tensors of one parameter that share memory without being the same elements.

    Raises:
        InvalidValue: two of them do.
    """
    kept = {f"state `{entry}`": t for entry, t in state.items() if isinstance(t, Tensor)}
    named = {"the parameter": parameter, "`grad`": gradient, **kept}
    pair = tangled(list(named.values()))
    if pair is not None:
        first, second = (list(named)[place] for place in pair)
        raise InvalidValue(f"{first} and {second} of {name} share memory: clone one of them")


def large_norm(gradients: Sequence[Tensor], reduction: Reduction | None) -> float:
    """The norm of gradients whose squares overflow: of each over the largest element, times it."""
    parts = [shard(dense(gradient.detach())) for gradient in gradients]
    largest = max((float(part.abs().max()) for part in parts if part.numel()), default=0.0)
    if reduction is not None:
        largest = float(reduction.max(torch.tensor(largest, device="cpu", dtype=torch.float64)))
    if not 0 < largest < math.inf:
        return largest
    scaled = [gradient.detach().to(_double(gradient)) / largest for gradient in gradients]
    return largest * math.sqrt(sum_of_squares(scaled, reduction))


def sum_of_squares(gradients: Sequence[Tensor], reduction: Reduction | None) -> float:
    """The sum of the squares of all gradients, over all processes that hold parts of them."""
    counted: dict[torch.device, list[Tensor]] = defaultdict(list)
    for gradient in gradients:
        if reduction is None or reduction.counts(gradient):
            counted[gradient.device].append(dense(shard(gradient)))
    parts = [float(squares_of(tensors)) for tensors in counted.values()]
    squares = torch.tensor(sum(parts), dtype=torch.float64, device="cpu")
    return float(squares if reduction is None else reduction.total(squares))


def _double(gradient: Tensor) -> torch.dtype:
    return torch.complex128 if gradient.is_complex() else torch.float64
