"""Histories: records in JSON Lines that survive kills."""

from __future__ import annotations

import csv
import json
import math
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from glideslope.errors import CheckpointError, InvalidType, InvalidValue, StateMismatch
from glideslope.training import History, TrainingState

from .values import same

RECORDS = [
    {"step": 0, "loss": 0.9, "lr/encoder": 0.1},
    {"step": 1, "loss": 0.7, "lr/encoder": 0.1, "val_loss": 0.8},
    {"step": 2, "loss": math.nan, "note": 'état, "quoted"\nin two lines'},
]


@pytest.fixture
def history(tmp_path: Path) -> History:
    history = History(tmp_path / "history.jsonl")
    for record in RECORDS:
        history.append(record)
    return history


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(), JSON, max_size=4), max_size=4))
def test_records_come_back(tmp_path_factory: pytest.TempPathFactory, records: list[Any]) -> None:
    history = History(tmp_path_factory.mktemp("run") / "history.jsonl")
    for record in records:
        history.append(record)
    assert same(list(history), records)


def strict(line: str) -> Any:
    """JSON as JavaScript and jq read it: Python's `json` also takes NaN."""

    def refuse(name: str) -> None:
        pytest.fail(f"{name} is no JSON")

    return json.loads(line, parse_constant=refuse)


def test_each_record_is_a_line_of_json(history: History) -> None:
    lines = history.path.read_text(encoding="utf-8").split("\n")
    last = {**RECORDS[2], "loss": None, "non_finite": {"loss": "NaN"}}
    assert [strict(line) for line in lines[:-1]] == [*RECORDS[:2], last]
    assert lines[-1] == ""


NAN, INF = math.nan, math.inf
# A record, and the line it is.
NON_FINITE: dict[str, tuple[dict[str, Any], str]] = {
    "not a number": ({"a": NAN}, '{"a": null, "non_finite": {"a": "NaN"}}'),
    "the infinities": (
        {"a": INF, "b": -INF},
        '{"a": null, "b": null, "non_finite": {"a": "Infinity", "b": "-Infinity"}}',
    ),
    "in a list": (
        {"a": [1.0, NAN, [INF]]},
        '{"a": [1.0, null, [null]], "non_finite": {"a": {"1": "NaN", "2": {"0": "Infinity"}}}}',
    ),
    "in a dict": (
        {"a": {"1": -INF, "b": None}},
        '{"a": {"1": null, "b": null}, "non_finite": {"a": {"1": "-Infinity"}}}',
    ),
    "under names with any characters": (
        {"": NAN, "a/b": {"~": NAN}},
        '{"": null, "a/b": {"~": null}, "non_finite": {"": "NaN", "a/b": {"~": "NaN"}}}',
    ),
    "none": ({"a": None, "b": 1.5}, '{"a": null, "b": 1.5}'),
}


@pytest.mark.parametrize(("record", "line"), NON_FINITE.values(), ids=NON_FINITE)
def test_values_without_a_form_in_json_are_null_and_named(
    tmp_path: Path, record: dict[str, Any], line: str
) -> None:
    history = History(tmp_path / "a.jsonl")
    history.append(record)
    assert history.path.read_text() == line + "\n"
    strict(line)
    assert same(list(history), [record])


@pytest.mark.parametrize("value", [np.float32(NAN), np.float64(NAN), torch.tensor(NAN)])
def test_scalars_that_are_not_finite_are_named_too(tmp_path: Path, value: Any) -> None:
    history = History(tmp_path / "a.jsonl")
    history.append({"a": value})
    assert strict(history.path.read_text()) == {"a": None, "non_finite": {"a": "NaN"}}


@pytest.mark.parametrize(
    "line",
    [
        '{"a": 1, "non_finite": {"a": "NaN"}}',
        '{"a": null, "non_finite": {"a": "nan"}}',
        '{"a": null, "non_finite": {"b": "NaN"}}',
        '{"a": null, "non_finite": {"b": {}}}',
        '{"a": null, "non_finite": {"a": {}}}',
        '{"a": [null], "non_finite": {"a": {"1": "NaN"}}}',
        '{"a": [null], "non_finite": {"a": {"x": "NaN"}}}',
        '{"a": null, "non_finite": {"a": {"x": "NaN"}}}',
        '{"a": null, "non_finite": {"a": ["NaN"]}}',
        '{"a": 1, "non_finite": 3}',
    ],
)
def test_a_users_field_of_that_name_is_left_alone(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.jsonl").write_text(line + "\n")
    assert list(History(tmp_path / "a.jsonl")) == [json.loads(line)]


def test_records_that_were_written_with_pythons_names_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": NaN, "b": -Infinity}\n')
    assert same(list(History(tmp_path / "a.jsonl")), [{"a": NAN, "b": -INF}])


def test_keys_inside_are_spelt_as_json_spells_them(tmp_path: Path) -> None:
    history = History(tmp_path / "a.jsonl")
    history.append({"a": {1: NAN, False: 2, None: 3, 0.5: 4}})
    assert same(list(history), [{"a": {"1": NAN, "false": 2, "null": 3, "0.5": 4}}])


def test_text_that_is_no_unicode_comes_back(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    history = History(tmp_path / "a.jsonl")
    history.append({"a": name, "b": "\u2028é"})
    assert list(history) == [{"a": name, "b": "\u2028é"}]


def test_values_by_name(history: History) -> None:
    assert history.values("step") == [0, 1, 2]
    assert history.values("val_loss") == [0.8]
    assert history.values("missing") == []


def test_a_history_not_begun_is_empty(tmp_path: Path) -> None:
    assert list(History(tmp_path / "none.jsonl")) == []
    assert not (tmp_path / "none.jsonl").exists()


def test_scalars_of_numpy_and_torch_are_numbers(tmp_path: Path) -> None:
    history = History(tmp_path / "a.jsonl")
    loss = torch.ones((), requires_grad=True) * 0.5
    history.append({"a": np.float32(0.5), "b": np.int64(3), "c": loss, "d": np.bool_(True)})
    assert same(list(history), [{"a": 0.5, "b": 3, "c": 0.5, "d": True}])


def itself() -> list[Any]:
    nest: list[Any] = []
    nest.append(nest)
    return nest


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"a": torch.ones(2)}, r"`a value in the record` must be a number, text, a list or a dict"),
        ({"a": {"b": object}}, r"`a value in the record` must be .* got <class 'object'>"),
        ({"a": [1j]}, r"`a value in the record` must be .* got 1j"),
        ({1: 2}, r"`a name in the record` must be text, got 1"),
        ({"a": {(1, 2): 3}}, r"`a name in the record` must be text, got \(1, 2\)"),
        ({"non_finite": 1}, r"`a name in the record` must be another one: .* got 'non_finite'"),
        ({"a": 10**5000}, r"the record cannot be written: .*4300 digits"),
        ({"a": itself()}, r"`a value in the record` must be at most 200 deep"),
    ],
)
def test_a_value_that_is_no_record_is_refused(history: History, record: Any, message: str) -> None:
    before = history.path.read_bytes()
    with pytest.raises((InvalidType, InvalidValue), match=message):
        history.append(record)
    assert history.path.read_bytes() == before


