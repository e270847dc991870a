"""Writers of records under kills, changes of folder and second writers."""

from __future__ import annotations

import csv
import gc
import math
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch

from glideslope.errors import CheckpointError, InvalidType
from glideslope.training import CSVWriter, History, TensorBoardWriter, TrainingState

from .values import same

Record = dict[str, Any]
WRITERS = {"history": (History, "a.jsonl"), "table": (CSVWriter, "a.csv")}
writers = pytest.mark.parametrize(("kind", "name"), WRITERS.values(), ids=WRITERS)

RECORDS: list[Record] = [
    {"step": 0, "loss": 0.25, "note": 'état, ""quoted""\nin "two" lines'},
    {"step": 1, "loss": math.nan, "note": "a\rreturn"},
    {"step": 2, "loss": -math.inf, "note": '"\n'},
    {"step": 3, "loss": 1e-300, "note": '"x"\ny\r\n'},
]


@pytest.fixture(autouse=True)
def no_writer_left() -> Iterator[None]:
    yield
    gc.collect()


def content(path: Path) -> list[Record]:
    """The records of a file; a table's as text."""
    if path.suffix == ".jsonl":
        return list(History(path))
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def as_read(record: Record, path: Path) -> Record:
    return record if path.suffix == ".jsonl" else {key: str(v) for key, v in record.items()}


def filled(kind: Callable[[Path], Any], path: Path) -> bytes:
    writer = kind(path)
    for record in RECORDS:
        writer.append(record)
    return path.read_bytes()


@writers
def test_a_kill_at_any_byte_leaves_whole_records(
    tmp_path: Path, kind: Callable[[Path], Any], name: str
) -> None:
    path = tmp_path / name
    whole = filled(kind, path)
    ends = [0]
    for count in range(1, len(RECORDS) + 1):
        writer = kind(tmp_path / f"{count}-{name}")
        for record in RECORDS[:count]:
            writer.append(record)
        ends.append(writer.path.stat().st_size)
    assert ends[-1] == len(whole)
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        kept = max(count for count, end in enumerate(ends) if end <= length)
        kind(path).append({"step": 9, "loss": 0.5, "note": "next"})
        expected = [*RECORDS[:kept], {"step": 9, "loss": 0.5, "note": "next"}]
        assert same(content(path), [as_read(record, path) for record in expected]), length


@writers
def test_a_torn_end_is_removed_from_under_a_writer_too(
    tmp_path: Path, kind: Callable[[Path], Any], name: str
) -> None:
    path = tmp_path / name
    writer = kind(path)
    writer.append(RECORDS[0])
    with path.open("ab") as file:
        file.write(b'7,"torn')
    writer.append(RECORDS[1])
    assert same(content(path), [as_read(record, path) for record in RECORDS[:2]])


def test_a_kill_leaves_tensorboard_the_whole_records(tmp_path: Path) -> None:
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with TensorBoardWriter(tmp_path / "whole") as board:
        for step in range(3):
            board.append({"step": step, "loss": step / 2})
    (events,) = (tmp_path / "whole").iterdir()
    whole = events.read_bytes()
    for length in range(0, len(whole) + 1, 7):
        folder = tmp_path / str(length)
        folder.mkdir()
        (folder / "events.out.tfevents.1000000000.earlier").write_bytes(whole[:length])
        with TensorBoardWriter(folder) as board:
            board.append({"step": 3, "loss": 1.5})
        found = accumulators.EventAccumulator(str(folder)).Reload().Scalars("loss")
        values = [(event.step, event.value) for event in found]
        assert values == [(step, step / 2) for step in range(len(values) - 1)] + [(3, 1.5)]


def test_a_table_keeps_rows_of_other_programs(tmp_path: Path) -> None:
    """Line breaks of other systems, bytes that are no UTF-8, and quotes in the middle."""
    path = tmp_path / "a.csv"
    path.write_bytes(b'a,b\r\n1,caf\xe9\r\n2,5" disk\r\n"",\r3,4\r')
    table = CSVWriter(path)
    assert repr(table).endswith("4 rows)")
    table.append({"a": 5, "c": 6})
    assert path.read_bytes() == b'a,b,c\n1,caf\xe9,\n2,"5"" disk",\n,,\n3,4,\n5,,6\n'


def test_a_table_is_begun_again_where_its_file_is_deleted(tmp_path: Path) -> None:
    table = CSVWriter(tmp_path / "a.csv")
    table.append({"a": 1})
    table.path.unlink()
    table.append({"a": 2})
    assert table.path.read_text() == "a\n2\n"


def test_an_empty_record_makes_no_row_before_there_are_columns(tmp_path: Path) -> None:
    table = CSVWriter(tmp_path / "a.csv")
    table.append({})
    table.append({"a": 1})
    table.append({})
    assert (table.path.read_text(), table.state_dict()) == ('a\n1\n""\n', {"rows": 2})


def test_a_file_that_is_no_table_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n" + "x" * 200_000 + "\n")
    with pytest.raises(CheckpointError, match=r"could not read .*a\.csv: field larger than"):
        CSVWriter(tmp_path / "a.csv")
    with pytest.raises(CheckpointError, match=r"could not read .*: Is a directory"):
        CSVWriter(tmp_path)


def test_missing_rows_are_a_warning(tmp_path: Path) -> None:
    table = CSVWriter(tmp_path / "a.csv")
    table.append({"a": 1})
    with pytest.warns(UserWarning, match=r"a\.csv is shorter than .*: rows are missing"):
        table.load_state_dict({"rows": 2})
    assert table.path.read_text() == "a\n1\n"


