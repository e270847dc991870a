"""Muon: singular values near 1, and the half that AdamW does."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from glideslope.errors import InvalidValue
from glideslope.optim._matrix.muon import Muon, MuonWithAuxAdam, orthogonalised
from glideslope.optim._param_groups import param_groups

from .cases import every_engine
from .matrix_cases import ANY, assert_close, give_gradients, parameters, train


@pytest.mark.parametrize("shape", [(128, 512), (512, 128)])
def test_the_singular_values_of_a_rectangle_are_near_one(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(shape, generator=generator)
    found = torch.linalg.svdvals(orthogonalised(matrix, (3.4445, -4.7750, 2.0315), 5, 1e-7).float())
    assert 0.65 < found.min() <= found.max() < 1.21


def test_the_iteration_is_a_polynomial_of_the_singular_values() -> None:
    """In exact arithmetic NS(U S V') = U φ(S) V' with φ applied five times to numbers."""
    generator = torch.Generator().manual_seed(1)
    matrix = torch.randn(8, 12, generator=generator, dtype=torch.float64)
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    s = s / matrix.norm()
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    found = orthogonalised(matrix, (3.4445, -4.7750, 2.0315), 5, 1e-7).double()
    assert (found - u @ s.diag() @ v).abs().max() < 0.03  # a few units of bfloat16


def test_a_gradient_of_zeros_moves_nothing() -> None:
    p = torch.ones(3, 2, requires_grad=True)
    p.grad = torch.zeros_like(p)
    Muon([p], weight_decay=0.0).step()
    assert torch.equal(p, torch.ones(3, 2))


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "coefficients": ({"ns_coefficients": (1.0, 2.0)}, "`ns_coefficients` must be three numbers"),
    "steps": ({"ns_steps": 100}, "`ns_steps` must be from 0 to 99, got 100"),
    "adjustment": ({"adjust_lr_fn": "none"}, "`adjust_lr_fn` must be one of"),
    "lr": ({"lr": -1.0}, "`lr` must be at least 0"),
}


@pytest.mark.parametrize("kind", [Muon, MuonWithAuxAdam])
@pytest.mark.parametrize(("options", "words"), BAD.values(), ids=BAD)
def test_bad_arguments_of_muon_are_refused(kind: Any, options: Any, words: str) -> None:
    with pytest.raises(InvalidValue, match=words):
        kind([torch.ones(2, 2, requires_grad=True)], **options)


def test_muon_takes_matrices_alone_and_stays_as_it_was_when_it_refuses() -> None:
    optimizer = Muon([torch.ones(2, 2, requires_grad=True)])
    with pytest.raises(InvalidValue, match=r"`params` must be matrices for Muon, got \(3,\)"):
        optimizer.add_param_group({"params": [torch.ones(3, requires_grad=True)]})
    assert len(optimizer.param_groups) == 1


def model() -> torch.nn.Sequential:
    torch.manual_seed(0)
    layers = [torch.nn.Embedding(9, 4), torch.nn.Linear(4, 4), torch.nn.Linear(4, 9)]
    return torch.nn.Sequential(*layers).double()


@every_engine
def test_both_halves_do_what_the_two_optimizers_would(engine: Any) -> None:
    ours, theirs = model(), model()
    optimizer = MuonWithAuxAdam(param_groups(ours, use_muon=True), lr=0.01, engine=engine)
    hidden = theirs[1].weight
    rest = [p for p in theirs.parameters() if p is not hidden]
    references = [
        torch.optim.Muon([hidden], lr=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW([{"params": [p for p in rest if p.ndim == 2]},
                           {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0}],
                          lr=0.01, betas=(0.9, 0.95), weight_decay=0.1),
    ]  # fmt: skip
    for step in range(4):
        give_gradients(list(ours.parameters()), step)
        give_gradients(list(theirs.parameters()), step)
        optimizer.step()
        for reference in references:
            reference.step()
    assert_close(list(ours.parameters()), list(theirs.parameters()), 1e-12)


def test_plans_are_made_once() -> None:
    """Each half leaves the other's prepared work alone."""
    ours = model()
    optimizer = MuonWithAuxAdam(param_groups(ours, use_muon=True))
    params = list(ours.parameters())
    give_gradients(params, 0)
    optimizer.step()
    (parts,) = optimizer._prepare.args  # type: ignore[attr-defined]
    plans = [part.cache.plan for part in parts]
    give_gradients(params, 1)
    optimizer.step()
    assert [part.cache.plan for part in parts] == plans


def test_a_group_of_no_matrices_is_all_adamw() -> None:
    ours, theirs = parameters(ANY), parameters(ANY)
    optimizer = MuonWithAuxAdam(ours, use_muon=False, betas=(0.9, 0.999), weight_decay=0.01)
    assert_close(train(optimizer, 3), train(torch.optim.AdamW(theirs), 3), 1e-13)
    assert [row.shape for row in optimizer.engine_report()] == ANY
