"""CoAP messages as bytes (RFC 7252 §3), as far as the stand-in needs them.

Written by hand: the stand-in must be faster than the client under test, and see what a tidy library hides.
"""

from __future__ import annotations

from typing import NamedTuple

CON, NON, ACK, RST = range(4)

EMPTY = 0x00
GET, POST = 0x01, 0x02
CREATED, CONTENT = 0x41, 0x45
BAD_REQUEST, UNAUTHORIZED, BAD_OPTION, NOT_FOUND = 0x80, 0x81, 0x82, 0x84
METHOD_NOT_ALLOWED, TOO_LARGE = 0x85, 0x8D
INTERNAL_SERVER_ERROR = 0xA0

URI_PATH, CONTENT_FORMAT, URI_QUERY, BLOCK1, SIZE1 = 11, 12, 15, 27, 60

Options = tuple[tuple[int, bytes], ...]


class MessageError(ValueError):
    """Not a CoAP message."""


class BadOptions(MessageError):
    """A good header and token, and then no options or payload of RFC 7252: Californium answers 4.02."""

    def __init__(self, reason: str, head: Message) -> None:
        super().__init__(reason)
        self.head = head


class Message(NamedTuple):
    """One message; `code` and the options' numbers as they stand on the wire."""

    type: int
    code: int
    mid: int
    token: bytes = b""
    options: Options = ()
    payload: bytes = b""

    def texts(self, number: int) -> tuple[str, ...]:
        """Return the values of a repeatable text option, in order."""
        return tuple(value.decode(errors="replace") for option, value in self.options if option == number)


def dotted(code: int) -> str:
    """Return a code in its dotted form: 0x41 is "2.01" (RFC 7252 §5.2)."""
    return f"{code >> 5}.{code & 0x1F:02}"


def decode(data: bytes) -> Message:
    """Return the message in a datagram.

    Raises:
        MessageError: not a CoAP message of version 1.
        BadOptions: the header and the token are good, the options or the payload are not.
    """
    if len(data) < 4 or data[0] >> 6 != 1 or data[0] & 0x0F > 8:
        raise MessageError("no CoAP header")
    at = 4 + (data[0] & 0x0F)
    if len(data) < at:
        raise MessageError("token cut")
    token = data[4:at]
    head = Message(data[0] >> 4 & 3, data[1], data[2] << 8 | data[3], token)
    try:
        options, at = _options(data, at)
    except MessageError as error:
        raise BadOptions(str(error), head) from error
    return head._replace(options=options, payload=data[at + 1 :])


def _options(data: bytes, at: int) -> tuple[Options, int]:
    """Return the options, and the offset of the payload marker or of the end."""
    options: list[tuple[int, bytes]] = []
    number = 0
    while at < len(data) and data[at] != 0xFF:
        first = data[at]
        delta, at = _extended(data, at + 1, first >> 4)
        length, at = _extended(data, at, first & 0x0F)
        if at + length > len(data):
            raise MessageError("option cut")
        number += delta
        options.append((number, data[at : at + length]))
        at += length
    if at + 1 == len(data):
        raise MessageError("payload marker without payload")
    return tuple(options), at


def encode(message: Message) -> bytes:
    """Return the datagram of a message; its options must be in the order of their numbers."""
    kind, code, mid, token, options, payload = message
    out = bytearray((0x40 | kind << 4 | len(token), code, mid >> 8, mid & 0xFF))
    out += token
    last = 0
    for number, value in options:
        delta, delta_more = _nibble(number - last)
        length, length_more = _nibble(len(value))
        out.append(delta << 4 | length)
        out += delta_more + length_more + value
        last = number
    if payload:
        out.append(0xFF)
        out += payload
    return bytes(out)


def _extended(data: bytes, at: int, nibble: int) -> tuple[int, int]:
    """Return an option's delta or length with its extended bytes, and the next offset (RFC 7252 §3.1)."""
    if nibble < 13:
        return nibble, at
    width = nibble - 12
    if nibble == 15 or at + width > len(data):
        raise MessageError("option header cut or reserved")
    return int.from_bytes(data[at : at + width], "big") + (13 if nibble == 13 else 269), at + width


def _nibble(number: int) -> tuple[int, bytes]:
    if number < 13:
        return number, b""
    if number < 269:
        return 13, bytes((number - 13,))
    return 14, (number - 269).to_bytes(2, "big")


def uint(number: int) -> bytes:
    """Return a number as an option's value: no leading zeros, 0 is empty (RFC 7252 §3.2)."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def number(value: bytes) -> int:
    """Return an option's value as a number."""
    return int.from_bytes(value, "big")
