"""How long a curve of 1,000,000 steps takes: warm-up and cosine as an array.

    python -m benchmarks.bench_curve

Against stepping torch's schedulers (a sequence of LinearLR and CosineAnnealingLR, all 1,000,000
steps of it) and against the same formula in bare NumPy. The three take turns, CPU time is counted,
and the table shows the median over the turns of the ratio to what was measured beside it, so that
other work on the machine falls on all alike.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

import glideslope as gs

STEPS, WARMUP, START, END = 1_000_000, 10_000, 1e-3, 0.1
TURNS, TORCH_TURNS = 15, 3
Floats = NDArray[np.float64]

schedule = gs.warmup(WARMUP, start=START) >> gs.cosine(STEPS - WARMUP, end=END)


def values() -> Floats:
    return schedule.values()


def called() -> Floats:
    array: Floats = schedule(np.arange(STEPS, dtype=np.float64))
    return array


def bare() -> Floats:
    t = np.arange(STEPS, dtype=np.float64)
    rise = START + (1 - START) * t / WARMUP
    fall = END + (1 - END) * (1 + np.cos(np.pi * (t - WARMUP) / (STEPS - WARMUP))) / 2
    return np.where(t < WARMUP, rise, fall)


def stepped() -> Floats:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    parts = [
        LinearLR(optimizer, start_factor=START, total_iters=WARMUP),
        CosineAnnealingLR(optimizer, STEPS - WARMUP, eta_min=END),
    ]
    scheduler = SequentialLR(optimizer, parts, [WARMUP])
    rates = np.empty(STEPS)
    for t in range(STEPS):
        rates[t] = optimizer.param_groups[0]["lr"]
        scheduler.step()
    return rates


def seconds(run: Callable[[], Floats]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def main() -> None:
    warnings.simplefilter("ignore")  # nothing is optimized here, and torch remarks on it
    off_bare, off_torch = (np.abs(run() / values() - 1).max() for run in (bare, stepped))
    print(f"largest relative difference: {off_bare:.0e} to bare NumPy, {off_torch:.0e} to torch")
    turns = [[seconds(run) for run in (values, called, bare)] for _ in range(TURNS)]
    torch_turns = [(seconds(stepped), seconds(values)) for _ in range(TORCH_TURNS)]
    rows = {
        "schedule.values()": [turn[0] for turn in turns],
        "schedule(array)": [turn[1] for turn in turns],
        "bare NumPy": [turn[2] for turn in turns],
        "torch, stepped": [torch for torch, _ in torch_turns],
    }
    ratios = {
        "values() / bare NumPy": [turn[0] / turn[2] for turn in turns],
        "schedule(array) / bare NumPy": [turn[1] / turn[2] for turn in turns],
        "torch / values()": [torch / ours for torch, ours in torch_turns],
    }
    for name, times in rows.items():
        print(f"{name:30}{1e3 * statistics.median(times):10.1f} ms")
    for name, quotients in ratios.items():
        print(f"{name:30}{statistics.median(quotients):10.2f} times")


if __name__ == "__main__":
    main()
