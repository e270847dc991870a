"""Steps that a CUDA graph can hold: counts and hyperparameters on the device, never read.

The device is the CPU, on which Triton interprets; a capture is simulated.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, partialmethod
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import glideslope as gs
from glideslope import optim
from glideslope.errors import InvalidValue
from glideslope.optim import AdamW
from glideslope.optim._base import capturable
from glideslope.optim._base.plan import Plan
from glideslope.optim.lr_scheduler import ExponentialLR, Scheduler

pytest.importorskip("triton", reason="Triton has no wheels for this platform")

from glideslope.engines._triton import launch, upload

from .triton_cases import (
    BFLOAT16,
    FLOAT64,
    READS,
    Case,
    Counted,
    Run,
    distance,
    give_gradients,
    parameters,
    run,
)

NAMES = [
    "ASGD",
    "Adadelta",
    "Adam",
    "AdamW",
    "Adamax",
    "NAdam",
    "RAdam",
    "RMSprop",
    "Rprop",
]
"""The optimizers that take `capturable`."""


def trained(name: str, engine: str, capturable: bool) -> tuple[list[Tensor], Any]:
    case = Case(name, FLOAT64, {}, 0.0, ((3,), (4, 5)))
    params = parameters(case)
    options = {"capturable": True} if capturable else {}
    optimizer = getattr(optim, name)(params, lr=0.1, engine=engine, **options)
    scheduler = ExponentialLR(optimizer, gamma=0.5)
    for step in range(3):
        give_gradients(params, step)
        optimizer.step()
        scheduler.step()
    return params, optimizer


@pytest.mark.parametrize("name", NAMES)
def test_the_steps_are_those_of_the_host(name: str) -> None:
    ours, optimizer = trained(name, "triton", True)
    theirs, plain = trained(name, "fused", False)
    assert isinstance(optimizer.param_groups[0]["lr"], Tensor)
    assert float(optimizer.param_groups[0]["lr"]) == plain.param_groups[0]["lr"] == 0.0125
    for p, q in zip(ours, theirs, strict=True):
        assert distance(p, q) <= 1e-14
        for key, value in plain.state[q].items():
            assert distance(optimizer.state[p][key], value) <= 1e-6 if value.ndim == 0 else 1e-14


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_read(name: str) -> None:
    with Counted() as counted:
        case = Case(name, FLOAT64, {"capturable": True, "weight_decay": 0.1}, 0.0, ((3,), (4, 5)))
        if name == "Rprop":
            case.options.pop("weight_decay")
        params, optimizer = run(case, "triton")
        give_gradients(params, 2)
        counted.calls.clear()
        optimizer.step()
    assert not READS & counted.calls.keys()


class Graph(TorchDispatchMode):
    """Records the operations and launches of a step, and runs them again without Python's part.

    As in a CUDA graph, an operation takes the tensors that it took, and leaves its result in the
    memory where it was.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self._nodes: list[Callable[[], object]] = []
        self._is_recording = False
        for name in ("chunks", "add_up"):
            monkeypatch.setattr(launch.Launch, name, self._recorded(getattr(launch.Launch, name)))

    def _recorded(self, launching: Callable[..., None]) -> Callable[..., None]:
        def run(*arguments: Any) -> None:
            is_recording, self._is_recording = self._is_recording, False  # the interpreter's own
            launching(*arguments)
            self._is_recording = is_recording
            if is_recording:
                self._nodes.append(partial(launching, *arguments))

        return run

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if self._is_recording:
            self._nodes.append(partial(_repeat, func, args, kwargs or {}, result))
        return result

    def capture(self, step: Callable[[], None]) -> None:
        """Run a step, and record it."""
        self._is_recording = True
        step()
        self._is_recording = False

    def replay(self) -> None:
        """Run the step again."""
        for node in self._nodes:
            node()


def _repeat(func: Any, args: Any, kwargs: Any, result: Any) -> None:
    """Run an operation again, and leave its result in the old one's memory."""
    old = result if isinstance(result, list | tuple) else [result]
    new = func(*args, **kwargs)
    for before, after in zip(old, new if isinstance(new, list | tuple) else [new], strict=True):
        if isinstance(before, Tensor) and before.data_ptr() != after.data_ptr():
            before.copy_(after)


REPLAYED: dict[str, tuple[torch.dtype, dict[str, Any]]] = {
    "AdamW": (FLOAT64, {}),
    "AdamW, options of decay": (FLOAT64, {"cautious_weight_decay": True, "decay_peak_lr": 1.0}),
    "AdamW, noise": (BFLOAT16, {"rounding": "stochastic", "state_dtype": "8bit"}),
    "NAdam": (FLOAT64, {}),
    "RMSprop": (FLOAT64, {"ema_decay": 0.75}),
}


