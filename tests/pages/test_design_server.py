"""The server of the design page, and the command `glideslope design`."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
from collections.abc import Callable
from typing import Any

import pytest

from glideslope.pages.design import DesignServer
from glideslope.pages.design._server import LARGEST

from ..interrupting import STARTS
from .designing import end_program, start_program

Call = Callable[..., "tuple[int, str, str]"]


def request(
    server: DesignServer, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, str]:
    """Status and text of what a server says; headers are named with low lines."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, named)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text


def test_who_has_the_address_is_served(server: DesignServer) -> None:
    address = server.address.removeprefix(f"http://127.0.0.1:{server.server_port}")
    status, text = request(server, "GET", address)
    assert status == 200
    assert "<title>A schedule" in text
    body = json.dumps({"text": "cosine(4)"})
    status, text = request(server, "POST", "/answer", body, X_Token=server.token)
    assert (status, json.loads(text)["text"]) == (200, "cosine(4)")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "", "[::1]"])
def test_another_host_is_refused_even_with_the_token(server: DesignServer, host: str) -> None:
    named = host.format(port=server.server_port)
    path = f"/?token={server.token}"
    assert request(server, "GET", path, Host=named)[0] == 403
    assert request(server, "POST", "/answer", "{}", Host=named, X_Token=server.token)[0] == 403


@pytest.mark.parametrize("token", ["", "wrong", "ü"])
def test_without_the_token_nothing_is_served(server: DesignServer, token: str) -> None:
    refusal = (403, "open the address that glideslope design printed\n")
    assert (
        request(server, "GET", f"/?token={token.encode('ascii', 'xmlcharrefreplace')!r}") == refusal
    )
    assert request(server, "GET", "/") == refusal
    assert request(server, "POST", "/answer", "{}", X_Token=token.encode("latin-1")) == refusal


@pytest.mark.parametrize("path", ["/etc/passwd", "/../_page.css", "/answer"])
def test_there_is_nothing_else(server: DesignServer, path: str) -> None:
    assert request(server, "GET", f"{path}?token={server.token}")[0] == 404


@pytest.mark.parametrize("body", ["", "[]", "{", "[" * 50_000, "x" * (LARGEST + 1)])
def test_a_question_is_a_small_object(server: DesignServer, body: str) -> None:
    status, text = request(server, "POST", "/answer", body, X_Token=server.token)
    assert (status, text) == (400, "the question must be a small object in JSON\n")


def test_it_listens_to_this_machine_alone(server: DesignServer) -> None:
    assert server.server_address[0] == "127.0.0.1"


# -- the command ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("warmpu(3)",), "unknown name `warmpu`, did you mean `warmup`?\n  warmpu(3)\n  ^"),
        (("linear(5ep)",), "the length '5ep' needs the updates in an epoch"),
        (("--port", "65536"), "`port` must be from 0 to 65535, got 65536"),
        (("--steps", "0"), "`the updates in the run` must be a whole number of at least 1, got 0"),
    ],
)
def test_a_mistake_is_said_before_anything_is_served(
    glideslope: Call, words: tuple[str, ...], sentence: str
) -> None:
    assert glideslope("design", "--no-open", *words) == (2, "", f"error: {sentence}\n")


def test_a_port_in_use_is_said(glideslope: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = glideslope("design", "--no-open", "--port", port)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: `port` must be free on this machine, got {port}: ")


@pytest.mark.parametrize("start", STARTS)
def test_ctrl_c_ends_it(start: str) -> None:
    process, address = start_program(start)
    assert end_program(process) == (0, "\n", "")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{43}", address)


def test_sigterm_ends_it() -> None:
    process, _address = start_program("SIGINT ignored")
    assert end_program(process, signal.SIGTERM) == (-signal.SIGTERM, "", "")
