"""Ctrl-C as a request that a loop answers when it is ready."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event


@contextmanager
def interruptible() -> Iterator[Event]:
    """While inside, the first Ctrl-C sets the event; the second acts at once, as usual."""
    requested = Event()
    usual = signal.getsignal(signal.SIGINT)

    def request(*_: object) -> None:
        requested.set()
        signal.signal(signal.SIGINT, usual)

    signal.signal(signal.SIGINT, request)
    try:
        yield requested
    finally:
        signal.signal(signal.SIGINT, usual)
