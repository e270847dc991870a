"""The server behind the page of `glideslope design`."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from .._local_server import LocalHandler, LocalServer
from ._answer import answer
from ._page import design_page

LARGEST = 1 << 16
"""The largest question in bytes."""


class DesignServer(LocalServer):
    """Serves the page, and answers its questions, to this machine and this session alone.

    Args:
        port: the port to listen on; 0 takes a free one.
        question: the question whose answer the page shows first.

    Raises:
        InvalidValue: the port is taken or not allowed.
    """

    def __init__(self, port: int, question: dict[str, Any]) -> None:
        self.question = question
        super().__init__(port, Handler)


class Handler(LocalHandler):
    """One request."""

    server: DesignServer
    command_name = "glideslope design"

    def get(self) -> None:
        """Send the page."""
        if self.is_welcome(self.argument("token")) and self.is_found("/"):
            page = design_page(self.server.question, self.server.token)
            self.reply(HTTPStatus.OK, "text/html; charset=utf-8", page)

    def post(self) -> None:
        """Send the answer to a question."""
        if not (self.is_welcome(self.headers.get("X-Token", "")) and self.is_found("/answer")):
            return
        question = self.question()
        if question is None:
            self.refuse(HTTPStatus.BAD_REQUEST, "the question must be a small object in JSON")
        else:
            self.reply(HTTPStatus.OK, "application/json", json.dumps(answer(question)))

    def question(self) -> dict[str, Any] | None:
        """The question in the request, if there is one."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LARGEST:
            return None
        try:
            question = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            return None
        return question if isinstance(question, dict) else None
