"""The Triton engine in Triton's interpreter: every rule and option as on the other engines."""

from __future__ import annotations

import operator
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from glideslope import optim
from glideslope.engines import Recipe, Slot, _choice, choose
from glideslope.errors import GlideslopeError, InvalidValue
from glideslope.optim import SGD, AdamW, RuleOptimizer, available
from glideslope.rules import absolute, rule

pytest.importorskip("triton", reason="Triton has no wheels for this platform")

from glideslope.engines._triton import engine as triton_engine
from glideslope.engines._triton.table import chunked

from .triton_cases import (
    BFLOAT16,
    BIT_EQUAL,
    CHUNK,
    FLOAT16,
    FLOAT32,
    FLOAT64,
    LARGE,
    SMALL,
    Case,
    arrays_of_state,
    distance,
    give_gradients,
    parameters,
    run,
)

ALL: dict[str, Any] = {"max_grad_norm": 0.5, "skip_nonfinite": True, "ema_decay": 0.75}
FEW_ULP32, FEW_ULP64 = 1e-6, 4e-15

CASES = [
    Case("SGD", FLOAT32, {"lr": 0.1, "momentum": 0.9, "nesterov": True}, BIT_EQUAL),
    Case("SGD", FLOAT16, {"lr": 0.1, "momentum": 0.9, "state_dtype": FLOAT16}, BIT_EQUAL, LARGE),
    Case("Signum", FLOAT32, {}, BIT_EQUAL),
    Case("Lion", FLOAT32, {"cautious": True, "cautious_weight_decay": True}, FEW_ULP32),
    Case("Lion", BFLOAT16, {"rounding": "compensated"}, BIT_EQUAL),
    Case("RMSprop", FLOAT32, {"momentum": 0.9, "centered": True}, BIT_EQUAL),
    Case("RMSprop", FLOAT64, ALL, FEW_ULP64),
    Case("Adagrad", FLOAT32, {"weight_decay": 0.1}, BIT_EQUAL),
    Case("Adadelta", FLOAT32, {}, BIT_EQUAL),
    Case("ASGD", FLOAT32, {"weight_decay": 0.1}, BIT_EQUAL),
    Case("Rprop", FLOAT32, {}, BIT_EQUAL),
    Case("Rprop", BFLOAT16, {"state_dtype": FLOAT32}, BIT_EQUAL),
    Case("Adam", FLOAT32, {"amsgrad": True, "weight_decay": 0.1}, BIT_EQUAL),
    Case("AdamW", FLOAT32, {}, BIT_EQUAL, LARGE),
    Case("AdamW", FLOAT32, {**ALL, "cautious": True}, FEW_ULP32),
    Case("AdamW", FLOAT64, {**ALL, "cautious_weight_decay": True, "decay_peak_lr": 1}, FEW_ULP64),
    Case("AdamW", BFLOAT16, {"rounding": "stochastic", "state_dtype": FLOAT32}, BIT_EQUAL, LARGE),
    Case("AdamW", BFLOAT16, {"rounding": "compensated"}, BIT_EQUAL),
    Case("AdamW", BFLOAT16, {"rounding": "split", "state_dtype": FLOAT32}, BIT_EQUAL),
    Case("AdamW", BFLOAT16, {"rounding": "split24", "state_dtype": FLOAT32}, BIT_EQUAL),
    Case("AdamW", FLOAT16, {"rounding": "stochastic"}, BIT_EQUAL),
    Case("AdamW", FLOAT16, {"ema_decay": 0.5}, BIT_EQUAL),
    Case("AdamW", FLOAT32, {"state_dtype": BFLOAT16}, BIT_EQUAL),
    Case("AdamW", FLOAT32, {"state_dtype": "8bit"}, BIT_EQUAL, LARGE),
    Case("SGD", BFLOAT16, {"momentum": 0.9, "state_dtype": "8bit"}, BIT_EQUAL),
    Case("AdaBelief", FLOAT64, {"state_dtype": "8bit", "ema_decay": 0.5}, BIT_EQUAL),
    Case("LAMB", FLOAT16, {"state_dtype": "8bit", "max_grad_norm": 0.5}, 2**-10),
    Case("NAdam", FLOAT32, {}, BIT_EQUAL),
    Case("RAdam", FLOAT32, {}, BIT_EQUAL),
    Case("Adamax", FLOAT32, {}, BIT_EQUAL),
    Case("AdaBelief", FLOAT32, {}, BIT_EQUAL),
    Case("AdaBelief", FLOAT64, {"cautious": True}, FEW_ULP64),
    Case("ADOPT", FLOAT32, {}, BIT_EQUAL),
    Case("AdEMAMix", FLOAT32, {}, BIT_EQUAL),
    Case("LaProp", FLOAT32, {}, BIT_EQUAL),
    Case("Adan", FLOAT32, {}, BIT_EQUAL),
    Case("MADGRAD", FLOAT32, {}, BIT_EQUAL),
    Case("SGDScheduleFree", FLOAT32, {"lr": 0.1}, BIT_EQUAL),
    Case("AdamWScheduleFree", FLOAT32, {}, BIT_EQUAL),
    Case("LARS", FLOAT32, {"lr": 0.1, "momentum": 0.9}, FEW_ULP32),
    Case("LAMB", FLOAT32, {**ALL, "cautious": True}, FEW_ULP32),
    Case("LAMB", BFLOAT16, {"rounding": "stochastic"}, 2**-10),
    Case("StableAdamW", FLOAT32, {}, FEW_ULP32, LARGE),
    Case("MARS", FLOAT32, {}, FEW_ULP32),
    Case("Prodigy", FLOAT32, {}, FEW_ULP32),
    Case("Prodigy", FLOAT64, {"max_grad_norm": 0.5}, FEW_ULP64),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_rule_and_option_as_on_the_cpu(case: Case) -> None:
    ours, theirs = run(case, "triton"), run(case, "fused")
    assert {row.engine for row in ours.optimizer.engine_report()} == {"triton"}
    for one, other in zip(ours.parameters, theirs.parameters, strict=True):
        assert distance(one, other) <= case.tolerance
    for one, other in zip(arrays_of_state(ours), arrays_of_state(theirs), strict=True):
        assert distance(one, other) <= case.tolerance


DECAY: dict[str, Any] = {"weight_decay": 0.1, "cautious_weight_decay": True, "decay_peak_lr": 0.5}
EIGHT: dict[str, Any] = {"rounding": "split24", "state_dtype": "8bit"}
OPTIONS: dict[str, tuple[torch.dtype, dict[str, Any], float]] = {
    "float32": (FLOAT32, {}, FEW_ULP32),
    "float32, all options": (FLOAT32, {**ALL, "cautious": True}, 2e-5),
    "float32, options of decay": (FLOAT32, DECAY, FEW_ULP32),
    "float32, state of 16 bits": (FLOAT32, {"state_dtype": BFLOAT16}, 2**-9),
    "float64": (FLOAT64, {}, 1e-8),
    "float64, all options": (FLOAT64, {**ALL, "cautious": True}, 1e-8),
    "float16": (FLOAT16, {}, 2**-9),
    "float16, stochastic": (FLOAT16, {"rounding": "stochastic", "max_grad_norm": 0.5}, 2**-9),
    "bfloat16": (BFLOAT16, {}, 2**-6),
    "bfloat16, stochastic": (BFLOAT16, {"rounding": "stochastic"}, 2**-6),
    "bfloat16, compensated": (BFLOAT16, {"rounding": "compensated", "ema_decay": 0.5}, 2**-6),
    "bfloat16, split": (BFLOAT16, {"rounding": "split", "state_dtype": FLOAT32}, 2**-6),
    "bfloat16, few bits": (BFLOAT16, EIGHT, 2**-6),
}
"""Dtypes and options, and the distance of parameters: a unit of 16 bits where a sum decides it."""
SOME_REFUSE = {"float32, options of decay", "bfloat16, few bits"}


def takes(name: str, options: str) -> bool:
    """True if an optimizer takes these options."""
    if options not in SOME_REFUSE:
        return True
    dtype, chosen, _ = OPTIONS[options]
    try:
        getattr(optim, name)([torch.zeros(2, 2, dtype=dtype, requires_grad=True)], **chosen)
    except GlideslopeError:
        return False
    return True


NAMES = [row.name for row in available() if issubclass(row.optimizer, RuleOptimizer)]


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("name", "options"), [pair for pair in product(NAMES, OPTIONS) if takes(*pair)]
)
def test_every_optimizer_with_every_option(name: str, options: str) -> None:
    dtype, chosen, tolerance = OPTIONS[options]
    shapes = ((17, 5), (130, 130)) if getattr(optim, name).matrices_only else (*SMALL, *LARGE)
    case = Case(name, dtype, chosen, tolerance, shapes)
    ours, theirs = run(case, "triton", steps=3), run(case, "fused", steps=3)
    assert {row.engine for row in ours.optimizer.engine_report()} == {"triton"}
    for one, other in zip(ours.parameters, theirs.parameters, strict=True):
        assert distance(one, other) <= tolerance


