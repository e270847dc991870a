"""States saved with an argument left at None, and with a number for it, in both directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from glideslope import optim

Make = Callable[..., torch.optim.Optimizer]
ARGUMENTS: dict[str, tuple[Make, str, Any]] = {
    "shampoo_beta": (optim.SOAP, "shampoo_beta", 0.5),
    "neuron_beta": (optim.Muon, "neuron_beta", 0.5),
    "adjust_lr_fn": (optim.Muon, "adjust_lr_fn", "unit_rms_norm"),
    "probability": (optim.Kron, "preconditioner_update_probability", 0.5),
}


def parameters() -> list[Tensor]:
    torch.manual_seed(0)
    return [torch.randn(3, 4, dtype=torch.float64).requires_grad_()]


def train(optimizer: torch.optim.Optimizer, params: list[Tensor], first: int, last: int) -> None:
    for step in range(first, last):
        generator = torch.Generator().manual_seed(step)
        params[0].grad = torch.randn(3, 4, generator=generator, dtype=torch.float64)
        optimizer.step()


@pytest.mark.parametrize("is_saved", [True, False], ids=["number to None", "None to number"])
@pytest.mark.parametrize(("make", "key", "value"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_the_saved_one_is_taken_with_a_warning(
    make: Make, key: str, value: Any, is_saved: bool
) -> None:
    """And the run continues as the saved one would have."""
    saved, own = (value, None) if is_saved else (None, value)
    ours, theirs = parameters(), parameters()
    run, other = (
        make(params, lr=0.01, **{key: each}) for params, each in ((ours, saved), (theirs, own))
    )
    train(run, ours, 0, 3)
    theirs[0].data.copy_(ours[0])
    with pytest.warns(UserWarning, match=f"{key} from {own!r} to {saved!r}"):
        other.load_state_dict(run.state_dict())
    train(run, ours, 3, 5)
    train(other, theirs, 3, 5)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
