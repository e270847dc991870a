"""`glideslope train` on two ranks is the run of one process, and ends on both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glideslope.distributed import Launch, apparent_launch, launch
from glideslope.errors import InvalidValue

from .run_digest import digest

PROGRAM = Path(__file__).with_name("ranks_of_runs.py")
TOLERANCES = {"MuonWithAuxAdam": 1e-10, "AdamWScheduleFree": 1e-10, "LBFGS": 1e-7}
"""Relative, in float64, after 12 updates: the order of additions, which line searches amplify."""

Ended = dict[str, list[tuple[int, str, str]]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the runs are, and how their ranks ended."""
    place = tmp_path_factory.mktemp("ranks")
    command = [sys.executable, str(PROGRAM), str(place / "ended.json")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture(scope="module")
def ended(folder: Path) -> Ended:
    """The exit code, the output and the errors of each rank of each run."""
    found: Ended = json.loads((folder / "ended.json").read_text())
    return found


def history(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]


def differences(run: Path, other: Path) -> Iterator[float]:
    """Of every recorded number, relative."""
    for here, there in zip(history(run), history(other), strict=True):
        assert here.keys() == there.keys()
        yield from (abs(here[name] - there[name]) / max(1e-9, abs(here[name])) for name in here)


@pytest.mark.parametrize("optimizer", TOLERANCES)
def test_two_ranks_have_the_curve_of_one_process(optimizer: str, folder: Path) -> None:
    one, two = folder / f"{optimizer}-1", folder / f"{optimizer}-2"
    assert len(history(one)) == 12
    assert max(differences(one, two)) < TOLERANCES[optimizer]
    assert (one / "history.jsonl").read_bytes() != (two / "history.jsonl").read_bytes()


@pytest.mark.parametrize("name", ["2-2", "2-1", "1-2"])
def test_ctrl_c_on_one_rank_stops_all_and_the_run_resumes(
    name: str, folder: Path, ended: Ended
) -> None:
    for code, out, err in ended[f"stop {name}"]:
        assert (code, err) == (130, "")
        assert out == "" or "interrupted after 5 updates" in out
    first, *others = ended[f"resume {name}"]
    assert first[0] == 0
    assert first[1].count("finished after 12 updates") == 1
    assert others == ([] if name == "2-1" else [[0, "", ""]])
    assert (
        max(differences(folder / "MuonWithAuxAdam-1", folder / name))
        < TOLERANCES["MuonWithAuxAdam"]
    )
    changed = [line for line in first[1].splitlines() if line.startswith("note: saved on")]
    assert len(changed) == (0 if name == "2-2" else 1)


def test_as_many_ranks_resume_bit_for_bit(folder: Path, ended: Ended) -> None:
    for name in ("2-2", "second-killed"):
        assert digest(folder / name) == digest(folder / "MuonWithAuxAdam-2")


def test_the_hint_and_the_config_have_the_command_of_several_ranks(
    folder: Path, ended: Ended
) -> None:
    command = "torchrun --nproc-per-node 2 -m glideslope train "
    assert f"continue with: {command}--resume --out 2-2\n" in ended["stop 2-2"][0][1]
    config = json.loads((folder / "MuonWithAuxAdam-2" / "config.json").read_text())
    assert config["ranks"] == 2
    assert config["command"].startswith(command)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("share", "`batch_size` must be a multiple of the number of ranks, 2, got 3"),
        ("option", "`--steps` must be a whole number, such as 500 or 1e4, got 'x'"),
        ("optimizer", "Rprop has no argument `weight_decay`: did you mean `"),
        ("text", "rank 1 learns the text of another Python than rank 0"),
        ("ended", "the run in MuonWithAuxAdam-2 has made all of its 12 updates: "),
    ],
)
def test_a_mistake_is_one_sentence_of_the_first_rank(
    name: str, sentence: str, ended: Ended
) -> None:
    first, second = ended[name]
    assert first[:2] == [2, ""]
    assert first[2].startswith(f"error: {sentence}")
    assert first[2].count("\n") == 1
    assert second == [2, "", ""]


LOST = "error: another rank ended, or did not answer for 10 s: --resume continues from the newest"


@pytest.mark.parametrize(
    ("name", "codes", "sentence"),
    [
        ("first fails", [2, 2], "error: there is no disk any more\n"),
        ("second killed", [2, -9], LOST),
        ("first killed", [-9, 2], ""),
    ],
)
def test_a_rank_that_fails_ends_all(
    name: str, codes: list[int], sentence: str, ended: Ended
) -> None:
    first, second = ended[name]
    assert [first[0], second[0]] == codes
    assert first[2].startswith(sentence)
    assert second[2] == ""


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, (0, 1)),
        ({"WORLD_SIZE": "4"}, (0, 1)),
        ({"RANK": "4"}, (0, 1)),
        ({"RANK": "0", "WORLD_SIZE": "1"}, (0, 1)),
        ({"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "a", "MASTER_PORT": "1"}, (1, 2)),
    ],
)
def test_ranks_are_those_that_the_environment_names(given: Any, found: tuple[int, int]) -> None:
    assert launch(given) == apparent_launch(given) == Launch(*found)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"RANK": "x", "WORLD_SIZE": "2"}, "`RANK` must be a whole number, got 'x'"),
        ({"RANK": "0", "WORLD_SIZE": "0"}, "`WORLD_SIZE` must be at least 1, got 0"),
        ({"RANK": "2", "WORLD_SIZE": "2"}, "`RANK` must be at least 0 and less than 2, got 2"),
        ({"RANK": "0", "WORLD_SIZE": "2"}, "`MASTER_ADDR` must be in the environment of several"),
    ],
)
def test_an_environment_that_names_no_ranks_is_refused(given: Any, sentence: str) -> None:
    with pytest.raises(InvalidValue, match=sentence):
        launch(given)
    assert apparent_launch(given) == ((0, 2) if "MASTER" in sentence else (0, 1))