def test_one_step_is_within_the_bounds_of_float64() -> None:
    """Four units in the last place of the parameter and of the update, whose size is the rate."""
    case = Case("AdamW", FLOAT32, {"lr": 0.25, "weight_decay": 0.0}, 0.0, LARGE)
    ours, theirs = parameters(case), parameters(case)
    exact = [p.detach().double().requires_grad_() for p in theirs]
    give_gradients(ours, 0)
    for p, q in zip(ours, exact, strict=True):
        q.grad = p.grad.double()
    AdamW(ours, engine="triton", **case.options).step()
    AdamW(exact, engine="fused", **case.options).step()
    for p, q in zip(ours, exact, strict=True):
        assert bool(((p.double() - q).abs() <= 4 * 2.0**-24 * (q.abs() + 0.25)).all())


@rule
def taking(p, g, kept, /, lr):  # type: ignore[no-untyped-def]
    """The gradient becomes the parameter and the state, so that only the rounding is seen."""
    return g, g


class Taking(RuleOptimizer):
    rule = taking

    def __init__(self, params: Any, lr: float = 0.1, **common: Any) -> None:
        super().__init__(params, {"lr": lr}, **common)


def every_kind_of_number() -> Tensor:
    """Float32 numbers of every exponent, all ties between 16-bit numbers, infinities, NaN."""
    generator = torch.Generator().manual_seed(0)
    bits = torch.randint(-(2**31), 2**31 - 1, (20_000,), generator=generator)
    ties = torch.arange(-(2**15), 2**15, 7) * 2**16 + 2**15
    return torch.cat([bits, ties]).to(torch.int32).view(torch.float32)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of infinities
