"""What `web pair` says: the address, the code, a QR code of both, and the fingerprint of the certificate."""

from __future__ import annotations

import io
import secrets
import socket
from typing import TYPE_CHECKING

from bridge.commands.web.access import CODE_DIGITS, CODE_S
from bridge.commands.web.store import AccessStore, now_s
from bridge.errors import BridgeError

if TYPE_CHECKING:
    from bridge.config import Site


def invitation(site: Site, store: AccessStore) -> str:
    """Offer a code, and return what the person is told.

    Raises:
        BridgeError: the page is off.
    """
    if site.web.listen == "off":
        raise BridgeError(
            f'{site.path}: the page is off: write [web] and listen = "local" or "lan", then install'
        )
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
    store.change(lambda access: access.offer(code, now_s()))
    is_lan = site.web.listen == "lan"
    address = f"https://{_address()}:{site.web.port}" if is_lan else f"http://localhost:{site.web.port}"
    lines = [f"{address}/pair", f"code {code[:4]} {code[4:]}, for one browser, {CODE_S / 60:.0f} minutes"]
    if is_lan:
        from bridge.commands.web.certificate import fingerprint, made

        lines += [
            "the browser warns of a certificate that nobody vouches for; its SHA-256 fingerprint must be",
            fingerprint(made(store)[0]),
        ]
    else:
        lines.append(f"from another machine: ssh -L {site.web.port}:localhost:{site.web.port} THIS-GATEWAY")
    locked_s = store.read().locked_s(now_s())
    if locked_s:
        lines.append(f"pairing is locked after wrong codes: wait {locked_s:.0f} s")
    return "\n".join([*lines, _qr(f"{address}/pair#{code}")])


def _address() -> str:
    """Return the address by which other machines most likely reach this one; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1: only the routing table is asked
        except OSError:
            return socket.gethostname()
        return str(probe.getsockname()[0])


def _qr(text: str) -> str:
    """Return a QR code for a terminal; nothing if the package is not installed."""
    try:
        import segno
    except ModuleNotFoundError:
        return ""
    picture = io.StringIO()
    segno.make(text, error="l").terminal(picture, compact=True)
    return picture.getvalue()
