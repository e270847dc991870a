"""The server of the design page, and the command `glideslope design`."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import struct
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


POST = "POST /answer HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Token: {token}\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("GET http://[ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n", 403),
        ("GET /?token=%FF&token HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n", 403),
        ("HEAD / HTTP/1.1\r\n\r\n", 501),
        ("\x00\x01\r\n\r\n", 400),
        ("GET " + "/" * 70_000, 414),
        (POST + "\r\n", 400),
        (POST + "Content-Length: -1\r\n\r\n", 400),
        (POST + "Content-Length: ²\r\n\r\n", 400),
        (POST + "Content-Length: 9999999999\r\n\r\n", 400),
        (POST + "Content-Length: 50\r\n\r\n{{", None),
        (POST + "Content-Length: 15\r\n\r\n" + '{{"text": "1"}}\r\n', 200),
        (POST + "Content-Length: 15\r\n\r\n" + '{{"text": 1e999}}', 200),
        ("", None),
    ],
)
def test_no_request_ends_in_a_traceback(
    server: DesignServer, capfd: pytest.CaptureFixture[str], sent: str, status: int | None
) -> None:
    """A request whose sender does not wait for the answer has the status None."""
    request = sent.format(port=server.server_port, token=server.token)
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as client:
        client.sendall(request.encode("latin-1"))
        if status is not None:
            assert f" {status}" in client.recv(1 << 16).decode()
    assert capfd.readouterr().err == ""


def test_a_sender_that_goes_away_is_no_error(
    server: DesignServer, capfd: pytest.CaptureFixture[str]
) -> None:
    page = f"GET /?token={server.token} HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\n\r\n"
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", server.server_port)) as client:
            client.sendall(page.encode())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert "<title>A schedule" in request(server, "GET", f"/?token={server.token}")[1]
    assert capfd.readouterr().err == ""


# -- the command ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("warmpu(3)",), "unknown name `warmpu`, did you mean `warmup`?\n  warmpu(3)\n  ^"),
        (("linear(5ep)",), "the length '5ep' needs the updates in an epoch"),
        (
            ("--compare", "cosin(3)"),
            "unknown name `cosin`, did you mean `cosine`?\n  cosin(3)\n  ^",
        ),
        (("--lr", "0"), "`the base rate` must be more than 0 and finite, got 0.0"),
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
