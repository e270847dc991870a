"""Functions of the tests, run on several processes of this machine."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

TIMEOUT = 240


def once(
    folders: pytest.TempPathFactory,
    program: str,
    ranks: int = 2,
    words: Sequence[str] = (),
    timeout: float = TIMEOUT,
) -> list[dict[str, Any]]:
    """The results of a program, as `run` gives them, which pytest's workers run once in all."""
    base = folders.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    name = "-".join([program, str(ranks), *words])
    file = shared / f"{name}.json"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            results = run(program, folders.mktemp(name), ranks, words, timeout=timeout)
            file.write_text(json.dumps(results))
    found: list[dict[str, Any]] = json.loads(file.read_text())
    return found


def run(
    program: str | Path,
    folder: Path,
    ranks: int = 2,
    words: Sequence[str] = (),
    may_fail: bool = False,
    timeout: float = TIMEOUT,
) -> list[dict[str, Any]]:
    """The results that each rank of a program, of this folder or a path, writes to its file.

    The program is called with the path of that file, and more words. If it may fail, the results
    have its exit code and its output, too.
    """
    script = Path(__file__).parent / program
    port = str(_free_port())
    files = [folder / f"rank{rank}.json" for rank in range(ranks)]
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), str(file), *words],
            env=environment(rank, ranks, port),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank, file in enumerate(files)
    ]
    try:
        texts = [process.communicate(timeout=timeout)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    found: list[dict[str, Any]] = []
    for process, text, file in zip(processes, texts, files, strict=True):
        assert may_fail or process.returncode == 0, text
        ended = {"code": process.returncode, "text": text} if may_fail else {}
        found.append({**json.loads(file.read_text()), **ended})
    return found


def environment(rank: int, ranks: int, port: str) -> dict[str, str]:
    """As `torchrun` sets it."""
    return {
        **os.environ,
        "RANK": str(rank),
        "WORLD_SIZE": str(ranks),
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": port,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        port: int = listener.getsockname()[1]
        return port
