"""State of 16 bits: averages fall as well as rise, and a run can be taken again bit for bit."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from glideslope.optim import RuleOptimizer, available, create
from glideslope.rules import rule

from ..round_trip import through_a_file
from .cases import every_engine, is_for

NARROW = [torch.bfloat16, torch.float16]
NAMES = [row.name for row in available() if issubclass(row.optimizer, RuleOptimizer)]
every_narrow_dtype = pytest.mark.parametrize("dtype", NARROW, ids=str)


STATES = ("one", "two", "three", "four", "five")


@rule
def keep(p: Any, g: Any, one: Any, two: Any, three: Any, four: Any, five: Any, /, lr: Any) -> Any:
    """A parameter and state that are the gradient."""
    return g - 0.0 * lr, g, g, g, g, g


class Keep(RuleOptimizer):
    """Keeps the gradient as it is stored."""

    rule = keep

    def __init__(self, params: Any, lr: float = 0.0, **common: Any) -> None:
        super().__init__(params, {"lr": lr}, **common)


def kept(values: Tensor, engine: Any, dtype: torch.dtype, steps: int = 1) -> list[Tensor]:
    """The parameter and the states of every step, as float64."""
    p = torch.zeros_like(values, dtype=dtype).requires_grad_()
    p.grad_dtype = None  # a gradient may have more digits than its parameter
    p.grad = values
    optimizer = Keep([p], engine=engine, state_dtype=dtype, rounding="stochastic")
    found = []
    for _ in range(steps):
        optimizer.step()
        found += [p.detach().double(), *(optimizer.state[p][name].double() for name in STATES)]
    return found


# Of a number between two of the dtype: those two, in units of the number beside, and the number.
BETWEEN = {
    (torch.bfloat16, "normal"): (2.0**-7, 128, 129, 128.3),
    (torch.bfloat16, "negative"): (2.0**-7, -129, -128, -128.7),
    (torch.bfloat16, "tiny"): (2.0**-127, 128, 129, 128.3),
    (torch.float16, "normal"): (2.0**-10, 1024, 1025, 1024.3),
    (torch.float16, "subnormal"): (2.0**-24, 5, 6, 5.3),
    (torch.float16, "below the smallest"): (2.0**-24, 0, 1, 0.3),
    (torch.float16, "negative subnormal"): (2.0**-24, -6, -5, -5.7),
}


@every_engine
@pytest.mark.parametrize("case", BETWEEN, ids=str)
def test_the_chance_of_a_neighbour_is_its_nearness(case: Any, engine: Any) -> None:
    unit, low, high, value = BETWEEN[case]
    share = value - low
    for state in kept(torch.full((40_000,), value * unit), engine, case[0]):
        state = state / unit
        assert set(state.tolist()) == {low, high}
        up = (state == high).double().mean().item()
        assert abs(up - share) < 5 * math.sqrt(share * (1 - share) / state.numel())


@every_engine
@every_narrow_dtype
def test_noise_is_independent_of_element_state_and_step(dtype: torch.dtype, engine: Any) -> None:
    half = 1.0 + torch.finfo(dtype).eps / 2
    states = kept(torch.full((40_000,), half), engine, dtype, steps=4)
    ups = [(state > 1.0).double() - 0.5 for state in states]
    bound = 5 / math.sqrt(40_000)  # of a correlation of independent signs
    for i, one in enumerate(ups):
        for other in (*ups[:i], one.roll(1), one.roll(16), one.roll(16384)):
            assert abs(4 * (one * other).mean().item()) < bound


@every_engine
@every_narrow_dtype
def test_what_is_no_number_between_two_is_kept(dtype: torch.dtype, engine: Any) -> None:
    exact = [0.0, -0.0, 1.0, -1.5, math.inf, -math.inf, math.nan]
    for state in kept(torch.tensor(exact), engine, dtype):
        torch.testing.assert_close(
            state, torch.tensor(exact).double(), rtol=0, atol=0, equal_nan=True
        )
        assert math.copysign(1.0, state[1].item()) == -1.0


OPTIONS: dict[str, dict[str, Any]] = {"SGD": {"momentum": 0.9}}


def shrinking(name: str, engine: Any, dtype: torch.dtype | None) -> dict[str, float]:
    """The mean square of each state once gradients have shrunk tenfold."""
    torch.manual_seed(0)
    p = torch.zeros(24, 24, requires_grad=True)
    options = {"lr": 0.0, **OPTIONS.get(name, {})}
    optimizer = create(name, [p], engine=engine, state_dtype=dtype, **options)
    for scale, steps in ((1.0, 60), (0.1, 1500)):
        for _ in range(steps):
            p.grad = torch.randn(24, 24) * scale
            optimizer.step()
    state = optimizer.state[p]
    return {k: v.double().square().mean().item() for k, v in state.items() if v.ndim}


@every_engine
@pytest.mark.parametrize("name", ["AdamW", "RMSprop", "AdEMAMix", "Lion", "SGD", "AdaBelief"])
def test_averages_fall_as_far_as_those_of_float32(name: str, engine: Any) -> None:
    wide, narrow = shrinking(name, engine, None), shrinking(name, engine, torch.bfloat16)
    for key in wide:
        assert narrow[key] == pytest.approx(wide[key], rel=0.15), key


@every_engine
def test_an_average_of_the_weights_falls_too(engine: Any) -> None:
    p = torch.ones(4096, requires_grad=True)
    optimizer = create("SGD", [p], lr=0.0, ema_decay=0.999, engine=engine)
    p.grad = torch.zeros(4096)
    optimizer.step()
    optimizer.state[p]["ema"] = optimizer.state[p]["ema"].to(torch.bfloat16)
    with torch.no_grad():
        p.zero_()
    for _ in range(2000):
        optimizer.step()
    mean = optimizer.state[p]["ema"].double().mean().item()
    assert mean == pytest.approx(0.999**2000, rel=0.02)


def run(name: str, engine: Any, dtype: torch.dtype, resume_at: int | None = None) -> list[Tensor]:
    """The parameters and the state after ten steps."""
    shapes = [shape for shape in [(6, 4), (50,), (8, 8)] if is_for(name, shape)]
    generator = torch.Generator().manual_seed(0)
    params = [torch.randn(s, generator=generator).to(dtype).requires_grad_() for s in shapes]
    options = OPTIONS.get(name, {})
    optimizer = create(name, params, engine=engine, **options)
    for step in range(10):
        if step == resume_at:
            saved = through_a_file(optimizer.state_dict())
            torch.rand(7)  # nothing depends on the global generator
            optimizer = create(name, params, engine=engine, **options)
            optimizer.load_state_dict(saved)
        for p in params:
            p.grad = torch.randn(p.shape, generator=generator).to(dtype)
        optimizer.step()
    states = [v for p in params for _, v in sorted(optimizer.state[p].items())]
    return [each.detach().clone() for each in (*params, *states)]


@every_engine
@pytest.mark.parametrize("name", NAMES)
def test_a_run_resumes_bit_for_bit(name: str, engine: Any) -> None:
    whole = run(name, engine, torch.bfloat16)
    torch.testing.assert_close(run(name, engine, torch.bfloat16, 4), whole, rtol=0, atol=0)


@every_engine
def test_the_global_generator_is_left_alone(engine: Any) -> None:
    before = torch.get_rng_state()
    p = torch.zeros(9, dtype=torch.bfloat16, requires_grad=True)
    p.grad = torch.ones_like(p)
    for rounding in ("nearest", "stochastic"):
        create("AdamW", [p], engine=engine, rounding=rounding).step()
    assert torch.equal(torch.get_rng_state(), before)


@every_engine
@pytest.mark.parametrize("name", [name for name in NAMES if name != "Adafactor"])  # its eps differs
def test_float16_parameters_have_the_state_of_float32(name: str, engine: Any) -> None:
    def update(dtype: torch.dtype) -> float:
        p = torch.zeros(4, 4, dtype=dtype, requires_grad=True)
        optimizer = create(name, [p], engine=engine, **OPTIONS.get(name, {}))
        for _ in range(200):
            with torch.no_grad():
                p.zero_()
            p.grad = torch.eye(4, dtype=dtype) * 1e-3
            optimizer.step()
        assert all(v.dtype is torch.float32 for v in optimizer.state[p].values() if v.ndim)
        return p[0, 0].item()

    assert update(torch.float16) == pytest.approx(update(torch.float32), rel=0.02, abs=6e-8)


@every_engine
def test_a_copy_continues_alike(engine: Any) -> None:
    p = torch.zeros(50, dtype=torch.bfloat16, requires_grad=True)
    p.grad = torch.full_like(p, 0.3)
    optimizer = create("SGD", [p], lr=0.1, momentum=0.9, engine=engine)
    optimizer.step()
    q, other = copy.deepcopy((p, optimizer))
    for each, parameter in ((optimizer, p), (other, q)):
        for _ in range(3):
            parameter.grad = torch.full_like(parameter, 0.1)
            each.step()
    assert torch.equal(p, q)
