"""How the sensors of a simulated line hear and speak: what the line must know of their protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from protocols.framing import Frame, Framer
from protocols.modbus import pdu
from protocols.modbus.carrier import Carrier
from protocols.modbus.serial_line import BROADCAST, RTU

Address = int | str
"""As the protocol writes it: a Modbus unit is a number, a meter's is a text of digits."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One protocol, from the sensors' side.

    Attributes:
        framer: finds the requests that a sensor hears.
        address: the one in a request or reply.
        concerns: whether a request is for the sensor with this address, alone or with others.
        message: a frame without what carries it, for the log of what was served.
        refused: the reply that refuses a request with a code.
        misaddressed: a reply as if another sensor had sent it.
        damaged: a reply with a wrong checksum.
    """

    framer: Callable[[], Framer]
    address: Callable[[Frame], Address]
    concerns: Callable[[Frame, Address], bool]
    message: Callable[[Frame], bytes]
    refused: Callable[[Frame, int], bytes]
    misaddressed: Callable[[Frame], bytes]
    damaged: Callable[[bytes], bytes]


def modbus(carrier: Carrier, damaged: Callable[[bytes], bytes]) -> Dialect:
    """Modbus, carried so; `damaged` spoils the check of a reply."""

    def refused(request: Frame, code: int) -> bytes:
        function = carrier.body(request)[0] | pdu.REFUSED
        return carrier.adu(carrier.unit(request), pdu.EXCEPTION.build(function=function, exception=code))

    return Dialect(
        framer=carrier.request_framer,
        address=carrier.unit,
        concerns=lambda request, address: carrier.unit(request) in (address, BROADCAST),
        message=carrier.body,
        refused=refused,
        misaddressed=lambda reply: carrier.adu(carrier.unit(reply) % 247 + 1, carrier.body(reply)),
        damaged=damaged,
    )


MODBUS_RTU = modbus(RTU, lambda reply: reply[:-1] + bytes((reply[-1] ^ 0xFF,)))
