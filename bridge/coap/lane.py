"""A lane: the address of one request, and how far that request has come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiocoap.interfaces import EndpointAddress

if TYPE_CHECKING:
    from bridge.coap.interface import Association
    from bridge.coap.path_limit import PathLimit


class Lane(EndpointAddress):  # type: ignore[misc]  # aiocoap is untyped
    """The address that one request is sent to, and how far that request has come.

    Attributes:
        transmissions: how often the request was sent.
        repeats: how often because it was acknowledged and not answered.
        round_trip_s: from its first transmission to its acknowledgement; None until then.
        heard_before: datagrams that the association had heard when this lane was opened.
        path: what is known of the lengths that the way carries.
        length: bytes of the request's message; 0 until it is sent.
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
        self.heard_before = association.heard
        self.transmissions = 0
        self.repeats = 0
        self.round_trip_s: float | None = None
        self.answered = False
        self.closed = False
        self.mid = -1
        self.token = b""
        self.request: Any = None
        self._sent_s = 0.0

    @property
    def blockwise_key(self) -> int:
        """No two lanes share a transfer."""
        return id(self)

    def sending(self, message: Any, length: int) -> None:
        """Record that the request, of so many bytes, is about to leave, for the first time or again."""
        self.transmissions += 1
        if self.transmissions == 1:
            self.length = length
            self.request, self.mid, self.token = message, message.mid, message.token
            self._sent_s = self.association.loop.time()

    @property
    def is_acknowledged(self) -> bool:
        """The server is known to have the request."""
        return self.round_trip_s is not None

    @property
    def acknowledged_s(self) -> float:
        """When it was, on the loop's clock."""
        return self._sent_s + (self.round_trip_s or 0.0)

    def acknowledge(self) -> None:
        """The server has the request."""
        if not self.is_acknowledged:
            self.round_trip_s = self.association.loop.time() - self._sent_s