@pytest.mark.parametrize(
    ("dtype", "rounding"),
    [
        *product([BFLOAT16, FLOAT16], ["nearest", "stochastic", "compensated"]),
        *product([BFLOAT16], ["split", "split24"]),
    ],
)
def test_every_number_is_rounded_to_the_same_bits(dtype: torch.dtype, rounding: Any) -> None:
    numbers = every_kind_of_number()
    found = []
    for engine in ("triton", "fused"):
        p = torch.zeros(len(numbers), dtype=dtype, requires_grad=True)
        optimizer = Taking([p], engine=engine, rounding=rounding, state_dtype=dtype)
        optimizer.state[p]["kept"] = torch.zeros_like(p)
        p.grad_dtype = torch.float32  # type: ignore[attr-defined]
        p.grad = numbers.clone()
        optimizer.step()
        rest = optimizer.state[p].get("remainder", torch.zeros(0))
        found.append((p.detach(), optimizer.state[p]["kept"], rest))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=0.0, atol=0.0, equal_nan=True)


@rule(non_negative=["kept"])
def taking_size(p, g, kept, /, lr):  # type: ignore[no-untyped-def]
    """The state is the size of the gradient."""
    return g, absolute(g)


class TakingSize(Taking):
    rule = taking_size


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of infinities
@pytest.mark.parametrize("optimizer", [Taking, TakingSize])
def test_every_number_becomes_the_same_eight_bits(optimizer: type[Taking]) -> None:
    plain = torch.randn(6_401, generator=torch.Generator().manual_seed(1)) ** 3
    numbers = torch.cat([every_kind_of_number(), torch.zeros(64), plain])
    found = []
    for engine in ("triton", "fused"):
        p = torch.zeros(len(numbers), requires_grad=True)
        ours = optimizer([p], engine=engine, state_dtype="8bit")
        for _ in range(2):  # the second step loads what the first one stored
            p.grad = numbers.clone()
            ours.step()
        assert {row.engine for row in ours.engine_report()} == {engine}
        found.append([value for value in ours.state[p].values() if value.ndim])
    codes, scales = found[0]
    assert {codes.dtype, scales.dtype} <= {torch.int8, torch.uint8, torch.float32}
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=0.0, atol=0.0, equal_nan=True)


