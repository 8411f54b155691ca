"""The service in a process of its own, on a socket that outlives it: what it loads, and when it ends."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bridge.commands.web.activation import Activation
from tests.bridge.commands.web.served import Served
from tests.support.played_site import play, spool_readings, write_site

IDLE_S = 1.0
WITHIN_S = 30.0
STREAM = "GET /events HTTP/1.1\r\nHost: {host}\r\nCookie: session={cookie}\r\n\r\n"
NOT_FOR_A_PAGE = (
    "typer", "rich", "pydantic", "tomlkit", "bridge.reader", "bridge.uplink", "bridge.coap",
    "bridge.port.port",
    "bridge.commands.scan", "bridge.commands.doctor", "bridge.commands.report", "bridge.commands.try_",
    "cryptography", "segno", "serial",
)  # fmt: skip


@pytest.fixture
def socket_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Activation]:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    listener = socket.create_server(("127.0.0.1", 0))
    site = write_site(tmp_path, more=f'[web]\nlisten = "local"\nport = {listener.getsockname()[1]}\n')
    spool_readings(site)
    play(site)
    activation = Activation(site, listener, IDLE_S, tmp_path / "log")
    yield activation
    activation.end()


def ended(page: Served) -> int:
    """Wait for the end of a page; return its exit status."""
    return page.process.wait(WITHIN_S)


def said_by(stream: socket.socket) -> bytes:
    """Return what a stream has said since; it must not be cut off."""
    octets = stream.recv(65536)
    assert octets, "the stream was cut off"
    return octets


def test_it_ends_when_idle_and_whoever_comes_afterwards_is_answered_by_the_next(
    socket_unit: Activation,
) -> None:
    page = socket_unit.start()
    assert page.ask("/pair")[0] == 200
    answered_at = time.monotonic()
    assert ended(page) == 0
    assert time.monotonic() - answered_at >= IDLE_S - 0.2
    assert "nobody looked" in socket_unit.log.read_text()
    with socket.create_connection(("127.0.0.1", page.port), timeout=WITHIN_S) as early:
        early.sendall(f"GET /pair HTTP/1.1\r\nHost: {page.host}\r\nConnection: close\r\n\r\n".encode())
        socket_unit.start()
        assert early.recv(100).startswith(b"HTTP/1.1 200")


def test_whoever_is_connected_as_the_idle_time_ends_can_still_ask(socket_unit: Activation) -> None:
    page = socket_unit.start()
    assert page.ask("/pair")[0] == 200
    with socket.create_connection(("127.0.0.1", page.port), timeout=WITHIN_S) as connection:
        with pytest.raises(subprocess.TimeoutExpired):
            page.process.wait(3 * IDLE_S)
        connection.sendall(f"GET /pair HTTP/1.1\r\nHost: {page.host}\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    assert ended(page) == 0


def test_an_open_page_keeps_it_alive_and_is_told_of_what_changes_after_the_idle_time(
    socket_unit: Activation,
) -> None:
    page = socket_unit.start()
    with socket.create_connection(("127.0.0.1", page.port), timeout=WITHIN_S) as stream:
        stream.sendall(STREAM.format(host=page.host, cookie=page.session()).encode())
        received, until = b"", time.monotonic() + 3 * IDLE_S
        while time.monotonic() < until:
            received += said_by(stream)
        play(page.site, value=77.25)
        while b"77.25" not in received:
            received += said_by(stream)
        assert page.process.poll() is None
    assert ended(page) == 0


def test_the_first_page_loads_nothing_that_only_other_pages_or_a_terminal_need(
    socket_unit: Activation,
) -> None:
    socket_unit.idle_s = None
    page = socket_unit.start("-X", "importtime")
    assert page.ask("/", cookie=page.session())[0] == 200
    assert page.ask("/sensor?name=boiler", cookie=page.session())[0] == 200
    page.process.terminate()
    page.process.wait(WITHIN_S)
    lines = socket_unit.log.read_text().splitlines()
    loaded = {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}
    assert "bridge.commands.web.views" in loaded
    assert {
        name for name in loaded if f"{name}.".startswith(tuple(f"{no}." for no in NOT_FOR_A_PAGE))
    } == set()
