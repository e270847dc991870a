"""The server behind a report that is kept up to date."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path

from glideslope.errors import GlideslopeError
from glideslope.runs import read_run

from .._local_server import LocalHandler, LocalServer
from ._folders import reported_runs
from ._page import report_content, report_page


class ReportServer(LocalServer):
    """Serves the report on runs, and later data while they continue, to this machine alone.

    Args:
        port: the port to listen on; 0 takes a free one.
        folders: folders of runs, or of folders of runs; those added later are found.

    Raises:
        InvalidValue: the port is taken or not allowed, or a folder holds no run.
    """

    def __init__(self, port: int, folders: Sequence[Path]) -> None:
        self.folders = folders
        reported_runs(folders)
        super().__init__(port, Handler)

    def version(self) -> str:
        """A text that changes when a file of the runs does."""
        return sha256(repr(list(self._files())).encode()).hexdigest()

    def _files(self) -> Iterator[tuple[str, int, int]]:
        for run in reported_runs(self.folders):
            for path in sorted(run.iterdir()):
                if path.suffix in (".json", ".jsonl") and path.is_file():
                    stat = path.stat()
                    yield str(path), stat.st_mtime_ns, stat.st_size


class Handler(LocalHandler):
    """One request: for the page, or for what has changed since."""

    server: ReportServer
    command_name = "glideslope report"

    def get(self) -> None:
        """Send the page, or the data if they have changed."""
        token = self.argument("token") or self.headers.get("X-Token", "")
        if not self.is_welcome(token):
            return
        try:
            self.answer()
        except ConnectionError:
            raise
        except (GlideslopeError, OSError) as error:
            self.refuse(HTTPStatus.CONFLICT, str(error))

    def answer(self) -> None:
        """Send what is asked for."""
        version = self.server.version()
        if self.place == "/data":
            self.send_data(version)
        elif self.is_found("/"):
            runs = [read_run(path) for path in reported_runs(self.server.folders)]
            page = report_page(runs, live={"token": self.server.token, "version": version})
            self.reply(HTTPStatus.OK, "text/html; charset=utf-8", page)

    def send_data(self, version: str) -> None:
        """Send the report's content, or nothing if the page has it."""
        if self.argument("version") == version:
            self.reply(HTTPStatus.NO_CONTENT, "application/json", "")
            return
        runs = [read_run(path) for path in reported_runs(self.server.folders)]
        content = {"version": version, **report_content(runs)}
        self.reply(HTTPStatus.OK, "application/json", json.dumps(content, allow_nan=False))
