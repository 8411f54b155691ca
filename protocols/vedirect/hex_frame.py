r"""VE.Direct HEX: registers of Victron's devices, polled one by one; 19200 8N1.

Spec: Victron Energy, "BlueSolar HEX protocol MPPT", and the documents of its kind for other devices.

    : command | data … | check \n            get, set, async: register 2 | flags 1 | value, low octet first

All in hexadecimal digits, capitals: one for the command, two for each octet, so their number is odd. The
command, the data and check add up to 0x55 modulo 256. Blocks of the other protocol (`text`) and registers
sent without a request (async) come between a request and its reply, and are no replies.

The reply repeats the get, followed by flags and value: flags are 1 where the device does not know the
register, 2 where it does not have it now, 4 where the request is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from construct import Byte, GreedyBytes, Int16ul, Struct

from protocols.toolkit import layout
from protocols.toolkit.framing import Frame, NoiseReason
from protocols.toolkit.search import SearchFramer, Shape

PING: Final = 0x1
APP_VERSION: Final = 0x3
PRODUCT_ID: Final = 0x4
RESTART: Final = 0x6
GET: Final = 0x7
SET: Final = 0x8
ASYNC: Final = 0xA
WITH_REGISTER: Final = (GET, SET, ASYNC)

FLAGS: Final[Mapping[int, str]] = {
    0x01: "unknown register",
    0x02: "not supported now",
    0x04: "parameter error",
}

MAX_DIGITS: Final = 129  # a command and 64 octets; a value has at most 34
LONGEST: Final = MAX_DIGITS + 3

LAYOUT: Final = "register" / Struct("register" / Int16ul, "flags" / Byte, "value" / GreedyBytes)
REGISTER_LENGTH: Final = 3  # octets of a register without a value

_SUM = 0x55
_LINE = re.compile(rb":([0-9A-F])((?:[0-9A-F]{2}){1,%d})\r?\n" % (MAX_DIGITS // 2))
_UNFINISHED = re.compile(rb":[0-9A-F]{0,%d}\r?\Z" % MAX_DIGITS)


@dataclass(frozen=True, slots=True)
class Message:
    """The content of a frame.

    Attributes:
        command: the command, of a request or of its reply.
        data: the octets without the check.
    """

    command: int
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class RegisterContent:
    """The part of a message that is about a register.

    Attributes:
        register: its number.
        flags: 0, or why there is no value.
        value: the octets of the value, the low one first.
    """

    register: int
    flags: int = 0
    value: bytes = b""


def build(message: Message) -> bytes:
    """Return the frame of a message."""
    check = (_SUM - message.command - sum(message.data)) % 256
    return f":{message.command:X}{message.data.hex().upper()}{check:02X}\n".encode()


def parse(frame: Frame) -> Message:
    """Return the message in a good frame."""
    command, digits = _digits(frame.data)
    return Message(command, digits[:-1])


def of_register(command: int, content: RegisterContent) -> Message:
    """Return a message about a register."""
    fields = {"register": content.register, "flags": content.flags, "value": content.value}
    return Message(command, layout.build(LAYOUT, **fields))


def register_content(message: Message) -> RegisterContent | None:
    """Return the part of a message that is about a register; None if there is none."""
    if message.command not in WITH_REGISTER or len(message.data) < REGISTER_LENGTH:
        return None
    return RegisterContent(**layout.parse(LAYOUT, message.data))


def error_name(flags: int) -> str:
    """Return the meaning of the flags of a reply."""
    texts = [text for flag, text in FLAGS.items() if flags & flag]
    return ", ".join(texts) or f"flags 0x{flags:02X}, not in the specification"


class StreamFramer(SearchFramer):
    """Framer of both directions of a line."""

    def __init__(self) -> None:
        super().__init__(_SHAPE)


def _digits(line: bytes) -> tuple[int, bytes]:
    match = _LINE.fullmatch(line)
    assert match is not None, "the framer checked it"
    return int(match[1], 16), bytes.fromhex(match[2].decode("ascii"))


def _extent(buffer: bytes, at: int) -> int | None:
    line = _LINE.match(buffer, at)
    if line is not None:
        return line.end() - at
    return None if _UNFINISHED.match(buffer, at) else 0


def _flaw(frame: bytes) -> NoiseReason | None:
    command, octets = _digits(frame)
    return None if (command + sum(octets)) % 256 == _SUM else NoiseReason.CHECKSUM


_SHAPE: Final = Shape(
    head=re.compile(rb":[0-9A-F]"),
    head_length=2,
    starts=b":",
    longest=LONGEST,
    extent=_extent,
    flaw=_flaw,
)
