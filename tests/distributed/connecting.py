"""A rank that stops when it has given its address to the other one, which then connects to it."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch.distributed as dist

from glideslope.distributed import _connecting

TIMEOUT = timedelta(seconds=4)
rendezvous = _connecting.rendezvous


class Through(dist.Store):
    """A store that passes all calls to another one."""

    def __init__(self, store: Any) -> None:
        super().__init__()
        self._store = store

    def set(self, key: str, value: Any) -> None:
        self._store.set(key, value)

    def get(self, key: str) -> Any:
        return self._store.get(key)

    def wait(self, keys: list[str], *limit: timedelta) -> None:
        self._store.wait(keys, *limit)

    def add(self, key: str, number: int) -> Any:
        return self._store.add(key, number)


class Stopping(Through):
    """It stops the process once gloo has written the address of its rank."""

    def set(self, key: str, value: Any) -> None:
        super().set(key, value)
        if "cpu" in key:
            os.kill(os.getpid(), signal.SIGSTOP)


class Late(Through):
    """It returns the addresses when the other process has stopped."""

    def wait(self, keys: list[str], *limit: timedelta) -> None:
        super().wait(keys, *limit)
        if "cpu" in keys[0]:
            time.sleep(0.5)


def changed(address: str, timeout: timedelta) -> Any:
    store, rank, ranks = next(rendezvous(address, timeout=timeout))
    yield (Stopping if rank else Late)(store), rank, ranks


def connected() -> str:
    """The error of connecting."""
    try:
        _connecting.connect(TIMEOUT)
    except RuntimeError as error:
        return str(error)
    return ""


def main(file: Path) -> None:
    file.write_text(json.dumps({"pid": os.getpid()}))
    begin = time.monotonic()
    with patch.object(_connecting, "rendezvous", changed):
        error = connected()
    file.write_text(json.dumps({"error": error, "seconds": time.monotonic() - begin}))
    other = json.loads(file.with_name("rank1.json").read_text())
    os.kill(other["pid"], signal.SIGKILL)
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
