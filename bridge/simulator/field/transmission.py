"""Octets on a simulated wire, each with its time, and the record of an undamaged reply.

Octets that were on the wire during another transmission are garbled; such a frame is never good by chance.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from protocols.modbus import pdu
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.simulation import Address


class Served(NamedTuple):
    """One undamaged reply.

    Attributes:
        unit: the address it came from.
        at: when its first octets were handed over, in seconds of the wire's clock.
        request: the message it answers, without its carrier (Modbus: the PDU).
        reply: the message of the reply, likewise.
        delay_s: how much later than due the octets were handed over, because the clock was moved late.
    """

    unit: Address
    at: float
    request: bytes
    reply: bytes
    delay_s: float = 0.0

    @property
    def registers(self) -> dict[int, int]:
        """Return the Modbus registers in the reply, by PDU address; empty if it carries none."""
        if self.reply[0] not in (pdu.READ_HOLDING_REGISTERS, pdu.READ_INPUT_REGISTERS):
            return {}
        start = pdu.REQUESTS[self.request[0]].parse(self.request)["start"]
        data = pdu.REPLIES[self.reply[0]].parse(self.reply)["data"]
        return {start + at // 2: int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)}


class Transmission:
    """Octets on the wire: the host's, a device's, or noise.

    Attributes:
        data: as they arrive; those that overlapped with others are garbled.
        ends: when each octet is through.
        line: the settings that they are sent with.
        collides: False behind a converter, which has a line of its own to the host.
        served: the record of a whole reply, which counts if nothing garbles it.
    """

    __slots__ = ("_octet_s", "_sent", "collides", "data", "ends", "line", "served")

    def __init__(
        self,
        data: bytes,
        ends: list[float],
        octet_s: float,
        line: LineSettings,
        *,
        collides: bool,
        served: Served | None,
    ) -> None:
        self.data = bytearray(data)
        self.ends = ends
        self.line = line
        self.collides = collides
        self.served = served
        self._sent = data
        self._octet_s = octet_s

    @property
    def begins_at(self) -> float:
        """Return when the first octet begins, in seconds of the wire's clock."""
        return self.ends[0] - self._octet_s

    @property
    def ends_at(self) -> float:
        """Return when the last octet ends, in seconds of the wire's clock."""
        return self.ends[-1]

    @property
    def is_garbled(self) -> bool:
        """Return whether any octet was changed on the wire."""
        return self.data != self._sent

    def garble(self, begin: float, end: float, chance: random.Random) -> None:
        """Change the octets that are on the wire between two times, in seconds of the wire's clock."""
        for place, octet_end in enumerate(self.ends):
            if octet_end - self._octet_s < end and begin < octet_end:
                self.data[place] ^= chance.randint(1, 255)

    def seal(self) -> None:
        """Leave a garbled frame without a chance of being good.

        The last octet changes, and the number of wrong bits is odd: CRC-16, whose polynomial has
        the factor x + 1, notices any odd number; the other protocols end in a fixed octet.
        """
        before = zip(self.data[:-1], self._sent[:-1], strict=True)
        flipped = sum((arriving ^ original).bit_count() for arriving, original in before)
        self.data[-1] = self._sent[-1] ^ (0x60 if flipped % 2 else 0x40)
