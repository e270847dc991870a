"""Steps of the Triton engine on a device from which no number can be read: torch's ``meta``.

It is used as a GPU: reading a tensor on the host is an error there, by whatever function of torch.
Kernels are counted and do nothing.
"""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from glideslope import optim
from glideslope.optim import AdamW, RuleOptimizer, available
from glideslope.optim._base import param_state
from glideslope.optim._base.device_counters import DeviceCounters
from glideslope.optim._matrix.directed_optimizer import DirectedOptimizer

pytest.importorskip("triton", reason="Triton has no wheels for this platform")

from glideslope.engines._triton import engine as triton_engine
from glideslope.engines._triton import launch, table

from .test_triton_capturable import NAMES as CAPTURABLE
from .test_triton_device import ALL, PASSES

META = torch.device("meta")
RULES = [
    row.name
    for row in available()
    if issubclass(row.optimizer, RuleOptimizer)
    and not issubclass(row.optimizer, DirectedOptimizer)  # methods of matrices
]
DECAY: dict[str, Any] = {"weight_decay": 0.1, "cautious_weight_decay": True, "decay_peak_lr": 1.0}

Launches = Counter[tuple[str, str]]


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> Launches:
    """Launches by kind and device; ``meta`` is a GPU."""
    made: Launches = Counter()
    monkeypatch.setattr(
        launch.Launch, "chunks", lambda *given: made.update([("chunks", given[1].device.type)])
    )
    monkeypatch.setattr(
        launch.Launch, "add_up", lambda *given: made.update([("sums", given[1].device.type)])
    )
    see_as_gpus(monkeypatch, "meta")
    monkeypatch.setattr(table, "on", lambda _: nullcontext())
    monkeypatch.setattr(Tensor, "data_ptr", address)
    monkeypatch.setattr(DeviceCounters, "keys", counts_of_no_step)
    monkeypatch.setattr(param_state, "number", lambda _: 0.0)
    return made


def see_as_gpus(monkeypatch: pytest.MonkeyPatch, *devices: str) -> None:
    monkeypatch.setattr(triton_engine, "DEVICES", {*devices})
    monkeypatch.setattr(triton_engine.TritonEngine, "devices", {*devices})


def address(tensor: Tensor) -> int:
    """An address, for tensors without memory too."""
    if tensor.device == META:
        return 16 * id(tensor) if tensor.numel() else 0
    return torch._C.TensorBase.data_ptr(tensor)


def counts_of_no_step(counters: DeviceCounters) -> list[tuple[float, ...]]:
    """Counts, which a step reads once, when it is prepared."""
    return [(0.0,) * len(counters.names)] * len(counters._states)


def parameters(*devices: str) -> list[Tensor]:
    shapes = [(3,), (4, 5)]
    params = [torch.zeros(shape, device=each) for each in devices for shape in shapes]
    for p in params:
        p.requires_grad_().grad = torch.zeros_like(p)
    return params


def scaled(optimizer: RuleOptimizer) -> None:
    """Leave the numbers of a loss scaler at an optimizer."""
    optimizer.grad_scale = torch.ones((), device=META)  # type: ignore[attr-defined]
    optimizer.found_inf = torch.zeros((), device=META)  # type: ignore[attr-defined]


OPTIONS = {"plain": {}, "all options": ALL, "cautious": {**ALL, "cautious": True}}


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", RULES)
def test_no_number_of_the_device_is_read(name: str, options: str, launches: Launches) -> None:
    chosen = OPTIONS[options]
    optimizer = getattr(optim, name)(parameters("meta"), engine="triton", **chosen)
    if chosen:
        scaled(optimizer)
    for _ in range(3):
        launches.clear()
        optimizer.step(zero_grad=bool(chosen))
    if options != "cautious":  # which is a pass more for some rules
        assert launches["chunks", "meta"] == PASSES.get(name, (1, 2))[bool(chosen)]


@pytest.mark.parametrize("name", CAPTURABLE)
def test_none_is_read_where_hyperparameters_are_there(name: str, launches: Launches) -> None:
    options = {**ALL, **(DECAY if name == "AdamW" else {})}
    optimizer = getattr(optim, name)(
        parameters("meta"), engine="triton", capturable=True, **options
    )
    for _ in range(3):
        optimizer.step()
    assert optimizer.param_groups[0]["lr"].device == META
    assert launches["chunks", "meta"] == 3 * 2


class Between(TorchDispatchMode):
    """Copies from the device that cannot be read to another one."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        device = kwargs.get("device")
        if str(func) == "aten._to_copy.default" and device and args[0].device == META != device:
            return torch.ones(args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype)
        return func(*args, **kwargs)


@pytest.mark.parametrize("options", [{}, ALL], ids=["plain", "all options"])
@pytest.mark.parametrize("devices", [("meta", "cpu"), ("cpu", "meta")], ids=str)
@pytest.mark.parametrize("name", ["AdamW", "LAMB", "Prodigy"])
def test_each_device_has_launches_of_its_own(
    name: str,
    devices: tuple[str, str],
    options: dict[str, Any],
    launches: Launches,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    see_as_gpus(monkeypatch, "meta", "cpu")
    with Between():
        optimizer = getattr(optim, name)(parameters(*devices), engine="triton", **options)
        for _ in range(3):
            launches.clear()
            optimizer.step()
    passes = PASSES[name][bool(options)]
    assert [launches["chunks", device] for device in devices] == [passes, passes]


def test_auto_takes_it_or_says_why_not(launches: Launches, monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer = AdamW(parameters("meta"))
    (first, _) = optimizer.engine_report()
    assert (first.engine, first.reason) == ("triton", None)
    monkeypatch.setattr(triton_engine, "triton_is_installed", lambda: False)
    (first, _) = AdamW(parameters("meta")).engine_report()
    assert (first.engine, first.reason) == ("tensor", "Triton is not installed")
    through = AdamW(parameters("meta"), differentiable=True).engine_report()
    assert {row.reason for row in through} == {"gradients must flow through the step"}
