"""The service: on systemd's socket, over HTTPS where the network sees it, and gone when nobody looks."""

from __future__ import annotations

import asyncio
import hashlib
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.commands.web.pairing import invitation
from bridge.commands.web.serve import own_names, serve
from bridge.commands.web.store import AccessStore
from bridge.config import Site
from bridge.errors import BridgeError
from tests.support.played_site import play, spool_readings, write_site
from tests.support.ports import free_tcp_port
from tests.support.programs import program

REQUEST = "GET /pair HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
ENDS_WITHIN_S = 10.0


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    site = write_site(tmp_path, more='[web]\nlisten = "local"\n')
    spool_readings(site)
    play(site)
    return site


@asynccontextmanager
async def serving(site: Site, idle_s: float) -> AsyncIterator[tuple[asyncio.Task[None], int]]:
    """Yield the service in this process, on a port of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(serve(site, idle_s=idle_s, listener=listener))
    try:
        yield task, listener.getsockname()[1]
    finally:
        task.cancel()
        await asyncio.wait((task,))
        listener.close()


async def ask(port: int, context: ssl.SSLContext | None = None) -> tuple[bytes, bytes]:
    """Return the response to a request for the page of pairing, and the certificate that came before it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    writer.write(REQUEST.format(host=f"localhost:{port}").encode())
    response = await reader.read()
    tls = writer.get_extra_info("ssl_object")
    writer.close()
    return response, tls.getpeercert(binary_form=True) if tls else b""


async def test_it_ends_when_nobody_looks(site: Site) -> None:
    async with serving(site, idle_s=0.5) as (task, port):
        assert (await ask(port))[0].startswith(b"HTTP/1.1 200")
        async with asyncio.timeout(ENDS_WITHIN_S):
            await task


async def test_it_goes_on_while_somebody_looks(site: Site) -> None:
    async with serving(site, idle_s=1.0) as (task, port):
        ends_at = time.monotonic() + 2.0
        while time.monotonic() < ends_at:
            assert (await ask(port))[0].startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.2)
        assert not task.done()


async def test_an_edit_ends_it_and_one_with_mistakes_does_not(site: Site) -> None:
    text = site.path.read_text()
    async with serving(site, idle_s=60.0) as (task, port):
        await ask(port)
        site.path.write_text(text + "\nmistake = ")
        done, _ = await asyncio.wait((task,), timeout=3.0)
        assert not done
        site.path.write_text(text + "\n# better\n")
        async with asyncio.timeout(ENDS_WITHIN_S):
            await task


async def test_on_the_network_it_speaks_https_alone_with_the_certificate_that_pairing_shows(
    site: Site,
) -> None:
    site = replace(site, web=replace(site.web, listen="lan"))
    shown = re.findall(r"(?m)^[0-9A-F:]{95}$", invitation(site, AccessStore(site.spool.path)))
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    async with serving(site, idle_s=60.0) as (_task, port):
        response, certificate = await ask(port, context)
        assert response.startswith(b"HTTP/1.1 200")
        assert hashlib.sha256(certificate).hexdigest().upper() == shown[0].replace(":", "")
        plain = b""
        with suppress(ConnectionError):
            plain, _ = await ask(port)
        assert b"HTTP/1.1 200" not in plain
    assert AccessStore(site.spool.path).path(".key").stat().st_mode & 0o777 == 0o600


async def test_a_page_that_is_off_is_not_served(site: Site) -> None:
    off = replace(site, web=replace(site.web, listen="off"))
    with pytest.raises(BridgeError, match="the page is off"):
        await serve(off, idle_s=60.0)
    with pytest.raises(BridgeError, match="the page is off"):
        invitation(off, AccessStore(site.spool.path))


def test_pairing_shows_address_code_and_a_qr_code(site: Site) -> None:
    text = invitation(site, AccessStore(site.spool.path))
    assert "http://localhost:8470/pair" in text
    assert re.search(r"code \d{4} \d{4}, for one browser, 10 minutes", text)
    assert "▀" in text


def test_this_machine_is_asked_for_by_its_own_names() -> None:
    assert {"localhost", socket.gethostname().lower()} <= own_names()


def test_it_is_started_on_the_socket_that_is_handed_over(site: Site, tmp_path: Path) -> None:
    port = free_tcp_port()
    command = [program("systemd-socket-activate"), "-l", f"127.0.0.1:{port}", sys.executable, "-m", "bridge"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "web", "serve", "--site", str(site.path)], stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=15) as connection:
                    assert b"bridge" not in Path(f"/proc/{process.pid}/comm").read_bytes()
                    connection.sendall(REQUEST.format(host=f"localhost:{port}").encode())
                    assert connection.recv(100).startswith(b"HTTP/1.1 200")
                break
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
    finally:
        process.terminate()
        process.wait(10)