@pytest.mark.parametrize("value", [torch.ones(2), torch.ones(0)])
def test_a_cell_is_one_value(tmp_path: Path, value: Any) -> None:
    table = CSVWriter(tmp_path / "a.csv")
    with pytest.raises(InvalidType, match="a value in a record must be one number, got tensor"):
        table.append({"a": value})
    assert not table.path.exists()


# -- where a relative path leads -----------------------------------------------------------------


@writers
def test_a_relative_path_is_that_of_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Callable[[str], Any], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir()
    run = TrainingState(writer=kind(name))
    run.writer.append({"step": 0})
    state = run.state_dict()
    monkeypatch.chdir(tmp_path / "other")
    run.writer.append({"step": 1})
    assert len(content(tmp_path / name)) == 2
    run.load_state_dict(state)
    assert len(content(tmp_path / name)) == 1
    assert list((tmp_path / "other").iterdir()) == []
    assert run.writer.path == tmp_path / name


def test_tensorboard_stays_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboard")
    monkeypatch.chdir(tmp_path)
    with TensorBoardWriter("board") as board:
        (tmp_path / "other").mkdir()
        monkeypatch.chdir(tmp_path / "other")
        board.append({"step": 0, "loss": 1.0})
        board.load_state_dict({"next": 1})
    assert list((tmp_path / "other").iterdir()) == []
    assert board.folder == tmp_path / "board"


# -- two writers ---------------------------------------------------------------------------------


@writers
def test_two_writers_of_a_process_refuse_each_other(
    tmp_path: Path, kind: Callable[[Path], Any], name: str
) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    first, second = kind(tmp_path / name), kind(tmp_path / "link" / name)
    first.append({"step": 0})
    with pytest.raises(CheckpointError, match=r"has another writer in this process: use that one"):
        second.append({"step": 1})
    first.append({"step": 1})
    state = first.state_dict()
    second.load_state_dict(state)
    second.append({"step": 2})
    with pytest.raises(CheckpointError, match=r"has another writer in this process"):
        first.append({"step": 2})
    assert len(content(tmp_path / name)) == 3


@writers
def test_a_writer_no_longer_used_is_in_the_way_of_none(
    tmp_path: Path, kind: Callable[[Path], Any], name: str
) -> None:
    for step in range(3):
        kind(tmp_path / name).append({"step": step, f"column {step}": step})
    assert len(content(tmp_path / name)) == 3
    gc.collect()
    assert [path.name for path in tmp_path.iterdir()] == [name]


@writers
def test_a_writer_left_over_in_a_cycle_is_in_the_way_of_none(
    tmp_path: Path, kind: Callable[[Path], Any], name: str
) -> None:
    left = kind(tmp_path / name)
    left.append({"step": 0})
    left.itself = left
    del left
    kind(tmp_path / name).append({"step": 1})
    assert len(content(tmp_path / name)) == 2


OTHER = """
import sys
from glideslope.errors import CheckpointError
from glideslope.training import CSVWriter, History
path = sys.argv[1]
writer = (History if path.endswith("jsonl") else CSVWriter)(path)
for call in (lambda: writer.append({"step": 1}), lambda: writer.load_state_dict(
    {"size": 0, "last": "", "rows": 0}
)):
    try:
        call()
    except CheckpointError as error:
        print(error)
    else:
        print("taken")
"""


def other_process(path: Path) -> list[str]:
    command = [sys.executable, "-c", OTHER, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


@writers
def test_two_processes_refuse_each_other(
    tmp_path: Path, kind: Callable[[Path], Any], name: str
) -> None:
    path = tmp_path / name
    writer = kind(path)
    writer.append({"step": 0})
    content(path)  # to read it does not give the lock away
    assert other_process(path) == [f"another process is writing {path}"] * 2
    writer.append({"step": 2})
    assert len(content(path)) == 2
    del writer
    gc.collect()
    assert other_process(path) == ["taken"] * 2


def in_a_child(work: Callable[[], object]) -> int:
    child = os.fork()
    if child == 0:
        try:
            work()
        except CheckpointError:
            os._exit(3)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@writers
def test_a_child_does_not_hold_its_parents_lock(
    tmp_path: Path, kind: Callable[[Path], Any], name: str
) -> None:
    writer = kind(tmp_path / name)
    writer.append({"step": 0})
    assert in_a_child(lambda: writer.append({"step": 1})) == 3
    assert in_a_child(lambda: kind(tmp_path / name).append({"step": 1})) == 3
    writer.append({"step": 1})
    assert len(content(tmp_path / name)) == 2


@writers
def test_a_folder_that_was_deleted_and_made_again_is_written_into(
    tmp_path: Path, kind: Callable[[Path], Any], name: str
) -> None:
    writer = kind(tmp_path / name)
    writer.append({"step": 0})
    for path in tmp_path.iterdir():
        path.unlink()
    writer.append({"step": 1})
    assert len(content(tmp_path / name)) == 1
    assert other_process(tmp_path / name)[0].startswith("another process")


@writers
def test_where_no_lock_can_be_made_records_are_written_all_the_same(
    tmp_path: Path, kind: Callable[[Path], Any], name: str
) -> None:
    (tmp_path / f".{name}.lock").mkdir()
    writer = kind(tmp_path / name)
    writer.append({"step": 0})
    writer.append({"step": 1})
    assert len(content(tmp_path / name)) == 2


@writers
def test_copies_and_pickles_are_writers_of_their_own(
    tmp_path: Path, kind: Callable[[Path], Any], name: str
) -> None:
    writer = kind(tmp_path / name)
    writer.append({"step": 0})
    for copy in (deepcopy(writer), pickle.loads(pickle.dumps(writer))):
        with pytest.raises(CheckpointError, match="has another writer"):
            copy.append({"step": 1})
        assert copy.path == writer.path
