"""Matrix methods, each against torch's own or a float64 transcription of its paper."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from inspect import signature
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from glideslope.errors import InvalidType, InvalidValue, StateMismatch
from glideslope.optim._adam_successors import AdEMAMix
from glideslope.optim._directed_optimizer import DirectedOptimizer
from glideslope.optim._factored import CAME, Adafactor
from glideslope.optim._muon import Muon, MuonWithAuxAdam, _orthogonal
from glideslope.optim._param_groups import param_groups
from glideslope.optim._soap import SOAP, _power_iteration

from . import transcriptions
from .cases import every_engine

MATRICES = [(4, 6), (6, 4), (5, 5), (1, 3), (40, 30)]
ANY = [*MATRICES, (7,), (3, 4, 5), ()]


class Case(NamedTuple):
    """One matrix method under one set of arguments, and the shapes it is tried on.

    Muon iterates in bfloat16, which only torch's own follows to the last bits.
    """

    ours: type[DirectedOptimizer]
    reference: Callable[..., torch.optim.Optimizer]
    arguments: dict[str, Any]
    shapes: list[tuple[int, ...]]
    tolerance: float = 1e-12


CASES = {
    "muon": Case(Muon, torch.optim.Muon, {"lr": 0.01}, MATRICES),
    "muon-plain": Case(
        Muon,
        torch.optim.Muon,
        {"lr": 0.1, "nesterov": False, "ns_steps": 3, "momentum": 0.5, "weight_decay": 0.0},
        MATRICES,
    ),
    "muon-matched": Case(
        Muon, torch.optim.Muon, {"lr": 0.01, "adjust_lr_fn": "match_rms_adamw"}, MATRICES
    ),
    "adafactor": Case(Adafactor, torch.optim.Adafactor, {}, ANY),
    "adafactor-decay": Case(
        Adafactor,
        torch.optim.Adafactor,
        {"lr": 0.5, "beta2_decay": -0.5, "eps": (1e-3, 0.1), "d": 1.5, "weight_decay": 0.1},
        ANY,
    ),
    "adafactor-maximize": Case(
        Adafactor, torch.optim.Adafactor, {"lr": 0.1, "maximize": True}, ANY
    ),
    "came": Case(CAME, transcriptions.CAME, {"lr": 0.01, "weight_decay": 0.1}, ANY),
    "soap": Case(
        SOAP,
        transcriptions.SOAP,
        {"lr": 0.01, "weight_decay": 0.1, "precondition_frequency": 2},
        [(5, 5), (9, 9), (4, 2, 2), (7,), ()],
        tolerance=1e-9,
    ),
    "soap-one-side": Case(
        SOAP,
        transcriptions.SOAP,
        {"lr": 0.01, "precondition_frequency": 3, "max_precond_dim": 5, "weight_decay": 0.0},
        [(5, 12), (12, 5), (6, 6)],
        tolerance=1e-9,
    ),
    "muon-adam": Case(
        MuonWithAuxAdam,
        transcriptions.MuonWithAdamW,
        {"lr": 0.01, "weight_decay": 0.1},
        ANY,
        tolerance=2e-3,
    ),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
torch_cases = {
    name: case for name, case in CASES.items() if "torch.optim" in case.reference.__module__
}
every_torch_case = pytest.mark.parametrize("case", torch_cases.values(), ids=torch_cases)

climbing_cases = {
    name: case
    for name, case in CASES.items()
    if "maximize" in {*signature(case.ours).parameters} - {*case.arguments}
}


def parameters(shapes: list[tuple[int, ...]], dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    made = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    return [values.to(dtype).requires_grad_() for values in made]


def give_gradients(params: list[Tensor], seed: int) -> None:
    generator = torch.Generator().manual_seed(1000 + seed)
    for p in params:
        p.grad = torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p.dtype)


def assert_close(ours: list[Tensor], theirs: list[Tensor], tolerance: float) -> None:
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(p, q.to(p.dtype), rtol=tolerance, atol=tolerance)


def train(optimizer: torch.optim.Optimizer, steps: int, first: int = 0) -> list[Tensor]:
    params = [p for group in optimizer.param_groups for p in group["params"]]
    for step in range(first, first + steps):
        give_gradients(params, step)
        optimizer.step()
    return params


@every_engine
@every_case
def test_float64_follows_the_reference(case: Case, engine: Any) -> None:
    ours, theirs = parameters(case.shapes), parameters(case.shapes)
    optimizer = case.ours(ours, **case.arguments, engine=engine)
    reference = case.reference(theirs, **case.arguments)
    for step in range(8):
        train(optimizer, 1, step)
        train(reference, 1, step)
        assert_close(ours, theirs, case.tolerance)


@every_engine
@pytest.mark.parametrize("case", climbing_cases.values(), ids=climbing_cases)
def test_uphill_is_down_the_negated_gradient(case: Case, engine: Any) -> None:
    up, down = parameters(case.shapes), parameters(case.shapes)
    climbing = case.ours(up, **case.arguments, maximize=True, engine=engine)
    falling = case.ours(down, **case.arguments, engine=engine)
    for step in range(3):
        give_gradients(up, step)
        give_gradients(down, step)
        for p in down:
            p.grad.neg_()
        climbing.step()
        falling.step()
    assert_close(up, down, 1e-13)


@every_engine
@every_case
def test_clipping_comes_before_the_direction_and_leaves_gradients_alone(
    case: Case, engine: Any
) -> None:
    ours, theirs = parameters(case.shapes), parameters(case.shapes)
    optimizer = case.ours(ours, **case.arguments, max_grad_norm=0.5, engine=engine)
    reference = case.reference(theirs, **case.arguments)
    for step in range(3):
        give_gradients(ours, step)
        give_gradients(theirs, step)
        before = [p.grad.clone() for p in ours]
        norm = torch.nn.utils.clip_grad_norm_(theirs, 0.5)
        optimizer.step()
        reference.step()
        assert optimizer.grad_norm == pytest.approx(norm.item(), rel=1e-14)
        assert all(torch.equal(p.grad, g) for p, g in zip(ours, before, strict=True))
    assert_close(ours, theirs, case.tolerance)


@every_case
def test_bad_gradients_are_skipped_and_gradients_zeroed(case: Case) -> None:
    params = parameters(case.shapes)
    optimizer = case.ours(params, **case.arguments, skip_nonfinite=True)
    train(optimizer, 2)
    before, state = [p.detach().clone() for p in params], optimizer.state_dict()["state"]
    give_gradients(params, 3)
    params[0].grad.view(-1)[0] = torch.nan
    optimizer.step(zero_grad=True)
    assert optimizer.skipped_steps == 1
    assert all(torch.equal(p, q) for p, q in zip(params, before, strict=True))
    after = optimizer.state_dict()["state"]
    torch.testing.assert_close(after, state, rtol=0, atol=0)
    assert not any(p.grad.any() for p in params)
    give_gradients(params, 3)
    optimizer.step(zero_grad=True)
    assert not any(torch.equal(p, q) for p, q in zip(params, before, strict=True))
    assert not any(p.grad.any() for p in params)


@every_case
def test_copies_pickles_and_loaded_states_go_on_alike(case: Case) -> None:
    params = parameters(case.shapes)
    optimizer = case.ours(params, **case.arguments)
    train(optimizer, 3)
    loaded = case.ours([p.detach().clone().requires_grad_() for p in params], **case.arguments)
    loaded.load_state_dict(optimizer.state_dict())
    twins = [loaded, copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))]
    train(optimizer, 3, 3)
    for twin in twins:
        assert_close(train(twin, 3, 3), params, 1e-13)


@every_case
def test_a_compiled_step_is_the_same(case: Case) -> None:
    ours, theirs = parameters(case.shapes), parameters(case.shapes)
    optimizer, other = case.ours(ours, **case.arguments), case.ours(theirs, **case.arguments)
    step = torch.compile(optimizer.step, backend="eager")
    for number in range(2):
        give_gradients(ours, number)
        step()
    train(other, 2)
    assert_close(ours, theirs, 1e-13)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@every_case
def test_narrow_parameters_are_rounded_once(case: Case, dtype: torch.dtype) -> None:
    ours = parameters(case.shapes, dtype)
    exact = [p.detach().double().requires_grad_() for p in ours]
    optimizer = case.ours(ours, **case.arguments, state_dtype=torch.float32)
    reference = case.reference(exact, **case.arguments)
    for step in range(2):
        give_gradients(ours, step)
        for p, q in zip(ours, exact, strict=True):
            q.data.copy_(p)
            q.grad = p.grad.double()
        optimizer.step()
        reference.step()
    unit = torch.finfo(dtype).eps
    for p, q in zip(ours, exact, strict=True):
        error = (p.double() - q).abs()
        assert (error <= unit / 2 * q.abs() + (1e-5 + case.tolerance) * (1 + q.abs())).all()


@every_case
def test_a_parameter_without_gradient_is_left_alone(case: Case) -> None:
    params = parameters(case.shapes)
    optimizer = case.ours(params, **case.arguments)
    give_gradients(params, 0)
    params[2].grad = None
    before = params[2].detach().clone()
    optimizer.step()
    assert torch.equal(params[2], before)
    assert not optimizer.state[params[2]]


@every_torch_case
def test_state_dicts_have_torchs_entries_and_load_both_ways(case: Case) -> None:
    ours, theirs = parameters(case.shapes), parameters(case.shapes)
    optimizer = case.ours(ours, **case.arguments)
    reference = case.reference(theirs, **case.arguments)
    train(optimizer, 2)
    train(reference, 2)
    saved, expected = optimizer.state_dict(), reference.state_dict()
    assert saved["param_groups"] == expected["param_groups"]
    torch.testing.assert_close(saved["state"], expected["state"], rtol=1e-12, atol=1e-12)
    from_torch = case.ours(ours, **case.arguments)
    to_torch = case.reference(theirs, **case.arguments)
    from_torch.load_state_dict(expected)
    to_torch.load_state_dict(saved)
    assert_close(train(from_torch, 2, 2), train(to_torch, 2, 2), 1e-12)


@every_case
def test_complex_numbers_and_foreign_states_are_refused(case: Case) -> None:
    with pytest.raises(InvalidType, match="`params` must be real numbers"):
        case.ours([torch.ones(2, 2, dtype=torch.complex64, requires_grad=True)])
    optimizer = case.ours([torch.ones(2, 2, requires_grad=True)])
    other = AdEMAMix([torch.ones(2, 2, requires_grad=True)])
    train(other, 1)
    saved = other.state_dict()
    with pytest.raises(StateMismatch, match=r"has no use for .*exp_avg_slow"):
        optimizer.load_state_dict(saved, hyperparameters="own")


@every_case
def test_the_report_names_every_parameter_and_changes_nothing(case: Case) -> None:
    ours, theirs = parameters(case.shapes), parameters(case.shapes)
    optimizer, other = case.ours(ours, **case.arguments), case.ours(theirs, **case.arguments)
    give_gradients(ours, 0)
    report = optimizer.engine_report()
    assert [row.shape for row in report] == case.shapes
    assert {row.engine for row in report} == {"fused"}
    train(optimizer, 2)
    train(other, 2)
    assert_close(ours, theirs, 0.0)


# Muon


@pytest.mark.parametrize("shape", [(128, 512), (512, 128)])
def test_the_singular_values_of_a_rectangle_are_near_one(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(shape, generator=generator)
    found = torch.linalg.svdvals(_orthogonal(matrix, (3.4445, -4.7750, 2.0315), 5, 1e-7).float())
    assert 0.65 < found.min() <= found.max() < 1.21


def test_the_iteration_is_a_polynomial_of_the_singular_values() -> None:
    """In exact arithmetic NS(U S V') = U φ(S) V' with φ applied five times to numbers."""
    generator = torch.Generator().manual_seed(1)
    matrix = torch.randn(8, 12, generator=generator, dtype=torch.float64)
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    s = s / matrix.norm()
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    found = _orthogonal(matrix, (3.4445, -4.7750, 2.0315), 5, 1e-7).double()
    assert (found - u @ s.diag() @ v).abs().max() < 0.03  # a few units of bfloat16


def test_averages_of_bfloat16_are_not_written_to_by_the_iteration() -> None:
    """Torch's divides the average itself by its norm, where nothing has to be converted."""
    p = torch.ones(2, 2, dtype=torch.bfloat16, requires_grad=True)
    p.grad = torch.full_like(p, 4.0)
    optimizer = Muon([p], nesterov=False, momentum=0.5)
    optimizer.step()
    assert torch.equal(optimizer.state[p]["momentum_buffer"], torch.full_like(p, 2.0))


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
    plans = [part._plan for part in optimizer._all_parts()]
    give_gradients(params, 1)
    optimizer.step()
    assert [part._plan for part in optimizer._all_parts()] == plans


def test_a_group_of_no_matrices_is_all_adamw() -> None:
    ours, theirs = parameters(ANY), parameters(ANY)
    optimizer = MuonWithAuxAdam(ours, use_muon=False, betas=(0.9, 0.999), weight_decay=0.01)
    assert_close(train(optimizer, 3), train(torch.optim.AdamW(theirs), 3), 1e-13)
    assert [row.shape for row in optimizer.engine_report()] == ANY


# Adafactor and CAME


@pytest.mark.parametrize(("kind", "names"), [
    (Adafactor, {"row_var": (3, 4, 1), "col_var": (3, 1, 5), "step": ()}),
    (CAME, {"exp_avg": (3, 4, 5), "exp_avg_sq_row": (3, 4, 1), "exp_avg_sq_col": (3, 1, 5),
            "exp_avg_res_row": (3, 4, 1), "exp_avg_res_col": (3, 1, 5)}),
])  # fmt: skip
def test_only_factors_are_kept(kind: Any, names: dict[str, tuple[int, ...]]) -> None:
    optimizer = kind(parameters([(3, 4, 5)]))
    (p,) = train(optimizer, 1)
    assert {name: tuple(value.shape) for name, value in optimizer.state[p].items()} == names


@pytest.mark.parametrize("shape", [(4, 3), (5,)])
@pytest.mark.parametrize("kind", [Adafactor, CAME])
def test_a_gradient_of_zeros_moves_nothing_that_was_factored(
    kind: Any, shape: tuple[int, ...]
) -> None:
    p = torch.ones(shape, requires_grad=True)
    optimizer = kind([p])
    for _ in range(3):
        p.grad = torch.zeros_like(p)
        optimizer.step()
    assert torch.equal(p, torch.ones(shape))


def test_a_tiny_eps_is_not_lost_to_underflow() -> None:
    """Torch clamps the square at ε², which float32 does not hold, and divides 0 by 0."""
    p = torch.ones(2, 2, requires_grad=True)
    p.grad = torch.zeros_like(p)
    Adafactor([p], eps=(1e-30, 1e-3)).step()
    assert torch.equal(p, torch.ones(2, 2))


def test_each_parameter_of_a_group_has_the_eps_of_its_own_dtype() -> None:
    """Torch's takes the first one's for all."""
    for first in (torch.float64, torch.bfloat16):
        params = [torch.ones(1, dtype=first), torch.ones(1)]
        for p in params:
            p.requires_grad_().grad = torch.full_like(p, 1e-5)
        Adafactor(params).step()
        assert params[1].item() == pytest.approx(0.99)


BAD_FACTORED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "decay": (Adafactor, {"beta2_decay": 0.8}, "`beta2_decay` must be at most 0, got 0.8"),
    "d": (Adafactor, {"d": 0.5}, "`d` must be at least 1, got 0.5"),
    "eps": (Adafactor, {"eps": (None, -1.0)}, "`eps` must be at least 0, got -1.0"),
    "one eps": (Adafactor, {"eps": 1e-8}, "`eps` must be two numbers, got 1e-08"),
    "threshold": (CAME, {"clip_threshold": 0.0}, "`clip_threshold` must be more than 0"),
    "betas": (CAME, {"betas": (0.9, 0.999)}, "`betas` must be three numbers"),
    "large beta": (CAME, {"betas": (0.9, 0.999, 1.0)}, "`betas` must be at least 0 and less"),
    "came eps": (CAME, {"eps": 1e-8}, "`eps` must be two numbers, got 1e-08"),
}


@pytest.mark.parametrize(("kind", "options", "words"), BAD_FACTORED.values(), ids=BAD_FACTORED)
def test_bad_arguments_of_factored_ones_are_refused(kind: Any, options: Any, words: str) -> None:
    with pytest.raises(InvalidValue, match=words):
        kind([torch.ones(2, 2, requires_grad=True)], **options)


# SOAP


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
