"""Work done beside training, one piece at a time."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread, current_thread


class Background:
    """Runs one piece of work at a time on a thread that the interpreter waits for at its exit."""

    def __init__(self) -> None:
        self._thread: Thread | None = None
        self._error: Exception | None = None

    def start(self, work: Callable[[], None]) -> None:
        """Run ``work`` while the caller goes on; nothing may be under way."""
        self._thread = Thread(target=self._run, args=(work,), name="glideslope-checkpoint")
        self._thread.start()

    def join(self) -> Exception | None:
        """Wait for what is under way, and hand over its error, once."""
        # Its own thread comes here if it held the last reference to whoever gave it the work.
        if self._thread is not None and self._thread is not current_thread():
            self._thread.join()
            self._thread = None
        error, self._error = self._error, None
        return error

    def finish(self) -> None:
        """Wait for what is under way, and raise its error."""
        error = self.join()
        if error is not None:
            raise error

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # handed over by `join`
            self._error = error
