"""The service: uvicorn on the socket that systemd hands over, ended when nobody looks for ten minutes.

    systemd listens ─ somebody comes ─▶ this process starts ─ 10 minutes without a request ─▶ it ends

What one browser may take is bounded before any page runs: connections, the time until a request is whole,
requests at a time. So a slow or a greedy one costs the others nothing.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from bridge.commands.web.app import Pages
from bridge.commands.web.guard import Guard
from bridge.commands.web.store import AccessStore
from bridge.config import load_site
from bridge.errors import BridgeError, ConfigError
from bridge.systemd import notify

if TYPE_CHECKING:
    from bridge.config import Site

_log = logging.getLogger(__name__)

CONNECTIONS_MOST: Final = 128
REQUEST_WITHIN_S: Final = 10.0
_TICKS_TO_LOOK: Final = 20  # two seconds
_FIRST_DESCRIPTOR: Final = 3  # sd_listen_fds(3)


class Connection(H11Protocol):
    """A connection that has to bring a whole request within `REQUEST_WITHIN_S`, and is one of few."""

    def connection_made(self, transport: Any) -> None:
        """Take the connection, or refuse it."""
        super().connection_made(transport)
        self._deadline: asyncio.TimerHandle | None = None
        if len(self.connections) > CONNECTIONS_MOST:
            transport.abort()
            return
        self._watch()

    def handle_events(self) -> None:
        """Handle what came; a request that is whole now has no deadline any more."""
        super().handle_events()
        if self.cycle is not None and not self.cycle.response_complete and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def on_response_complete(self) -> None:
        """Wait for the next request of the same connection."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(REQUEST_WITHIN_S, self.transport.abort)


class Server(uvicorn.Server):
    """A server that ends when it was idle for `idle_s`, or when its site was edited.

    It is not idle while a connection is open, as of a request under way or of an open page, or a scan goes
    on. A connection that nobody uses is closed within `REQUEST_WITHIN_S`, so none keeps it alive for long. An
    edit cuts off the streams alone, which browsers open again.

    Args:
        config: of uvicorn.
        pages: those it serves.
        site_path: the site file.
        idle_s: in seconds.
    """

    def __init__(self, config: uvicorn.Config, pages: Pages, site_path: Path, idle_s: float) -> None:
        super().__init__(config)
        self._pages = pages
        self._idle_s = idle_s
        self._last_total = 0
        self._last_at: float | None = None
        self._site_path, self._saved_ns = site_path, site_path.stat().st_mtime_ns

    async def on_tick(self, counter: int) -> bool:
        """Return whether to end; called ten times a second."""
        now = asyncio.get_running_loop().time()
        total, is_scanning = self.server_state.total_requests, self._pages.scanning.is_running
        if self._last_at is None or total != self._last_total or self.server_state.connections or is_scanning:
            self._last_at, self._last_total = now, total
        if now - self._last_at >= self._idle_s:
            _log.info("nobody looked for %g s: ended until somebody does", self._idle_s)
            return True
        is_at_work = is_scanning or len(self.server_state.tasks) > self._pages.streams
        if counter % _TICKS_TO_LOOK == 0 and not is_at_work and self._is_edited():
            _log.info("%s was edited: the next request starts the page anew", self._site_path)
            return True
        return bool(await super().on_tick(counter))

    def _is_edited(self) -> bool:
        """Return whether the site file is another one now; not while it is gone, or has mistakes."""
        try:
            saved_ns = self._site_path.stat().st_mtime_ns
            if saved_ns == self._saved_ns:
                return False
            self._saved_ns = saved_ns
            load_site(self._site_path)
        except (OSError, ConfigError):
            return False
        return True


async def serve(site: Site, *, idle_s: float, listener: socket.socket | None = None) -> None:
    """Serve the pages until nobody looks any more, or SIGTERM.

    Args:
        site: the site.
        idle_s: how long without a request ends it.
        listener: a listening socket; None: that of systemd, else one of this machine alone.

    Raises:
        BridgeError: the page is off, or its port is taken.
        OSError: the certificate cannot be written.
    """
    if site.web.listen == "off":
        raise BridgeError(f'{site.path}: the page is off: write [web] and listen = "local" or "lan"')
    store, is_secure = AccessStore(site.spool.path), site.web.listen == "lan"
    pages = Pages(site, store, is_secure=is_secure)
    guarded = Guard(pages.app(), store, own_names(), is_secure=is_secure)
    certificate, key = await asyncio.to_thread(_certificate, store) if is_secure else (None, None)
    config = uvicorn.Config(
        guarded,
        http=Connection,
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=2,
        limit_concurrency=CONNECTIONS_MOST,
        h11_max_incomplete_event_size=16 * 1024,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    server = Server(config, pages, site.path, idle_s)
    sockets = [listener] if listener else handed_over() or [_own_listener(site)]
    notify("READY=1", f"STATUS=serves {site.web.listen}")
    try:
        await server.serve(sockets=sockets)
    finally:
        notify("STOPPING=1")
        await pages.scanning.stop()


def _certificate(store: AccessStore) -> tuple[Path, Path]:
    from bridge.commands.web.certificate import made  # here: `local` starts sooner without

    return made(store)


def own_names() -> frozenset[str]:
    """Return the names by which this machine may be asked for its page."""
    host = socket.gethostname().lower()
    return frozenset({"localhost", host, f"{host}.local", f"{host.partition('.')[0]}.local"})


def handed_over() -> list[socket.socket]:
    """Return the listening sockets that systemd hands over to this process; none if it hands over none."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = int(os.environ.get("LISTEN_FDS", "0"))
    return [
        socket.socket(fileno=descriptor) for descriptor in range(_FIRST_DESCRIPTOR, _FIRST_DESCRIPTOR + count)
    ]


def _own_listener(site: Site) -> socket.socket:
    host = "127.0.0.1" if site.web.listen == "local" else "0.0.0.0"  # noqa: S104  # "lan" says so
    try:
        return socket.create_server((host, site.web.port))
    except OSError as error:
        raise BridgeError(
            f"port {site.web.port} is taken ({error.strerror}): is serial-bridge-web.socket active already?"
        ) from error
