"""The fused engine: any layout and size, any thread and process, compiled once and into vectors."""

from __future__ import annotations

import math
import os
import platform
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from glideslope.engines import Recipe
from glideslope.engines._fused import compilation, threads
from glideslope.engines._fused.kernel import update
from glideslope.engines._fused.threads import launch
from glideslope.engines._kernel import Kernel
from glideslope.errors import InvalidValue
from glideslope.optim._adaptive import AdamW
from glideslope.optim._base.rule_optimizer import RuleOptimizer
from glideslope.optim._momentum import SGD
from glideslope.rules import (
    adam,
    clip,
    lion,
    maximum,
    mean,
    minimum,
    norm,
    rmsprop,
    rule,
    sgd,
    sign,
    where,
)

ROOT = Path(__file__).parents[2]


def pair(make: Callable[[], Tensor], **arguments: Any) -> tuple[Tensor, Tensor, RuleOptimizer]:
    """The same parameter after two steps of AdamW on each engine."""
    results, optimizer = [], None
    for engine in ("tensor", "auto"):
        torch.manual_seed(0)
        p = make()
        optimizer = AdamW([p], lr=0.1, engine=engine, **arguments)  # type: ignore[arg-type]
        optimizer.step()
        optimizer.step()
        results.append(p.detach())
    assert optimizer is not None
    return results[0], results[1], optimizer


def with_gradient(p: Tensor, gradient: Tensor | None = None) -> Tensor:
    p = p.detach().requires_grad_()
    p.grad = torch.randn_like(p) if gradient is None else gradient
    return p


def channels_last() -> Tensor:
    return with_gradient(torch.randn(4, 3, 5, 5).to(memory_format=torch.channels_last))


def channels_last_with_plain_gradient() -> Tensor:
    p = torch.randn(4, 3, 5, 5).to(memory_format=torch.channels_last)
    return with_gradient(p, torch.randn(4, 3, 5, 5))


def expanded_gradient() -> Tensor:
    return with_gradient(torch.randn(6, 4), torch.randn(1, 4).expand(6, 4))


def transposed() -> Tensor:
    return with_gradient(torch.randn(7, 3).t(), torch.randn(3, 7))


def unaligned() -> Tensor:
    memory = torch.randn(200)
    return with_gradient(memory[1:100], torch.randn(103)[3:102])


def conjugated_gradient() -> Tensor:
    p = torch.randn(9, dtype=torch.complex64)
    return with_gradient(p, torch.randn(9, dtype=torch.complex64).conj())


def negated_gradient() -> Tensor:
    return with_gradient(torch.randn(1), torch.randn(1, dtype=torch.complex64).conj().imag)


LAYOUTS = [
    channels_last,
    channels_last_with_plain_gradient,
    expanded_gradient,
    transposed,
    unaligned,
    conjugated_gradient,
    negated_gradient,
]


@pytest.mark.parametrize("make", LAYOUTS)
def test_any_dense_layout_runs_fused(make: Callable[[], Tensor]) -> None:
    expected, actual, optimizer = pair(make)
    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-7)
    assert [row.engine for row in optimizer.engine_report()] == ["fused"]


@pytest.mark.parametrize("make", LAYOUTS)
def test_a_gradient_of_any_layout_is_zeroed(make: Callable[[], Tensor]) -> None:
    p = make()
    if make is expanded_gradient:
        p.grad = torch.randn(4, 6).t()
    AdamW([p]).step(zero_grad=True)
    assert not p.grad.any()


def test_gaps_go_to_the_tensor_engine_with_a_reason() -> None:
    def make() -> Tensor:
        return with_gradient(torch.randn(6, 8)[:, :5])

    expected, actual, optimizer = pair(make)
    assert torch.equal(actual, expected)
    (row,) = optimizer.engine_report()
    assert (row.engine, row.reason) == ("tensor", "the parameter has gaps or overlaps in memory")


