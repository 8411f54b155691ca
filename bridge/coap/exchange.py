"""An exchange: the address of one request, and how far that request has come."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from aiocoap.interfaces import EndpointAddress

from bridge.coap.path_limit import PathLimit


class Association(Protocol):
    """What an exchange needs of the association that carries it.

    Attributes:
        loop: the loop whose clock times the exchange.
        datagrams_received: how many datagrams came in so far.
    """

    loop: asyncio.AbstractEventLoop
    datagrams_received: int

    def send(self, exchange: Exchange, message: Any) -> None:
        """Send the request of an exchange, or an acknowledgement of its answer."""


class Exchange(EndpointAddress):  # type: ignore[misc]  # aiocoap is untyped
    """The address that one request is sent to, and how far that request has come.

    Attributes:
        transmissions: how often the request was sent.
        repeats: how often it was sent again because it was acknowledged and not answered.
        round_trip_s: from its first transmission to its acknowledgement; None until then.
        datagrams_before: datagrams that the association had received when this exchange was opened.
        path: the longest message that the network path carries, as far as known.
        length: bytes of the request's message; 0 until it is sent.
        is_answered: the server's response, or its RST, has arrived.
        is_closed: the request is over; nothing is sent for it any more.
    """

    scheme = "coap"
    is_multicast = False
    is_multicast_locally = False
    hostinfo = hostinfo_local = ""
    uri_base = uri_base_local = ""

    def __init__(self, association: Association, path: PathLimit) -> None:
        self.association = association
        self.path = path
        self.length = 0
        self.datagrams_before = association.datagrams_received
        self.transmissions = 0
        self.repeats = 0
        self.round_trip_s: float | None = None
        self.is_answered = False
        self.is_closed = False
        self.mid = -1
        self.token = b""
        self.request: Any = None
        self._sent_s = 0.0

    @property
    def blockwise_key(self) -> int:
        """Return a key that no other exchange has: no two share a transfer."""
        return id(self)

    def record_transmission(self, message: Any, length: int) -> None:
        """Record that the request is about to leave, for the first time or again.

        Args:
            message: aiocoap's message.
            length: bytes of the encoded message.
        """
        self.transmissions += 1
        if self.transmissions == 1:
            self.length = length
            self.request, self.mid, self.token = message, message.mid, message.token
            self._sent_s = self.association.loop.time()

    @property
    def is_acknowledged(self) -> bool:
        """Return whether the server is known to have the request."""
        return self.round_trip_s is not None

    @property
    def acknowledged_s(self) -> float:
        """Return when the server acknowledged the request, in seconds of the loop's clock."""
        return self._sent_s + (self.round_trip_s or 0.0)

    def acknowledge(self) -> None:
        """Record that the server has the request."""
        if not self.is_acknowledged:
            self.round_trip_s = self.association.loop.time() - self._sent_s
