"""Parameters in two parts: the run of float32 parameters, bit for bit."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from hypothesis import given, strategies
from torch import Tensor, nn

from glideslope.engines import joined, parted
from glideslope.errors import InvalidValue, StateMismatch, UnsupportedDtype
from glideslope.optim import RuleOptimizer, available, create

from ..round_trip import through_a_file
from .cases import every_engine, shapes_of
from .test_narrow_state import Keep

NAMES = [row.name for row in available() if issubclass(row.optimizer, RuleOptimizer)]
EXACT = torch.int16
SPECIAL = [0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, 2.0**-149, -(2.0**-126), 3.4028235e38]
HALFWAY = [1 + 2.0**-8, 1 + 3 * 2.0**-8, -1 - 2.0**-8, 1 + 2.0**-8 + 2.0**-23, 2.0**-133]


def bits(x: Tensor) -> Tensor:
    return x.contiguous().view(torch.int32)


def numbers(count: int = 1 << 16) -> Tensor:
    """Numbers of all sizes, of both signs, and those that rounding turns on."""
    words = torch.randint(-(1 << 31), 1 << 31, (count,), generator=torch.Generator().manual_seed(0))
    random = words.to(torch.int32).view(torch.float32)
    return torch.cat([torch.tensor([*SPECIAL, *HALFWAY]), random[~random.isnan()]])


@given(strategies.floats(width=32, allow_nan=False))
def test_two_parts_are_one_float32(number: float) -> None:
    x = torch.tensor([number])
    upper, remainder = parted(x, EXACT)
    assert torch.equal(bits(joined(upper, remainder)), bits(x))
    if abs(number) < 3.3e38:
        assert abs(upper.double() - number).item() <= abs(x.bfloat16().double() - number).item()


@given(strategies.integers(0, 0x7F7F), strategies.integers(-128, 127), strategies.booleans())
def test_every_pair_of_24_bits_is_a_number(upper: int, rest: int, is_negative: bool) -> None:
    sign = -0x8000 if is_negative else 0
    if upper == 0 and rest < 0:
        return  # below 0 there is no number of this sign
    pair = torch.tensor([upper + sign], dtype=torch.int16).view(torch.bfloat16)
    remainder = torch.tensor([rest], dtype=torch.int8)
    again, rest_again = parted(joined(pair, remainder), torch.int8)
    assert torch.equal(again.view(torch.int16), pair.view(torch.int16))
    assert torch.equal(rest_again, remainder)


def test_24_bits_are_within_half_a_unit() -> None:
    x = numbers()
    x = x[x.isfinite() & (x.abs() < 3e38) & (x.abs() > 2.0**-120)]
    error = (joined(*parted(x, torch.int8)).double() - x.double()).abs()
    assert (error <= x.double().abs() * 2.0**-16).all()
    assert error.max() > 0


def test_not_a_number_stays_one() -> None:
    words = torch.tensor([0x7F800001, 0x7FFFFFFF, -1, -0x7FFFFF], dtype=torch.int32)
    for dtype in (torch.int16, torch.int8):
        upper, remainder = parted(words.view(torch.float32), dtype)
        assert upper.isnan().all()
        assert joined(upper, remainder).isnan().all()


@every_engine
@pytest.mark.parametrize("rounding", ["split", "split24"])
def test_an_engine_stores_the_parts_that_the_bits_say(rounding: Any, engine: Any) -> None:
    values = torch.cat([numbers(), torch.tensor([math.nan])])
    p = torch.zeros_like(values, dtype=torch.bfloat16).requires_grad_()
    p.grad_dtype = None
    p.grad = values
    optimizer = Keep([p], rounding=rounding, engine=engine, state_dtype=torch.float32)
    optimizer.step()
    upper, remainder = parted(values, EXACT if rounding == "split" else torch.int8)
    own = optimizer.state[p]["remainder"]
    assert torch.equal(p.detach().view(torch.int16), upper.view(torch.int16))
    assert own.dtype == remainder.dtype
    assert torch.equal(own, remainder)
    assert optimizer.engine_report()[0].engine == engine


def pair(name: str, engine: Any, rounding: str = "split", **options: Any) -> Any:
    """Split parameters and float32 ones with their optimizers."""
    torch.manual_seed(0)
    wide = [torch.randn(shape).bfloat16().float().requires_grad_() for shape in shapes_of(name)]
    narrow = [p.detach().bfloat16().requires_grad_() for p in wide]
    split = create(
        name, narrow, engine=engine, rounding=rounding, state_dtype=torch.float32, **options
    )
    return narrow, split, wide, create(name, wide, engine=engine, **options)


def train(narrow: Any, split: Any, wide: Any, reference: Any, steps: range) -> None:
    for step in steps:
        generator = torch.Generator().manual_seed(step)
        for p, q in zip(narrow, wide, strict=True):
            p.grad = torch.randn(p.shape, generator=generator).bfloat16()
            q.grad = p.grad.float()
        split.step()
        reference.step()


OPTIONS: dict[str, dict[str, Any]] = {
    **{name: {} for name in NAMES},
    "AdamW all": {"ema_decay": 0.9, "max_grad_norm": 0.5, "cautious": True, "maximize": True},
    "SGD momentum": {"momentum": 0.9, "lr": 1e-4},
}


@every_engine
@pytest.mark.parametrize("case", OPTIONS)
def test_a_run_is_that_of_float32_bit_for_bit(case: str, engine: Any) -> None:
    run = pair(case.split()[0], engine, **OPTIONS[case])
    train(*run, steps=range(20))
    narrow, split, wide, reference = run
    for master, p, q in zip(split.master_weights().values(), narrow, wide, strict=True):
        assert torch.equal(bits(master), bits(q.detach()))
        assert torch.equal(p.detach(), parted(q.detach(), EXACT)[0])
        if "ema" in reference.state[q]:
            assert torch.equal(split.state[p]["ema"], reference.state[q]["ema"])


@every_engine
def test_24_bits_go_nearly_where_float32_goes(engine: Any) -> None:
    run = pair("AdamW", engine, "split24", lr=1e-3)
    start = [p.detach().clone() for p in run[2]]
    train(*run, steps=range(60))
    pairs = zip(run[1].master_weights().values(), run[2], start, strict=True)
    for master, q, before in pairs:
        assert (master - q.detach()).norm() < 0.01 * (q.detach() - before).norm()


@every_engine
def test_a_saved_run_resumes_bit_for_bit(engine: Any) -> None:
    run = pair("AdamW", engine)
    train(*run, steps=range(4))
    narrow, split, wide, reference = run
    saved = through_a_file(split.state_dict())
    copies = [p.detach().clone().requires_grad_() for p in narrow]
    resumed = create("AdamW", copies, engine=engine, rounding="split")
    resumed.load_state_dict(saved)
    train(copies, resumed, wide, reference, range(4, 8))
    for master, q in zip(resumed.master_weights().values(), wide, strict=True):
        assert torch.equal(bits(master), bits(q.detach()))


CONVERTED = {
    ("compensated", "split"): 2.0**-16,  # a compensation has eight bits itself
    ("split", "compensated"): 2.0**-16,
    ("split", "split24"): 2.0**-16,
    ("split24", "split"): 0.0,
}


@pytest.mark.parametrize("case", CONVERTED, ids=str)
def test_a_loaded_rest_is_converted(case: tuple[str, str]) -> None:
    before, after = case
    narrow, split, wide, reference = pair("AdamW", "auto", before, lr=1e-3)
    train(narrow, split, wide, reference, range(20))
    masters = split.master_weights()
    other = create("AdamW", narrow, rounding=after, lr=0.0, weight_decay=0.0)
    other.load_state_dict(split.state_dict(), hyperparameters="own")
    uppers = [p.detach().clone() for p in narrow]
    for p in narrow:
        p.grad = torch.zeros_like(p)
    other.step()
    for (name, own), p, upper in zip(other.master_weights().items(), narrow, uppers, strict=True):
        assert torch.equal(p.detach(), upper)
        assert (own - masters[name]).abs().max() <= CONVERTED[case] * masters[name].abs().max()
        assert {"remainder", "compensation"} & other.state[p].keys() == {
            "compensation" if after == "compensated" else "remainder"
        }


@every_engine
@pytest.mark.parametrize("rounding", ["split", "split24", "compensated"])
def test_a_rest_is_not_kept_where_nothing_updates_it(rounding: str, engine: Any) -> None:
    """Or a later optimizer that does would add it to a parameter that has moved."""
    narrow, split, _, _ = run = pair("AdamW", engine, rounding)
    train(*run, steps=range(2))
    plain = create("AdamW", narrow, engine=engine)
    plain.load_state_dict(split.state_dict())
    assert not {"remainder", "compensation"} & plain.state[narrow[0]].keys()


def test_weights_go_to_a_float32_model_and_come_back() -> None:
    torch.manual_seed(0)
    wide = nn.Linear(8, 8)
    narrow = copy.deepcopy(wide).bfloat16()
    optimizer = create("AdamW", narrow.named_parameters(), rounding="split")
    optimizer.load_master_weights(wide.state_dict())  # type: ignore[attr-defined]
    saved = optimizer.state_dict()
    again = create("AdamW", narrow.named_parameters(), rounding="split")
    again.load_state_dict(saved)
    other = nn.Linear(8, 8)
    other.load_state_dict(again.master_weights())  # type: ignore[attr-defined]
    for p, q in zip(wide.parameters(), other.parameters(), strict=True):
        assert torch.equal(p, q)


def test_the_state_of_torch_begins_at_the_parameters() -> None:
    model = nn.Linear(4, 4)
    theirs = torch.optim.AdamW(model.parameters())
    model(torch.ones(4)).sum().backward()
    theirs.step()
    narrow = copy.deepcopy(model).bfloat16()
    ours = create("AdamW", narrow.parameters(), rounding="split")
    ours.load_state_dict(theirs.state_dict())
    ours.load_master_weights(  # type: ignore[attr-defined]
        {f"parameter {i}": p for i, p in enumerate(model.parameters())}
    )
    for p, q in zip(narrow.parameters(), model.parameters(), strict=True):
        p.grad, q.grad = q.grad.bfloat16(), q.grad.bfloat16().float()  # type: ignore[union-attr]
    ours.step()
    theirs.step()
    for master, q in zip(ours.master_weights().values(), model.parameters(), strict=True):  # type: ignore[attr-defined]
        torch.testing.assert_close(master, q.detach(), rtol=1e-6, atol=1e-7)


def test_points_of_schedule_free_are_exact_both_ways() -> None:
    narrow, split, wide, reference = pair("AdamWScheduleFree", "auto")
    train(narrow, split, wide, reference, range(5))
    for optimizer in (split, reference):
        optimizer.eval()
    for master, q in zip(split.master_weights().values(), wide, strict=True):
        assert torch.equal(master, q.detach())


def test_what_cannot_be_split_is_refused() -> None:
    p = torch.zeros(3, dtype=torch.float16, requires_grad=True)
    with pytest.raises(UnsupportedDtype, match=r"bfloat16, got torch\.float16"):
        create("AdamW", [p], rounding="split")
    p = torch.zeros(3, dtype=torch.bfloat16, requires_grad=True)
    with pytest.raises(InvalidValue, match="differentiable"):
        create("AdamW", [p], rounding="split", differentiable=True)
    optimizer = create("AdamW", [("p", p)], rounding="split")
    with pytest.raises(StateMismatch, match=r"`p` must have the shape \(3,\), got None"):
        optimizer.load_master_weights({})  # type: ignore[attr-defined]
    p.grad = torch.ones_like(p)
    optimizer.step()
    optimizer.state[p]["remainder"] = torch.zeros(3)
    with pytest.raises(StateMismatch, match="`remainder`"):
        optimizer.step()
