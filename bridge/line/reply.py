"""The reply to a request, in time or late."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.clock import Instant
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import Request


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply to a request.

    Attributes:
        frame: as it was on the wire.
        taken: arrival of its first octet.
        turn_around_s: from the end of the request on the wire to that octet.
        stamp_error_s: how wrong `taken` may be, in seconds; 0 if by no more than usual.
    """

    frame: Frame
    taken: Instant
    turn_around_s: float
    stamp_error_s: float = 0.0


@dataclass(frozen=True, slots=True)
class LateReply:
    """A reply that came after its time-out, and can be the answer to one request only.

    Attributes:
        address: of the station that answers.
        request: what it answers.
        reply: what came.
    """

    address: str
    request: Request
    reply: Reply
