"""The ways to a site's server: one that all tokens share, and one for each certificate.

ThingsBoard knows a device by its certificate for a whole connection, so each such sensor has its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Protocol

from bridge.coap import Client
from bridge.coap.path_limit import PathLimit
from bridge.config import Certificate, ThingsBoard
from bridge.errors import PathTooNarrow


class Answer(Protocol):
    """A response; its code as RFC 7252 writes it: "2.01"."""

    @property
    def code(self) -> str: ...


class UplinkClient(Protocol):
    """What the uplink asks of `bridge.coap.Client`, or of what stands in for it."""

    @property
    def lanes(self) -> int: ...

    @property
    def stats(self) -> Any: ...

    async def post(self, path: Sequence[str], payload: bytes, *, at_once: bool = False) -> Answer: ...

    async def ping(self) -> bool: ...

    @property
    def deadline_s(self) -> float: ...

    async def refresh(self) -> None: ...

    def budget(self, path: Sequence[str]) -> int: ...

    def record_ignored(self, path: Sequence[str], payload_length: int) -> PathTooNarrow | None: ...

    def longest(self, path: Sequence[str]) -> int: ...

    def reset(self) -> None: ...


def connect(
    server: ThingsBoard, certificates: Iterable[Certificate] = (), *, lanes: int | None = None
) -> tuple[Client, dict[Certificate, Client]]:
    """Makes the clients; none connects before its first request.

    Args:
        certificates: of the sensors that have one; over coap:// there is nothing to show them on.
        lanes: requests in flight at once; the site's unless told.

    Returns:
        The client for tokens, and that of each certificate. They are the caller's to close.
    """
    client = partial(Client, server.host, server.port, lanes=lanes or server.lanes)
    if server.scheme == "coap":
        return client(), {}
    from bridge.coap.dtls import DTLS  # here, because plain coap needs none of it in memory
    from bridge.coap.trust import Trust

    trust = Trust(server.host, ca=server.ca, server_name=server.server_name)
    client = partial(client, path_limit=PathLimit(DTLS.message_limit))  # all go the same way
    own = {each: client(transport=DTLS(trust, each.certificate, each.key)) for each in certificates}
    return client(transport=DTLS(trust)), own
