"""A simulated meter: the other side of the line, for tests and for practice.

It builds its replies with the declarations that the parser parses with. A value that is longer than a frame
comes in parts: the reply says that more follow, and the next part is requested by number.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from protocols.dlt645 import frame as frames
from protocols.dlt645.description import NO_SUCH_DATA
from protocols.dlt645.edition import DLT645_2007, Edition
from protocols.dlt645.frame import Message
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import Value
from protocols.toolkit.simulation import Address, Dialect

_MOST = frames.MAX_DATA - 5  # beside an identifier of 2007 and the number of a part


@dataclass(slots=True)
class SimulatedMeter:
    """A meter with data to read.

    Attributes:
        address: its twelve digits.
        data: identifier (hexadecimal digits) → the octets of its value, lowest first.
        preamble: the number of FE that it sends before a reply.
        most: the most octets of a value in one reply.
        edition: the edition of the standard.
    """

    address: str
    data: dict[str, bytes] = field(default_factory=dict)
    preamble: int = frames.PREAMBLE
    most: int = _MOST
    edition: Edition = DLT645_2007
    _part: int = 0  # of the value that was sent last, where parts have no number

    def put(self, name: str, value: Value) -> None:
        """Set a value, by its name in the tables.

        Raises:
            ValueError: the value does not fit its format.
        """
        item = self.edition.items[name]
        self.data[item.di] = item.encode(value)

    def answer(self, request: Frame) -> bytes | None:
        """Return the whole reply; None if the request is for another meter, for all, or not understood."""
        message = frames.parse(request)
        if not frames.covers(message.address, self.address):
            return None
        octets = self.edition.octets
        if message.function == frames.READ_ADDRESS and self.edition is DLT645_2007:
            return self._reply(message, bytes.fromhex(self.address)[::-1])
        if message.function == self.edition.read and len(message.data) >= octets:
            return self._send(message, 0)
        if message.function == self.edition.read_following:
            if not self.edition.has_part_numbers and len(message.data) == octets:
                return self._send(message, self._part + 1)
            if len(message.data) == octets + 1:
                return self._send(message, message.data[octets])
        return None

    def _send(self, message: Message, part: int) -> bytes:
        self._part = part
        identifier = message.data[: self.edition.octets]
        octets = self.data.get(identifier[::-1].hex().upper())
        if octets is None or part * self.most >= len(octets):
            return self._reply(message, bytes((NO_SUCH_DATA,)), frames.REFUSED)
        behind = (part + 1) * self.most
        data = identifier + octets[part * self.most : behind]
        if part and self.edition.has_part_numbers:
            data += bytes((part,))
        return self._reply(message, data, frames.MORE_FOLLOW if behind < len(octets) else 0)

    def _reply(self, message: Message, data: bytes, flags: int = 0) -> bytes:
        control = message.function | frames.REPLY | flags
        return frames.build(Message(self.address, control, data), self.preamble)


def _covers(request: Frame, address: Address) -> bool:
    return frames.covers(frames.parse(request).address, str(address))


def _refused(request: Frame, code: int) -> bytes:
    message = frames.parse(request)
    control = message.function | frames.REPLY | frames.REFUSED
    return frames.build(frames.Message(message.address, control, bytes((code,))))


def _misaddressed(reply: Frame) -> bytes:
    message = frames.parse(reply)
    other_address = (int(message.address) + 1) % 10 ** len(message.address)
    return frames.build(replace(message, address=f"{other_address:012}"), frames.preamble(reply))


DIALECT = Dialect(
    framer=frames.StreamFramer,
    address=lambda frame: frames.parse(frame).address,
    concerns=_covers,
    message=lambda frame: frame.data[frames.preamble(frame) :],
    refused=_refused,
    misaddressed=_misaddressed,
    damaged=lambda reply: reply[:-2] + bytes((reply[-2] ^ 0xFF,)) + reply[-1:],
)
