"""Ctrl-C as a request that a loop answers when it is ready, and as the end of a server.

A shell starts background jobs with SIGINT ignored, and some CI systems do so too. A command that
runs until it is interrupted sets its own handler, so that the signal ends it there as well.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event


@contextmanager
def interruptible() -> Iterator[Event]:
    """While inside, the first Ctrl-C sets the event; the second acts at once, as usual."""
    requested = Event()
    with ended_by_ctrl_c():
        at_once = signal.getsignal(signal.SIGINT)

        def request(*_: object) -> None:
            requested.set()
            signal.signal(signal.SIGINT, at_once)

        signal.signal(signal.SIGINT, request)
        yield requested


@contextmanager
def ended_by_ctrl_c() -> Iterator[None]:
    """While inside, Ctrl-C raises `KeyboardInterrupt` where the process would ignore it."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
