"""Every optimizer, against its reference and against the contracts that all of them share."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor

from .cases import Case, every_case, every_engine, every_torch_case

SIZES = [0, 1, 7, 8, 15, 16, 17, 31, 33, 4095, 4097]
UNIT = 2.0**-24
HALF_ULPS = {torch.bfloat16: 2.0**-8, torch.float16: 2.0**-11}


def parameters(dtype: torch.dtype, seed: int = 0, sizes: list[int] = SIZES) -> list[Tensor]:
    """Tensors of all sizes, with gradients of many magnitudes and none of them zero."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for size in sizes:
        values = torch.randn(size, generator=generator, dtype=torch.float64)
        made.append(values.to(dtype).requires_grad_())
    give_gradients(made, seed)
    return made


def give_gradients(params: list[Tensor], seed: int) -> None:
    generator = torch.Generator().manual_seed(1000 + seed)
    for p in params:
        g = torch.randn(p.shape, generator=generator, dtype=torch.float64)
        scale = 10.0 ** torch.randint(-3, 3, p.shape, generator=generator)
        p.grad = (g * scale).to(p.dtype)


def copies(params: list[Tensor], dtype: torch.dtype | None = None) -> list[Tensor]:
    """Parameters and gradients with the same values in another dtype."""
    made = []
    for p in params:
        q = p.detach().to(dtype or p.dtype, copy=True).requires_grad_()
        q.grad = None if p.grad is None else p.grad.to(q.dtype, copy=True)
        made.append(q)
    return made


def differences(params: list[Tensor], others: list[Tensor]) -> float:
    """The largest difference, relative to one plus the size."""
    return max(
        ((p - q).abs() / (1 + q.abs())).max().item()
        for p, q in zip(params, others, strict=True)
        if p.numel()
    )


@pytest.mark.usefixtures("float64_counts")
@every_engine
@every_case
def test_float64_follows_the_reference_step_by_step(case: Case, engine: str) -> None:
    ours = parameters(torch.float64)
    theirs = copies(ours)
    optimizer, reference = case.build(ours, engine=engine), case.build_reference(theirs)
    for step in range(8):
        give_gradients(ours, step)
        give_gradients(theirs, step)
        optimizer.step()
        reference.step()
        assert differences(ours, theirs) < 1e-13


@every_engine
@every_case
def test_one_float32_step_is_as_good_as_float32_allows(case: Case, engine: str) -> None:
    """Judged in float64 from the same state: 4 units of what is added up.

    The state is that after 6 steps, when RAdam has begun to divide.
    """
    ours = parameters(torch.float32)
    optimizer = case.build(ours, engine=engine)
    for step in range(6):
        give_gradients(ours, step)
        optimizer.step()
    give_gradients(ours, 6)
    exact = copies(ours, torch.float64)
    reference = case.build_reference(exact)
    found = {name: value for name, value in optimizer.param_groups[0].items() if name != "params"}
    reference.param_groups[0].update(found)
    for p, q in zip(ours, exact, strict=True):
        state = optimizer.state[p].items()
        reference.state[q] = {
            name: value.clone() if name == "step" else value.double() for name, value in state
        }
    old = [p.detach().clone().double() for p in ours]
    old_states = [
        {name: value.clone().double() for name, value in optimizer.state[p].items()} for p in ours
    ]
    optimizer.step()
    reference.step()
    for p, q, before, state in zip(ours, exact, old, old_states, strict=True):
        terms = case.terms(before, q.grad, state)
        update = terms.get("p", (q - before).abs())
        assert ((p.double() - q).abs() <= 4 * UNIT * (before.abs() + update)).all()
        for name, size in terms.items():
            if name in optimizer.state[p]:
                error = (optimizer.state[p][name].double() - reference.state[q][name]).abs()
                assert (error <= 4 * UNIT * size).all(), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@every_case
def test_both_engines_agree(case: Case, dtype: torch.dtype) -> None:
    fused, plain = parameters(dtype), parameters(dtype)
    optimizers = case.build(fused, engine="fused"), case.build(plain, engine="tensor")
    for step in range(3):
        give_gradients(fused, step)
        give_gradients(plain, step)
        for optimizer in optimizers:
            optimizer.step()
    assert differences(fused, plain) < 16 * torch.finfo(dtype).eps


@pytest.mark.parametrize("dtype", HALF_ULPS)
@every_engine
@every_case
def test_sixteen_bits_are_rounded_once(case: Case, dtype: torch.dtype, engine: str) -> None:
    """The parameter is the number next to what float64 gives, for every element of every size."""
    ours = parameters(dtype)
    exact = copies(ours, torch.float64)
    optimizer, reference = case.build(ours, engine=engine), case.build_reference(exact)
    optimizer.step()
    reference.step()
    for p, q in zip(ours, exact, strict=True):
        half_ulp = HALF_ULPS[dtype] * (q.abs() + torch.finfo(dtype).smallest_normal)
        computed = 4 * UNIT * (1 + q.abs())
        assert ((p.double() - q).abs() <= half_ulp + computed).all()


@pytest.mark.usefixtures("float64_counts")
@every_engine
@every_case
def test_no_gradient_at_all_is_no_trouble(case: Case, engine: str) -> None:
    """Zero over zero plus eps: gradients of 0 before the first other one, and after it."""
    ours = parameters(torch.float64, sizes=[17])
    theirs = copies(ours)
    optimizer, reference = case.build(ours, engine=engine), case.build_reference(theirs)
    for gradient in (0.0, 0.0, 1.0, 0.0, 0.0):
        for p in (*ours, *theirs):
            p.grad = torch.full_like(p, gradient)
        optimizer.step()
        reference.step()
        assert ours[0].isfinite().all()
        assert differences(ours, theirs) < 1e-13