def test_a_parameter_that_overlaps_itself_is_refused() -> None:
    p = torch.randn(1, 4).expand(3, 4).requires_grad_()
    p.grad = torch.randn(3, 4)
    with pytest.raises(InvalidValue, match="the elements of parameter 0 share memory"):
        AdamW([p]).step()


def test_the_fused_engine_asked_for_says_why_it_cannot() -> None:
    p = with_gradient(torch.randn(6, 8)[:, :5])
    with pytest.raises(InvalidValue, match="the fused engine cannot run this parameter: the param"):
        AdamW([p], engine="fused").step()


def test_a_sparse_gradient_goes_to_the_tensor_engine() -> None:
    p = torch.ones(5, 2, requires_grad=True)
    indices, values = torch.tensor([[1, 3, 1]]), torch.ones(3, 2)
    p.grad = torch.sparse_coo_tensor(indices, values, (5, 2), check_invariants=True)
    optimizer = SGD([p], lr=0.5)
    optimizer.step()
    assert p[:, 0].tolist() == [1.0, 0.0, 1.0, 0.5, 1.0]
    assert optimizer.engine_report()[0].reason == "a gradient is sparse"


def test_layouts_may_change_from_step_to_step() -> None:
    p = torch.zeros(4, 6, requires_grad=True)
    optimizer = SGD([p], lr=1.0)
    gradients = [torch.ones(4, 6), torch.ones(6, 4).t(), torch.ones(1, 6).expand(4, 6)]
    for i, gradient in enumerate([*gradients, *gradients], 1):
        p.grad = gradient
        optimizer.step()
        assert (p == -i).all()


