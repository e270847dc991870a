"""One case of each way in which memory, threads, devices and loss scales meet an optimizer."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from glideslope import optim
from glideslope.errors import InvalidValue, StateMismatch
from glideslope.optim import SGD, AdamW, RuleOptimizer, available, create

from .cases import every_engine

NAMES = [row.name for row in available() if issubclass(row.optimizer, RuleOptimizer)]
every_name = pytest.mark.parametrize("name", NAMES)


def stepped(engine: Any, shape: tuple[int, ...] = (30, 20)) -> tuple[nn.Parameter, AdamW]:
    p = nn.Parameter(torch.ones(shape))
    p.grad = torch.ones(shape)
    optimizer = AdamW([("weight", p)], engine=engine)
    optimizer.step()
    return p, optimizer


def enlarge(p: nn.Parameter) -> None:
    p.data = torch.ones(300, 20)
    p.grad = torch.ones(300, 20)


# What is done to the parameter and its state, and what is said.
REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "a larger parameter": (
        lambda p, s: (
            setattr(p, "data", torch.ones(300, 20)) or setattr(p, "grad", torch.ones(300, 20))
        ),
        StateMismatch,
        r"`exp_avg` of weight has the shape \(30, 20\), not \(300, 20\)",
    ),
    "a smaller parameter, the gradient as it was": (
        lambda p, s: setattr(p, "data", p.data[:5]),
        InvalidValue,
        r"`grad` of weight must have the shape \(5, 20\) of the parameter, got \(30, 20\)",
    ),
    "a transposed state": (
        lambda p, s: s.update(exp_avg=torch.ones(20, 30)),
        StateMismatch,
        r"`exp_avg` of weight has the shape \(20, 30\)",
    ),
    "a state of integers": (
        lambda p, s: s.update(exp_avg=torch.ones(30, 20, dtype=torch.int64)),
        StateMismatch,
        "`exp_avg` of weight must hold floating-point numbers",
    ),
    "a complex state": (
        lambda p, s: s.update(exp_avg=torch.ones(30, 20, dtype=torch.complex64)),
        StateMismatch,
        "`exp_avg` of weight is torch.complex64, the parameter torch.float32",
    ),
    "a state elsewhere": (
        lambda p, s: s.update(exp_avg=s["exp_avg"].to("meta")),
        StateMismatch,
        "`exp_avg` of weight is on meta",
    ),
    "an expanded state": (
        lambda p, s: s.update(exp_avg=torch.ones(()).expand(30, 20)),
        StateMismatch,
        "`exp_avg` of weight has elements that share memory",
    ),
    "two steps": (
        lambda p, s: s.update(step=torch.ones(2)),
        StateMismatch,
        "`step` of weight must be one real number",
    ),
    "a freed parameter": (
        lambda p, s: p.untyped_storage().resize_(0),
        InvalidValue,
        "the memory of weight was freed",
    ),
    "a freed gradient": (
        lambda p, s: p.grad.untyped_storage().resize_(0),
        InvalidValue,
        "the memory of `grad` of weight was freed",
    ),
    "a freed state": (
        lambda p, s: s["exp_avg"].untyped_storage().resize_(0),
        StateMismatch,
        "`exp_avg` of weight has lost its memory",
    ),
    "a parameter that is expanded": (
        lambda p, s: setattr(p, "data", torch.ones(()).expand(30, 20)),
        InvalidValue,
        "the elements of weight share memory",
    ),
}


@every_engine
@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_belong_together_is_refused_by_name(case: str, engine: Any) -> None:
    abuse, error, told = REFUSED[case]
    p, optimizer = stepped(engine)
    abuse(p, optimizer.state[p])
    with pytest.raises(error, match=told):
        optimizer.step()


@every_engine
@every_name
def test_parameters_may_share_a_gradient(name: str, engine: Any) -> None:
    def result(shares: bool) -> list[torch.Tensor]:
        torch.manual_seed(0)
        params = [torch.randn(4, 4).requires_grad_() for _ in range(3)]
        optimizer = create(name, params, engine=engine)
        for step in range(3):
            g = torch.full((4, 4), 0.1 + step).triu()
            for p in params:
                p.grad = g if shares else g.clone()
            optimizer.step(zero_grad=step == 1)  # type: ignore[call-arg]
            assert step != 1 or not any(p.grad.any() for p in params)  # type: ignore[union-attr]
        return [p.detach() for p in params]

    torch.testing.assert_close(result(True), result(False), rtol=0, atol=0)


@every_engine
def test_threads_lose_no_step(engine: Any) -> None:
    p, optimizer = stepped(engine, (10,))
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [
            threading.Thread(target=lambda: [optimizer.step() for _ in range(100)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert optimizer.state[p]["step"].item() == 401
    q, alone = stepped(engine, (10,))
    for _ in range(400):
        alone.step()
    torch.testing.assert_close(p, q, rtol=0, atol=0)


@pytest.fixture
def elsewhere() -> Iterator[None]:
    """A default device that has no numbers, as "cuda" has none on this machine."""
    torch.set_default_device("meta")
    yield
    torch.set_default_device(None)


@every_engine
@every_name
@pytest.mark.usefixtures("elsewhere")
def test_the_default_device_is_not_used(name: str, engine: Any) -> None:
    p = torch.ones(4, 4, device="cpu", requires_grad=True)
    p.grad = torch.eye(4, device="cpu")
    optimizer = create(name, [p], engine=engine, max_grad_norm=1.0, skip_nonfinite=True)
    for _ in range(3):
        optimizer.step()
    assert p.device.type == "cpu"
    assert p.isfinite().all()
    assert (p != 1).any()


@every_engine
@every_name
@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0)])
def test_parameters_without_elements(name: str, shape: tuple[int, ...], engine: Any) -> None:
    p, q = torch.zeros(shape, requires_grad=True), torch.ones(4, 4, requires_grad=True)
    p.grad, q.grad = torch.zeros(shape), torch.eye(4)
    optimizer = create(name, [p, q], engine=engine, max_grad_norm=1.0)
    alone = torch.ones(4, 4, requires_grad=True)
    alone.grad = torch.eye(4)
    other = create(name, [alone], engine=engine, max_grad_norm=1.0)
    for _ in range(2):
        optimizer.step()
        other.step()
    torch.testing.assert_close(q, alone, rtol=1e-6, atol=0)
    assert all(v.isfinite().all() for v in optimizer.state[p].values())


@every_engine
@pytest.mark.parametrize("value", [1e200, 1e-200, 3e38, math.inf, math.nan])
def test_norms_whose_squares_overflow(value: float, engine: Any) -> None:
    p = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    p.grad = torch.full_like(p, value)
    optimizer = SGD([p], lr=1.0, skip_nonfinite=True, max_grad_norm=1.0, engine=engine)
    optimizer.step()
    norm = value * math.sqrt(2) if value > 1e-100 or value != value else 0.0
    assert optimizer.grad_norm == pytest.approx(norm, rel=1e-14, nan_ok=True)
    assert optimizer.skipped_steps == (not math.isfinite(value))
    if math.isfinite(value) and value > 1:
        assert p[0].item() == pytest.approx(-math.sqrt(0.5), rel=1e-12)


@every_engine
@every_name
@pytest.mark.parametrize("clip", [None, 0.5])
def test_a_loss_scale_is_undone_inside_the_step(name: str, clip: float | None, engine: Any) -> None:
    def result(scaler: Any) -> tuple[Any, ...]:
        torch.manual_seed(0)
        weight = torch.randn(4, 4, requires_grad=True)
        optimizer = create(name, [weight], engine=engine, max_grad_norm=clip)
        for step in range(5):
            optimizer.zero_grad()
            x = torch.randn(3, 4) * (math.inf if scaler and step in (1, 3) else 1.0)
            if scaler is None and step in (1, 3):
                continue
            loss = (x @ weight).square().mean()
            if scaler is None:
                loss.backward()
                optimizer.step()
            else:
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
        steps = optimizer.state[weight].get("step")
        return weight.detach(), steps, getattr(optimizer, "grad_norm", None)

    assert create(name, [torch.ones(4, 4, requires_grad=True)])._step_supports_amp_scaling  # type: ignore[attr-defined]
    ours = result(torch.amp.GradScaler("cpu", init_scale=1024.0))
    plain = result(None)
    torch.testing.assert_close(ours[0], plain[0], rtol=1e-5, atol=1e-6)
    assert ours[1] == plain[1]
    assert ours[2] == (None if clip is None else pytest.approx(plain[2], rel=1e-5))


def test_kernels_of_totals_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their text is long, and was once written at every step."""
    from glideslope.engines._fused import engine as fused_engine

    for name in ("LAMB", "StableAdamW", "Prodigy", "AdamW"):
        p = torch.ones(4, 4, requires_grad=True)
        p.grad = torch.eye(4)
        optimizer = create(name, [p], engine="fused", max_grad_norm=1.0)
        optimizer.step()
        with monkeypatch.context() as patch:
            patch.setattr(fused_engine, "machine_code", None)
            optimizer.step()