@every_case
def test_engines_agree_on_numbers_at_the_ends_of_float32(case: Case) -> None:
    """Denormals, and gradients whose squares are none or infinite.

    A variance cannot be told from two infinite squares: one engine has infinity, one no number.
    """
    ends = torch.tensor([0.0, -0.0, 1e-45, -1e-40, 1e-38, -1e-25, 1e-20, 1e18, -1e25, 3e38] * 4)
    if case.arguments.get("centered"):
        ends = ends.clamp(-1e18, 1e18)
    fused, plain = (torch.ones(40, requires_grad=True) for _ in range(2))
    optimizers = case.build([fused], engine="fused"), case.build([plain], engine="tensor")
    for gradient in (ends, ends.flip(0), ends):
        for p, optimizer in zip((fused, plain), optimizers, strict=True):
            p.grad = gradient.clone()
            optimizer.step()
    torch.testing.assert_close(fused, plain, rtol=1e-5, atol=1e-6, equal_nan=True)


@every_case
def test_any_number_of_threads_gives_the_same_bits(case: Case) -> None:
    def trained(threads: int) -> list[Tensor]:
        params = parameters(torch.float32, sizes=[300_001, 5, 70_000])
        optimizer = case.build(params, engine="fused", max_grad_norm=1.0)
        torch.set_num_threads(threads)
        for step in range(3):
            give_gradients(params, step)
            optimizer.step()
        return params

    before = torch.get_num_threads()
    try:
        one, two = trained(1), trained(2)
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(p, q) for p, q in zip(one, two, strict=True))


@every_engine
@every_case
def test_a_step_at_learning_rate_zero_moves_nothing(case: Case, engine: str) -> None:
    params = parameters(torch.float32)
    before = [p.detach().clone() for p in params]
    optimizer = case.ours(params, **{**case.arguments, "lr": 0.0}, engine=engine)
    optimizer.step()
    assert all(torch.equal(p, q) for p, q in zip(params, before, strict=True))


@every_engine
@every_case
def test_a_parameter_without_gradient_is_left_alone(case: Case, engine: str) -> None:
    params = parameters(torch.float32)
    params[3].grad = None
    before = params[3].detach().clone()
    optimizer = case.build(params, engine=engine)
    optimizer.step()
    assert torch.equal(params[3], before)
    assert not optimizer.state[params[3]]
    give_gradients(params, 1)
    for _ in range(2):  # ADOPT's first step moves nothing
        optimizer.step()
    assert not torch.equal(params[3], before)


@every_engine
@every_case
def test_gradients_are_not_written_to(case: Case, engine: str) -> None:
    params = parameters(torch.float32)
    before = [p.grad.clone() for p in params]
    case.build(params, engine=engine, max_grad_norm=0.1).step()
    assert all(torch.equal(p.grad, g) for p, g in zip(params, before, strict=True))


@every_engine
@every_case
def test_complex_numbers_are_pairs_of_real_ones(case: Case, engine: str) -> None:
    real = parameters(torch.float32, sizes=[14])
    number = torch.view_as_complex(real[0].detach().clone().view(7, 2)).requires_grad_()
    number.grad = torch.view_as_complex(real[0].grad.view(7, 2)).clone()
    optimizers = case.build(real, engine=engine), case.build([number], engine=engine)
    for _ in range(2):
        for optimizer in optimizers:
            optimizer.step()
    assert torch.equal(torch.view_as_real(number.detach()).flatten(), real[0])


@every_case
def test_copies_and_pickles_continue_alike(case: Case) -> None:
    params = parameters(torch.float32, sizes=[17, 3])
    optimizer = case.build(params)
    optimizer.step()
    for twin in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        theirs = twin.param_groups[0]["params"]
        ours = [p.detach().clone() for p in params]
        give_gradients(theirs, 1)
        twin.step()
        assert all(torch.equal(p, q) for p, q in zip(params, ours, strict=True))
    give_gradients(params, 1)
    optimizer.step()
    assert all(torch.equal(p, q) for p, q in zip(params, theirs, strict=True))


@every_engine
@every_torch_case
def test_state_dicts_have_torchs_entries_and_keys(case: Case, engine: str) -> None:
    ours = parameters(torch.float32, sizes=[17, 3])
    theirs = copies(ours)
    optimizer, reference = case.build(ours, engine=engine), case.build_reference(theirs)
    optimizer.step()
    reference.step()
    saved, expected = optimizer.state_dict(), reference.state_dict()
    assert saved["param_groups"] == expected["param_groups"]
    for entry, other in zip(saved["state"].values(), expected["state"].values(), strict=True):
        kept = {name: value for name, value in other.items() if value is not None}
        assert set(entry) == set(kept)
        for name, value in kept.items():
            assert entry[name].dtype == value.dtype
            assert entry[name].shape == value.shape


@pytest.mark.usefixtures("float64_counts")
@every_engine
@every_torch_case
def test_checkpoints_load_both_ways(case: Case, engine: str) -> None:
    ours = parameters(torch.float64, sizes=[17, 3])
    theirs = copies(ours)
    optimizer, reference = case.build(ours, engine=engine), case.build_reference(theirs)
    optimizer.step()
    reference.step()
    from_torch, to_torch = case.build(ours, engine=engine), case.build_reference(theirs)
    from_torch.load_state_dict(reference.state_dict())
    to_torch.load_state_dict(optimizer.state_dict())
    give_gradients(ours, 1)
    give_gradients(theirs, 1)
    from_torch.step()
    to_torch.step()
    assert differences(ours, theirs) < 1e-13
