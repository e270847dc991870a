"""SOAP: bases that follow the gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from glideslope.errors import InvalidValue
from glideslope.optim._matrix.soap import SOAP, _power_iteration

from .matrix_cases import assert_close, give_gradients, parameters, train


def test_the_first_step_finds_the_bases_and_moves_nothing() -> None:
    ours = parameters([(5, 5), (7,)])
    before = [p.detach().clone() for p in ours]
    optimizer = SOAP(ours, weight_decay=0.5)
    train(optimizer, 1)
    assert all(torch.equal(p, q) for p, q in zip(ours, before, strict=True))
    state, g = optimizer.state[ours[0]], ours[0].grad
    assert not state["exp_avg"].any()
    in_bases = state["row_basis"].T @ g @ g.T @ state["row_basis"]
    values = in_bases.diagonal()
    torch.testing.assert_close(in_bases, values.diag(), rtol=0, atol=1e-12)
    assert torch.equal(values, values.sort(descending=True).values)


def test_a_rotated_problem_takes_rotated_steps() -> None:
    """The axes in which a matrix is written down do not matter, which is not true of Adam."""
    generator = torch.Generator().manual_seed(5)
    left, right = (
        torch.linalg.qr(torch.randn(6, 6, generator=generator, dtype=torch.float64)).Q
        for _ in range(2)
    )
    (plain,) = parameters([(6, 6)])
    turned = (left @ plain.detach() @ right).requires_grad_()
    optimizers = [SOAP([p], precondition_frequency=2) for p in (plain, turned)]
    for step in range(7):
        give_gradients([plain], step)
        turned.grad = left @ plain.grad @ right
        for optimizer in optimizers:
            optimizer.step()
    torch.testing.assert_close(turned, left @ plain @ right, rtol=1e-9, atol=1e-9)


def test_a_vector_is_updated_as_by_adam_from_the_second_gradient_on() -> None:
    ours, theirs = parameters([(7,)]), parameters([(7,)])
    optimizer = SOAP(ours, lr=0.01, betas=(0.9, 0.99), weight_decay=0.0)
    train(optimizer, 5)
    train(torch.optim.Adam(theirs, lr=0.01, betas=(0.9, 0.99)), 4, 1)
    assert_close(ours, theirs, 1e-13)


def test_power_iterations_reach_the_eigenvectors() -> None:
    generator = torch.Generator().manual_seed(2)
    start = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    basis, axes = torch.linalg.qr(start).Q, torch.linalg.qr(start.T).Q
    covariance = axes @ (2.0 ** -torch.arange(6.0, dtype=torch.float64)).diag() @ axes.T
    for _ in range(60):
        basis, _ = _power_iteration(covariance, basis)
    assert ((axes.T @ basis).abs() - torch.eye(6)).abs().max() < 1e-12


def test_covariances_may_have_a_beta_of_their_own() -> None:
    optimizer = SOAP(parameters([(3, 3)]), shampoo_beta=0.0)
    (p,) = train(optimizer, 3)
    torch.testing.assert_close(optimizer.state[p]["col_covariance"], p.grad.T @ p.grad)


def test_bases_are_wide_whatever_the_parameter_is() -> None:
    optimizer = SOAP(parameters([(3, 3)], torch.bfloat16))
    (p,) = train(optimizer, 2)
    kept = {value.dtype for name, value in optimizer.state[p].items() if name != "step"}
    assert kept == {torch.float32}


BAD_SOAP: dict[str, tuple[dict[str, Any], str]] = {
    "frequency": ({"precondition_frequency": 0}, "`precondition_frequency` must be at least 1"),
    "side": ({"max_precond_dim": -1}, "`max_precond_dim` must be at least 0, got -1"),
    "beta": ({"shampoo_beta": 1.0}, "`shampoo_beta` must be at least 0 and less than 1, got 1.0"),
}


@pytest.mark.parametrize(("options", "words"), BAD_SOAP.values(), ids=BAD_SOAP)
def test_bad_arguments_of_soap_are_refused(options: Any, words: str) -> None:
    with pytest.raises(InvalidValue, match=words):
        SOAP([torch.ones(2, 2, requires_grad=True)], **options)


def test_eigenvalues_of_kl_soap_start_where_they_divide_by_little_and_have_a_floor() -> None:
    """Without them the axes that the first gradients leave out would divide by 0."""
    (p,) = parameters([(4, 20)])
    optimizer = SOAP([p], kl=True, betas=(0.9, 0.5))
    p.grad = torch.zeros_like(p)
    for expected in (0.1, 0.05, 0.025, 0.0125, 0.01, 0.01):  # 1/10² for sides up to 10
        optimizer.step()
        found = optimizer.state[p]["row_eigenvalues"]
        torch.testing.assert_close(found, torch.full((4,), expected, dtype=torch.float64))
    assert (optimizer.state[p]["col_eigenvalues"] == 0.1 / 2**5).all()


def test_kl_soap_is_shown_saved_and_begins_on_the_state_of_plain_soap() -> None:
    plain, other = parameters([(4, 5)]), parameters([(4, 5)])
    runs = SOAP(plain), SOAP(other, kl=True)
    assert "kl=True" in repr(runs[1])
    train(runs[0], 3)
    runs[1].load_state_dict(runs[0].state_dict(), hyperparameters="own")
    train(runs[1], 3, 3)
    with pytest.warns(UserWarning, match="kl"):
        runs[0].load_state_dict(runs[1].state_dict())
    assert runs[0].param_groups[0]["kl"] is True
    train(runs[0], 1)


@pytest.mark.parametrize("kl", [False, True])
def test_a_gradient_with_rows_of_zeros_gives_bases(kl: bool) -> None:
    """As an embedding's has, for the tokens that are not in the batch; on all scales."""
    generator = torch.Generator().manual_seed(3)
    for _ in range(100):
        rows, rank = (int(n) for n in torch.randint(3, 100, (2,), generator=generator))
        scales = 10 ** (4 * torch.rand(rows, 1, generator=generator) - 8)
        scales[torch.randperm(rows, generator=generator)[: rows // 2]] = 0
        parameter = torch.zeros(rows, rank, requires_grad=True)
        parameter.grad = torch.randn(rows, rank, generator=generator) * scales
        optimizer = SOAP([parameter], kl=kl)
        optimizer.step()
        basis = optimizer.state[parameter]["row_basis"]
        torch.testing.assert_close(basis.T @ basis, torch.eye(rows), rtol=0, atol=1e-5)
        optimizer.step()
        assert parameter.isfinite().all()
