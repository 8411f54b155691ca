"""A device that answers: the other side of the line, for tests and for practice."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from protocols.toolkit.framing import Frame
from protocols.toolkit.simulation import Dialect
from protocols.vedirect import hex_frame as frames
from protocols.vedirect.hex_frame import APP_VERSION, GET, PING, PRODUCT_ID, Message, Told

DONE = 0x1
UNKNOWN_COMMAND = 0x3
PING_REPLY = 0x5
UNKNOWN_REGISTER = 0x01


@dataclass(slots=True)
class SimulatedDevice:
    """A device with registers to read.

    Attributes:
        registers: number → octets of its value, low one first.
        version: of its firmware, as it tells it.
        product_id: as it tells it.
    """

    registers: dict[int, bytes] = field(default_factory=dict)
    version: bytes = b"\x16\x41"
    product_id: bytes = b"\x00\x03"

    def answer(self, request: Frame) -> bytes | None:
        """The whole reply."""
        asked = frames.parse(request)
        told = frames.told_by(asked)
        if told is not None and asked.command == GET:
            value = self.registers.get(told.register)
            flags = UNKNOWN_REGISTER if value is None else 0
            return frames.build(frames.of_register(GET, Told(told.register, flags, value or b"")))
        replies = {
            PING: Message(PING_REPLY, self.version),
            APP_VERSION: Message(DONE, self.version),
            PRODUCT_ID: Message(DONE, self.product_id),
        }
        unknown = Message(UNKNOWN_COMMAND, bytes((asked.command, 0)))
        return frames.build(replies.get(asked.command, unknown))


def _refused(request: Frame, code: int) -> bytes:
    asked = frames.told_by(frames.parse(request))
    assert asked is not None, "only what is about a register is refused"
    return frames.build(frames.of_register(GET, Told(asked.register, code)))


def _misaddressed(reply: Frame) -> bytes:
    message = frames.parse(reply)
    told = frames.told_by(message)
    assert told is not None, "only what is about a register has another to be about"
    return frames.build(frames.of_register(message.command, replace(told, register=told.register ^ 1)))


def _damaged(reply: bytes) -> bytes:
    return reply[:-2] + (b"1" if reply[-2:-1] == b"0" else b"0") + reply[-1:]


DIALECT = Dialect(
    framer=frames.StreamFramer,
    address=lambda frame: "",  # a line has one device; what tells replies apart is the register
    concerns=lambda request, address: True,
    message=lambda frame: frame.data,
    refused=_refused,
    misaddressed=_misaddressed,
    damaged=_damaged,
)
