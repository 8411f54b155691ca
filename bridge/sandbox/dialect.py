"""How the sensors of a simulated line hear and speak: what the line must know of their protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from protocols.dlt645 import frame as dlt645
from protocols.framing import Frame, Framer
from protocols.modbus import pdu
from protocols.modbus.ascii import ASCII
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


def _other_digit(reply: bytes) -> bytes:
    """A reply in ASCII with another last digit of its LRC."""
    return reply[:-3] + (b"1" if reply[-3:-2] == b"0" else b"0") + reply[-2:]


MODBUS_RTU = modbus(RTU, lambda reply: reply[:-1] + bytes((reply[-1] ^ 0xFF,)))
MODBUS_ASCII = modbus(ASCII, _other_digit)


def _covers(request: Frame, address: Address) -> bool:
    return dlt645.covers(dlt645.parse(request).address, str(address))


def _refused(request: Frame, code: int) -> bytes:
    asked = dlt645.parse(request)
    control = asked.function | dlt645.REPLY | dlt645.REFUSED
    return dlt645.build(dlt645.Message(asked.address, control, bytes((code,))))


def _misaddressed(reply: Frame) -> bytes:
    told = dlt645.parse(reply)
    other = (int(told.address) + 1) % 10 ** len(told.address)
    return dlt645.build(replace(told, address=f"{other:012}"), dlt645.preamble(reply))


DLT645 = Dialect(
    framer=dlt645.StreamFramer,
    address=lambda frame: dlt645.parse(frame).address,
    concerns=_covers,
    message=lambda frame: frame.data[dlt645.preamble(frame) :],
    refused=_refused,
    misaddressed=_misaddressed,
    damaged=lambda reply: reply[:-2] + bytes((reply[-2] ^ 0xFF,)) + reply[-1:],
)