@pytest.mark.parametrize("count", [1, 64, 128, 1024, 1030])
def test_nothing_is_written_beyond_the_scales(count: int) -> None:
    p = torch.zeros(count, requires_grad=True)
    optimizer = Taking([p], engine="triton", state_dtype="8bit")
    p.grad = torch.ones(count)
    optimizer.step()
    state = optimizer.state[p]
    (name,) = (each for each, value in state.items() if value.dtype == FLOAT32 and value.ndim)
    groups = -(-count // 64)
    memory = torch.full((groups + 4,), 7.0)
    state[name] = memory[:groups]
    p.grad = torch.full((count,), 2.0)
    optimizer.step()
    assert memory.tolist() == [2.0] * groups + [7.0] * 4


def test_unaligned_views_and_other_layouts() -> None:
    """One address that is no multiple of sixteen bytes, columns first, and an expanded gradient."""
    found = []
    for engine in ("triton", "fused"):
        torch.manual_seed(0)
        memory = torch.randn(200)
        params = [memory[1:100], torch.randn(5, 8).t(), torch.randn(4, 6)]
        gradients = [torch.randn(103)[3:102], torch.randn(8, 5), torch.randn(1, 6).expand(4, 6)]
        for p, g in zip(params, gradients, strict=True):
            p.requires_grad_()
            p.grad = g
        optimizer = SGD(params, lr=0.5, engine=engine)  # type: ignore[arg-type]
        optimizer.step()
        found.append([p.detach() for p in params])
        assert {row.engine for row in optimizer.engine_report()} == {engine}
    torch.testing.assert_close(*found, rtol=1e-6, atol=1e-6)


def test_complex_numbers_are_pairs() -> None:
    found = []
    for engine in ("triton", "fused"):
        torch.manual_seed(0)
        p = torch.randn(40, dtype=torch.complex64, requires_grad=True)
        p.grad = torch.randn_like(p).conj()
        AdamW([p], engine=engine).step()  # type: ignore[arg-type]
        found.append(p.detach())
    torch.testing.assert_close(*found, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["AdamW", "LAMB"])
def test_gradients_are_left_zero(name: str) -> None:
    found = run(Case(name, FLOAT32, {}, 0.0, LARGE), "triton", steps=1, zero_grad=True)
    assert not any(p.grad.any() for p in found.parameters)


def test_a_gradient_of_another_dtype_needs_another_kernel() -> None:
    found = []
    for engine in ("triton", "fused"):
        p = torch.ones(9, dtype=BFLOAT16, requires_grad=True)
        p.grad_dtype = None  # type: ignore[attr-defined]
        optimizer = SGD([p], lr=1.0, engine=engine)  # type: ignore[arg-type]
        for dtype in (BFLOAT16, FLOAT32, BFLOAT16):
            p.grad = torch.full((9,), 0.25, dtype=dtype)
            optimizer.step()
        found.append(p.detach())
    assert torch.equal(*found)
    assert found[0].tolist() == [0.25] * 9


small = st.lists(st.integers(0, 3 * CHUNK), max_size=6)
large = st.lists(st.integers(2**31 - 5, 2**31 + CHUNK), min_size=1, max_size=2)


@settings(max_examples=10)
@given(st.builds(operator.add, small, large))
def test_chunks_cover_each_element_once(counts: list[int]) -> None:
    """The place that a program computes, for tensors of any size; none is allocated."""
    tensors, owners = chunked(counts, range(len(counts)), 2)
    chunk = np.arange(len(owners), dtype=np.int64)
    start = (chunk - tensors[owners, 2]) * CHUNK
    count = np.minimum(tensors[owners, 0] - start, CHUNK)
    assert (count > 0).all()
    ends = start + count
    for number, elements in enumerate(counts):
        mine = owners == number
        assert [0, *ends[mine]] == [*start[mine], elements]
    assert (count[ends != tensors[owners, 0]] == CHUNK).all()


def test_auto_never_interprets() -> None:
    p = torch.ones(3, requires_grad=True)
    p.grad = torch.ones(3)
    assert AdamW([p]).engine_report()[0].engine == "fused"


def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("TRITON_INTERPRET")
    return "a tensor is on cpu"


def without_triton(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(triton_engine, "triton_is_installed", lambda: False)
    return "Triton is not installed"


@pytest.mark.parametrize("lack", [on_the_cpu, without_triton])
def test_the_reason_against_it(lack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = lack(monkeypatch)
    p = torch.ones(3, requires_grad=True)
    p.grad = torch.ones(3)
    with pytest.raises(InvalidValue, match=f"the triton engine cannot run this .*: {reason}"):
        AdamW([p], engine="triton").step()


class OnGpu(NamedTuple):
    """A slot's parameter, as far as the choice of an engine looks at it."""

    device: torch.device


def test_on_a_gpu_the_reason_reported_is_tritons(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not that of the engine for the CPU, which says that the tensor is on a GPU."""
    monkeypatch.setattr(_choice.TritonEngine, "reason_against", lambda *_: "Triton is missing")
    monkeypatch.setattr(_choice.FusedEngine, "reason_against", lambda *_: "a tensor is on cuda")
    parameter: Any = OnGpu(torch.device("cuda"))
    recipe = Recipe(taking, frozenset())
    engine, reason = choose("auto", recipe, Slot(parameter, {}, 0), parameter)
    assert (engine.name, reason) == ("tensor", "Triton is missing")
