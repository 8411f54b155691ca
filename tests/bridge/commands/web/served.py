"""The page served in a process of its own, and a client that sends what it likes, octet for octet."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bridge.commands.web.access import csrf_token
from bridge.commands.web.store import AccessStore, now_s
from bridge.config import Site
from tests.support.played_site import play, spool_readings, write_site
from tests.support.ports import free_tcp_port

WITHIN_S = 20.0


@dataclass
class Served:
    """A page that runs."""

    site: Site
    process: subprocess.Popen[bytes]
    port: int

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"

    @property
    def store(self) -> AccessStore:
        return AccessStore(self.site.spool.path)

    def code(self) -> str:
        """A valid code."""
        code = f"{secrets.randbelow(10**8):08}"
        self.store.change(lambda access: access.offer(code, now_s()))
        return code

    def session(self) -> str:
        """Return the cookie of a session, without a browser."""
        cookie, code = secrets.token_urlsafe(32), self.code()
        assert self.store.change(lambda access: access.pair(code, cookie, "test", now_s()))
        return cookie

    def raw(self, request: bytes, *, within_s: float = WITHIN_S) -> bytes:
        """Return what comes back for these octets until the other side closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=within_s) as connection:
            connection.sendall(request)
            parts = []
            while part := connection.recv(65536):
                parts.append(part)
            return b"".join(parts)

    def ask(
        self,
        path: str,
        method: str = "GET",
        *,
        body: str = "",
        cookie: str = "",
        host: str | None = None,
        origin: str | None = None,
        more: str = "",
    ) -> tuple[int, bytes]:
        """Status and whole response of one request; the Origin of a POST is right unless named ("": none)."""
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: {self.host if host is None else host}",
            "Connection: close",
        ]
        if cookie:
            lines.append(f"Cookie: session={cookie}")
        if method == "POST":
            if origin is None:
                origin = f"http://{self.host}"
            lines += [f"Origin: {origin}"] if origin else []
            lines += [f"Content-Length: {len(body)}", "Content-Type: application/x-www-form-urlencoded"]
        if more:
            lines.append(more)
        response = self.raw("\r\n".join([*lines, "", body]).encode())
        return int(response.split(b" ", 2)[1]) if response else 0, response

    def act(self, path: str, cookie: str, **fields: str) -> tuple[int, bytes]:
        """Return an action as a form of the page sends it."""
        body = "&".join(f"{key}={value}" for key, value in {**fields, "token": csrf_token(cookie)}.items())
        return self.ask(path, "POST", body=body, cookie=cookie)

    def is_up(self) -> bool:
        """Return whether it answers already."""
        try:
            return self.ask("/pair")[0] == 200
        except ConnectionError:
            return False

    def lives(self) -> bool:
        """Return whether it still answers."""
        return self.process.poll() is None and self.ask("/pair")[0] == 200


@contextmanager
def served(folder: Path, *, third: str = "boiler") -> Iterator[Served]:
    """Yield the page of a played site, as the service runs it; RUNTIME_DIRECTORY is `folder`/run already."""
    port = free_tcp_port()
    site = write_site(folder, third=third, more=f'[web]\nlisten = "local"\nport = {port}\n')
    spool_readings(site)
    play(site)
    command = [sys.executable, "-m", "bridge", "web", "serve", "--site", str(site.path)]
    with (folder / "web.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ.copy())
    page = Served(site, process, port)
    try:
        deadline = time.monotonic() + WITHIN_S
        while True:
            try:
                page.ask("/pair")
                break
            except ConnectionError:
                assert process.poll() is None, (folder / "web.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield page
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(WITHIN_S) in (0, -signal.SIGTERM)
