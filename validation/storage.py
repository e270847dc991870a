"""Losses by the form in which parameters and state are held, against those of float32.

    python -m validation.storage    some twenty minutes on one core

AdamW with the rates and schedules of `python -m validation.survey`, medians over three seeds, and
the job of `glideslope train` for one. The model computes in float32; parameters and gradients are
rounded to the dtype of the form between the model and the optimizer. The softmax problem, which is
in float64, is left out.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

import torch
from torch import Tensor

import glideslope as gs
from benchmarks.bench_storage import FORMS, Form
from glideslope.demo import CharTransformer, Corpus, python_reference
from glideslope.optim import AdamW
from glideslope.optim.lr_scheduler import Scheduler

from .tuning import SEEDS, schedule
from .workloads import WORKLOADS, Task

RATES = {"mlp": 1e-2, "conv": 3e-2, "transformer": 1e-2, "train": 5e-3}
TRAIN_STEPS = 600
TRAIN_SCHEDULE = "warmup(10%, start=0.1) >> hold(65%) >> linear(25%)"
COLUMNS = {**dict.fromkeys(("mlp", "conv", "transformer"), SEEDS), "train": SEEDS[:1]}


def demo(seed: int) -> Task:
    """The job of `glideslope train`."""
    torch.manual_seed(seed)
    corpus = Corpus.of(python_reference())
    model = CharTransformer(len(corpus.vocabulary))
    order = torch.Generator().manual_seed(seed)
    windows = corpus.held_out_windows(model.context)

    def batch_loss() -> Tensor:
        return model.loss(*corpus.batch(32, model.context, order))

    return Task(model, batch_loss, lambda: model.loss(*windows).item())


def job(name: str) -> tuple[Callable[[int], Task], gs.Schedule, int]:
    """The task of a seed, the schedule, and the number of updates."""
    if name == "train":
        whole = gs.parse(TRAIN_SCHEDULE).bind(total_steps=TRAIN_STEPS)
        return demo, whole, TRAIN_STEPS
    workload = WORKLOADS[name]
    return workload.make, schedule(workload, "AdamW"), workload.steps


def final_loss(name: str, form: Form, seed: int) -> float:
    """The held-out loss after the last update."""
    make, factor, steps = job(name)
    task = make(seed)
    seen = list(task.model.parameters())
    held = [p.detach().to(form.dtype).requires_grad_() for p in seen]
    decay = {} if name == "train" else {"weight_decay": 0.0}
    optimizer = AdamW(held, lr=RATES[name], **decay, **form.options)
    scheduler = Scheduler(optimizer, lr=factor)
    for _ in range(steps):
        show(held, seen)
        task.model.zero_grad()
        task.batch_loss().backward()
        for p, own in zip(seen, held, strict=True):
            own.grad = None if p.grad is None else p.grad.to(form.dtype)
        optimizer.step()
        scheduler.step()
    show(held, seen)
    with torch.no_grad():
        return task.held_out_loss()


@torch.no_grad()
def show(held: list[Tensor], seen: list[Tensor]) -> None:
    """Give the model the numbers that the optimizer holds."""
    for own, p in zip(held, seen, strict=True):
        p.copy_(own)


def main() -> None:
    torch.set_num_threads(1)
    print(f"| {'form':26} | " + " | ".join(COLUMNS) + " |", flush=True)
    for title, form in FORMS.items():
        losses = [
            statistics.median(final_loss(name, form, seed) for seed in seeds)
            for name, seeds in COLUMNS.items()
        ]
        print(f"| {title:26} | " + " | ".join(f"{loss:.3f}" for loss in losses) + " |", flush=True)


if __name__ == "__main__":
    main()