def test_numbers_that_are_not_or_hardly_numbers() -> None:
    """Zero over zero plus eps, denormals, infinities: as the tensor engine has them."""
    values = [0.0, 1e-45, -1e-40, 1e-30, math.inf, -math.inf, math.nan, 3e38] * 3

    def make() -> Tensor:
        return with_gradient(torch.ones(len(values)), torch.tensor(values))

    expected, actual, _ = pair(make)
    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=0.0, equal_nan=True)
    assert actual[0].item() == pytest.approx((1 - 0.1 * 0.01) ** 2, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_every_16_bit_number_survives_a_pass(dtype: torch.dtype) -> None:
    """All 65,536 of them, through a step that moves nothing."""
    every = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(dtype)
    p = with_gradient(every.clone(), torch.zeros_like(every))
    SGD([p], lr=0.0, engine="fused").step()
    numbers = ~every.isnan()
    assert torch.equal(p.detach()[numbers].view(torch.int16), every[numbers].view(torch.int16))
    assert p[~numbers].isnan().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_rounding_to_16_bits_is_torchs(dtype: torch.dtype) -> None:
    """Float32 numbers of every exponent and all ties, written by the kernel and by torch."""
    torch.manual_seed(0)
    random = torch.randint(-(2**31), 2**31 - 1, (50_000,)).to(torch.int32)
    ties = (torch.arange(-(2**15), 2**15) * 2**16 + 2**15).to(torch.int32)
    numbers = torch.cat([random, ties]).view(torch.float32)
    p = with_gradient(
        torch.zeros_like(numbers, dtype=dtype), torch.zeros(len(numbers), dtype=dtype)
    )
    optimizer = SGD([p], lr=0.0, ema_decay=0.5, engine="fused")
    optimizer.step()
    optimizer.state[p]["ema"] = optimizer.state[p]["ema"].to(dtype)
    p.grad = torch.zeros_like(p)
    state = {"momentum_buffer": numbers.clone()}
    q = with_gradient(torch.zeros_like(p), torch.zeros_like(p))
    rounding = SGD([q], lr=1.0, momentum=1.0, state_dtype=torch.float32, engine="fused")
    rounding.state[q] = state
    rounding.step()
    expected = (0.0 - numbers).to(dtype)
    torch.testing.assert_close(q.detach(), expected, rtol=0.0, atol=0.0, equal_nan=True)


@rule
def wordy(p, g, high, low, /, lr):  # type: ignore[no-untyped-def]
    """Every word there is."""
    high = maximum(high, g)
    low = minimum(low, g)
    inside = clip(g, -1.0, 0.5) + sign(g) * abs(p)
    return p - lr * where((g > 0) & (p < 1) | (g == -1), inside, -g), high, low


class Wordy(RuleOptimizer):
    rule = wordy

    def __init__(self, params: Any, lr: float = 0.1, **common: Any) -> None:
        super().__init__(params, {"lr": lr}, **common)


def test_a_rule_of_the_readers_own_runs_fused_and_every_word_agrees() -> None:
    torch.manual_seed(0)
    values = torch.cat([torch.randn(100), torch.tensor([0.0, -0.0, -1.0, math.nan, math.inf])])
    results = []
    for engine in ("tensor", "fused"):
        p = with_gradient(torch.linspace(-2, 2, len(values)), values.clone())
        optimizer = Wordy([p], engine=engine)
        optimizer.step()
        p.grad = values.flip(0)
        optimizer.step()
        results.append((p.detach(), optimizer.state[p]["high"], optimizer.state[p]["low"]))
    for expected, actual in zip(*results, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-6, atol=0.0, equal_nan=True)


@rule
def trusting(p, g, average, /, lr, beta1):  # type: ignore[no-untyped-def]
    """Two passes before the last one: a total of what holds a total."""
    average = beta1 * average + (1 - beta1) * g
    trust = norm(p) / maximum(norm(average), 1e-6)
    update = trust * average
    return p - lr * update / (1 + mean(abs(update))), average


class Trusting(RuleOptimizer):
    rule = trusting

    def __init__(self, params: Any, lr: float = 0.1, **common: Any) -> None:
        super().__init__(params, {"lr": lr, "betas": (0.9,)}, **common)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_totals_over_each_tensor(dtype: torch.dtype) -> None:
    def trained(engine: str) -> list[Tensor]:
        torch.manual_seed(0)
        params = [with_gradient(torch.randn(n, dtype=dtype)) for n in (40_000, 0, 7, 300)]
        groups = [{"params": params[:2]}, {"params": params[2:], "lr": 0.5}]
        optimizer = Trusting(groups, engine=engine, max_grad_norm=0.5)
        for _ in range(3):
            optimizer.step()
        return params

    tolerance = 20 * torch.finfo(dtype).eps
    for expected, actual in zip(trained("tensor"), trained("fused"), strict=True):
        torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


KERNELS = {
    "sgd": (sgd, {"with_momentum"}, 3),
    "lion": (lion, set(), 3),
    "rmsprop": (rmsprop, {"with_momentum", "centered"}, 5),
    "adamw": (adam, {"decoupled_weight_decay"}, 4),
}


@pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="reads x86 assembly")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("name", KERNELS)
def test_loops_compile_to_vectors_of_single_precision(name: str, dtype: str) -> None:
    made, options, arrays = KERNELS[name]
    recipe = Recipe(made, frozenset(options), scaled=True, zeroing=True)
    source = update(Kernel(recipe, "float32", (dtype,) * arrays))
    # A comment of this process's own keeps it out of the cache, which holds no assembly.
    kernel = compilation.machine_code(f"# {os.getpid()}\n{source}").owner
    assembly = kernel._library.get_asm_str()  # type: ignore[attr-defined]
    packed = re.findall(r"\bv?(?:mul|fn?madd\d+|div|sqrt)ps\s.*%[xyz]mm", assembly)
    assert len(packed) > 3
    assert not re.search(r"cvtss2sd|cvtps2pd|mulsd|divsd", assembly)


def in_new_process(code: str, **environment: str) -> str:
    """The output of a program; it runs from the root of the repository."""
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