@pytest.mark.parametrize("chosen", REPLAYED)
def test_a_graph_replays_with_changing_rates_and_counts(
    chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dtype, own = REPLAYED[chosen]
    options = {"max_grad_norm": 0.5, "weight_decay": 0.1, **own}
    name, shapes = chosen.partition(",")[0], ((3,), (4, 5), (100,))
    case = Case(name, dtype, options, 0.0, shapes)
    plain, theirs = run_scheduled(case, "fused", 6)
    graph = Graph(monkeypatch)
    params = parameters(case)
    for p in params:
        p.grad = torch.zeros_like(p)
    with graph:
        optimizer = getattr(optim, name)(params, engine="triton", capturable=True, **case.options)
        scheduler = schedulers(optimizer)
        for step in range(6):
            renew_gradients(params, step)
            if step < 2:
                optimizer.step()
            elif step == 2:
                graph.capture(optimizer.step)
            else:
                graph.replay()
            scheduler.step()
    for p, q in zip(params, plain, strict=True):
        assert distance(p, q) <= 1e-13
        assert optimizer.state[p]["step"] == theirs.state[q]["step"] == 6


def schedulers(optimizer: Any) -> Scheduler:
    """The learning rate and the weight decay fall."""
    return Scheduler(optimizer, lr="linear(8, start=1, end=0)", weight_decay="cosine(8)")


def renew_gradients(params: list[Tensor], step: int) -> None:
    """Gradients of a step, in the memory of the last ones, as a graph leaves them."""
    kept = [p.grad for p in params]
    give_gradients(params, step)
    for p, grad in zip(params, kept, strict=True):
        p.grad = grad.copy_(p.grad)  # type: ignore[union-attr, arg-type]


def run_scheduled(case: Case, engine: str, steps: int) -> Run:
    params = parameters(case)
    optimizer = getattr(optim, case.name)(params, engine=engine, **case.options)
    scheduler = schedulers(optimizer)
    for step in range(steps):
        give_gradients(params, step)
        optimizer.step()
        scheduler.step()
    return Run(params, optimizer)


def capturable_adamw() -> tuple[list[Tensor], AdamW]:
    params = parameters(Case("AdamW", FLOAT64, {}, 0.0))
    options: Any = {"lr": 0.25, "engine": "triton", "capturable": True, "weight_decay": 0.0}
    return params, AdamW(params, **options)


def test_numbers_are_tensors_but_for_what_is_off() -> None:
    _, optimizer = capturable_adamw()
    (group,) = optimizer.param_groups
    held = [group["lr"], *group["betas"], group["eps"]]
    assert [float(each) for each in held] == [0.25, 0.9, 0.999, 1e-8]
    assert all(isinstance(each, Tensor) and each.dtype == FLOAT64 for each in held)


def test_a_load_fills_the_tensors_that_a_graph_reads() -> None:
    _, optimizer = capturable_adamw()
    (group,) = optimizer.param_groups
    rate, betas = group["lr"], group["betas"]
    saved = optimizer.state_dict()
    saved["param_groups"][0]["lr"] = 0.125
    optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0]["lr"] is rate
    assert optimizer.param_groups[0]["betas"][0] is betas[0]
    assert float(rate) == 0.125


def test_a_schedule_of_the_optimizer_is_written_into_its_tensor() -> None:
    params = parameters(Case("AdamW", FLOAT64, {}, 0.0))
    schedule: Any = gs.parse("linear(4, start=1, end=0)")
    optimizer = AdamW(params, lr=schedule, engine="triton", capturable=True)
    rate = optimizer.param_groups[0]["lr"]
    for step in range(2):
        give_gradients(params, step)
        optimizer.step()
    assert optimizer.param_groups[0]["lr"] is rate
    assert float(rate) == schedule(2)


NOT_READY: dict[str, dict[str, Any]] = {
    "counts on the host": {"engine": "triton"},
    "another engine": {"engine": "tensor"},
    "a schedule of its own": {
        "engine": "triton",
        "capturable": True,
        "lr": gs.parse("linear(4, start=1, end=0)"),
    },
}


@pytest.mark.parametrize("options", NOT_READY.values(), ids=NOT_READY)
def test_a_step_that_would_repeat_numbers_is_not_captured(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    params = parameters(Case("AdamW", FLOAT64, {}, 0.0))
    optimizer = AdamW(params, **options)
    give_gradients(params, 0)
    optimizer.step()
    before = [p.detach().clone() for p in params]
    monkeypatch.setattr(capturable, "is_capturing", lambda _: True)
    monkeypatch.setattr(Plan, "check_capture", partialmethod(_as_on_a_gpu, Plan.check_capture))
    with pytest.raises(InvalidValue, match="a CUDA graph can hold a step only of an optimizer"):
        optimizer.step()
    assert all(map(torch.equal, params, before))


def _as_on_a_gpu(plan: Plan, check: Callable[..., None], is_ready: bool) -> None:
    plan._gpus = {torch.device("cuda")}
    check(plan, is_ready)


def test_what_a_graph_reads_is_never_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.arange(3.0)
    send = upload.Upload(torch.device("cpu"))
    first = send(array)
    assert send(array) is first
    monkeypatch.setattr(upload, "is_capturing", lambda _: True)
    captured = send(array)
    array[0] = 9
    monkeypatch.undo()
    later = send(array)
    assert first.tolist() == captured.tolist() == [0.0, 1.0, 2.0]
    assert later.tolist() == [9.0, 1.0, 2.0]
    assert len({each.data_ptr() for each in (first, captured, later)}) == 3


def test_what_a_graph_reads_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that a captured step reads but for the optimizer's own tensors."""
    kept: list[Tensor] = []
    monkeypatch.setattr(upload, "_READ_BY_GRAPHS", kept)
    params, optimizer = capturable_adamw()
    give_gradients(params, 0)
    optimizer.step()
    assert not kept
    monkeypatch.setattr(upload, "is_capturing", lambda _: True)
    optimizer.step()
    assert len(kept) >= 4  # where late numbers go, members, their elements, the start of state