def test_a_torn_last_line_is_dropped_on_reading_and_removed_on_appending(history: History) -> None:
    whole = history.path.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for length in range(last, len(whole)):
        history.path.write_bytes(whole[:length])
        assert same(list(history), RECORDS[:2])
        assert history.path.read_bytes() == whole[:length], "reading changed the file"
        history.append(RECORDS[2])
        assert history.path.read_bytes() == whole


def test_a_long_torn_line_is_removed(history: History) -> None:
    whole = history.path.read_bytes()
    history.path.write_bytes(whole + b"{" + b"x" * 20_000)
    history.append({"step": 3})
    assert same(list(history), [*RECORDS, {"step": 3}])


@pytest.mark.parametrize("line", [b"{torn\n", b"[1]\n", b"\xff\n", b"\n"])
def test_a_damaged_line_before_the_last_is_an_error(history: History, line: bytes) -> None:
    first, _, rest = history.path.read_bytes().partition(b"\n")
    history.path.write_bytes(first + b"\n" + line + rest)
    with pytest.raises(
        CheckpointError, match=r"history.jsonl, line 2 is (damaged: .+|not a record)"
    ):
        list(history)


def test_a_kill_loses_no_record(tmp_path: Path) -> None:
    program = f"""
import os, signal
from glideslope.training import History
history = History({str(tmp_path / "a.jsonl")!r})
for step in range(100):
    history.append({{"step": step}})
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode < 0
    assert History(tmp_path / "a.jsonl").values("step") == list(range(100))


def test_a_full_disk_leaves_no_half_record(history: History) -> None:
    whole = history.path.read_bytes()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 10, before[1]))
    try:
        with pytest.raises(
            CheckpointError, match=r"could not write .*history\.jsonl: File too large"
        ):
            history.append({"step": 3, "note": "long enough"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert history.path.read_bytes() == whole


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"could not write .*: No such file or directory"):
        History(tmp_path / "missing" / "a.jsonl").append({})


class TestState:
    def test_it_goes_back_to_the_records_there_were(self, history: History) -> None:
        run = TrainingState(history=history)
        state = run.state_dict()
        whole = history.path.read_bytes()
        history.append({"step": 3})
        with history.path.open("ab") as file:
            file.write(b'{"torn')
        run.load_state_dict(state)
        assert history.path.read_bytes() == whole

    def test_it_goes_back_to_nothing(self, tmp_path: Path) -> None:
        history = History(tmp_path / "a.jsonl")
        state = history.state_dict()
        history.load_state_dict(state)
        assert not history.path.exists()
        history.append({"step": 0})
        history.load_state_dict(state)
        assert list(history) == []

    def test_a_torn_end_does_not_count(self, history: History) -> None:
        state = history.state_dict()
        with history.path.open("ab") as file:
            file.write(b'{"torn')
        assert history.state_dict() == state

    def test_missing_records_are_a_warning(self, history: History) -> None:
        state = history.state_dict()
        os.truncate(history.path, state["size"] - 1)
        with pytest.warns(UserWarning, match=r"is shorter than when the state was saved"):
            history.load_state_dict(state)
        assert same(list(history), RECORDS[:2])

    def test_the_history_of_another_run_is_refused(self, history: History, tmp_path: Path) -> None:
        other = History(tmp_path / "other.jsonl")
        other.append({"step": 0, "loss": 0.95, "lr/encoder": 0.1})
        state = other.state_dict()
        whole = history.path.read_bytes()
        with pytest.raises(StateMismatch, match="holds other records than the state is of"):
            history.load_state_dict(state)
        assert history.path.read_bytes() == whole


def test_a_table_of_all_records(history: History, tmp_path: Path) -> None:
    history.to_csv(tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["step", "loss", "lr/encoder", "val_loss", "note"],
        ["0", "0.9", "0.1", "", ""],
        ["1", "0.7", "0.1", "0.8", ""],
        ["2", "nan", "", "", 'état, "quoted"\nin two lines'],
    ]


def test_a_table_that_cannot_be_written_is_an_error(history: History, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"could not write .*: No such file or directory"):
        history.to_csv(tmp_path / "missing" / "table.csv")
