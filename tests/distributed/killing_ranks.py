"""Kills one of two ranks at random moments of a run that saves, and starts the run again.

    killing_ranks.py KILLS SEED FOLDER    kill until there were so many; prints what was found
    killing_ranks.py rank FOLDER          be one rank

A rank's acknowledgement is the name of a file: the step that `wait` said to be on disk.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

import glideslope as gs

RANKS, LIMIT = 2, 30
"""The number of ranks, and the seconds after which none may still wait."""


def build() -> Any:
    torch.manual_seed(0)
    model = nn.Linear(64, 64)
    fully_shard(model, mesh=init_device_mesh("cpu", (RANKS,)))
    with torch.no_grad():
        for p in model.parameters():
            p.to_local().zero_()  # type: ignore[attr-defined]
    return gs.training.TrainingState(model=model, step=0)


def be_a_rank(folder: Path) -> None:
    dist.init_process_group("gloo", timeout=timedelta(seconds=LIMIT / 2))
    run, acknowledged = build(), folder / "acknowledged"
    with gs.training.Checkpointer(folder / "checkpoints", keep=2) as saved:
        found = saved.latest()
        if found is not None:
            run.load_state_dict(found.state)
            check(run)
        if dist.get_rank() == 0:
            (folder / "started").touch()
        while True:
            run.step += 1
            with torch.no_grad():
                for p in run.model.parameters():
                    p.add_(1.0)
            saved.save(run.step, run.state_dict())
            if run.step % 3 == 0:
                saved.wait()
                (acknowledged / str(run.step)).touch()


def check(run: Any) -> None:
    """Every element counts the steps, so that no two saves are mixed."""
    for p in run.model.parameters():
        assert (p.to_local() == run.step).all(), "two saves are mixed"


def start(folder: Path) -> list[subprocess.Popen[str]]:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        port = str(listener.getsockname()[1])
    shared = {"MASTER_ADDR": "localhost", "MASTER_PORT": port, "WORLD_SIZE": str(RANKS)}
    return [
        subprocess.Popen(
            [sys.executable, __file__, "rank", str(folder)],
            env={**os.environ, **shared, "RANK": str(rank), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(RANKS)
    ]


def kill_one(folder: Path, chance: random.Random) -> float:
    """Kill a rank of a run: the seconds that the other one took to end, with its message."""
    (folder / "started").unlink(missing_ok=True)
    processes = start(folder)
    try:
        while not (folder / "started").exists():
            assert all(each.poll() is None for each in processes), processes[0].communicate()[0]
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 1.5))
        number = chance.randrange(RANKS)
        killed, other = processes[number], processes[1 - number]
        killed.send_signal(signal.SIGKILL)
        begin = time.monotonic()
        text = other.communicate(timeout=LIMIT)[0]
        assert "rank" in text, text
        assert "CheckpointError" in text or "RankFailed" in text, text
        return time.monotonic() - begin
    finally:
        for each in processes:
            each.kill()


def main(kills: int, seed: int, folder: Path) -> None:
    chance, longest = random.Random(seed), 0.0
    (folder / "acknowledged").mkdir()
    for kill in range(kills):
        longest = max(longest, kill_one(folder, chance))
        steps = [int(path.name) for path in (folder / "acknowledged").iterdir()]
        latest = gs.training.Checkpointer(folder / "checkpoints").latest()
        assert latest is None or latest.step >= max(steps, default=0), f"kill {kill}: one is lost"
        assert latest is not None or not steps, f"kill {kill}: all are lost"
        if latest is not None:
            for tensor in latest.state["model"].values():
                assert (tensor == latest.step).all(), f"kill {kill}: two saves are mixed"
    print(f"{kills} kills, the longest wait {longest:.1f} s")


if __name__ == "__main__":
    if sys.argv[1] == "rank":
        be_a_rank(Path(sys.argv[2]))
    else:
        main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
