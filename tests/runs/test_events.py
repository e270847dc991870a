"""The events of a recorded run."""

from __future__ import annotations

from pathlib import Path

import pytest

import glideslope as gs
from glideslope.runs import Event, events, read_run

from .run_folders import keep_run, lowered, updates

LONG = gs.parse("warmup(40) >> cosine(360, end=0.1)")


def happened(path: Path) -> list[Event]:
    return [event for event in events(read_run(path)) if event.kind != "best"]


def test_nothing_is_to_be_said_of_a_run_that_went_as_planned(tmp_path: Path) -> None:
    noted = [{"step": 0, "event": "started"}, {"step": 10, "event": "finished"}]
    assert happened(keep_run(tmp_path / "run", updates(10), events=noted)) == []


def test_the_best_loss_is_marked_with_its_checkpoint(tmp_path: Path) -> None:
    path = keep_run(tmp_path / "run", updates(10))
    assert events(read_run(path)) == [Event(10, "best", "best validation loss 0.4")]
    (path / "checkpoints").mkdir()
    (path / "checkpoints" / "step-00000010.pt").touch()
    text = "best validation loss 0.4, kept in checkpoints/step-00000010.pt"
    assert events(read_run(path)) == [Event(10, "best", text)]


@pytest.mark.parametrize(
    ("factor", "kind", "text"),
    [(0.5, "cut", "times 0.5"), (0.1, "cut", "times 0.1"), (2, "rise", "times 2")],
)
def test_a_rate_that_leaves_its_plan_is_marked(
    tmp_path: Path, factor: float, kind: str, text: str
) -> None:
    path = keep_run(tmp_path / "run", lowered(updates(10), 6, factor))
    assert happened(path) == [Event(6, kind, f"learning rate {text} against its plan", "lr")]


@pytest.mark.parametrize(
    ("cut", "named"),
    [(["body"], " of body"), (["body", "head"], " of body, head"), (["body", "head", "new"], "")],
)
def test_the_groups_that_leave_their_plan_are_named(
    tmp_path: Path, cut: list[str], named: str
) -> None:
    lines = [
        {"step": line["step"]}
        | {
            f"lr/{group}": line["lr"] * (0.5 if line["step"] >= 6 and group in cut else 1)
            for group in ("body", "head", "new")
        }
        for line in updates(10)
    ]
    text = f"learning rate{named} times 0.5 against its plan"
    assert happened(keep_run(tmp_path / "run", lines)) == [Event(6, "cut", text, "lr")]


@pytest.mark.parametrize(
    ("factor", "marked"),
    [(0.9985, ["cut"]), (1.0015, ["rise"]), (0.9995, []), (1.0005, [])],
)
def test_a_rate_within_a_thousandth_of_its_plan_is_as_planned(
    tmp_path: Path, factor: float, marked: list[str]
) -> None:
    path = keep_run(tmp_path / "run", lowered(updates(10), 6, factor))
    assert [event.kind for event in happened(path)] == marked


def test_a_run_that_follows_something_else_is_marked_once(tmp_path: Path) -> None:
    lines = [line | {"lr": 0.1 / (line["step"] + 1)} for line in updates(400, schedule=LONG)]
    path = keep_run(tmp_path / "run", lines, schedule=LONG, steps=400)
    assert [event.kind for event in happened(path)] == ["note"]


def test_a_changed_schedule_is_the_plan_from_there_on(tmp_path: Path) -> None:
    after = gs.parse("hold(6, 0.25) >> linear(4)")
    noted = [
        {"step": 6, "event": "resumed"},
        {"step": 6, "event": "rescheduled", "schedule": str(after)},
    ]
    lines = [*updates(6), *updates(10, start=6, schedule=after)]
    path = keep_run(tmp_path / "run", lines, schedule=after, events=noted)
    assert happened(path) == [
        Event(6, "resume", "resumed"),
        Event(6, "note", f"rescheduled: schedule {after}"),
    ]


def test_skipped_updates_are_marked_together(tmp_path: Path) -> None:
    lines = updates(10)
    for step in (2, 3, 7):
        lines[step]["skipped"] = True
    lines[5]["loss"] = float("nan")
    assert happened(keep_run(tmp_path / "run", lines)) == [
        Event(2, "skip", "2 updates skipped"),
        Event(5, "skip", "update with a loss that is not finite"),
        Event(7, "skip", "update skipped"),
    ]


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (None, "the history ends here: killed, or still running"),
        (
            "diverged",
            "stopped: the loss was no longer a number. Try a lower learning rate (glideslope "
            "find-lr measures one), a longer warmup, or clipping with max_grad_norm=1",
        ),
    ],
)
def test_the_end_of_a_run_that_did_not_finish_is_marked(
    tmp_path: Path, outcome: str | None, text: str
) -> None:
    assert happened(keep_run(tmp_path / "run", updates(7), outcome=outcome)) == [
        Event(7, "end", text)
    ]


def test_numbers_in_an_event_are_short(tmp_path: Path) -> None:
    noted = [{"step": 3, "event": "note", "factor": 0.1 + 0.2, "count": 12}]
    (event,) = happened(keep_run(tmp_path / "run", updates(10), events=noted))
    assert event.text == "note: factor 0.3, count 12"
