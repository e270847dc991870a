"""The report takes any folder: whatever its files hold, there is a page."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from glideslope.pages.report import report_page
from glideslope.runs import read_run

RECORDED = "schedule optimizer settings lr steps seed model outcome seconds"
CONFIGURED = "text json name options steps seed batch_size context lr"
NUMBERS = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([10**400, -(10**400), 1e308, -1e308, 5e-324, 2**53, 2**53 + 1]),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
NAMES = st.sampled_from(
    [
        "step",
        "loss",
        "train_loss",
        "val_loss",
        "lr",
        "lr/a",
        "betas[0]",
        "accuracy",
        "val_accuracy",
        "seconds",
        "time",
        "tokens",
        "skipped",
        "event",
        "non_finite",
    ]
)
RECORDS = st.lists(st.dictionaries(NAMES, VALUES, max_size=6), max_size=6)
CONFIGS = st.dictionaries(
    st.sampled_from(RECORDED.split()),
    st.one_of(
        VALUES,
        st.dictionaries(
            st.sampled_from(CONFIGURED.split()),
            st.one_of(VALUES, st.just("warmup(2) >> linear(3)"), st.just("cosine(1e300)")),
        ),
        st.sampled_from(["linear(3)", "noam(512, 4000)", "cosine(1e300)", "hold(5ep)"]),
    ),
    max_size=5,
)


def write_lines(path: Path, records: list[dict[str, Any]], numbered: bool) -> None:
    lines = ({"step": n} | r if numbered else r for n, r in enumerate(records))
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


@given(records=RECORDS, happened=RECORDS, config=CONFIGS, result=CONFIGS, numbered=st.booleans())
def test_there_is_a_page_on_any_run(
    records: list[dict[str, Any]],
    happened: list[dict[str, Any]],
    config: dict[str, Any],
    result: dict[str, Any],
    numbered: bool,
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder)
        write_lines(path / "history.jsonl", records, numbered)
        write_lines(path / "events.jsonl", happened, numbered)
        (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
        (path / "result.json").write_text(json.dumps(result), encoding="utf-8")
        assert "<html" in report_page([read_run(path), read_run(path)])
