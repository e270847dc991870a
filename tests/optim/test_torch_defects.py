"""Where torch 2.13's optimizers go wrong: what they do, what ours do, and the right answer.

Each case runs torch's own class too, so a release of torch that mends one fails here and says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from glideslope import optim
from glideslope.errors import InvalidValue, StateMismatch

BOTH = {"ours": optim, "torch": torch.optim}
NARROW = [torch.bfloat16, torch.float16]


def weight(values: list[float] | Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.as_tensor(values, dtype=dtype).clone().requires_grad_()


def with_gradient(p: Tensor, gradient: float) -> Tensor:
    p.grad = torch.full_like(p, gradient)
    return p


def expect(**answers: Any) -> Any:
    """One test for each library, with what it answers."""
    rows = [(BOTH[name], answer) for name, answer in answers.items()]
    return pytest.mark.parametrize(("library", "answer"), rows, ids=answers)


# Numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("arguments", [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}])
@pytest.mark.parametrize("size", [16, 17, 33, 256, 257])
def test_torchs_fused_sgd_skips_every_full_vector_of_16_bit_numbers(
    dtype: torch.dtype, arguments: dict[str, Any], size: int
) -> None:
    """Only the elements after the last full vector move, before 2.14 (pytorch issue 191763)."""
    moved = {}
    for name, library in BOTH.items():
        p = with_gradient(torch.ones(size, dtype=dtype, requires_grad=True), 1.0)
        library.SGD([p], lr=0.5, fused=True, **arguments).step()
        moved[name] = int((p != 1.0).sum())
    theirs = size if torch.__version__ >= (2, 14) else size % 16
    assert moved == {"ours": size, "torch": theirs}


@pytest.fixture
def poisoned_memory() -> Iterator[None]:
    """New memory holds not-a-numbers, instead of whatever was there before."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("poisoned_memory")
