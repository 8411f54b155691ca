"""The interface of a transmission mode, RTU or ASCII: the rest of Modbus does not know which it uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from protocols.toolkit.framing import Frame, Framer


@dataclass(frozen=True, slots=True)
class Carrier:
    """One transmission mode of Modbus over Serial Line.

    Attributes:
        adu: returns the ADU on the wire for a unit address and a PDU.
        unit: returns the unit address in a good frame.
        body: returns the PDU in a good frame.
        octets: returns the length of an ADU on the wire, in octets, from that of its PDU.
        per_octet: octets on the wire for each octet of a PDU.
        request_framer: makes a framer of requests, for a simulated sensor.
        reply_framer: makes a framer of the reply to a request; the argument is the request on the wire.
        answered_by: returns the test whether a good frame answers a request; the argument is the same.
    """

    adu: Callable[[int, bytes], bytes]
    unit: Callable[[Frame], int]
    body: Callable[[Frame], bytes]
    octets: Callable[[int], int]
    per_octet: int
    request_framer: Callable[[], Framer]
    reply_framer: Callable[[bytes], Framer]
    answered_by: Callable[[bytes], Callable[[Frame], bool]]
