"""What carries a Modbus PDU over a serial line, RTU or ASCII: the rest of Modbus does not know which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from protocols.toolkit.framing import Frame, Framer


@dataclass(frozen=True, slots=True)
class Carrier:
    """One transmission mode of Modbus over Serial Line.

    Attributes:
        adu: a unit and a PDU as they go on the wire.
        unit: the unit address in a frame that a framer found.
        body: the PDU of such a frame.
        octets: octets on the wire of an ADU whose PDU has so many.
        per_octet: octets on the wire for each octet of a PDU.
        request_framer: finds the requests that a sensor hears.
        reply_framer: finds the reply to a known request, given as it went on the wire.
    """

    adu: Callable[[int, bytes], bytes]
    unit: Callable[[Frame], int]
    body: Callable[[Frame], bytes]
    octets: Callable[[int], int]
    per_octet: int
    request_framer: Callable[[], Framer]
    reply_framer: Callable[[bytes], Framer]
