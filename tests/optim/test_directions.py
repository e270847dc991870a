"""Every matrix method against torch's own or a transcription of its paper."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch

import glideslope as gs
from glideslope.errors import InvalidType, StateMismatch
from glideslope.optim._adam_successors import AdEMAMix

from .cases import every_engine
from .matrix_cases import (
    Case,
    assert_close,
    climbing_cases,
    every_case,
    every_torch_case,
    exact_iterations,
    give_gradients,
    parameters,
    train,
)

__all__ = ["exact_iterations"]


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
def test_copies_pickles_and_loaded_states_continue_alike(case: Case) -> None:
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


@every_engine
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
@every_case
def test_a_matrix_may_lie_in_memory_as_it_likes(
    case: Case, dtype: torch.dtype, engine: Any
) -> None:
    plain = parameters([shape for shape in case.shapes if len(shape) == 2], dtype)
    turned = [p.detach().t().clone(memory_format=torch.contiguous_format).t() for p in plain]
    turned = [p.requires_grad_() for p in turned]
    for params in (plain, turned):
        optimizer = case.ours(params, **case.arguments, engine=engine)
        train(optimizer, 2)
    assert_close(turned, plain, max(torch.finfo(dtype).eps, 1e-13))


@every_torch_case
def test_state_dicts_have_torchs_entries_and_load_both_ways(case: Case) -> None:
    ours, theirs = parameters(case.shapes), parameters(case.shapes)
    optimizer = case.ours(ours, **case.arguments)
    reference = case.reference(theirs, **case.arguments)
    train(optimizer, 2)
    train(reference, 2)
    saved, expected = optimizer.state_dict(), reference.state_dict()
    (own,), (torchs,) = saved["param_groups"], expected["param_groups"]
    assert torchs.items() <= own.items()
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


@pytest.mark.parametrize("engine", ["fused", "tensor"])
@every_case
def test_a_rate_may_be_a_tensor_or_a_schedule(case: Case, engine: Any) -> None:
    rate = case.arguments.get("lr", 0.01)
    plain = parameters(case.shapes)
    train(case.ours(plain, **{**case.arguments, "lr": rate}, engine=engine), 3)
    for other in (torch.tensor(rate, dtype=torch.float64), gs.linear(9, start=rate, end=rate)):
        ours = parameters(case.shapes)
        train(case.ours(ours, **{**case.arguments, "lr": other}, engine=engine), 3)
        assert_close(ours, plain, 1e-13)


@every_case
def test_a_chosen_dtype_of_the_state_holds_for_what_is_loaded(case: Case) -> None:
    ours = parameters(case.shapes, torch.bfloat16)
    saved = case.ours(ours, **case.arguments)
    train(saved, 1)
    optimizer = case.ours(ours, **case.arguments, state_dtype=torch.float32)
    optimizer.load_state_dict(saved.state_dict())
    train(optimizer, 1, 1)
    entries = [value for p in ours for value in optimizer.state[p].values()]
    assert {value.dtype for value in entries} == {torch.float32}
