"""The step in the backward pass: an ordinary step's numbers, without all gradients at once."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import glideslope as gs
from glideslope.errors import InvalidValue
from glideslope.optim import AdamW, RuleOptimizer, available, create
from glideslope.optim.lr_scheduler import StepLR

from .cases import every_engine

NAMES = [row.name for row in available() if issubclass(row.optimizer, RuleOptimizer)]
WITHOUT_PRODIGY = [name for name in NAMES if name != "Prodigy"]


def layers(matrices_only: bool = False, depth: int = 3) -> nn.Sequential:
    torch.manual_seed(0)
    blocks = [[nn.Linear(8, 8, bias=not matrices_only), nn.Tanh()] for _ in range(depth)]
    return nn.Sequential(*(each for block in blocks for each in block))


def backward(model: nn.Module, step: int, scale: float = 1.0) -> Tensor:
    x = torch.randn(4, 8, generator=torch.Generator().manual_seed(step))
    loss = scale * F.mse_loss(model(x.to(next(model.parameters()).dtype)).float(), x)
    loss.backward()
    return loss


def same(one: nn.Module, other: nn.Module) -> None:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    assert all(torch.equal(p, q) for p, q in pairs)


def both(
    make: Callable[[nn.Module], Any], model: nn.Module, steps: int = 4
) -> tuple[tuple[nn.Module, Any], tuple[nn.Module, Any]]:
    """A model trained by ordinary steps, and one whose gradients are released."""
    other = copy.deepcopy(model)
    ordinary, releasing = make(model), make(other)
    with releasing.release_gradients(other):
        for step in range(steps):
            ordinary.zero_grad()
            backward(model, step)
            ordinary.step()
            backward(other, step)
            assert all(p.grad is None for p in other.parameters())
            releasing.step()
    return (model, ordinary), (other, releasing)


@every_engine
@pytest.mark.parametrize("name", WITHOUT_PRODIGY)
def test_every_optimizer_takes_the_ordinary_step_bit_for_bit(name: str, engine: Any) -> None:
    matrices_only = getattr(gs.optim, name).matrices_only
    ours, theirs = both(
        lambda model: create(name, model.named_parameters(), engine=engine, cautious=True),
        layers(matrices_only),
    )
    same(ours[0], theirs[0])
    saved, expected = theirs[1].state_dict(), ours[1].state_dict()
    assert saved["param_groups"] == expected["param_groups"]
    torch.testing.assert_close(saved["state"], expected["state"], rtol=0, atol=0)


OPTIONS: list[dict[str, Any]] = [
    {"rounding": "compensated", "state_dtype": torch.float32},
    {"ema_decay": 0.9, "maximize": True, "state_dtype": torch.float32},
    {
        "lr": 0.01 * gs.cosine(6),
        "betas": (gs.linear(6, start=0.8, end=0.9), 0.99),
        "state_dtype": torch.float32,
    },
]


@every_engine
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options_and_schedules_are_those_of_a_step(options: dict[str, Any], engine: Any) -> None:
    ours, theirs = both(
        lambda model: AdamW(model.named_parameters(), engine=engine, **options), layers().bfloat16()
    )
    same(ours[0], theirs[0])
    assert ours[1].param_groups[0]["lr"] == theirs[1].param_groups[0]["lr"]


@every_engine
def test_noise_differs_between_parameters_and_runs_again_alike(engine: Any) -> None:
    def moved() -> list[Tensor]:
        model = nn.Linear(64, 64).bfloat16(), nn.Linear(64, 64).bfloat16()
        params = [each.weight for each in model]
        with torch.no_grad():
            for p in params:
                p.fill_(1.0)
        optimizer = AdamW(params, rounding="stochastic", weight_decay=0.0, engine=engine)
        optimizer.release_gradients(nn.ModuleList(model))
        sum(p.sum() for p in params).backward()  # type: ignore[union-attr]
        return [p.detach().clone() for p in params]

    one, other = moved()
    assert 0 < (one != other).float().mean() < 0.9
    assert all(map(torch.equal, moved(), (one, other)))


def test_gradients_are_never_together() -> None:
    model, alive = layers(depth=12), []
    optimizer = AdamW(model.parameters())
    for p in model.parameters():  # before ours, so that it sees the gradient
        p.register_post_accumulate_grad_hook(
            lambda _: alive.append(sum(q.grad is not None for q in model.parameters()))
        )
    optimizer.release_gradients(model)
    backward(model, 0)
    assert alive == [1] * 24


def test_a_scheduler_counts_one_update_for_a_backward_pass() -> None:
    model = layers()
    optimizer = AdamW(model.parameters(), lr=0.5)
    scheduler = StepLR(optimizer, 2, gamma=0.5)
    calls: list[str] = []
    optimizer.register_step_post_hook(lambda *_: calls.append("after"))
    optimizer.release_gradients(model)
    rates = []
    for step in range(4):
        backward(model, step)
        optimizer.step()
        scheduler.step()  # no warning of torch's: the optimizer has stepped
        rates.append(scheduler.get_last_lr()[0])
    assert rates == [0.5, 0.25, 0.25, 0.125]
    assert calls == ["after"] * 4
    assert all(float(entry["step"]) == 4 for entry in optimizer.state.values())


def test_a_closure_calls_backward_once() -> None:
    model, other = layers(), layers()
    ordinary, releasing = AdamW(model.parameters()), AdamW(other.parameters())
    releasing.release_gradients(other)
    for step in range(3):
        ordinary.zero_grad()
        assert ordinary.step(lambda step=step: backward(model, step)) == releasing.step(
            lambda step=step: backward(other, step)
        )
    same(model, other)


def test_parameters_of_no_model_take_an_ordinary_step() -> None:
    model, temperature = layers(), torch.ones((), requires_grad=True)
    model[0].bias.requires_grad_(False)
    frozen = model[0].bias.detach().clone()
    optimizer = AdamW([*model.parameters(), temperature], lr=0.1, weight_decay=0.0)
    optimizer.release_gradients(model)
    (temperature * model(torch.ones(8)).sum()).backward()
    assert temperature.grad is not None
    assert temperature.item() == 1.0
    optimizer.step(zero_grad=True)
    assert temperature.item() != 1.0
    assert not temperature.grad.any()
    assert torch.equal(model[0].bias, frozen)


def test_removed_it_is_as_before() -> None:
    model, other = layers(), layers()
    ordinary, releasing = AdamW(model.parameters()), AdamW(other.parameters())
    handle = releasing.release_gradients(other)
    for step in range(4):
        if step == 2:
            handle.remove()
        ordinary.zero_grad()
        backward(model, step)
        ordinary.step()
        backward(other, step)
        releasing.step(zero_grad=True)
    same(model, other)
    releasing.release_gradients(other).remove()


def test_a_deleted_optimizer_leaves_gradients_alone() -> None:
    model = layers()
    AdamW(model.parameters()).release_gradients(model)
    before = copy.deepcopy(model)
    backward(model, 0)
    same(model, before)
    assert all(p.grad is not None for p in model.parameters())


def test_a_loaded_state_continues() -> None:
    model, other = layers(), layers()
    ordinary, releasing = AdamW(model.named_parameters()), AdamW(other.named_parameters())
    releasing.release_gradients(other)
    backward(model, 0)
    ordinary.step()
    backward(other, 7)  # an update that is thrown away, and not ended
    releasing.load_state_dict(ordinary.state_dict())
    other.load_state_dict(model.state_dict())
    ordinary.zero_grad()
    backward(model, 1)
    ordinary.step()
    backward(other, 1)
    releasing.step()
    same(model, other)


REFUSED: dict[str, tuple[Callable[[nn.Module], Any], str]] = {
    "clipping": (lambda m: AdamW(m.parameters(), max_grad_norm=1.0), "`max_grad_norm`"),
    "skipping": (lambda m: AdamW(m.parameters(), skip_nonfinite=True), "`skip_nonfinite`"),
    "Prodigy": (lambda m: create("Prodigy", m.parameters()), "Prodigy takes sums"),
    "differentiable": (lambda m: AdamW(m.parameters(), differentiable=True), "`differentiable`"),
    "another model": (lambda _: AdamW(layers().parameters()), "`model` must have parameters"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_a_step_that_needs_all_gradients_is_refused(case: tuple[Any, str]) -> None:
    make, message = case
    model = layers()
    optimizer = make(model)
    with pytest.raises(InvalidValue, match=message):
        optimizer.release_gradients(model)
    backward(model, 0)
    assert all(p.grad is not None for p in model.parameters())


def test_released_twice_is_refused() -> None:
    model = layers()
    optimizer = AdamW(model.parameters())
    optimizer.release_gradients(model)
    with pytest.raises(InvalidValue, match="released already"):
        optimizer.release_gradients(model)


def test_accumulation_is_refused_before_it_changes_anything() -> None:
    model = layers()
    optimizer = AdamW(model.named_parameters())
    optimizer.release_gradients(model)
    backward(model, 0)
    before = copy.deepcopy(model)
    with pytest.raises(InvalidValue, match=r"4\.(weight|bias) has a second gradient"):
        backward(model, 1)
    same(model, before)
    model.zero_grad()
    optimizer.step()  # the step that was missing
    backward(model, 1)


def test_a_scaler_is_refused() -> None:
    model = layers()
    optimizer = AdamW(model.parameters())
    optimizer.release_gradients(model)
    scaler = torch.amp.GradScaler("cpu", init_scale=16.0)
    scaler.scale(F.mse_loss(model(torch.ones(8)), torch.ones(8))).backward()
    with pytest.raises(InvalidValue, match="GradScaler"):
        scaler.step(optimizer)


def test_an_average_for_evaluation_is_not_trained() -> None:
    model = layers()
    optimizer = create("AdamWScheduleFree", model.parameters())
    optimizer.release_gradients(model)  # type: ignore[attr-defined]
    optimizer.eval()  # type: ignore[attr-defined]
    with pytest.raises(InvalidValue, match="call `train"):
        backward(model, 0)
