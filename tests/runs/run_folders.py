"""Run folders as `glideslope train` leaves them, written without training."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import glideslope as gs

SCHEDULE = gs.parse("warmup(2) >> linear(8)")


def keep_run(
    folder: Path,
    lines: Iterable[Any],
    *,
    outcome: str | None = "finished",
    events: Iterable[dict[str, Any]] = (),
    schedule: gs.Schedule = SCHEDULE,
    steps: int = 10,
    **config: Any,
) -> Path:
    """A run's folder; a line that is text is written as it is; killed if without an outcome."""
    folder.mkdir(parents=True)
    described = {
        "settings": {"steps": steps},
        "schedule": {"text": str(schedule), "json": schedule.to_dict()},
        "optimizer": {"name": "AdamW", "options": {"lr": 0.1}},
    }
    (folder / "config.json").write_text(json.dumps(described | config))
    texts = [line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines]
    (folder / "history.jsonl").write_text("".join(texts))
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    if outcome:
        (folder / "result.json").write_text(json.dumps({"outcome": outcome}))
    return folder


def updates(
    stop: int, start: int = 0, schedule: gs.Schedule = SCHEDULE, every: int = 5
) -> list[dict[str, Any]]:
    """The records of a run that follows its plan, measured after every so many updates."""
    return [
        {"step": t, "loss": 3 / (t + 1), "lr": 0.1 * schedule(t)}
        | ({"val_loss": 4 / (t + 1)} if t % every == every - 1 else {})
        for t in range(start, stop)
    ]


def lowered(lines: list[dict[str, Any]], at: int, factor: float) -> list[dict[str, Any]]:
    """The same run with a learning rate that was cut."""
    return [line | {"lr": line["lr"] * (factor if line["step"] >= at else 1)} for line in lines]
