"""One task at a time on a background thread."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread, current_thread


class Background:
    """Runs one function at a time on a thread that the interpreter waits for at exit."""

    def __init__(self) -> None:
        self._thread: Thread | None = None
        self._error: Exception | None = None

    def start(self, work: Callable[[], None]) -> None:
        """Run ``work`` in the background; no other work may be running."""
        self._thread = Thread(target=self._run, args=(work,), name="glideslope-checkpoint")
        self._thread.start()

    def join(self) -> Exception | None:
        """Wait for the running work and return its error, once."""
        # The background thread itself calls this if it held the last reference to the owner.
        if self._thread is not None and self._thread is not current_thread():
            self._thread.join()
            self._thread = None
        error, self._error = self._error, None
        return error

    def finish(self) -> None:
        """Wait for the running work and raise its error."""
        error = self.join()
        if error is not None:
            raise error

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # returned by `join`
            self._error = error
