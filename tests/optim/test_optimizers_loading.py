"""Saved states: matched by name, kept in their dtype, refused where they belong to another."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from glideslope import optim
from glideslope.errors import StateMismatch
from glideslope.optim._adaptive import Adam, AdamW
from glideslope.optim._base.optimizer import Optimizer
from glideslope.optim._base.plan_cache import PlanCache
from glideslope.optim._base.rule_optimizer import RuleOptimizer
from glideslope.optim._momentum import SGD

from ..round_trip import through_a_file


def model() -> nn.Module:
    torch.manual_seed(0)
    layers = nn.ModuleDict({"a": nn.Linear(3, 3, bias=False), "b": nn.Linear(3, 3, bias=False)})
    layers["a"].weight.grad = torch.full((3, 3), 1.0)
    layers["b"].weight.grad = torch.full((3, 3), -5.0)
    return layers


def stepped(optimizer: RuleOptimizer) -> RuleOptimizer:
    optimizer.step()
    return optimizer


def test_state_follows_names_not_positions() -> None:
    saved = stepped(AdamW(model().named_parameters())).state_dict()
    other = model()
    optimizer = AdamW(reversed(list(other.named_parameters())))
    optimizer.load_state_dict(saved)
    assert optimizer.state[other["b"].weight]["exp_avg"][0, 0].item() == pytest.approx(-0.5)
    assert optimizer.param_groups[0]["param_names"] == ["b.weight", "a.weight"]


def test_a_missing_name_is_refused_or_starts_afresh() -> None:
    saved = stepped(AdamW([("a.weight", model()["a"].weight)])).state_dict()
    other = model()
    optimizer = AdamW(other.named_parameters())
    with pytest.raises(StateMismatch, match=r"no parameter named b\.weight"):
        optimizer.load_state_dict(saved)
    optimizer.load_state_dict(saved, strict=False)
    optimizer.step()
    assert optimizer.state[other["a"].weight]["step"] == 2
    assert optimizer.state[other["b"].weight]["step"] == 1


def test_groups_of_other_sizes_are_refused() -> None:
    saved = AdamW(model().parameters()).state_dict()
    with pytest.raises(StateMismatch, match=r"have \[2\] parameters, the optimizer's \[1\]"):
        AdamW(model()["a"].parameters()).load_state_dict(saved)


def test_a_state_keeps_its_dtype() -> None:
    def build() -> tuple[Tensor, AdamW]:
        p = torch.ones(9, dtype=torch.bfloat16, requires_grad=True)
        p.grad = torch.full_like(p, 1e-3)
        return p, AdamW([p], state_dtype=torch.float32)

    (p, optimizer), (q, resumed) = build(), build()
    optimizer.step()
    resumed.load_state_dict(optimizer.state_dict())
    assert torch.equal(resumed.state[q]["exp_avg"], optimizer.state[p]["exp_avg"])
    assert resumed.state[q]["exp_avg"].dtype == torch.float32


def test_a_loaded_state_is_a_copy() -> None:
    optimizer = stepped(AdamW(model().parameters()))
    saved = optimizer.state_dict()
    resumed = AdamW(model().parameters())
    resumed.load_state_dict(saved)
    resumed.step()
    assert saved["state"][0]["step"] == 1
    assert saved["state"][0]["exp_avg"][0, 0].item() == pytest.approx(0.1)


@pytest.mark.parametrize(("saver", "loader"), [(Adam, SGD), (SGD, Adam)])
def test_the_state_of_another_optimizer_is_refused(saver: Any, loader: Any) -> None:
    arguments = {"momentum": 0.9} if saver is SGD else {}
    saved = stepped(saver(model().parameters(), lr=0.1, **arguments)).state_dict()
    with pytest.raises(StateMismatch, match=f"{loader.__name__} keeps .* has no use for"):
        loader(model().parameters(), lr=0.1).load_state_dict(saved)


def test_a_changed_hyperparameter_is_announced_and_may_be_kept() -> None:
    saved = AdamW(model().parameters(), weight_decay=0.1, lr=0.5).state_dict()
    optimizer = AdamW(model().parameters(), weight_decay=0.3)
    optimizer.load_state_dict(saved, hyperparameters="own")
    assert optimizer.param_groups[0]["weight_decay"] == 0.3
    with pytest.warns(UserWarning, match=r"group 0: weight_decay from 0\.3 to 0\.1"):
        optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0]["weight_decay"] == 0.1
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_flags_of_the_machine_stay() -> None:
    saved = AdamW(model().parameters(), fused=True).state_dict()
    optimizer = AdamW(model().parameters())
    optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0]["fused"] is None


def test_a_saved_state_is_plain_and_small() -> None:
    optimizer = stepped(AdamW(model().parameters()))
    saved = through_a_file(optimizer.state_dict())
    steps = [entry["step"] for entry in saved["state"].values()]
    assert [step.untyped_storage().nbytes() for step in steps] == [4, 4]
    assert type(saved["state"][0]) is dict
    assert b"glideslope.optim._base.watched_state" not in pickle.dumps(optimizer)


def test_hooks_of_loading_fire_and_may_change_what_is_loaded() -> None:
    saved = stepped(AdamW(model().parameters())).state_dict()
    optimizer, calls = AdamW(model().parameters()), []

    def drop_the_state(_: Any, state_dict: dict[str, Any]) -> dict[str, Any]:
        calls.append("before")
        return {**state_dict, "state": {}}

    optimizer.register_load_state_dict_pre_hook(drop_the_state)
    optimizer.register_load_state_dict_post_hook(lambda _: calls.append("after"))
    optimizer.load_state_dict(saved)
    assert calls == ["before", "after"]
    assert not optimizer.state


def test_state_set_by_hand_is_what_the_next_step_uses() -> None:
    layers = model()
    optimizer = stepped(AdamW(layers.parameters(), lr=1.0, weight_decay=0.0))
    p = layers["a"].weight
    before = p.detach().clone()
    optimizer.state[p]["exp_avg"] = torch.full((3, 3), -0.9 / 0.9 * 0.1)
    optimizer.state[p]["step"].fill_(99.0)
    optimizer.step()
    assert optimizer.state[p]["step"] == 100
    assert optimizer.state[p]["exp_avg"][0, 0].item() == pytest.approx(0.9 * -0.1 + 0.1)
    optimizer.state.clear()
    optimizer.step()
    assert optimizer.state[p]["step"] == 1
    assert not torch.equal(p, before)


@pytest.mark.parametrize("engine", ["fused", "tensor"])
@pytest.mark.parametrize("name", ["Adam", "AdamW", "Adamax", "NAdam", "RAdam", "Adagrad", "ASGD"])
def test_one_count_set_by_hand_counts_for_its_parameter_alone(name: str, engine: str) -> None:
    """Nothing else in the state is touched, which alone would have the step prepared again."""
    kept = []
    for kind, options in (
        (getattr(torch.optim, name), {}),
        (getattr(optim, name), {"engine": engine}),
    ):
        params = [torch.nn.Parameter(torch.ones(2)) for _ in "ab"]
        optimizer = kind(params, lr=0.1, **options)
        for scale in (1.0, 1.0, 1.0, 2.0):
            if scale == 2.0:
                optimizer.state[params[1]]["step"].fill_(1000.0)
            for p in params:
                p.grad = torch.full((2,), scale)
            optimizer.step()
        assert [optimizer.state[p]["step"].item() for p in params] == [4, 1001]
        kept.append([p.detach() for p in params])
    for expected, actual in zip(*kept, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-7)


def test_a_state_that_moved_in_memory_is_followed() -> None:
    layers = model()
    optimizer = stepped(AdamW(layers.parameters()))
    p = layers["a"].weight
    average = optimizer.state[p]["exp_avg"]
    average.data = average.data.clone()
    p.data = p.data.clone()
    optimizer.step()
    assert average[0, 0].item() == pytest.approx(0.19)


@pytest.mark.parametrize(
    "read",
    [
        lambda entry: entry["exp_avg"],
        lambda entry: entry.get("exp_avg"),
        lambda entry: dict(entry)["exp_avg"],
        lambda entry: {**entry}["exp_avg"],
        lambda entry: next(value for name, value in entry.items() if name == "exp_avg"),
        lambda entry: list(entry.values())[0],  # noqa: RUF015
        lambda entry: copy.copy(entry)["exp_avg"],
        lambda entry: (entry | {})["exp_avg"],
    ],
)
def test_whoever_has_read_a_state_may_move_it_at_any_later_step(read: Any) -> None:
    layers = model()
    optimizer = stepped(AdamW(layers.parameters()))
    average = read(optimizer.state[layers["a"].weight])
    for _ in range(2):
        optimizer.step()
        average.data = torch.ones(3, 3)
    optimizer.step()
    assert average[0, 0].item() == pytest.approx(1.0)
    assert optimizer.state[layers["a"].weight]["exp_avg"] is average


def test_a_step_checks_less_again_when_no_other_code_holds_the_state() -> None:
    layers = model()
    optimizer = stepped(AdamW(layers.parameters()))
    cache: PlanCache = optimizer._prepare.__self__  # type: ignore[attr-defined]
    plan = cache.plan
    assert plan is not None
    average = optimizer.state[layers["a"].weight]["exp_avg"]
    optimizer.step()
    assert plan._log.touched
    del average
    optimizer.step()
    assert not plan._log.touched
    assert cache.plan is plan


class ByHand(Optimizer):
    """As a reader of torch's documentation writes one."""

    def __init__(self, params: Any, lr: float = 0.01) -> None:
        super().__init__(params, {"lr": lr})

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    state = self.state[param]
                    state["sum"] = state.get("sum", 0.0) + param.grad.float()
                    param.data -= group["lr"] * param.grad


def test_an_optimizer_by_hand_loads_by_name_and_keeps_dtypes() -> None:
    layers = model().bfloat16()
    for p in layers.parameters():
        p.grad = p.grad if p.grad is not None else torch.ones_like(p)
    optimizer = ByHand(layers.named_parameters(), lr=0.5)
    optimizer.step()
    other = model().bfloat16()
    resumed = ByHand(reversed(list(other.named_parameters())))
    resumed.load_state_dict(optimizer.state_dict())
    assert resumed.param_groups[0]["lr"] == 0.5
    assert resumed.state[other["b"].weight]["sum"].dtype == torch.float32
    assert resumed.state[other["b"].weight]["sum"][0, 0] == -5.0