@expect(ours=[0.5, 0.5], torch=[math.nan, math.nan])
def test_momentum_after_an_overflow_at_the_first_step(library: Any, answer: list[float]) -> None:
    """Torch's fused SGD keeps the buffer that it never filled, and uses it at the next step."""
    p = weight([1.0, 1.0])
    optimizer = library.SGD([p], lr=0.5, momentum=0.9, fused=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    for gradient in (math.inf, 1.0):
        optimizer.zero_grad()
        scaler.scale((gradient * p).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
    assert p.tolist() == pytest.approx(answer, nan_ok=True)


@pytest.mark.parametrize(
    ("library", "arguments", "expected"),
    [
        (torch.optim, {}, 0.0),
        (optim, {}, 0.0),
        (optim, {"rounding": "compensated", "state_dtype": torch.float32}, 0.1),
        (optim, {"rounding": "stochastic", "state_dtype": torch.float32}, 0.1),
    ],
)
def test_adamw_in_pure_bfloat16_does_not_move(
    library: Any, arguments: dict[str, Any], expected: float
) -> None:
    """A hundred steps of 0.001 down from 1, where the next bfloat16 below is 0.0039 away."""
    torch.manual_seed(0)
    p = torch.ones(4096, dtype=torch.bfloat16, requires_grad=True)
    optimizer = library.AdamW([p], lr=1e-3, weight_decay=0.0, **arguments)
    for _ in range(100):
        with_gradient(p, 1.0)
        optimizer.step()
    value = p.detach().double()
    if arguments.get("rounding") == "compensated":
        value = value + optimizer.state[p]["compensation"].double()
    assert 1.0 - value.mean().item() == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    ("library", "arguments"),
    [(torch.optim, {}), (optim, {"engine": "fused"}), (optim, {"engine": "tensor"})],
)
def test_a_steady_gradient_has_no_variance(library: Any, arguments: dict[str, Any]) -> None:
    """Its square's average less its average's square is 0, which rounding may take below."""
    p = torch.zeros(100, requires_grad=True)
    optimizer = library.RMSprop([p], lr=1e-9, centered=True, **arguments)
    for _ in range(1500):
        p.grad = torch.linspace(0.1, 3.0, 100)
        optimizer.step()
    assert bool(p.isnan().any()) is (library is torch.optim)


@expect(ours=1.0, torch=math.nan)
def test_a_tiny_eps_of_adafactor_is_lost_to_underflow(library: Any, answer: float) -> None:
    """Torch clamps the square at ε², which float32 does not hold, and divides 0 by 0."""
    p = with_gradient(torch.ones(2, 2, requires_grad=True), 0.0)
    library.Adafactor([p], eps=(1e-30, 1e-3)).step()
    torch.testing.assert_close(p.detach(), torch.full((2, 2), answer), equal_nan=True)


@expect(ours=0.99, torch=1.0)
def test_each_parameter_of_adafactor_has_the_eps_of_its_own_dtype(
    library: Any, answer: float
) -> None:
    """Torch's takes the first one's for all."""
    params = [with_gradient(weight([1.0], dtype), 1e-5) for dtype in (torch.bfloat16, torch.float)]
    library.Adafactor(params).step()
    assert params[1].item() == pytest.approx(answer, abs=1e-4)


@expect(ours=2.0, torch=2.0 if torch.__version__ >= (2, 15) else 0.5)
def test_muons_average_is_written_to_by_its_iteration(library: Any, answer: float) -> None:
    """Before 2.15, torch divides the average itself by its norm, if nothing is to be converted."""
    p = with_gradient(torch.ones(2, 2, dtype=torch.bfloat16, requires_grad=True), 4.0)
    optimizer = library.Muon([p], nesterov=False, momentum=0.5)
    optimizer.step()
    assert torch.equal(optimizer.state[p]["momentum_buffer"], torch.full_like(p, answer))


def test_nadams_rates_are_taken_in_double_precision() -> None:
    """Torch multiplies its momenta up in float32, also for parameters of float64."""

    def error(library: Any) -> float:
        p = weight([0.0], torch.float64)
        optimizer = library.NAdam([p], lr=1.0, betas=(0.99999, 0.999), momentum_decay=0.0)
        with_gradient(p, 1.0)
        optimizer.step()
        mu = 0.99999 * 0.5
        exact = (1 - mu) / (1 - mu) + mu / (1 - mu * mu) * (1 - 0.99999)
        return abs(-p.item() / exact - 1)

    assert error(optim) < 2e-8 < error(torch.optim)


# State ---------------------------------------------------------------------------------------


def layers() -> nn.ModuleDict:
    model = nn.ModuleDict({"a": nn.Linear(3, 3, bias=False), "b": nn.Linear(3, 3, bias=False)})
    with_gradient(model["a"].weight, 1.0)
    with_gradient(model["b"].weight, -5.0)
    return model


@expect(ours=-0.5, torch=0.1)
def test_a_state_follows_names_and_not_positions(library: Any, answer: float) -> None:
    saved = library.AdamW(layers().named_parameters())
    saved.step()
    model = layers()
    optimizer = library.AdamW(reversed(list(model.named_parameters())))
    optimizer.load_state_dict(saved.state_dict())
    assert optimizer.state[model["b"].weight]["exp_avg"][0, 0].item() == pytest.approx(answer)


def averaged(library: Any, *shape: int) -> torch.optim.Optimizer:
    optimizer = library.AdamW([("w", with_gradient(torch.ones(shape, requires_grad=True), 1.0))])
    optimizer.step()
    return optimizer


def loaded(library: Any, state: dict[str, Any], *shape: int) -> None:
    optimizer = averaged(library, *shape)
    optimizer.load_state_dict(state)
    if library is torch.optim:
        optimizer.step()


@expect(ours=StateMismatch, torch=RuntimeError)
def test_a_state_of_another_shape_is_refused_when_it_is_loaded(library: Any, answer: Any) -> None:
    """Torch's load succeeds, and its step does not."""
    with pytest.raises(answer, match=r"`w`.*\(3, 2\).*\(2, 3\)" if library is optim else "size"):
        loaded(library, averaged(library, 3, 2).state_dict(), 2, 3)


@pytest.mark.parametrize("entry", ["step", "exp_avg", "exp_avg_sq"])
@expect(ours=StateMismatch, torch=KeyError)
def test_a_state_without_an_entry_is_refused_when_it_is_loaded(
    library: Any, answer: Any, entry: str
) -> None:
    """Torch's load succeeds, and its step does not."""
    state = averaged(library, 2).state_dict()
    del state["state"][0][entry]
    with pytest.raises(answer, match=entry):
        loaded(library, state, 2)


@expect(ours=[2.0, 2.0], torch=ValueError)
def test_groups_are_no_part_of_a_parameters_state(library: Any, answer: Any) -> None:
    params = [(name, with_gradient(weight([1.0]), 1.0)) for name in "ab"]
    two = library.AdamW([{"params": [each]} for each in params])
    two.step()
    one = library.AdamW(params)
    if answer is ValueError:
        with pytest.raises(answer, match="different number of parameter groups"):
            one.load_state_dict(two.state_dict())
        return
    one.load_state_dict(two.state_dict())
    one.step()
    assert [one.state[p]["step"].item() for _, p in params] == answer


@expect(ours=1.0, torch=2.0)
def test_a_state_kept_in_memory_does_not_move(library: Any, answer: float) -> None:
    optimizer = averaged(library, 2)
    kept = optimizer.state_dict()
    optimizer.step()
    assert kept["state"][0]["step"] == answer
    assert torch.equal(
        kept["state"][0]["exp_avg"], optimizer.state_dict()["state"][0]["exp_avg"]
    ) is (library is torch.optim)


@expect(ours=None, torch=ValueError)
def test_a_beta_may_be_a_tensor_beside_a_number(library: Any, answer: Any) -> None:
    p, q = (with_gradient(weight([1.0]), 1.0) for _ in "pq")
    if answer is ValueError:
        with pytest.raises(answer, match="both floats or both Tensors"):
            library.Adam([p], betas=(0.9, torch.tensor(0.99)))
        return
    library.Adam([p], betas=(0.9, torch.tensor(0.99))).step()
    library.Adam([q], betas=(0.9, 0.99)).step()
    assert torch.equal(p, q)


@expect(ours="did you mean `weight_decay`", torch="unexpected keyword argument")
def test_a_misspelt_argument_is_named(library: Any, answer: str) -> None:
    with pytest.raises(TypeError, match=answer):
        library.AdamW([weight([1.0])], weight_decya=0.1)


@expect(ours=torch.float32, torch=torch.bfloat16)
def test_a_wide_state_stays_wide_when_it_is_loaded(library: Any, answer: torch.dtype) -> None:
    p = with_gradient(torch.ones(4, requires_grad=True), 1.0)
    saved = library.AdamW([p])
    saved.step()
    narrow = torch.ones(4, dtype=torch.bfloat16, requires_grad=True)
    optimizer = library.AdamW([narrow])
    optimizer.load_state_dict(saved.state_dict())
    assert optimizer.state[narrow]["exp_avg"].dtype == answer


@expect(ours=None, torch=True)
def test_a_flag_of_the_machine_is_not_loaded(library: Any, answer: bool | None) -> None:
    saved = library.AdamW([weight([1.0])], fused=True).state_dict()
    optimizer = library.AdamW([weight([1.0])])
    optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0]["fused"] is answer