@every_engine
@pytest.mark.parametrize("value", [1e200 + 1e200j, complex(0, 1e200)])
def test_norms_of_complex_gradients_that_overflow(value: complex, engine: Any) -> None:
    p = torch.zeros(2, dtype=torch.complex128, requires_grad=True)
    p.grad = torch.full_like(p, value)
    optimizer = SGD([p], lr=1.0, max_grad_norm=1.0, engine=engine)
    optimizer.step()
    assert optimizer.grad_norm == pytest.approx(abs(value) * math.sqrt(2), rel=1e-14)


@every_engine
@pytest.mark.parametrize("name", ["SGD", "AdamW", "SOAP", "AdamWScheduleFree"])
def test_a_refused_step_leaves_nothing_behind(name: str, engine: Any) -> None:
    """The parameters before the one that is refused have no state yet, and are not begun."""
    options = {"momentum": 0.5, "dampening": 0.5} if name == "SGD" else {}
    params = [torch.ones(4, 4, requires_grad=True) for _ in range(2)]
    optimizer = create(name, params, engine=engine, **options)
    for p in params:
        p.grad = torch.eye(4)
    params[1].grad.data = torch.ones(3)  # type: ignore[union-attr]
    with pytest.raises(InvalidValue, match="`grad` of parameter 1 must have the shape"):
        optimizer.step()
    assert not optimizer.state_dict()["state"]
    assert all(torch.equal(p, torch.ones(4, 4)) for p in params)


