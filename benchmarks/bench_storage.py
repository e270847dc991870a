"""Bytes and time of AdamW by the form in which numbers are held, and the peak of gradients.

    python -m benchmarks storage

`python -m validation.storage` gives the losses of the same forms.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from glideslope.optim import AdamW

ELEMENTS = 4096 * 4096
TURNS, STEPS = 9, 3
LAYERS, WIDTH = 24, 2048


class Form(NamedTuple):
    """The dtype of parameters and gradients, and the arguments that say how the rest is held."""

    dtype: torch.dtype
    options: dict[str, Any]


FORMS = {
    "float32": Form(torch.float32, {}),
    "float32, bfloat16 state": Form(torch.float32, {"state_dtype": torch.bfloat16}),
    "float32, 8-bit state": Form(torch.float32, {"state_dtype": "8bit"}),
    "split": Form(torch.bfloat16, {"rounding": "split", "state_dtype": torch.float32}),
    "split, bfloat16 state": Form(torch.bfloat16, {"rounding": "split"}),
    "split24, 8-bit state": Form(torch.bfloat16, {"rounding": "split24", "state_dtype": "8bit"}),
    "compensated": Form(torch.bfloat16, {"rounding": "compensated"}),
    "stochastic": Form(torch.bfloat16, {"rounding": "stochastic"}),
    "stochastic, 8-bit state": Form(
        torch.bfloat16, {"rounding": "stochastic", "state_dtype": "8bit"}
    ),
    "bfloat16, as torch": Form(torch.bfloat16, {}),
}


def stepped(form: Form) -> tuple[AdamW, Tensor]:
    p = torch.randn(ELEMENTS).to(form.dtype).requires_grad_()
    p.grad = torch.randn(ELEMENTS).to(form.dtype)
    optimizer = AdamW([p], **form.options)
    optimizer.step()
    return optimizer, p


def bytes_held(optimizer: AdamW, p: Tensor) -> float:
    """The bytes of parameter, gradient and state for each parameter."""
    assert p.grad is not None
    tensors = [p, p.grad, *optimizer.state[p].values()]
    return sum(each.numel() * each.element_size() for each in tensors) / p.numel()


def milliseconds(optimizer: AdamW) -> float:
    start = time.process_time()
    for _ in range(STEPS):
        optimizer.step()
    return (time.process_time() - start) / STEPS * 1000


PEAK = f"""\
import re, sys, torch
from pathlib import Path
from torch import nn
from glideslope.optim import AdamW
torch.set_num_threads(1)
model = nn.Sequential(*[nn.Linear({WIDTH}, {WIDTH}) for _ in range({LAYERS})])
optimizer = AdamW(model.parameters(), state_dtype=torch.bfloat16)
if sys.argv[1] == "released":
    optimizer.release_gradients(model)
for _ in range(2):
    model(torch.ones(1, {WIDTH})).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
kibibytes = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(int(kibibytes) / 1024)  # `ru_maxrss` may be that of the parent before this program began
"""


AT_ONCE = {"MALLOC_MMAP_THRESHOLD_": "1000000"}
"""Environment in which glibc returns freed blocks of a gradient's size to the system at once."""


def peak(way: str, environment: Mapping[str, str]) -> float:
    """MiB that a process has held at once."""
    command = [sys.executable, "-c", PEAK, way]
    env = {**os.environ, **environment}
    ended = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
    return float(ended.stdout)


def step_times() -> dict[str, float]:
    """Milliseconds of an ordinary step and of one in the backward pass, with that pass."""
    times: dict[str, list[float]] = {"ordinary": [], "released": []}
    for way in [*times] * 5:
        model = nn.Sequential(*[nn.Linear(256, 256) for _ in range(50)])
        optimizer = AdamW(model.parameters())
        if way == "released":
            optimizer.release_gradients(model)
        for number in range(12):
            start = time.process_time()
            model(torch.ones(32, 256)).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
            if number > 2:
                times[way].append((time.process_time() - start) * 1000)
    return {way: statistics.median(each) for way, each in times.items()}


def main() -> None:
    torch.set_num_threads(1)
    print(f"AdamW, {ELEMENTS:,} parameters, one thread: bytes for each, ms for a step, engine")
    for name, form in FORMS.items():
        optimizer, p = stepped(form)
        ms = statistics.median(milliseconds(optimizer) for _ in range(TURNS))
        engine = optimizer.engine_report()[0].engine
        print(f"{name:26}{bytes_held(optimizer, p):7.2f}{ms:10.1f}  {engine}", flush=True)
    gradients = LAYERS * (WIDTH + 1) * WIDTH * 4 / 2**20
    print(f"\npeak of a process, {LAYERS} layers, gradients of {gradients:.0f} MiB")
    for way in ("ordinary", "released"):
        print(f"{way:10}{peak(way, {}):8.0f} MiB, {peak(way, AT_ONCE):.0f} where freed at once")
    print("\nforward, backward and step of 100 tensors, 50 layers of 256 x 256")
    for way, ms in step_times().items():
        print(f"{way:10}{ms:8.2f} ms")


if __name__ == "__main__":
    main()
