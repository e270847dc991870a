"""The size of state that the catalogue and the gallery give, against tensors after real steps."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from glideslope.optim import OptimizerRow, available

SIDE = 64
ROWS = [row for row in available() if row.state_bytes is not None]


def tensors(value: object) -> list[Tensor]:
    """All tensors in a state, in lists and dictionaries too."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        return [tensor for inner in value.values() for tensor in tensors(inner)]
    if isinstance(value, (list, tuple)):
        return [tensor for inner in value for tensor in tensors(inner)]
    return []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_state_after_two_steps_has_the_size_of_the_catalogue(row: OptimizerRow) -> None:
    weight = nn.Parameter(torch.eye(SIDE))
    group = {"params": [weight], **({"use_muon": True} if row.name == "MuonWithAuxAdam" else {})}
    optimizer = row.optimizer([group])
    for seed in range(2):
        weight.grad = torch.randn(SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
        optimizer.step()
    kept = {name: value for name, value in optimizer.state[weight].items() if name != "step"}
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors(kept))
    single = 16  # bytes: the step and two more numbers for a whole tensor are not in the catalogue
    assert size == pytest.approx(row.state_bytes * SIDE**2, abs=single)