def transposed(matrix: Tensor) -> Tensor:
    return matrix.detach().t()


def shifted(matrix: Tensor) -> Tensor:
    """The last rows of a larger matrix of which the first are the given one."""
    matrix.data = torch.randn(len(matrix) + 1, matrix.size(1))[:-1]
    return matrix.detach().as_strided(matrix.shape, matrix.stride(), matrix.size(1))


@pytest.mark.parametrize("engine", ["auto", "tensor"])
@pytest.mark.parametrize("name", ["SGD", "AdamW", "NAdam", "SOAP"])
@pytest.mark.parametrize("view", [transposed, shifted])
def test_a_gradient_across_its_parameter_is_refused(view: Any, name: str, engine: str) -> None:
    p = torch.randn(3, 3, requires_grad=True)
    optimizer = getattr(optim, name)([("weight", p)], lr=0.1, engine=engine)
    p.grad = view(p)
    before = p.detach().clone()
    with pytest.raises(InvalidValue, match="the parameter and `grad` of weight share memory"):
        optimizer.step()
    assert torch.equal(p, before)
    assert not optimizer.state[p]


@pytest.mark.parametrize("of", ["parameter", "gradient"])
@pytest.mark.parametrize("view", [transposed, shifted])
def test_state_across_other_tensors_is_refused(view: Any, of: str) -> None:
    p = torch.randn(3, 3, requires_grad=True)
    optimizer = AdamW([("weight", p)])
    p.grad = torch.randn(3, 3)
    optimizer.step()
    optimizer.state[p]["exp_avg"] = view(p if of == "parameter" else p.grad)
    with pytest.raises(InvalidValue, match="state `exp_avg` of weight share memory"):
        optimizer.step()


def test_columns_of_one_matrix_are_apart() -> None:
    """The spans of a parameter and its gradient may overlap where their elements do not."""
    both = torch.ones(4, 2)
    p = both[:, 0].requires_grad_()
    p.grad = both.detach()[:, 1]
    optim.SGD([p], lr=0.5).step()
    assert both.detach().tolist() == [[0.5, 1.0]] * 4


def test_a_gradient_that_is_its_parameter_is_apart() -> None:
    p = torch.ones(3, requires_grad=True)
    p.grad = p.detach()
    optim.SGD([p], lr=0.5).step()
    assert p.tolist() == [0.5] * 3
