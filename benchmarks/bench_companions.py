"""The cost of early stopping, a history and a monitor, beside the updates of `glideslope train`.

    python -m benchmarks companions

After each update all three are called: a record of the loss and of every hyperparameter goes into a
`History` on disk, and `EarlyStopping` looks at the loss, keeping the best weights. Updates and
companions are timed in turn, and the medians count.
"""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from glideslope.demo import CommonSettings, Training
from glideslope.schedules import constant
from glideslope.training import EarlyStopping, History, LRMonitor

STEPS = 150
WARMUP = 10
SETTINGS = CommonSettings(
    constant(1.0),
    optimizer="AdamW",
    lr=None,
    weight_decay=None,
    steps=STEPS,
    batch_size=32,
    seed=0,
    threads=1,
    save_every=STEPS,
)


def main() -> None:
    with TemporaryDirectory(dir=Path.cwd()) as folder:
        updates, companions = measure(Path(folder))
    update = median(updates[WARMUP:])
    print(f"one update of glideslope train{update * 1e3:10.2f} ms")
    for name, times in companions.items():
        cost = median(times[WARMUP:])
        print(f"{name:30s}{cost * 1e3:10.3f} ms   {cost / update:7.3%}")
    whole = median(map(sum, zip(*(times[WARMUP:] for times in companions.values()), strict=True)))
    print(f"{'together':30s}{whole * 1e3:10.3f} ms   {whole / update:7.3%}", flush=True)


def measure(folder: Path) -> tuple[list[float], dict[str, list[float]]]:
    """Seconds of each update, and of each companion after it."""
    training = Training(SETTINGS, History(folder / "unused.jsonl"))
    monitor = LRMonitor(training.run.optimizer, History(folder / "history.jsonl"))
    stopping = EarlyStopping(patience=STEPS, model=training.run.model)
    updates: list[float] = []
    companions: dict[str, list[float]] = {"LRMonitor and History": [], "EarlyStopping": []}
    records, started = training.train(), time.perf_counter()
    for record in records:
        trained = time.perf_counter()
        monitor.record(record.step, loss=record.loss)
        recorded = time.perf_counter()
        stopping.step(record.loss)
        stopped = time.perf_counter()
        updates.append(trained - started)
        companions["LRMonitor and History"].append(recorded - trained)
        companions["EarlyStopping"].append(stopped - recorded)
        started = time.perf_counter()
    return updates, companions


if __name__ == "__main__":
    main()
