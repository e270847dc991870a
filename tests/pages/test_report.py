"""`glideslope report`: the data of its page, its tables, and the command."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import glideslope as gs
from glideslope.pages.report import report_page
from glideslope.pages.report._data import COLUMNS, chart_data, curve, panels
from glideslope.pages.report._settings import seeds, seeds_name, settings, short
from glideslope.runs import Point, RecordedRun, events, read_run

from ..runs.run_folders import keep_run, updates

Call = Callable[..., "tuple[int, str, str]"]
ATTACK = "</script><script>window.attacked = 1</script><img src=x onerror='window.attacked = 1'>"


def own_run(folder: Path, records: list[dict[str, Any]], **config: Any) -> RecordedRun:
    """A run that another program recorded, one record for each update."""
    folder.mkdir(parents=True)
    lines = (json.dumps({"step": step} | record) + "\n" for step, record in enumerate(records))
    (folder / "history.jsonl").write_text("".join(lines))
    if config:
        (folder / "config.json").write_text(json.dumps(config))
    return read_run(folder)


# -- what is drawn --------------------------------------------------------------------------------


def test_a_long_curve_keeps_its_extremes_and_its_ends() -> None:
    values = np.sin(np.arange(100_000) / 999)
    values[54_321], values[12_345] = 40.0, -40.0
    drawn = curve([Point(step, value) for step, value in enumerate(values)])
    assert len(drawn["x"]) <= 2 * COLUMNS + 2
    assert (drawn["x"][0], drawn["x"][-1]) == (0, 99_999)
    found = dict(zip(drawn["x"], drawn["y"], strict=True))
    assert (found[54_321], found[12_345]) == (40.0, -40.0)
    assert drawn["x"] == sorted(drawn["x"])


def test_a_short_curve_is_drawn_as_it_is() -> None:
    assert curve([Point(3, 0.123456789), Point(9, 2)]) == {"x": [3, 9], "y": [0.12345679, 2.0]}


def test_a_thinned_curve_has_the_means_of_its_columns() -> None:
    values = np.random.default_rng(0).normal(size=20_000)
    mean = curve([Point(step, value) for step, value in enumerate(values)])["mean"]
    assert mean["n"] == [5] * COLUMNS
    assert mean["x"] == [2 + 5 * k for k in range(COLUMNS)]
    assert mean["y"] == pytest.approx(values.reshape(-1, 5).mean(1).tolist(), abs=1e-7)


def test_the_mean_of_huge_values_is_finite() -> None:
    drawn = curve([Point(step, 1.7e308) for step in range(9000)])
    assert drawn["mean"]["y"] == pytest.approx([1.7e308] * COLUMNS, rel=1e-7)


def test_a_changed_schedule_is_planned_from_its_change(tmp_path: Path) -> None:
    after = gs.parse("hold(6, 0.25) >> linear(4)")
    noted = [{"step": 6, "event": "rescheduled", "schedule": str(after)}]
    lines = [*updates(6), *updates(10, start=6, schedule=after)]
    path = keep_run(tmp_path / "run", lines, schedule=after, events=noted)
    data = chart_data(read_run(path), [])
    assert data["plans"]["lr"]["x"] == [6, 7, 8, 9]
    assert data["plans"]["lr"]["y"] == pytest.approx([0.1, 0.075, 0.05, 0.025], rel=1e-7)


def test_a_plan_continues_where_the_run_stopped(tmp_path: Path) -> None:
    data = chart_data(read_run(keep_run(tmp_path / "run", updates(4), outcome=None)), [])
    assert data["curves"]["lr"]["x"] == [0, 1, 2, 3]
    assert data["plans"]["lr"]["x"] == list(range(10))


def test_the_plan_of_a_very_long_run_is_a_part_of_its_updates(tmp_path: Path) -> None:
    plan = gs.parse("warmup(1e6) >> linear(999e9)")
    run = own_run(tmp_path / "run", [{"loss": 1.0, "lr": 0.0}], schedule=str(plan), lr=0.5)
    drawn = chart_data(run, [])["plans"]["lr"]
    assert 4000 < len(drawn["x"]) < 10_000
    assert drawn["x"][-1] > 0.99e12
    assert drawn["y"] == pytest.approx([0.5 * plan(step) for step in drawn["x"]], abs=1e-7)


def test_settings_are_compared_by_name(tmp_path: Path) -> None:
    runs = [
        read_run(keep_run(tmp_path / "a", updates(1), seed=0)),
        read_run(keep_run(tmp_path / "b", updates(1), model={"width": 96}, seed=0)),
    ]
    found = dict(settings(runs))
    assert found["seed"] == ["0", "0"]
    assert found["model.width"] == ["", "96"]
    assert found["schedule.text"] == ["warmup(2) >> linear(8)"] * 2
    assert not any(name.startswith("schedule.json") for name in found)


def test_nothing_from_a_run_is_read_as_html(tmp_path: Path) -> None:
    path = keep_run(
        tmp_path / ATTACK.replace("/", "|"),
        updates(2),
        outcome=ATTACK,
        events=[{"step": 1, "event": ATTACK, ATTACK: ATTACK}],
        schedule=gs.hold(5),
        **{"optimizer": {"name": ATTACK, "options": {ATTACK: ATTACK}}, ATTACK: ATTACK},
    )
    page = report_page([read_run(path), read_run(path)])
    assert page.count("<script") == 2
    assert page.count("</script") == 2
    assert "<img" not in page


@pytest.mark.parametrize(
    ("records", "keys"),
    [
        ([{"loss": 1.0, "val_loss": 2.0}], ["loss"]),
        ([{"accuracy": 0.5, "loss": 1.0, "lr": 0.1}], ["loss", "lr", "accuracy"]),
        ([{"accuracy": 0.5, "val_accuracy": 0.4}], ["accuracy"]),
        ([{"val_accuracy": 0.4}], ["val_accuracy"]),
        ([{"val_loss": 0.4}], ["loss"]),
        ([{"weight_decay/a": 0.1, "weight_decay/b": 0.2, "betas[0]": 0.9}], ["weight_decay"] * 1),
        ([{"train/a": 1, "train/b": 2}], ["train/a", "train/b"]),
        ([], []),
    ],
)
def test_every_metric_has_a_panel(
    tmp_path: Path, records: list[dict[str, Any]], keys: list[str]
) -> None:
    found = panels([chart_data(own_run(tmp_path / "run", records), [])])
    assert [one["key"] for one in found if one["key"] != "betas[0]"] == keys


def test_a_metric_that_never_changes_is_closed_at_first(tmp_path: Path) -> None:
    records = [{"loss": 1.0, "constant": 0.9, "growing": t} for t in range(3)]
    found = panels([chart_data(own_run(tmp_path / "run", records), [])])
    assert {one["key"]: one["open"] for one in found} == {
        "loss": True,
        "constant": False,
        "growing": True,
    }


def test_validation_is_drawn_with_its_metric_after_the_update(tmp_path: Path) -> None:
    run = own_run(tmp_path / "run", [{"accuracy": 0.5, "val_accuracy": 0.4, "val_loss": 3}])
    data = chart_data(run, [])
    found = {one["key"]: (one["names"], one["validation"]) for one in panels([data])}
    assert found == {
        "loss": ([], "val_loss"),
        "accuracy": (["accuracy"], "val_accuracy"),
    }
    assert (data["curves"]["val_accuracy"]["x"], data["curves"]["val_loss"]["x"]) == ([1], [1])


@pytest.mark.parametrize(
    ("name", "config", "found"),
    [
        ("run{}", {"settings": {"seed": None, "lr": 0.1}}, [[0, 1, 2]]),
        ("run{}", {"seed": None, "versions": {"torch": "{}"}}, [[0, 1, 2]]),
        ("run{}", {"seed": None, "other": "{}"}, []),
        ("run{}", {"other": 1}, []),
        ("wsd-seed{}", {}, [[0, 1, 2]]),
        ("wsd_seed_{}", {"lr": 0.1}, [[0, 1, 2]]),
        ("wsd{}", {}, []),
    ],
)
def test_runs_that_differ_in_their_seed_alone_belong_together(
    tmp_path: Path, name: str, config: dict[str, Any], found: list[list[int]]
) -> None:
    def filled(value: Any, seed: int) -> Any:
        if isinstance(value, dict):
            return {key: filled(inner, seed) for key, inner in value.items()}
        return seed if value is None else value.format(seed) if isinstance(value, str) else value

    runs = [
        own_run(tmp_path / name.format(seed), [{"loss": 1.0}], **filled(config, seed))
        for seed in range(3)
    ]
    assert seeds(runs) == found


@pytest.mark.parametrize(
    ("names", "name"),
    [
        (["wsd-seed0", "wsd-seed1"], "wsd"),
        (["wsd_seed=10", "wsd_seed=2"], "wsd"),
        (["a", "b"], "a …"),
        (["seed0", "seed1"], "seed0"),
    ],
)
def test_a_set_of_seeds_has_the_name_they_share(names: list[str], name: str) -> None:
    assert seeds_name(names) == name


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("0.30000000000000004", "0.3"),
        ("cosine(2.5999999999999996, end=0.1)", "cosine(2.6, end=0.1)"),
        ("1.2345678901234e-07", "1.23457e-07"),
        ("0.12345678", "0.12345678"),
        ("10000000000", "10000000000"),
        ("2.13.0", "2.13.0"),
        ("text", "text"),
    ],
)
def test_long_decimals_are_shown_short(text: str, shown: str) -> None:
    assert short(text) == shown


def test_a_shortened_setting_has_the_whole_value_as_its_title(tmp_path: Path) -> None:
    run = own_run(tmp_path / "run", [{"loss": 1.0}], weight_decay=0.1 + 0.2)
    assert '<span title="0.30000000000000004">0.3</span>' in report_page([run])


def test_the_table_of_runs_leaves_out_columns_without_values(tmp_path: Path) -> None:
    page = report_page([own_run(tmp_path / "run", [{"loss": 0.5}])])
    table = page[page.index('<table id="runs">') : page.index("</table>")]
    assert re.findall(r'data-label="([^"]*)"', table) == ["state", "updates", "last loss"]


# -- the command ----------------------------------------------------------------------------------


def test_the_page_is_one_file_that_fetches_nothing(glideslope: Call) -> None:
    keep_run(Path("runs/a"), updates(10))
    assert glideslope("report", "runs/a", "--out", "page.html") == (
        0,
        "written to page.html\n",
        "",
    )
    page = Path("page.html").read_text()
    addresses = set(re.findall(r"https?://[^\s\"']+", page))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, not a place
    assert not re.search(r"<link|@import|url\((?!#)|\ssrc=", page)


def test_a_run_of_the_program_itself_is_read_without_a_note(glideslope: Call) -> None:
    words = ("--schedule", "warmup(1) >> linear(1)", "--steps", 2, "--batch-size", 1)
    assert glideslope("train", *words, "--out", "run")[0] == 0
    run = read_run(Path("run"))
    data = chart_data(run, events(run))
    assert run.notes == []
    assert (run.state, run.steps, run.planned_steps) == ("finished", 2, 2)
    assert data["curves"]["lr"]["y"] == pytest.approx(data["plans"]["lr"]["y"], rel=1e-7)
    best = data["events"][0]
    assert [event["kind"] for event in data["events"]] == ["best"]
    assert best["text"].endswith(f"kept in checkpoints/step-{best['step']:08d}.pt")


def test_what_is_no_run_is_refused(glideslope: Call) -> None:
    rule = "be a folder with config.json or history.jsonl, or a folder of such folders"
    assert glideslope("report", "elsewhere") == (
        2,
        "",
        f"error: `run` must {rule}, got 'elsewhere'\n",
    )
    assert not Path("report.html").exists()


def test_runs_of_one_name_are_distinguished_by_their_paths(glideslope: Call) -> None:
    for folder in ("x", "y"):
        keep_run(Path(folder, "run"), updates(2))
    glideslope("report", "x/run", "y/run")
    page = Path("report.html").read_text()
    assert "<strong>x/run</strong>" in page
    assert "<strong>y/run</strong>" in page


def test_a_folder_of_runs_is_a_report_on_all_of_them(glideslope: Call) -> None:
    for name in ("seed10", "seed9", "other"):
        keep_run(Path("runs", name), updates(2))
    Path("runs/notes").mkdir()
    assert glideslope("report", "runs", "runs/other") == (0, "written to report.html: 3 runs\n", "")
    names = re.findall("<strong>(.*?)</strong>", Path("report.html").read_text())
    assert names == ["other", "seed9", "seed10"]


def test_no_file_is_replaced_unless_asked_for(glideslope: Call) -> None:
    keep_run(Path("run"), updates(2))
    for name in ("report.html", "report-2.html", "report-3.html"):
        assert glideslope("report", "run") == (0, f"written to {name}\n", "")
    Path("report.html").write_text("mine")
    refusal = "error: `out` must be a new file (--force replaces one), got 'report.html'\n"
    assert glideslope("report", "run", "--out", "report.html") == (2, "", refusal)
    assert Path("report.html").read_text() == "mine"
    assert glideslope("report", "run", "--out", "report.html", "--force")[0] == 0
    assert "<html" in Path("report.html").read_text()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--out", "missing/x.html"), "could not write missing/x.html: No such file or directory"),
        (("--out", ".", "--force"), "could not write .: Is a directory"),
        (
            ("--watch", "--out", "x.html"),
            "`out` must be left out with --watch, which writes no file, got 'x.html'",
        ),
        (("--watch", "--port", "70000"), "`port` must be from 0 to 65535, got 70000"),
    ],
)
def test_what_cannot_be_written_is_said(
    glideslope: Call, words: tuple[str, ...], sentence: str
) -> None:
    keep_run(Path("run"), updates(2))
    assert glideslope("report", "run", *words) == (2, "", f"error: {sentence}\n")
