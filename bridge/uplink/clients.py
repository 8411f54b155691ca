"""The clients of a site's server: one that all tokens share, and one for each certificate.

ThingsBoard knows a device by its certificate for a whole connection, so each such sensor has its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Protocol

from bridge.coap import Client, Stats
from bridge.coap.path_limit import PathLimit
from bridge.config import Certificate, ThingsBoard
from bridge.errors import PathTooNarrow
from bridge.response_code import ResponseCode


class Answer(Protocol):
    """The part of `bridge.coap.Response` that the uplink uses."""

    @property
    def code(self) -> ResponseCode:
        """Return the response code."""


class UplinkClient(Protocol):
    """The part of `bridge.coap.Client` that the uplink uses; its docstrings are the contract."""

    @property
    def lanes(self) -> int:
        """Return the number of requests in flight at once."""

    @property
    def stats(self) -> Stats:
        """Return the client's counters."""

    async def post(self, path: Sequence[str], payload: bytes, *, at_once: bool = False) -> Answer:
        """Post JSON and return the server's answer."""

    async def ping(self) -> bool:
        """Return whether the server gives a sign of life."""

    @property
    def deadline_s(self) -> float:
        """Return the longest time that `post` takes, in seconds."""

    async def refresh(self) -> None:
        """Resolve the server's name again and move if the server is elsewhere now."""

    def budget(self, path: Sequence[str]) -> int:
        """Return the bytes of payload that the way to the server is known to carry."""

    def record_ignored(self, path: Sequence[str], payload_length: int) -> PathTooNarrow | None:
        """Record a payload that was not answered; return an error if its length may be the reason."""

    def longest(self, path: Sequence[str]) -> int:
        """Return the bytes of payload that one datagram holds."""

    def reset(self) -> None:
        """Drop the connection; the next request opens another."""


def connect(
    server: ThingsBoard, certificates: Iterable[Certificate] = (), *, lanes: int | None = None
) -> tuple[Client, dict[Certificate, Client]]:
    """Make the clients; none connects before its first request.

    Args:
        server: the server's address and trust anchors.
        certificates: of the sensors that have one; ignored over coap://, which shows no certificate.
        lanes: requests in flight at once; None for the number that the site gives.

    Returns:
        The client for tokens, and the client of each certificate. The caller closes them.
    """
    client = partial(Client, server.host, server.port, lanes=lanes or server.lanes)
    if server.scheme == "coap":
        return client(), {}
    from bridge.coap.dtls import DTLS  # here, because plain coap needs none of it in memory
    from bridge.coap.trust import Trust

    trust = Trust(server.host, ca=server.ca, server_name=server.server_name)
    client = partial(client, path_limit=PathLimit(DTLS.message_limit))  # one network path for all
    own_clients = {
        device: client(transport=DTLS(trust, device.certificate, device.key)) for device in certificates
    }
    return client(transport=DTLS(trust)), own_clients
