"""A meter that answers: the other side of the line, for tests and for practice.

It builds its replies with the declarations that the parser parses with. A value that is longer than a frame
comes in parts: the reply says that more follow, and the next part is asked for by number.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from protocols.dialogue import Value
from protocols.dlt645 import frame as frames
from protocols.dlt645.data import ITEMS
from protocols.dlt645.description import NO_SUCH_DATA
from protocols.dlt645.frame import Message
from protocols.framing import Frame
from protocols.simulation import Address, Dialect

_IDENTIFIER = 4


@dataclass(slots=True)
class SimulatedMeter:
    """A meter with data to read.

    Attributes:
        address: its twelve digits.
        data: identifier (eight hexadecimal digits) → the octets of its value, lowest first.
        preamble: how many FE it sends before a reply.
        most: octets of a value in one reply.
    """

    address: str
    data: dict[str, bytes] = field(default_factory=dict)
    preamble: int = frames.PREAMBLE
    most: int = frames.MAX_DATA - _IDENTIFIER - 1

    def put(self, name: str, value: Value) -> None:
        """Has it tell this value, by the name in the tables; ValueError if it does not fit."""
        item = ITEMS[name]
        self.data[item.di] = item.encode(value)

    def answer(self, request: Frame) -> bytes | None:
        """The whole reply; None if the request is for another meter, for all, or not understood."""
        asked = frames.parse(request)
        if not frames.covers(asked.address, self.address):
            return None
        match asked.function:
            case frames.READ_ADDRESS:
                return self._reply(asked, bytes.fromhex(self.address)[::-1])
            case frames.READ_DATA if len(asked.data) >= _IDENTIFIER:
                return self._tell(asked, 0)
            case frames.READ_FOLLOWING_DATA if len(asked.data) == _IDENTIFIER + 1:
                return self._tell(asked, asked.data[_IDENTIFIER])
        return None

    def _tell(self, asked: Message, part: int) -> bytes:
        identifier = asked.data[:_IDENTIFIER]
        octets = self.data.get(identifier[::-1].hex().upper())
        if octets is None or part * self.most >= len(octets):
            return self._reply(asked, bytes((NO_SUCH_DATA,)), frames.REFUSED)
        behind = (part + 1) * self.most
        data = identifier + octets[part * self.most : behind]
        if part:
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
