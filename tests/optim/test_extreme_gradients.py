"""Matrix methods on gradients that are no numbers, huge, tiny, zero, or of rank 1."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from glideslope import optim

METHODS: dict[str, tuple[Any, dict[str, Any]]] = {
    "muon": (optim.Muon, {}),
    "polar express": (optim.Muon, {"ns_coefficients": "polar_express", "split": 2}),
    "normuon": (optim.Muon, {"neuron_beta": 0.9}),
    "hyperball": (optim.Muon, {"hyperball": True}),
    "soap": (optim.SOAP, {"precondition_frequency": 2}),
    "kl-soap": (optim.SOAP, {"kl": True, "precondition_frequency": 1}),
    "one side": (optim.SOAP, {"kl": True, "max_precond_dim": 5}),
    "kron": (optim.Kron, {}),
    "diagonal kron": (optim.Kron, {"max_size_triangular": 0}),
    "apollo": (optim.APOLLO, {"rank": 2, "update_proj_gap": 2}),
    "apollo-mini": (optim.APOLLO, {"rank": 1, "scale_type": "tensor", "scale": 128.0}),
    "adafactor": (optim.Adafactor, {}),
    "came": (optim.CAME, {}),
}
every_method = pytest.mark.parametrize(("kind", "options"), METHODS.values(), ids=METHODS)

KINDS = {
    "not a number": torch.nan,
    "infinity": torch.inf,
    "an infinite square": 1e30,
}


def stepped(kind: Any, options: dict[str, Any], gradients: list[Tensor]) -> Tensor:
    torch.manual_seed(0)
    p = torch.randn(gradients[0].shape).requires_grad_()
    optimizer = kind([p], lr=0.01, weight_decay=0.0, **options)
    for g in gradients:
        p.grad = g.clone()
        optimizer.step()
    return p.detach()


@pytest.mark.parametrize("first", [True, False], ids=["at first", "later"])
@pytest.mark.parametrize("value", KINDS.values(), ids=KINDS)
@every_method
def test_a_gradient_that_is_no_number_shows_in_the_parameter(
    kind: Any, options: dict[str, Any], value: float, first: bool
) -> None:
    """And in no error of a decomposition, with some parameters updated and others not."""
    gradients = [torch.randn(4, 6) for _ in range(5)]
    gradients[0 if first else 2][1, 2] = value
    found = stepped(kind, options, gradients)
    assert value == 1e30 or not found.isfinite().all()


@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (8, 8)])
@pytest.mark.parametrize("scale", [0.0, 1e-42, 1e-30, 1.0])
@every_method
def test_small_gradients_and_those_of_rank_one_give_numbers(
    kind: Any, options: dict[str, Any], scale: float, shape: tuple[int, int]
) -> None:
    generator = torch.Generator().manual_seed(1)
    column, row = (torch.randn(side, generator=generator) for side in shape)
    outer = column.outer(row) * scale
    found = stepped(kind, options, [outer, outer, torch.zeros(shape), outer])
    assert found.isfinite().all()
    torch.manual_seed(0)
    assert (found - torch.randn(shape)).norm() < 5  # of CAME and APOLLO-Mini, which are long


@pytest.mark.parametrize("scale", [0.0, 1e-42, 1e-30, 1e-10, 1.0, 1e30])
@pytest.mark.parametrize("options", [{}, {"neuron_beta": 0.9}, {"split": 2}])
def test_hyperball_keeps_the_norm_under_gradients_of_any_size(
    options: dict[str, Any], scale: float
) -> None:
    """Newton and Schulz's iteration leaves a gradient far below its ε as small as it was."""
    generator = torch.Generator().manual_seed(1)
    gradients = [torch.randn(4, 6, generator=generator) * scale for _ in range(3)]
    found = stepped(optim.Muon, {"hyperball": True, **options}, gradients)
    torch.manual_seed(0)
    torch.testing.assert_close(found.norm(), torch.randn(4, 6).norm())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("engine", ["fused", "tensor"])
@every_method
def test_a_rate_of_0_moves_nothing(
    kind: Any, options: dict[str, Any], engine: Any, dtype: torch.dtype
) -> None:
    """Not by the rounding of a norm that is restored either."""
    p = torch.randn(4, 6, generator=torch.Generator().manual_seed(0)).to(dtype).requires_grad_()
    before = p.detach().clone()
    optimizer = kind([p], lr=0.0, **{"weight_decay": 0.1, **options}, engine=engine)
    for step in range(3):
        p.grad = torch.randn(4, 6, generator=torch.Generator().manual_seed(step)).to(dtype)
        optimizer.step()
    assert torch.equal(p, before)