def test_a_hyperparameter_is_not_replaced_in_silence() -> None:
    settings = {"lr": 0.5, "weight_decay": 0.1}
    saved = torch.optim.AdamW([weight([1.0])], **settings).state_dict()
    theirs, ours, own = (kind([weight([1.0])]) for kind in (torch.optim.AdamW, *[optim.AdamW] * 2))
    theirs.load_state_dict(saved)
    with pytest.warns(UserWarning, match=r"group 0: weight_decay from 0\.01 to 0\.1"):
        ours.load_state_dict(saved)
    own.load_state_dict(saved, hyperparameters="own")
    values = [(o.param_groups[0]["lr"], o.param_groups[0]["weight_decay"])
              for o in (theirs, ours, own)]  # fmt: skip
    assert values == [(0.5, 0.1), (0.5, 0.1), (1e-3, 1e-2)]


def test_a_misspelt_key_of_a_group_is_refused() -> None:
    group = {"params": [weight([1.0])], "weigth_decay": 0.1}
    assert torch.optim.AdamW([group]).param_groups[0]["weight_decay"] == 0.01
    with pytest.raises(InvalidValue, match="`weigth_decay`: did you mean `weight_decay`"):
        optim.AdamW([group])


def test_sgd_does_not_take_adams_state() -> None:
    p = with_gradient(weight([1.0]), 1.0)
    saved = torch.optim.Adam([p])
    saved.step()
    theirs = torch.optim.SGD([p], lr=0.1, momentum=0.9)
    theirs.load_state_dict(saved.state_dict())
    assert "exp_avg" in theirs.state[p]
    with pytest.raises(StateMismatch, match=r"SGD keeps .* has no use for exp_avg, exp_avg_sq"):
        optim.SGD([p], lr=0.1, momentum=0.9).load_state_dict(
            saved.state_dict(), hyperparameters="own"
        )


