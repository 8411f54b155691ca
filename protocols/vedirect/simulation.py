"""A simulated device: the other side of the line, for tests and for practice."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from protocols.toolkit.framing import Frame
from protocols.toolkit.simulation import Dialect
from protocols.vedirect import hex_frame as frames
from protocols.vedirect.hex_frame import APP_VERSION, GET, PING, PRODUCT_ID, Message, RegisterContent

DONE = 0x1
UNKNOWN_COMMAND = 0x3
PING_REPLY = 0x5
UNKNOWN_REGISTER = 0x01


@dataclass(slots=True)
class SimulatedDevice:
    """A device with registers to read.

    Attributes:
        registers: number → octets of its value, the low one first.
        version: the version of its firmware, as it goes on the wire.
        product_id: the product id, as it goes on the wire.
    """

    registers: dict[int, bytes] = field(default_factory=dict)
    version: bytes = b"\x16\x41"
    product_id: bytes = b"\x00\x03"

    def answer(self, request: Frame) -> bytes | None:
        """Return the whole reply."""
        message = frames.parse(request)
        content = frames.register_content(message)
        if content is not None and message.command == GET:
            value = self.registers.get(content.register)
            flags = UNKNOWN_REGISTER if value is None else 0
            return frames.build(
                frames.of_register(GET, RegisterContent(content.register, flags, value or b""))
            )
        replies = {
            PING: Message(PING_REPLY, self.version),
            APP_VERSION: Message(DONE, self.version),
            PRODUCT_ID: Message(DONE, self.product_id),
        }
        refusal = Message(UNKNOWN_COMMAND, bytes((message.command, 0)))
        return frames.build(replies.get(message.command, refusal))


def _refused(request: Frame, code: int) -> bytes:
    content = frames.register_content(frames.parse(request))
    assert content is not None, "only a message about a register is refused"
    return frames.build(frames.of_register(GET, RegisterContent(content.register, code)))


def _misaddressed(reply: Frame) -> bytes:
    message = frames.parse(reply)
    content = frames.register_content(message)
    assert content is not None, "only a message about a register is misaddressed"
    return frames.build(frames.of_register(message.command, replace(content, register=content.register ^ 1)))


def _damaged(reply: bytes) -> bytes:
    return reply[:-2] + (b"1" if reply[-2:-1] == b"0" else b"0") + reply[-1:]


DIALECT = Dialect(
    framer=frames.StreamFramer,
    address=lambda frame: "",  # a line has one device; the register tells replies apart
    concerns=lambda request, address: True,
    message=lambda frame: frame.data,
    refused=_refused,
    misaddressed=_misaddressed,
    damaged=_damaged,
)
