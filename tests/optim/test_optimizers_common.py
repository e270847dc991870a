"""The arguments that all optimizers share, on both engines."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import glideslope as gs
from glideslope.errors import InvalidType, InvalidValue
from glideslope.optim._adaptive import Adam, AdamW
from glideslope.optim._momentum import SGD

from .cases import every_engine


def weight(values: list[float], dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.tensor(values, dtype=dtype, requires_grad=True)


def model_with_gradients() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 30), nn.Tanh(), nn.Linear(30, 3)).double()
    model(torch.randn(8, 20, dtype=torch.float64)).square().sum().backward()
    return model


def twins() -> tuple[nn.Module, nn.Module]:
    return model_with_gradients(), model_with_gradients()


def assert_equal(ours: nn.Module, theirs: nn.Module, tolerance: float = 1e-13) -> None:
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=tolerance, atol=tolerance)


@every_engine
@pytest.mark.parametrize("limit", [0.5, 1e6])
def test_clipping_equals_torchs_own(engine: Any, limit: float) -> None:
    ours, theirs = twins()
    optimizer = SGD(ours.parameters(), lr=0.1, max_grad_norm=limit, engine=engine)
    optimizer.step()
    norm = nn.utils.clip_grad_norm_(theirs.parameters(), limit)
    torch.optim.SGD(theirs.parameters(), lr=0.1).step()
    assert_equal(ours, theirs)
    assert optimizer.grad_norm == pytest.approx(norm.item(), rel=1e-14)


@every_engine
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_step_of_bad_gradients_is_left_out_and_counted(engine: Any, bad: float) -> None:
    p = weight([1.0] * 40)
    optimizer = Adam([p], skip_nonfinite=True, engine=engine)
    p.grad = torch.ones(40)
    optimizer.step()
    before, counted = p.detach().clone(), optimizer.state[p]["step"].clone()
    p.grad[17] = bad
    optimizer.step()
    assert torch.equal(p, before)
    assert optimizer.state[p]["step"] == counted
    assert optimizer.skipped_steps == 1
    p.grad[17] = 1.0
    optimizer.step()
    assert not torch.equal(p, before)


@every_engine
def test_a_skipped_step_still_zeroes_the_gradients_it_was_asked_to(engine: Any) -> None:
    p = weight([1.0])
    p.grad = torch.tensor([math.inf])
    SGD([p], skip_nonfinite=True, engine=engine).step(zero_grad=True)
    assert p.grad.item() == 0.0


@every_engine
def test_gradients_are_zeroed_in_the_same_pass(engine: Any) -> None:
    ours, theirs = twins()
    AdamW(ours.parameters(), engine=engine).step(zero_grad=True)
    torch.optim.AdamW(theirs.parameters()).step()
    assert_equal(ours, theirs)
    assert all(not p.grad.any() for p in ours.parameters())


@every_engine
def test_the_average_equals_torchs_and_swaps_in_and_out(engine: Any) -> None:
    ours, theirs = twins()
    optimizer = SGD(ours.parameters(), lr=0.1, ema_decay=0.9, engine=engine)
    reference = torch.optim.SGD(theirs.parameters(), lr=0.1)
    decay = torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)
    average = torch.optim.swa_utils.AveragedModel(theirs, multi_avg_fn=decay)
    average.update_parameters(theirs)
    for _ in range(3):
        optimizer.step()
        reference.step()
        average.update_parameters(theirs)
    with optimizer.averaged():
        assert_equal(ours, average.module)
    assert_equal(ours, theirs)


def test_averaging_must_have_been_asked_for() -> None:
    optimizer = SGD([weight([1.0])])
    with pytest.raises(InvalidValue, match="`ema_decay` must be given"), optimizer.averaged():
        pass


@every_engine
def test_the_average_of_a_16_bit_parameter_is_wide_enough_to_move(engine: Any) -> None:
    p = weight([1.0], torch.bfloat16)
    p.grad = torch.ones_like(p)
    optimizer = SGD([p], lr=0.5, ema_decay=0.999, engine=engine)
    optimizer.step()
    assert optimizer.state[p]["ema"].item() == pytest.approx(0.9995, rel=1e-6)


@every_engine
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_nearest_rounding_stalls_where_compensation_does_not(
    engine: Any, dtype: torch.dtype
) -> None:
    """A constant gradient moves AdamW by the learning rate, below half a unit of the parameter."""

    def moved(**common: Any) -> float:
        p = weight([1.0] * 64, dtype)
        optimizer = AdamW([p], lr=1e-4, weight_decay=0.0, engine=engine, **common)
        for _ in range(100):
            p.grad = torch.ones_like(p)
            optimizer.step()
        total = (
            p.detach().double() + optimizer.state[p].get("compensation", torch.zeros(1)).double()
        )
        return float(1.0 - total.mean())

    assert moved(state_dtype=torch.float32) == 0.0
    compensated = moved(state_dtype=torch.float32, rounding="compensated")
    assert compensated == pytest.approx(0.01, rel=1e-2)


@every_engine
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("start", [1.0, -3.0, 1e-7, 5e-6])
def test_stochastic_rounding_has_the_right_mean(
    engine: Any, dtype: torch.dtype, start: float
) -> None:
    """One step of 0.3 units: each result is a neighbour, and their mean is within 4 deviations."""
    count = 20_000
    torch.manual_seed(0)
    p = weight([start] * count, dtype)
    low = p.detach()[0].double()
    unit = abs(torch.nextafter(p.detach()[0], torch.tensor(10.0, dtype=dtype)).double() - low)
    p.grad = torch.full_like(p, -1.0)
    SGD([p], lr=0.3 * unit.item(), rounding="stochastic", engine=engine).step()
    units = (p.detach().double() - low) / unit
    assert set(units.unique().tolist()) == {0.0, 1.0}
    assert abs(units.mean().item() - 0.3) < 4 * math.sqrt(0.3 * 0.7 / count)


@every_engine
def test_stochastic_rounding_is_independent_everywhere_and_at_every_step(engine: Any) -> None:
    """Halves of a tensor, two tensors and two steps agree as often as coins do."""
    params = [weight([1.0] * 2**15, torch.bfloat16) for _ in range(2)]
    optimizer = SGD(params, lr=2.0**-8, rounding="stochastic", engine=engine)
    rounded = []
    for _ in range(2):
        for p in params:
            p.data.fill_(1.0)
            p.grad = torch.full_like(p, -1.0)
        optimizer.step()
        rounded += [half.detach() == 1.0 for p in params for half in p.chunk(2)]
    for i, some in enumerate(rounded):
        assert all(abs((some == other).float().mean() - 0.5) < 0.02 for other in rounded[:i])


@every_engine
def test_stochastic_rounding_keeps_infinities_and_repeats_under_a_seed(engine: Any) -> None:
    def stepped() -> Tensor:
        torch.manual_seed(3)
        p = weight([math.inf, -math.inf, math.nan, 1.0, 0.0, 65504.0], torch.float16)
        p.grad = torch.full_like(p, 1e-4)
        SGD([p], lr=1.0, rounding="stochastic", engine=engine).step()
        return p.detach()

    first = stepped()
    assert first[:2].tolist() == [math.inf, -math.inf]
    assert first[2].isnan()
    assert torch.equal(first[3:], stepped()[3:])


@every_engine
def test_a_wide_state_is_what_it_was_asked_to_be(engine: Any) -> None:
    p = weight([1.0] * 50, torch.bfloat16)
    p.grad = torch.full_like(p, 1e-3)
    optimizer = AdamW([p], state_dtype=torch.float32, engine=engine)
    optimizer.step()
    state = optimizer.state[p]
    assert state["exp_avg"].dtype == state["exp_avg_sq"].dtype == torch.float32
    assert state["exp_avg"][0].item() == pytest.approx(0.1 * p.grad[0].item(), rel=1e-6)


@every_engine
def test_a_schedule_drives_a_hyperparameter(engine: Any) -> None:
    lr = gs.warmup(2) >> gs.cosine(6)
    ours, theirs = twins()
    optimizer = AdamW(
        ours.parameters(),
        lr=0.1 * lr,
        betas=(gs.linear(8, start=0.8, end=0.9), 0.99),
        engine=engine,
    )
    reference = torch.optim.AdamW(theirs.parameters())
    for step in range(8):
        group = reference.param_groups[0]
        group["lr"], group["betas"] = 0.1 * lr(step), (0.8 + 0.1 * step / 8, 0.99)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(group["lr"], abs=1e-16)
        optimizer.step()
        reference.step()
        assert_equal(ours, theirs)


def test_a_schedule_continues_after_loading() -> None:
    def build() -> tuple[Tensor, SGD]:
        p = weight([1.0])
        p.grad = torch.ones(1)
        return p, SGD([p], lr=gs.linear(10, start=1.0, end=0.0))

    (_, optimizer), (p, resumed) = build(), build()
    for _ in range(4):
        optimizer.step()
    resumed.load_state_dict(optimizer.state_dict())
    resumed.step()
    assert p.item() == pytest.approx(1.0 - 0.6)


def test_a_group_added_later_joins_a_schedule_where_it_is() -> None:
    p, q = weight([1.0]), weight([1.0])
    p.grad = q.grad = torch.ones(1)
    optimizer = SGD([p], lr=gs.linear(10, start=1.0, end=0.0))
    for _ in range(4):
        optimizer.step()
    optimizer.add_param_group({"params": [q]})
    assert optimizer.param_groups[1]["lr"] == pytest.approx(0.6)


@every_engine
def test_a_tensor_is_a_learning_rate_too(engine: Any) -> None:
    ours, theirs = twins()
    rate = torch.tensor(0.05, dtype=torch.float64)
    AdamW(ours.parameters(), lr=rate, engine=engine).step()
    torch.optim.AdamW(theirs.parameters(), lr=0.05).step()
    assert_equal(ours, theirs)


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"lr": -1.0}, InvalidValue, "`lr` must be at least 0, got -1.0"),
    ({"lr": "fast"}, InvalidType, "`lr` must be a number"),
    ({"betas": (0.9, 1.0)}, InvalidValue, "`betas` must be at least 0 and less than 1, got 1.0"),
    ({"betas": (0.9, 0.99, 0.999)}, InvalidValue, "`betas` must be two numbers, got (0.9, "),
    ({"betas": 0.9}, InvalidValue, "`betas` must be two numbers, got 0.9"),
    ({"eps": -1e-8}, InvalidValue, "`eps` must be at least 0"),
    ({"capturable": True}, InvalidValue, "`capturable` must be False: a tensor is on cpu"),
    ({"capturable": True, "engine": "tensor"}, InvalidValue, "be False with the tensor engine"),
    ({"engine": "gpu"}, InvalidValue, "`engine` must be one of auto, fused, triton, te"),
    ({"rounding": "up"}, InvalidValue, "`rounding` must be one of nearest, stochastic, comp"),
    ({"max_grad_norm": 0.0}, InvalidValue, "`max_grad_norm` must be more than 0"),
    ({"ema_decay": 1.0}, InvalidValue, "`ema_decay` must be at least 0 and less than 1"),
    ({"state_dtype": torch.int8}, InvalidType, "`state_dtype` must be a floating-point"),
]


@pytest.mark.parametrize(("arguments", "error", "sentence"), REFUSED)
def test_bad_values_are_refused_when_given(
    arguments: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence.replace("(", r"\(")):
        AdamW([weight([1.0])], **arguments)


@pytest.mark.parametrize(
    ("key", "meant"), [("weigth_decay", "weight_decay"), ("beta", "betas"), ("Lr", "lr")]
)
def test_a_misspelt_key_of_a_group_is_refused(key: str, meant: str) -> None:
    with pytest.raises(InvalidValue, match=f"`{key}`: did you mean `{meant}`"):
        AdamW([{"params": [weight([1.0])], key: 0.1}])


@pytest.mark.parametrize("key", ["name", "initial_lr", "max_momentum", "lr_scale", "layer"])
def test_other_keys_of_a_group_are_the_callers_own(key: str) -> None:
    group = {"params": [weight([1.0])], key: 0.5}
    assert SGD([group]).param_groups[0][key] == 0.5


def count(calls: list[str], name: str) -> Callable[..., None]:
    return lambda *_: calls.append(name)


def test_hooks_fire_once_and_see_the_optimizer() -> None:
    p, calls = weight([1.0]), []
    p.grad = torch.ones(1)
    optimizer = SGD([p])
    optimizer.register_step_pre_hook(count(calls, "before"))
    optimizer.register_step_post_hook(count(calls, "after"))
    optimizer.step()
    assert calls == ["before", "after"]


def test_a_profile_names_the_step_as_torchs_does() -> None:
    p = weight([1.0])
    p.grad = torch.ones(1)
    optimizer = AdamW([p])
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        optimizer.step()
    assert "Optimizer.step#AdamW.step" in {event.key for event in profile.key_averages()}


def test_a_closure_is_evaluated_once_with_gradients_on() -> None:
    p, calls = weight([3.0]), []
    optimizer = SGD([p], lr=0.5)

    def closure() -> Tensor:
        calls.append(torch.is_grad_enabled())
        optimizer.zero_grad()
        loss = p.square().sum()
        loss.backward()
        return loss

    with torch.no_grad():
        assert optimizer.step(closure).item() == 9.0
    assert calls == [True]
    assert p.item() == 0.0


def test_a_scaler_skips_and_steps_as_with_torchs_own() -> None:
    ours, theirs = twins()
    optimizers = AdamW(ours.parameters()), torch.optim.AdamW(theirs.parameters())
    scalers = [torch.amp.GradScaler("cpu", init_scale=8.0) for _ in optimizers]
    for step in range(3):
        for model, optimizer, scaler in zip((ours, theirs), optimizers, scalers, strict=True):
            optimizer.zero_grad()
            x = torch.full((2, 20), math.inf if step == 0 else 1.0, dtype=torch.float64)
            scaler.scale(model(x).square().sum()).backward()
            scaler.step(optimizer)
            scaler.update()
        assert_equal(ours, theirs)
        assert scalers[0].get_scale() == scalers[1].get_scale()


def test_gradients_flow_through_a_differentiable_step() -> None:
    """The slope in the learning rate, against a difference quotient of torch's own."""

    def final(optimizer: torch.optim.Optimizer, p: Tensor) -> Tensor:
        for step in range(3):
            p.grad = torch.tensor([2.0 + step, 1e-8], dtype=torch.float64)
            optimizer.step()
        return p.sum()

    def torchs(rate: float) -> float:
        p = weight([1.0, -3.0], torch.float64)
        return final(torch.optim.Adam([p], lr=rate), p).item()

    rate = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    p = weight([1.0, -3.0], torch.float64).clone()
    total = final(Adam([p], lr=rate, differentiable=True), p)
    slope = torch.autograd.grad(total, rate)[0].item()
    assert slope == pytest.approx((torchs(0.1 + 1e-5) - torchs(0.1 - 1e-5)) / 2e-5, rel=1e-8)


@pytest.mark.parametrize("engine", ["auto", "tensor"])
def test_a_step_compiles(engine: Any) -> None:
    ours, theirs = twins()
    optimizer, reference = AdamW(ours.parameters(), engine=engine), AdamW(theirs.parameters())
    step = torch.compile(optimizer.step, backend="eager")
    for _ in range(3):
        step()
        reference.step()
    assert_equal(ours, theirs, tolerance=1e-12)


def test_the_report_names_engines_and_reasons() -> None:
    model = nn.ModuleDict({"a": nn.Linear(3, 2), "b": nn.Linear(2, 2)})
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    model["b"].weight.grad = None
    report = AdamW(model.named_parameters(), differentiable=False).engine_report()
    assert [row.name for row in report] == ["a.weight", "a.bias", "b.bias"]
    assert {(row.engine, row.reason) for row in report} == {("fused", None)}
    assert str(report) == "fused: a.weight and 2 more"
