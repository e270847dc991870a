"""Matrix methods check tensors once, and again where something changes between two steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from glideslope.errors import GlideslopeError
from glideslope.optim import APOLLO, SOAP, Muon
from glideslope.optim._matrix import directed_step
from glideslope.optim._matrix.directed_optimizer import DirectedOptimizer

from .matrix_cases import give_gradients, parameters

SHAPES = [(4, 6), (6, 4), (4, 6)]
Change = Callable[[DirectedOptimizer, Tensor], Any]


def run_of(kind: Any, **options: Any) -> tuple[DirectedOptimizer, list[Tensor]]:
    """An optimizer whose tasks are kept, with gradients for the next step."""
    params = parameters(SHAPES, torch.float32)
    optimizer = kind(params, lr=0.01, **options)
    for step in range(4):
        give_gradients(params, step)
        optimizer.step()
    give_gradients(params, 4)
    return optimizer, params


def entry(optimizer: DirectedOptimizer, p: Tensor) -> str:
    return next(iter({*optimizer.state[p]} - {"step"}))


def freed(tensor: Tensor) -> None:
    tensor.untyped_storage().resize_(0)


def swap(optimizer: DirectedOptimizer, p: Tensor, value: Any, name: str | None = None) -> None:
    optimizer.state[p][name or entry(optimizer, p)] = value


REFUSED: dict[str, tuple[Any, Change]] = {
    "state of another shape": (Muon, lambda o, p: swap(o, p, torch.zeros(2, 2))),
    "state of integers": (Muon, lambda o, p: swap(o, p, torch.zeros(p.shape, dtype=torch.int64))),
    "freed state": (Muon, lambda o, p: freed(o.state[p][entry(o, p)])),
    "resized state": (SOAP, lambda o, p: o.state[p]["exp_avg"].resize_(2, 2)),
    "a count that is no number": (SOAP, lambda o, p: swap(o, p, "four", "step")),
    "a count where none was": (Muon, lambda o, p: swap(o, p, "four", "step")),
    "counts": (SOAP, lambda o, p: swap(o, p, torch.zeros(3), "step")),
    "a freed gradient": (Muon, lambda o, p: freed(p.grad)),  # type: ignore[arg-type]
    "a freed parameter": (Muon, lambda o, p: freed(p)),
    "another rank": (APOLLO, lambda o, p: o.param_groups[0].update(rank=2)),
}


@pytest.mark.parametrize(("kind", "change"), REFUSED.values(), ids=REFUSED)
def test_what_changes_between_steps_is_refused_before_anything_moves(
    kind: Any, change: Change
) -> None:
    optimizer, params = run_of(kind)
    change(optimizer, params[-1])
    before, kept = [p.detach().clone() for p in params[:2]], optimizer.state[params[0]]
    state = {name: value.clone() for name, value in kept.items()}
    with pytest.raises(GlideslopeError):
        optimizer.step()
    assert all(map(torch.equal, params, before))
    assert all(torch.equal(kept[name], value) for name, value in state.items())


def other_gradient(optimizer: DirectedOptimizer, p: Tensor) -> None:
    assert p.grad is not None
    p.grad = p.grad.clone()


def laid_out_otherwise(optimizer: DirectedOptimizer, p: Tensor) -> None:
    assert p.grad is not None
    p.grad = p.grad.T.contiguous().T


def moved(optimizer: DirectedOptimizer, p: Tensor) -> None:
    p.data = p.detach().clone()


def state_moved(optimizer: DirectedOptimizer, p: Tensor) -> None:
    optimizer.load_state_dict(optimizer.state_dict())


SAME: dict[str, Change] = {
    "nothing": lambda o, p: None,
    "gradient": other_gradient,
    "strides": laid_out_otherwise,
    "parameter": moved,
    "state": state_moved,
}


@pytest.mark.parametrize("kind", [Muon, SOAP])
@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_tensors_that_lie_elsewhere_are_updated_alike(kind: Any, change: Change) -> None:
    (ours, params), (plain, unmoved) = run_of(kind), run_of(kind)
    change(ours, params[-1])
    ours.step()
    plain.step()
    assert all(map(torch.equal, params, unmoved))


def test_an_option_that_a_group_switches_on_begins_its_state() -> None:
    optimizer, params = run_of(Muon)
    optimizer.param_groups[0]["neuron_beta"] = 0.9
    optimizer.step()
    assert all("second_momentum_buffer" in optimizer.state[p] for p in params)


def test_tensors_that_stay_are_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer, _ = run_of(Muon)
    monkeypatch.setattr(directed_step, "check_directed", None)
    optimizer.step()