STEP = """
import torch
from glideslope.optim._adaptive import AdamW
def step():
    p = torch.ones(500_000, requires_grad=True)
    p.grad = torch.ones_like(p)
    AdamW([p], lr=0.25, weight_decay=0.0, engine="fused").step()
    assert (p == 0.75).all()
"""


def test_compiled_once_for_all_processes(tmp_path: Path) -> None:
    code = STEP + (
        "step()\n"
        "from glideslope.engines._fused.compilation import machine_code\n"
        "import sys\n"
        "kernels = [m for n, m in sys.modules.items() if n.startswith('glideslope_kernel')]\n"
        "print([m.kernel.cache_hits for m in kernels])\n"
    )
    assert in_new_process(code, XDG_CACHE_HOME=str(tmp_path)).split() == ["[0]"]
    assert in_new_process(code, XDG_CACHE_HOME=str(tmp_path)).split() == ["[1]"]


def test_an_unwritable_cache_is_no_obstacle() -> None:
    assert in_new_process(STEP + "step()", XDG_CACHE_HOME="/proc/none") == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_steps_continue_in_forked_children() -> None:
    """OpenMP's threads are gone in the child, so that most of torch's own operations would hang."""
    code = (
        "import os, torch\n"
        "from glideslope.optim._adaptive import AdamW\n"
        "torch.set_num_threads(2)\n"
        "p = torch.ones(500_000, requires_grad=True)\n"
        "p.grad = torch.ones_like(p)\n"
        "optimizer = AdamW([p], lr=0.25, weight_decay=0.0, engine='fused')\n"
        "optimizer.step()\n"
        "child = os.fork()\n"
        "optimizer.step()\n"
        "moved = p[0].item() == p[-1].item() == 0.5\n"
        "if child == 0:\n"
        "    os._exit(7 if moved else 8)\n"
        "print(moved, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    assert in_new_process(code, OMP_NUM_THREADS="2").split() == ["True", "7"]


def test_without_openmp_pythons_threads_do_the_work() -> None:
    code = (
        "import glideslope.engines._fused.threads as threads\n"
        "threads._openmp = lambda process: None\n" + STEP + "torch.set_num_threads(2)\nstep()\n"
    )
    in_new_process(code, OMP_NUM_THREADS="2")


@pytest.fixture
def without_openmp(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Python's threads, which end afterwards."""
    pools, new_pool = [], threads._pool.__wrapped__

    def pool(process: int, threads: int) -> Any:
        pools.append(new_pool(process, threads))
        return pools[-1]

    monkeypatch.setattr(threads, "_openmp", lambda process: None)
    monkeypatch.setattr(threads, "_pool", pool)
    yield
    for each in pools:
        each.shutdown()


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_without_openmp_every_thread_is_pythons_own(threads: int, without_openmp: None) -> None:
    """Each call waits for all the others, so that no thread can make two of them."""
    all_here, callers = Barrier(threads, timeout=30), []

    class Meeting:
        address = 0

        def call(self, argument: int) -> None:
            all_here.wait()
            callers.append((threading.current_thread(), argument))

    launch(Meeting(), 5, threads)  # type: ignore[arg-type]
    assert {argument for _, argument in callers} == {5}
    assert len({thread for thread, _ in callers}) == threads


def test_one_thread_is_the_callers_own() -> None:
    class Recorder:
        address = 0
        calls: list[int] = []  # noqa: RUF012

        def call(self, argument: int) -> None:
            self.calls.append(argument)

    launch(Recorder(), 5, 1)  # type: ignore[arg-type]
    assert Recorder.calls == [5]


def test_a_step_needs_no_memory_of_its_own() -> None:
    model = nn.Sequential(*(nn.Linear(300, 300) for _ in range(20)))
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    optimizer = AdamW(model.parameters(), engine="fused", max_grad_norm=1.0)
    optimizer.step()
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True, acc_events=True
    ) as profile:
        optimizer.step()
    assert sum(max(0, event.self_cpu_memory_usage) for event in profile.key_averages()) < 2**20
