"""A meter that answers: the other side of the line, for tests and for practice.

It builds its replies with the declarations that the parser parses with. A value that is longer than a frame
comes in parts: the reply says that more follow, and the next part is asked for by number.
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
        preamble: how many FE it sends before a reply.
        most: octets of a value in one reply.
        edition: of the standard.
    """

    address: str
    data: dict[str, bytes] = field(default_factory=dict)
    preamble: int = frames.PREAMBLE
    most: int = _MOST
    edition: Edition = DLT645_2007
    _part: int = 0  # of the value that was told last, where parts have no number

    def put(self, name: str, value: Value) -> None:
        """Has it tell this value, by the name in the tables; ValueError if it does not fit."""
        item = self.edition.items[name]
        self.data[item.di] = item.encode(value)

    def answer(self, request: Frame) -> bytes | None:
        """The whole reply; None if the request is for another meter, for all, or not understood."""
        asked = frames.parse(request)
        if not frames.covers(asked.address, self.address):
            return None
        octets = self.edition.octets
        if asked.function == frames.READ_ADDRESS:
            return self._reply(asked, bytes.fromhex(self.address)[::-1])
        if asked.function == self.edition.read and len(asked.data) >= octets:
            return self._tell(asked, 0)
        if asked.function == self.edition.read_following:
            if not self.edition.has_part_numbers and len(asked.data) == octets:
                return self._tell(asked, self._part + 1)
            if len(asked.data) == octets + 1:
                return self._tell(asked, asked.data[octets])
        return None

    def _tell(self, asked: Message, part: int) -> bytes:
        self._part = part
        identifier = asked.data[: self.edition.octets]
        octets = self.data.get(identifier[::-1].hex().upper())
        if octets is None or part * self.most >= len(octets):
            return self._reply(asked, bytes((NO_SUCH_DATA,)), frames.REFUSED)
        behind = (part + 1) * self.most
        data = identifier + octets[part * self.most : behind]
        if part and self.edition.has_part_numbers:
            data += bytes((part,))
        return self._reply(asked, data, frames.MORE_FOLLOW if behind < len(octets) else 0)

    def _reply(self, asked: Message, data: bytes, flags: int = 0) -> bytes:
        control = asked.function | frames.REPLY | flags
        return frames.build(Message(self.address, control, data), self.preamble)


def _covers(request: Frame, address: Address) -> bool:
    return frames.covers(frames.parse(request).address, str(address))


def _refused(request: Frame, code: int) -> bytes:
    asked = frames.parse(request)
    control = asked.function | frames.REPLY | frames.REFUSED
    return frames.build(frames.Message(asked.address, control, bytes((code,))))


def _misaddressed(reply: Frame) -> bytes:
    told = frames.parse(reply)
    other = (int(told.address) + 1) % 10 ** len(told.address)
    return frames.build(replace(told, address=f"{other:012}"), frames.preamble(reply))


DIALECT = Dialect(
    framer=frames.StreamFramer,
    address=lambda frame: frames.parse(frame).address,
    concerns=_covers,
    message=lambda frame: frame.data[frames.preamble(frame) :],
    refused=_refused,
    misaddressed=_misaddressed,
    damaged=lambda reply: reply[:-2] + bytes((reply[-2] ^ 0xFF,)) + reply[-1:],
)
