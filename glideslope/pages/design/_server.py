"""The server behind the page of `glideslope design`, for this machine and this session alone.

It listens on the loopback address only. A page of some other site that is open in the same browser
could still send requests there, and one whose name was made to point here could read the answers:
so a request must name this host as the one it wants, and carry the secret of the session.
"""

from __future__ import annotations

import json
from hmac import compare_digest
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_urlsafe
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from glideslope.errors import InvalidValue, require

from ._answer import answer
from ._page import design_page

HOST = "127.0.0.1"
LARGEST = 1 << 16
"""The largest question in bytes."""


class DesignServer(ThreadingHTTPServer):
    """Serves the page, and answers its questions.

    Args:
        port: where to listen; 0 takes a free one.
        question: what the page shows first.

    Raises:
        InvalidValue: the port is taken or not allowed.
    """

    daemon_threads = True

    def __init__(self, port: int, question: dict[str, Any]) -> None:
        require(0 <= port < 1 << 16, "port", "be from 0 to 65535", port)
        self.question = question
        self.token = token_urlsafe(32)
        try:
            super().__init__((HOST, port), Handler)
        except OSError as error:
            told = f"`port` must be free on this machine, got {port}: {error.strerror}"
            raise InvalidValue(told) from None

    def server_bind(self) -> None:
        """Bind, without looking up a name for the address."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://{HOST}:{self.server_port}/?token={self.token}"

    @property
    def hosts(self) -> set[str]:
        """How a browser may call this server."""
        return {f"{name}:{self.server_port}" for name in (HOST, "localhost")}


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: DesignServer
    server_version, sys_version = "Glideslope", ""
    timeout = 30

    def do_GET(self) -> None:
        """The page."""
        address = urlsplit(self.path)
        token = parse_qs(address.query).get("token", [""])[0]
        if self.is_welcome(token) and self.is_found(address.path, "/"):
            page = design_page(self.server.question, self.server.token)
            self.reply(HTTPStatus.OK, "text/html; charset=utf-8", page)

    def do_POST(self) -> None:
        """The answer to a question."""
        token = self.headers.get("X-Token", "")
        if not (self.is_welcome(token) and self.is_found(self.path, "/answer")):
            return
        question = self.question()
        if question is None:
            self.refuse(HTTPStatus.BAD_REQUEST, "the question must be a small object in JSON")
        else:
            self.reply(HTTPStatus.OK, "application/json", json.dumps(answer(question)))

    def is_welcome(self, token: str) -> bool:
        """Whether the request wants this server and knows the secret; refuses it if not."""
        welcome = self.headers.get("Host") in self.server.hosts
        welcome = welcome and compare_digest(token.encode(), self.server.token.encode())
        if not welcome:
            self.refuse(HTTPStatus.FORBIDDEN, "open the address that glideslope design printed")
        return welcome

    def is_found(self, path: str, place: str) -> bool:
        """Whether there is something at the path; refuses the request if not."""
        if path != place:
            self.refuse(HTTPStatus.NOT_FOUND, "there is nothing here")
        return path == place

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

    def refuse(self, status: HTTPStatus, sentence: str) -> None:
        self.reply(status, "text/plain; charset=utf-8", f"{sentence}\n")

    def reply(self, status: HTTPStatus, kind: str, content: str) -> None:
        """Send a whole answer, which no browser is to keep or to take for something else."""
        body = content.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("X-Frame-Options", "DENY")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the terminal is the user's."""
