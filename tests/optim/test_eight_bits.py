"""State of 8 bits: right on average, small, saved, and converted in both directions."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, strategies
from torch import Tensor

from glideslope import optim
from glideslope.engines import packed, unpacked
from glideslope.errors import InvalidType, InvalidValue, StateMismatch, UnsupportedDtype
from glideslope.optim import RuleOptimizer, available, create
from glideslope.optim._matrix.directed_optimizer import DirectedOptimizer

from ..round_trip import through_a_file
from .cases import every_engine, shapes_of

NAMES = [row.name for row in available() if issubclass(row.optimizer, RuleOptimizer)]
REFUSED = {
    **{
        name: "keeps whole matrices"
        for name in NAMES
        if issubclass(getattr(optim, name), DirectedOptimizer)
    },
    "ASGD": "its `ax` is an average of the parameters",
    "Rprop": "its `step_size` is a product of factors",
    "SGDScheduleFree": "its `z` is a copy of the parameter",
    "AdamWScheduleFree": "its `z` is a copy of the parameter",
    "Prodigy": "its `p0` is a copy of the parameter",
    "MADGRAD": "its `x0` is a copy of the parameter",
}
ADMITTED = [name for name in NAMES if name not in REFUSED]
OPTIONS: dict[str, dict[str, Any]] = {
    "SGD": {"momentum": 0.9},
    "RMSprop": {"momentum": 0.9, "centered": True},
    "Adam": {"amsgrad": True},
}
EIGHT: dict[str, Any] = {"state_dtype": "8bit"}
every_code = pytest.mark.parametrize("dtype", [torch.int8, torch.uint8])


def numbers(dtype: torch.dtype, count: int = 200) -> Tensor:
    x = torch.randn(count, generator=torch.Generator().manual_seed(0)) ** 3
    return x if dtype == torch.int8 else x.square()


@every_code
def test_the_mean_of_a_number_is_exact(dtype: torch.dtype) -> None:
    x, generator = numbers(dtype), torch.Generator().manual_seed(1)
    draws = torch.stack([unpacked(*packed(x, dtype, generator)) for _ in range(4000)])
    scale = torch.cat([g.abs().max().expand(len(g)) for g in x.split(64)])
    place = (x / scale).abs().sqrt().sqrt()
    unit = (place + 1 / 255) ** 3 * 4 / 255 if dtype == torch.uint8 else torch.tensor(1 / 63)
    error = (draws.double().mean(0) - x).abs()
    assert (error < scale * (5 / 2 / math.sqrt(4000) * unit + 1e-6)).all()
    assert (draws.amax(0) - draws.amin(0) <= unit * scale * 1.01).all()


@given(
    strategies.lists(strategies.floats(-(2.0**99), 2.0**99, width=32), min_size=1, max_size=200),
    strategies.booleans(),
)
def test_a_number_is_within_a_unit_and_a_largest_one_exact(
    values: list[float], is_square: bool
) -> None:
    x = torch.tensor(values)
    dtype, x = (torch.uint8, x.abs()) if is_square else (torch.int8, x)
    codes, scales = packed(x, dtype)
    found = unpacked(codes, scales)
    assert scales.shape == (-(-len(values) // 64),)
    for group, own in zip(x.split(64), found.split(64), strict=True):
        largest = group.abs().max()
        assert own.abs().max() == largest or largest < 1e-30
        assert ((own - group).abs() <= largest / (64 if is_square else 63)).all()
        assert (own[group == 0] == 0).all()
        if is_square and largest > 1e-20:
            assert (own[group > 1e-30 * largest] > 0).all()  # less may have no share in float32


@every_code
def test_what_is_no_number_is_not_hidden(dtype: torch.dtype) -> None:
    for bad in (math.nan, math.inf):
        found = unpacked(*packed(torch.tensor([1.0] * 70 + [bad]), dtype))
        assert found[:64].isfinite().all()
        assert not found[70].isfinite()


def run(name: str, steps: int = 10, resume_at: int | None = None, **common: Any) -> list[Tensor]:
    """The parameters and the state after some steps."""
    generator = torch.Generator().manual_seed(0)
    params = [torch.randn(s, generator=generator).requires_grad_() for s in shapes_of(name)]
    options = {**OPTIONS.get(name, {}), **common}
    optimizer = create(name, params, **options)
    for step in range(steps):
        if step == resume_at:
            saved = through_a_file(optimizer.state_dict())
            torch.rand(7)
            optimizer = create(name, params, **options)
            optimizer.load_state_dict(saved)
        for p in params:
            p.grad = torch.randn(p.shape, generator=generator)
        optimizer.step()
    states = [v for p in params for _, v in sorted(optimizer.state[p].items())]
    return [each.detach().clone() for each in (*params, *states)]


@every_engine
@pytest.mark.parametrize("name", ADMITTED)
def test_a_run_resumes_bit_for_bit_and_is_small(name: str, engine: Any) -> None:
    whole = run(name, engine=engine, **EIGHT)
    again = run(name, resume_at=4, engine=engine, **EIGHT)
    torch.testing.assert_close(again, whole, rtol=0, atol=0)
    wide = [each for each in whole if each.ndim and each.dtype == torch.float32]
    assert sum(each.shape in shapes_of(name) for each in wide) >= len(shapes_of(name))
    codes = [each for each in whole if each.dtype in (torch.int8, torch.uint8)]
    kept = sum(each.ndim > 0 for each in run(name)) - len(shapes_of(name))
    assert len(codes) == kept


@pytest.mark.parametrize("name", NAMES)
def test_state_that_a_rule_calls_non_negative_is_and_no_other(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    params = [torch.randn(s, generator=generator).requires_grad_() for s in shapes_of(name)]
    optimizer: Any = create(name, params, **OPTIONS.get(name, {}))
    lowest: dict[str, float] = {}
    for _ in range(40):
        for p in params:
            p.grad = torch.randn(p.shape, generator=generator)
        optimizer.step()
        for p in params:
            for key, value in optimizer.state[p].items():
                if value.ndim:
                    lowest[key] = min(lowest.get(key, 0.0), value.min().item())
    for key, low in lowest.items():
        if key in optimizer.rule.state:
            assert (low >= 0) is (key in optimizer.rule.non_negative), key


def shrinking(name: str, **common: Any) -> dict[str, float]:
    """The mean of the magnitude of each state once gradients have shrunk tenfold."""
    torch.manual_seed(0)
    p = torch.zeros(32, 32, requires_grad=True)
    optimizer: Any = create(name, [p], lr=0.0, **OPTIONS.get(name, {}), **common)
    for scale, steps in ((1.0, 60), (0.1, 1500)):
        for _ in range(steps):
            p.grad = torch.randn(32, 32) * scale
            optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
    wide: Any = create(name, [p], **OPTIONS.get(name, {}))
    wide.load_state_dict(optimizer.state_dict())
    return {k: v.double().abs().mean().item() for k, v in wide.state[p].items() if v.ndim}


@every_engine
@pytest.mark.parametrize("name", ["AdamW", "RMSprop"])
def test_averages_fall_as_far_as_those_of_float32(name: str, engine: Any) -> None:
    wide, narrow = shrinking(name), shrinking(name, engine=engine, **EIGHT)
    for key in wide:
        assert narrow[key] == pytest.approx(wide[key], rel=0.15), key


def descended(**common: Any) -> float:
    """The loss of a regression after AdamW."""
    torch.manual_seed(0)
    x = torch.randn(256, 32) * torch.logspace(-2, 0, 32)
    y = x @ torch.randn(32, 4)
    w = torch.zeros(32, 4, requires_grad=True)
    optimizer = create("AdamW", [w], lr=0.03, weight_decay=0.0, **common)
    for _ in range(400):
        optimizer.zero_grad()
        loss = (x @ w - y).square().mean()
        loss.backward()
        optimizer.step()
    return loss.item()


@every_engine
def test_a_problem_is_solved_about_as_well(engine: Any) -> None:
    start, exact = 5.0, descended()
    assert exact < 0.05 * start
    assert descended(engine=engine, **EIGHT) < 2 * exact


@every_engine
def test_an_engine_stores_what_the_format_says(engine: Any) -> None:
    """A run from codes of every size, 300 times: each code is one of two, and right on average."""
    torch.manual_seed(0)
    g = torch.randn(130) ** 3
    sums = {"exp_avg": torch.zeros(130), "exp_avg_sq": torch.zeros(130)}
    exact = {"exp_avg": 0.1 * g, "exp_avg_sq": 0.001 * g * g}
    for count in range(300):
        p = torch.zeros(130, requires_grad=True)
        p.grad = g.clone()
        optimizer = create("AdamW", [p], engine=engine, **EIGHT)
        optimizer.state[p] = {"step": torch.tensor(float(count))}
        optimizer.step()
        entry = optimizer.state[p]
        for name, sum_ in sums.items():
            found = unpacked(entry[name], entry[name + "_scale"])
            largest = torch.stack([x.abs().max() for x in exact[name].split(64)])
            torch.testing.assert_close(entry[name + "_scale"], largest)
            unit = largest.repeat_interleave(64)[:130] / 63
            assert ((found - exact[name]).abs() <= unit).all()
            assert (found.sign() == exact[name].sign())[found != 0].all()
            sum_ += found
    for name, sum_ in sums.items():
        unit = torch.stack([x.abs().max() for x in exact[name].split(64)]) / 63
        error = (sum_ / 300 - exact[name]).abs() / unit.repeat_interleave(64)[:130]
        assert error.max() < 5 / 2 / math.sqrt(300)


@every_engine
def test_a_bad_gradient_is_not_hidden(engine: Any) -> None:
    p = torch.zeros(130, requires_grad=True)
    p.grad = torch.ones(130)
    p.grad[3] = math.nan
    optimizer = create("AdamW", [p], engine=engine, **EIGHT)
    optimizer.step()
    entry = optimizer.state[p]
    found = unpacked(entry["exp_avg"], entry["exp_avg_scale"])
    assert found[:64].isnan().all()
    assert found[64:].isfinite().all()


def stepped(params: list[Tensor], optimizer: Any) -> Any:
    for p in params:
        p.grad = torch.linspace(-1, 1, p.numel()).view(p.shape)
    optimizer.step()
    return optimizer


def test_a_state_is_converted_when_it_is_loaded_both_ways() -> None:
    params = [torch.ones(9, 16, requires_grad=True), torch.ones(5, requires_grad=True)]
    theirs = stepped(params, torch.optim.AdamW(params))
    ours: Any = create("AdamW", params, **EIGHT)
    ours.load_state_dict(theirs.state_dict())
    entry = ours.state[params[0]]
    assert (entry["exp_avg"].dtype, entry["exp_avg_sq"].dtype) == (torch.int8, torch.uint8)
    assert entry["exp_avg_scale"].shape == (3,)
    stepped(params, ours)
    wide: Any = create("AdamW", params)
    wide.load_state_dict(ours.state_dict())
    entry = wide.state_dict()["state"][0]
    assert {k: v.dtype for k, v in entry.items()} == dict.fromkeys(entry, torch.float32)
    theirs.load_state_dict(wide.state_dict())
    stepped(params, theirs)
    torch.testing.assert_close(
        theirs.state[params[1]]["exp_avg"], stepped(params, wide).state[params[1]]["exp_avg"]
    )


def test_a_layout_and_a_split_parameter_and_a_group_added_later() -> None:
    p = torch.randn(6, 5).bfloat16().t().requires_grad_()
    optimizer: Any = create("AdamW", [p], rounding="split", ema_decay=0.9, **EIGHT)
    q = torch.randn(70, requires_grad=True)
    optimizer.add_param_group({"params": [q]})
    for _ in range(3):
        p.grad, q.grad = torch.ones_like(p), torch.ones_like(q)
        optimizer.step()
    entry = optimizer.state[p]
    assert entry["exp_avg"].shape == p.shape
    assert entry["ema"].dtype == torch.float32
    assert unpacked(entry["exp_avg"], entry["exp_avg_scale"]).allclose(torch.tensor(0.271))
    row = optimizer.engine_report()[0]
    assert (row.engine, row.reason) == (
        "tensor",
        "state of 8 bits is in the order of a contiguous parameter",
    )


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    run("AdamW", steps=2, **EIGHT)
    p = torch.ones(4, requires_grad=True)
    create("AdamW", [p], **EIGHT).load_state_dict(stepped([p], create("AdamW", [p])).state_dict())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", REFUSED)
def test_a_rule_whose_state_needs_its_digits_is_refused(name: str) -> None:
    params = [torch.zeros(4, 4, requires_grad=True)]
    with pytest.raises(InvalidValue, match=REFUSED[name]):
        create(name, params, **EIGHT)


def test_what_cannot_have_such_state_is_refused() -> None:
    p = torch.zeros(3, requires_grad=True)
    with pytest.raises(InvalidType, match=r'floating-point torch\.dtype or "8bit"'):
        create("AdamW", [p], state_dtype="4bit")
    with pytest.raises(UnsupportedDtype, match="real parameters"):
        create("AdamW", [torch.zeros(3, dtype=torch.complex64, requires_grad=True)], **EIGHT)
    with pytest.raises(InvalidValue, match="differentiable"):
        create("AdamW", [p], differentiable=True, **EIGHT)
    optimizer = stepped([p], create("AdamW", [p], **EIGHT))
    saved = optimizer.state_dict()
    saved["state"][0]["exp_avg_scale"] = torch.ones(2)
    with pytest.raises(StateMismatch, match=r"`exp_avg_scale` has the shape \(2,\)"):
        optimizer.load_state_dict(saved)
    del saved["state"][0]["exp_avg_scale"]
    with pytest.raises(StateMismatch, match=r"`exp_avg` is of torch\.int8"):
        optimizer.load_state_dict(saved)
    optimizer.state[p]["exp_avg_scale"] = torch.ones(3)
    with pytest.raises(StateMismatch, match="`exp_avg_scale`"):
        optimizer.step()