def test_a_part_of_a_model_loads_where_it_is_asked_to() -> None:
    model = layers()
    saved = optim.AdamW([("a.weight", model["a"].weight)])
    saved.step()
    theirs = torch.optim.AdamW(model.named_parameters())
    with pytest.raises(ValueError, match="doesn't match the size"):
        theirs.load_state_dict(saved.state_dict())
    ours = optim.AdamW(model.named_parameters())
    ours.load_state_dict(saved.state_dict(), strict=False)
    assert ours.state[model["a"].weight]["step"] == 1
    assert not ours.state[model["b"].weight]


@expect(ours=[], torch=["step", "sum"])
def test_adagrad_keeps_nothing_before_its_first_gradient(library: Any, answer: list[str]) -> None:
    p = weight([1.0])
    optimizer = library.Adagrad([p])
    assert sorted(optimizer.state[p]) == answer


# Arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Adam", "AdamW", "NAdam", "RAdam", "Adamax"])
def test_three_betas_are_refused_when_they_are_given(name: str) -> None:
    """Torch fails at the first step; from 2.14 on, Adam and AdamW drop the third."""
    p = with_gradient(weight([1.0]), 1.0)
    theirs = getattr(torch.optim, name)([p], betas=(0.9, 0.99, 0.999))
    if torch.__version__ >= (2, 14) and name in ("Adam", "AdamW"):
        assert theirs.param_groups[0]["betas"] == (0.9, 0.99)
    else:
        with pytest.raises(ValueError, match="too many values to unpack"):
            theirs.step()
    with pytest.raises(InvalidValue, match="`betas` must be two numbers"):
        getattr(optim, name)([p], betas=(0.9, 0.99, 0.999))


def test_a_rate_that_is_no_number_is_refused() -> None:
    torch.optim.SGD([weight([1.0])], lr=math.nan)
    with pytest.raises(InvalidValue, match="`lr` must be at least 0, got nan"):
        optim.SGD([weight([1.0])], lr=math.nan)


def sparse(rows: list[int]) -> Tensor:
    values = torch.ones(len(rows), 2)
    return torch.sparse_coo_tensor(torch.tensor([rows]), values, (5, 2), check_invariants=True)


@pytest.mark.parametrize("name", ["Adam", "AdamW", "NAdam", "RAdam", "Adamax", "RMSprop", "Rprop"])
def test_a_sparse_gradient_equals_one_with_zeros(name: str) -> None:
    """Torch refuses it: a momentum still moves elements without a gradient, as here."""
    p, q = torch.ones(5, 2, requires_grad=True), torch.ones(5, 2, requires_grad=True)
    theirs = getattr(torch.optim, name)([p])
    p.grad = sparse([1, 3, 1])
    with pytest.raises(RuntimeError, match="sparse"):
        theirs.step()
    ours, dense = getattr(optim, name)([p]), getattr(optim, name)([q])
    for rows in ([1, 3, 1], [0, 1]):
        p.grad, q.grad = sparse(rows), sparse(rows).to_dense()
        ours.step()
        dense.step()
    torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-7)
