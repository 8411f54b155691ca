"""The start of the service of the page, from `python -m bridge` without the command line, or from that.

Somebody waits for the first page while it starts: so nothing is imported that only a terminal needs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from bridge.exits import foreseen_errors

if TYPE_CHECKING:
    from bridge.services import Order

IDLE_S: Final = 600.0


def start(order: Order) -> None:
    """Serve the page as systemd orders, and exit."""
    with foreseen_errors():
        serve_pages(order.site, order.verbose)


def serve_pages(site: Path, verbose: int, idle_s: float = IDLE_S) -> None:
    """Serve the page of a site until nobody looks for `idle_s`, or until stopped.

    Raises:
        BridgeError: the page is off, its port is taken, or its packages are not installed.
        ConfigError: the site file has mistakes.
    """
    from bridge import event_loop
    from bridge.config import load_site
    from bridge.errors import BridgeError
    from bridge.logs import log_to_stderr

    try:
        from bridge.commands.web.serve import serve
    except ModuleNotFoundError as error:
        raise BridgeError(
            f'the page needs {error.name}: install it with pip install "serial-bridge[web]"'
        ) from error
    log_to_stderr(verbose)
    event_loop.run(serve(load_site(site), idle_s=idle_s))
