"""Forms in which numbers are held, on the Triton engine: saved, loaded, converted, released."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from glideslope.optim import AdamW, RuleOptimizer, create

pytest.importorskip("triton", reason="Triton has no wheels for this platform")

from ..round_trip import through_a_file
from .triton_cases import BFLOAT16, FLOAT32, Case, Run, arrays_of_state, give_gradients, parameters

FORMS: dict[str, tuple[torch.dtype, dict[str, Any]]] = {
    "8bit": (FLOAT32, {"state_dtype": "8bit"}),
    "split": (BFLOAT16, {"rounding": "split", "state_dtype": FLOAT32}),
    "split24, 8bit": (BFLOAT16, {"rounding": "split24", "state_dtype": "8bit"}),
    "16 bits": (BFLOAT16, {"rounding": "stochastic", "state_dtype": BFLOAT16}),
}
every_form = pytest.mark.parametrize("form", FORMS)


def made(form: str, engine: str, params: list[Tensor]) -> RuleOptimizer:
    options: Any = {"engine": engine, **FORMS[form][1]}
    return AdamW(params, lr=0.1, **options)


def trained(run: Run, steps: range) -> None:
    for step in steps:
        give_gradients(run.parameters, step)
        run.optimizer.step()


def begun(form: str, engine: str) -> Run:
    params = parameters(Case("AdamW", FORMS[form][0], {}, 0.0))
    return Run(params, made(form, engine, params))


def saved(run: Run) -> Any:
    """The state from a file."""
    return through_a_file(run.optimizer.state_dict())


def loaded(run: Run, form: str, engine: str) -> Run:
    """A copy of the parameters under another optimizer that has loaded the state."""
    params = [p.detach().clone().requires_grad_() for p in run.parameters]
    optimizer = made(form, engine, params)
    optimizer.load_state_dict(saved(run))
    return Run(params, optimizer)


def same(one: Run, other: Run) -> None:
    pairs = [*zip(one.parameters, other.parameters, strict=True)]
    pairs += zip(arrays_of_state(one), arrays_of_state(other), strict=True)
    assert all(p.dtype == q.dtype and torch.equal(p, q) for p, q in pairs)


@every_form
def test_a_run_resumes_bit_for_bit_on_either_engine(form: str) -> None:
    whole = begun(form, "triton")
    trained(whole, range(2))
    resumed = [loaded(whole, form, engine) for engine in ("triton", "fused")]
    for each in (whole, *resumed):
        trained(each, range(2, 4))
    for each in resumed:
        same(each, whole)


@pytest.mark.parametrize("dtype", [FLOAT32, BFLOAT16], ids=str)
def test_a_state_is_converted_when_it_is_loaded(dtype: torch.dtype) -> None:
    """To 8 bits and back, with split parameters, as on the CPU."""
    narrow = "8bit" if dtype == FLOAT32 else "split24, 8bit"
    params = parameters(Case("AdamW", dtype, {}, 0.0))
    wide = Run(params, AdamW(params, lr=0.1, engine="triton"))  # type: ignore[arg-type]
    trained(wide, range(2))
    ours, theirs = loaded(wide, narrow, "triton"), loaded(wide, narrow, "fused")
    for each in (ours, theirs):
        trained(each, range(2, 4))
    same(ours, theirs)
    assert {each.dtype for each in arrays_of_state(ours)} >= {torch.int8, torch.uint8}
    wide.optimizer.load_state_dict(saved(ours))
    trained(wide, range(4, 5))
    assert {each.dtype for each in arrays_of_state(wide)} == {dtype}


@every_form
def test_master_weights_are_those_of_the_cpu(form: str) -> None:
    ours, theirs = begun(form, "triton"), begun(form, "fused")
    for each in (ours, theirs):
        trained(each, range(2))
    masters = [each.optimizer.master_weights().values() for each in (ours, theirs)]
    assert all(map(torch.equal, *masters))


RELEASED: dict[str, tuple[str, torch.dtype, dict[str, Any]]] = {
    "AdamW": ("AdamW", FLOAT32, {"ema_decay": 0.75}),
    "AdamW, split": ("AdamW", *FORMS["split"]),
    "LAMB, cautious": ("LAMB", FLOAT32, {"cautious": True}),
    "MuonWithAuxAdam": ("MuonWithAuxAdam", FLOAT32, {}),
}


@pytest.mark.parametrize("case", RELEASED.values(), ids=RELEASED)
def test_a_step_in_the_backward_pass_is_an_ordinary_one(case: tuple[str, Any, Any]) -> None:
    name, dtype, options = case
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6)).to(dtype)
    other = copy.deepcopy(model)
    ordinary, releasing = (
        create(name, each.named_parameters(), engine="triton", **options) for each in (model, other)
    )
    with releasing.release_gradients(other):  # type: ignore[attr-defined]
        for _ in range(3):
            x = torch.randn(4, 6).to(dtype)
            ordinary.zero_grad()
            model(x).square().sum().backward()
            ordinary.step()
            other(x).square().sum().backward()
            assert all(p.grad is None for p in other.parameters())
            releasing.step()
    assert all(map(torch.equal, model.parameters(), other.parameters()))
