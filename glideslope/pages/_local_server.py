"""A server for pages on this machine, which answers the browser of this session alone.

It listens on the loopback address only. A page of some other site that is open in the same browser
could still send requests there, and one whose name was made to point here could read the answers:
so a request must name this host as the one it wants, and carry the secret of the session.
"""

from __future__ import annotations

import sys
from hmac import compare_digest
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_urlsafe
from socketserver import TCPServer
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from glideslope.errors import InvalidValue, require

HOST = "127.0.0.1"


class LocalServer(ThreadingHTTPServer):
    """A server on the loopback address, with a secret.

    Args:
        port: the port to listen on; 0 takes a free one.
        handler: the class that answers one request.

    Raises:
        InvalidValue: the port is taken or not allowed.
    """

    daemon_threads = True

    def __init__(self, port: int, handler: type[LocalHandler]) -> None:
        require(0 <= port < 1 << 16, "port", "be from 0 to 65535", port)
        self.token = token_urlsafe(32)
        try:
            super().__init__((HOST, port), handler)
        except OSError as error:
            told = f"`port` must be free on this machine, got {port}: {error.strerror}"
            raise InvalidValue(told) from None

    def server_bind(self) -> None:
        """Bind, without looking up a name for the address."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report an error in answering, unless the browser has closed the connection."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    @property
    def address(self) -> str:
        """The address to open in a browser."""
        return f"http://{HOST}:{self.server_port}/?token={self.token}"

    @property
    def hosts(self) -> set[str]:
        """The names by which a browser may call this server."""
        return {f"{name}:{self.server_port}" for name in (HOST, "localhost")}


class LocalHandler(BaseHTTPRequestHandler):
    """One request: checks that it may be answered, and sends the answer."""

    server: LocalServer
    server_version, sys_version = "Glideslope", ""
    timeout = 30
    command_name = "glideslope"

    def do_GET(self) -> None:
        self.get()

    def do_POST(self) -> None:
        self.post()

    def get(self) -> None:
        """Answer a request for something."""
        self.refuse(HTTPStatus.NOT_FOUND, "there is nothing here")

    def post(self) -> None:
        """Answer a request that sends something."""
        self.refuse(HTTPStatus.NOT_FOUND, "there is nothing here")

    @property
    def split_path(self) -> SplitResult:
        """The path and the arguments that are asked for; empty where they cannot be read."""
        try:
            return urlsplit(self.path)
        except ValueError:
            return urlsplit("")

    @property
    def place(self) -> str:
        """The path that is asked for."""
        return self.split_path.path

    def argument(self, name: str) -> str:
        """The value of an argument in the address; empty where there is none."""
        return parse_qs(self.split_path.query).get(name, [""])[0]

    def is_welcome(self, token: str) -> bool:
        """True if the request wants this server and knows the secret; refuses it if not."""
        welcome = self.headers.get("Host") in self.server.hosts
        welcome = welcome and compare_digest(token.encode(), self.server.token.encode())
        if not welcome:
            told = f"open the address that {self.command_name} printed"
            self.refuse(HTTPStatus.FORBIDDEN, told)
        return welcome

    def is_found(self, place: str) -> bool:
        """True if this is the path that is asked for; refuses the request if not."""
        if self.place != place:
            self.refuse(HTTPStatus.NOT_FOUND, "there is nothing here")
        return self.place == place

    def refuse(self, status: HTTPStatus, sentence: str) -> None:
        """Send a sentence instead of an answer."""
        self.reply(status, "text/plain; charset=utf-8", f"{sentence}\n")

    def reply(self, status: HTTPStatus, kind: str, content: str) -> None:
        """Send a whole answer, which no browser may keep or take for something else."""
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
        """Print nothing: the terminal is the user's."""
