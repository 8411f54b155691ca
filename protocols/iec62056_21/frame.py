"""IEC 62056-21 §6: the messages on the wire, and how they are found in a stream.

    /?address!CRLF                    opening: who is asked; without address, whoever hears it
    /XXXZtext CRLF                    identification: maker, baud character Z, the type in the maker's words
    ACK V Z Y CRLF                    acknowledgement: procedure V, baud character Z, Y = 0: read out
    STX data ! CRLF ETX BCC           the data of a readout
    SOH command STX data ETX BCC      programming mode, heard on other people's lines
    /XXXZtext CRLF CRLF data ! CRLF   mode D: all in one, unasked and without a check

Characters have seven bits and even parity. BCC: exclusive or of all behind the first SOH or STX, ETX
included. "/" and "!" stand in no data, so each begins and ends a message, wherever it is heard.

An identification with a blank line behind it begins a telegram of mode D. In a stream that is known only when
more is heard, or nothing more; who has asked for an identification knows, and need not wait.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from protocols.checksum import CHECKSUMS
from protocols.framing import Direction, Event
from protocols.search import SearchFramer, Shape

MAX_LENGTH: Final = 16384  # of a readout; the standard sets no limit, meters with their history need 10 kB
MAX_ADDRESS: Final = 32

SOH, STX, ETX, ACK = b"\x01", b"\x02", b"\x03", b"\x06"
_BCC: Final = CHECKSUMS["xor8"].of
_CRLF = b"\r\n"
_ENDS = b"\x03\x04"  # ETX, or EOT where another block follows

BAUDRATES_C: Final = dict(zip("0123456", (300, 600, 1200, 2400, 4800, 9600, 19200), strict=True))
BAUDRATES_B: Final = dict(zip("ABCDEF", (600, 1200, 2400, 4800, 9600, 19200), strict=True))

_MAX_LINE = 48  # octets of an opening or an identification; meters exceed the 16 characters of the type
_OPENING = re.compile(rb"/\?([ \"-.0-~]{0,32})!\r\n")
_IDENTIFICATION = re.compile(rb"/([A-Za-z]{3})([\"-.0-~])([ \"-.0-~]{0,40})\r\n")
_ACKNOWLEDGEMENT = re.compile(rb"\x06([0-9])([0-9A-I])([0-9A-Z])\r\n")
_NO_TEXT = re.compile(rb"[^\t\r\n -\xff]")
_NO_LINE = re.compile(rb"[^\r -~]")
_ENDS_TELEGRAM = re.compile(rb"!|/|\r\n\r\n|[^\t\r\n -~]")


@dataclass(frozen=True, slots=True)
class Identification:
    """Who a meter says it is.

    Attributes:
        manufacturer: three letters; the third is small if it reacts within 20 ms.
        baud_char: 0–6 mode C, A–F mode B, and the rate it offers; anything else mode A.
        text: type and version, in the maker's words.
    """

    manufacturer: str
    baud_char: str
    text: str

    @property
    def encoded(self) -> bytes:
        """As it goes on the wire."""
        return f"/{self.manufacturer}{self.baud_char}{self.text}\r\n".encode("ascii")


def opening(address: str = "") -> bytes:
    """The message that opens a dialogue."""
    return b"/?%b!\r\n" % address.encode("ascii")


def acknowledgement(baud_char: str) -> bytes:
    """Asks for the readout, at the rate of this character."""
    return ACK + f"0{baud_char}0\r\n".encode("ascii")


def block(data: str) -> bytes:
    """The data message of a readout; `data` are its lines, each with its CR LF."""
    body = f"{data}!\r\n".encode("ascii") + ETX
    return STX + body + bytes((_BCC(body),))


def opened(data: bytes) -> str | None:
    """The address in an opening; None if it is none."""
    match = _OPENING.fullmatch(data)
    return match and match[1].decode("ascii")


def identification(data: bytes) -> Identification | None:
    """The identification at the head of a message; None if it has none."""
    match = _IDENTIFICATION.match(data)
    return match and Identification(*(group.decode("ascii") for group in match.groups()))


def acknowledged(data: bytes) -> tuple[str, str, str] | None:
    """Procedure, baud character and mode of an acknowledgement; None if it is none."""
    match = _ACKNOWLEDGEMENT.fullmatch(data)
    return match and (match[1].decode(), match[2].decode(), match[3].decode())


def command(data: bytes) -> str:
    """The command of a programming message: R1, P0 …; "" if it is none."""
    return data[1:3].decode("ascii") if data.startswith(SOH) else ""


def data_of(data: bytes) -> str:
    """The data in a message, without what carries them; "" if it has none."""
    if data[:1] in (SOH, STX):
        text = data[1:-2].partition(STX)[2] if data.startswith(SOH) else data[1:-2]
    else:
        text = data.partition(_CRLF)[2]
    return text.decode("latin-1").rstrip("\r\n").removesuffix("!")


class StreamFramer(SearchFramer):
    """Finds the messages of both directions of a line."""

    def __init__(self) -> None:
        super().__init__(_STREAM)

    def silence(self) -> list[Event]:
        """Settles what is pending; an identification is complete if nothing came behind it."""
        self._shape = _STREAM_AT_REST
        events = super().silence()
        self._shape = _STREAM
        return events


class IdentificationFramer(SearchFramer):
    """Finds the answer to an opening: the identification, in mode A with the data that follow it."""

    def __init__(self) -> None:
        super().__init__(_ANSWER)


class ReadoutFramer(SearchFramer):
    """Finds the data message of a readout."""

    def __init__(self) -> None:
        super().__init__(_READOUT)


def _flaw(message: bytes) -> str | None:
    return "checksum" if message.startswith((SOH, STX)) and _BCC(message[1:]) else None


def _direction(message: bytes) -> Direction:
    is_request = message.startswith((b"/?", ACK)) or command(message) not in ("", "P0")
    return Direction.REQUEST if is_request else Direction.REPLY


def _stream_extent(buffer: bytes, at: int, *, at_rest: bool) -> int | None:
    """Octets of whatever message begins here. `at_rest`: nothing follows what is there."""
    if buffer[at] < ACK[0]:
        return _block_extent(buffer, at)
    return _line_extent(buffer, at, at_rest=at_rest) if buffer[at] > ACK[0] else _MAX_HEAD


def _line_extent(buffer: bytes, at: int, *, at_rest: bool) -> int | None:
    line = _line(buffer, at)
    if not line:
        return 0 if line is not None else None
    behind = at + len(line)
    if _OPENING.fullmatch(line):
        return len(line)
    if not _IDENTIFICATION.fullmatch(line):
        return 0
    follows = buffer[behind : behind + len(_CRLF)]
    if follows == _CRLF:
        return _telegram_extent(buffer, at, behind + len(_CRLF))
    return None if _CRLF.startswith(follows) and not at_rest else len(line)


def _line(buffer: bytes, at: int) -> bytes | None:
    """The line that begins here; b"" if it is too long or no text, None if its end is still to come."""
    behind = buffer.find(_CRLF, at, at + _MAX_LINE)
    if behind >= 0:
        return buffer[at : behind + len(_CRLF)]
    is_begun = len(buffer) - at < _MAX_LINE and not _NO_LINE.search(buffer, at)
    return None if is_begun else b""


def _telegram_extent(buffer: bytes, at: int, start: int) -> int | None:
    """Octets of a telegram of mode D whose data begin at `start`."""
    found = _ENDS_TELEGRAM.search(buffer, start, at + MAX_LENGTH - len(_CRLF))
    if found is None:
        return None if len(buffer) - at < MAX_LENGTH else 0
    tail = buffer[found.end() : found.end() + len(_CRLF)]
    if found[0] != b"!" or not _CRLF.startswith(tail):
        return 0
    return None if tail != _CRLF else found.end() + len(_CRLF) - at


def _block_extent(buffer: bytes, at: int) -> int | None:
    """Octets of a data or programming message."""
    text_at = at + 1
    if buffer[at] == SOH[0]:
        text_at = at + 4
        if buffer[at + 3] in _ENDS:  # a command without data
            return 5
    end = _NO_TEXT.search(buffer, text_at, at + MAX_LENGTH - 1)
    if end is None:
        return None if len(buffer) - at < MAX_LENGTH else 0
    return end.end() + 1 - at if end[0] in _ENDS else 0


def _answer_extent(buffer: bytes, at: int) -> int | None:
    line = _line(buffer, at)
    if not line:
        return 0 if line is not None else None
    found = identification(line)
    if found is None:
        return 0
    if found.baud_char in BAUDRATES_C or found.baud_char in BAUDRATES_B:
        return len(line)
    follows = buffer[at + len(line) : at + len(line) + 1]
    data = _block_extent(buffer, at + len(line)) if follows == STX else 0 if follows else None
    return data and len(line) + data


def _answer_flaw(message: bytes) -> str | None:
    data = message.partition(_CRLF)[2]
    return _flaw(data) if data else None


def _shape(
    heads: Mapping[bytes, bytes],
    extent: Callable[[bytes, int], int | None],
    flaw: Callable[[bytes], str | None] = _flaw,
    longest: int = MAX_LENGTH,
) -> Shape:
    head = re.compile(b"|".join(start + rest for start, rest in heads.items()))
    return Shape(head, _MAX_HEAD, b"".join(heads), longest, extent, flaw, _direction)


_HEADS: Final = {  # by the octet they begin with
    b"/": rb"(?:\?|[A-Za-z]{3}[\"-.0-~])",
    SOH: rb"[A-Z][0-9][\x02-\x04]",
    STX: rb"[\t\r\n -\xff]",
    ACK: rb"[0-9][0-9A-I][0-9A-Z]\r\n",
}
_MAX_HEAD: Final = 6
_STREAM: Final = _shape(_HEADS, partial(_stream_extent, at_rest=False))
_STREAM_AT_REST: Final = _shape(_HEADS, partial(_stream_extent, at_rest=True))
_ANSWER: Final = _shape({b"/": _HEADS[b"/"]}, _answer_extent, _answer_flaw, longest=_MAX_LINE + MAX_LENGTH)
_READOUT: Final = _shape({STX: _HEADS[STX]}, _block_extent)
