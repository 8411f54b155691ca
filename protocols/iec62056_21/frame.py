"""IEC 62056-21 §6: the messages on the wire, and how they are found in a stream.

    /?address!CRLF                    opening: who is asked; without address, whoever hears it
    /XXXZtext CRLF                    identification: maker, baud character Z, the type in the maker's words
    ACK V Z Y CRLF                    acknowledgement: procedure V, baud character Z, Y = 0: read out
    STX data ! CRLF ETX BCC           the data of a readout
    SOH command STX data ETX BCC      programming mode, heard on other people's lines
    /XXXZtext CRLF CRLF data ! CRLF   mode D: all in one, unasked and without a check

Heat meters are found that leave the blank line out, or put STX in its place or behind it; some of these end
with ETX BCC, some with "!" alone.

Characters have seven bits and even parity. BCC: exclusive or of all behind the first SOH or STX, ETX
included. "/" and "!" stand in no data, so each begins and ends a message, wherever it is heard.

An identification with a blank line behind it begins a telegram of mode D. In a stream that is known only when
more is heard, or nothing more; who has asked for an identification knows, and need not wait.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from protocols.toolkit.checksum import CHECKSUMS
from protocols.toolkit.framing import Direction, Event, NoiseReason
from protocols.toolkit.search import SearchFramer, Shape

MAX_LENGTH: Final = 16384  # of a readout; the standard sets no limit, meters with their history need 10 kB
MAX_ADDRESS: Final = 32

SOH, STX, ETX, ACK = b"\x01", b"\x02", b"\x03", b"\x06"
_BCC: Final = CHECKSUMS["xor8"].of
_CRLF = b"\r\n"
_ENDS = b"\x03\x04"  # ETX, or EOT where another block follows

BAUDRATES_C: Final = dict(zip("0123456", (300, 600, 1200, 2400, 4800, 9600, 19200), strict=True))
BAUDRATES_B: Final = dict(zip("ABCDEF", (600, 1200, 2400, 4800, 9600, 19200), strict=True))

_MAX_LINE = 48  # octets of an opening or an identification; meters exceed the 16 characters of the type
_LONGEST_END = 4  # octets that end a telegram, or show that it is none
_ACKNOWLEDGEMENT_LENGTH = 6
_BLOCK_END = 2  # octets: ETX BCC
_SLASH, _QUESTION = b"/?"
_OPENING = re.compile(rb"/\?([ \"-.0-~]{0,32})!\r\n")
_IDENTIFICATION = re.compile(rb"/([A-Za-z]{3})([ \"-.0-~])([ \"-.0-~]{0,40})\r\n")
_LINE = re.compile(rb"/(?:\?[ \"-.0-~]{0,32}!|[A-Za-z]{3}[ \"-.0-~]{1,41})\r\n")  # either of both
_DATA_BEGUN = re.compile(rb"[0-9A-Z.:*&-]")  # an address, right behind an identification
_LINE_BEGUN = re.compile(rb"/[ -.0-~]*\r?")
_ACKNOWLEDGEMENT = re.compile(rb"\x06([0-9])([0-9A-I])([0-9A-Z])\r\n")
_NO_TEXT = re.compile(rb"[^\t\r\n -\xff]")
_ENDS_TELEGRAM = re.compile(rb"!|/|\r\n\r\n|[^\t\r\n -~]")


@dataclass(frozen=True, slots=True)
class Identification:
    """The identification of a meter.

    Attributes:
        manufacturer: three letters; the third is small if it reacts within 20 ms.
        baud_char: 0–6 mode C, A–F mode B, and the rate it offers; anything else, a blank too, mode A.
        text: type and version, in the maker's words.
    """

    manufacturer: str
    baud_char: str
    text: str

    @property
    def encoded(self) -> bytes:
        """Return the message as it goes on the wire."""
        return f"/{self.manufacturer}{self.baud_char}{self.text}\r\n".encode("ascii")


def opening(address: str = "") -> bytes:
    """Return the message that opens a dialogue; without an address every meter answers it."""
    return b"/?%b!\r\n" % address.encode("ascii")


def acknowledgement(baud_char: str) -> bytes:
    """Return the acknowledgement that asks for the readout at the rate of this character."""
    return ACK + f"0{baud_char}0\r\n".encode("ascii")


def block(data: str) -> bytes:
    """Return the data message of a readout; `data` are its lines, each with its CR LF."""
    body = f"{data}!\r\n".encode("ascii") + ETX
    return STX + body + bytes((_BCC(body),))


def opened(data: bytes) -> str | None:
    """Return the address in an opening; None if it is none."""
    match = _OPENING.fullmatch(data)
    return match and match[1].decode("ascii")


def identification(data: bytes) -> Identification | None:
    """Return the identification at the head of a message; None if it has none."""
    match = _IDENTIFICATION.match(data)
    return match and Identification(*(group.decode("ascii") for group in match.groups()))


def acknowledged(data: bytes) -> tuple[str, str, str] | None:
    """Return procedure, baud character and mode of an acknowledgement; None if it is none."""
    match = _ACKNOWLEDGEMENT.fullmatch(data)
    return match and (match[1].decode(), match[2].decode(), match[3].decode())


def command(data: bytes) -> str:
    """Return the command of a programming message: R1, P0 …; "" if it is none."""
    return data[1:3].decode("ascii") if data.startswith(SOH) else ""


def data_of(data: bytes) -> str:
    """Return the data in a message, without head, checksum and end; "" if it has none."""
    if data[:1] in (SOH, STX):
        text = data[1:-2].partition(STX)[2] if data.startswith(SOH) else data[1:-2]
    else:
        text = data.partition(_CRLF)[2].partition(ETX)[0].replace(STX, b"", 1)
    return text.decode("latin-1").rstrip("\r\n").removesuffix("!")


class StreamFramer(SearchFramer):
    """Framer of both directions of a line."""

    def __init__(self) -> None:
        super().__init__(_STREAM)

    def silence(self) -> list[Event]:
        """Settle the pending octets; an identification with nothing behind it is complete."""
        self._shape = _STREAM_AT_REST
        events = super().silence()
        self._shape = _STREAM
        return events


class IdentificationFramer(SearchFramer):
    """Framer of the answer to an opening: the identification, in mode A with the data behind it."""

    def __init__(self) -> None:
        super().__init__(_ANSWER)


class ReadoutFramer(SearchFramer):
    """Framer of the data message of a readout."""

    def __init__(self) -> None:
        super().__init__(_READOUT)


def _flaw(message: bytes) -> NoiseReason | None:
    """Return "checksum" where data between STX and ETX fail their BCC."""
    block = message if message.startswith(SOH) else b"".join(message.partition(STX)[1:])
    is_checked = len(block) > _BLOCK_END and block[-_BLOCK_END] in _ENDS
    return NoiseReason.CHECKSUM if is_checked and _BCC(block[1:]) else None


def _direction(message: bytes) -> Direction:
    is_request = message.startswith((b"/?", ACK)) or command(message) not in ("", "P0")
    return Direction.REQUEST if is_request else Direction.REPLY


def _stream_extent(buffer: bytes, at: int, searched_length: int = 0) -> int | None:
    """Return the length of the message at `at`; its end is not among the first `searched_length` octets."""
    if buffer[at] == _SLASH:
        return _line_extent(buffer, at, searched_length)
    return _block_extent(buffer, at, searched_length) if buffer[at] < ACK[0] else _ACKNOWLEDGEMENT_LENGTH


def _extent_at_rest(buffer: bytes, at: int, searched_length: int = 0) -> int | None:
    """Return the length of the message at `at` on a silent line.

    An identification then begins no telegram, and no ETX is due.
    """
    extent = _stream_extent(buffer, at, searched_length)
    line = _LINE.match(buffer, at) if extent is None else None
    if line is None:
        return extent
    if line.end() + len(_CRLF) > len(buffer):
        return line.end() - at
    return len(buffer) - at if buffer.endswith(b"!" + _CRLF) else extent


def _line_extent(buffer: bytes, at: int, searched_length: int) -> int | None:
    line = _LINE.match(buffer, at)
    if line is None:
        return None if _is_begun(buffer, at) else 0
    behind = line.end()
    if buffer[at + 1] == _QUESTION:
        return behind - at
    begin = _data_begin(buffer, behind)
    if begin is None:
        return None
    return _telegram_extent(buffer, at, begin, searched_length) if begin > behind else behind - at


def _data_begin(buffer: bytes, behind: int) -> int | None:
    """Return where the data of a telegram begin whose identification ends here.

    That place itself if no telegram follows; None if more must be heard. An STX stays part of the data.
    """
    follows = buffer[behind : behind + len(_CRLF)]
    if follows == _CRLF:
        return behind + len(_CRLF)
    if _DATA_BEGUN.match(follows):
        return behind + 1
    return None if _CRLF.startswith(follows) else behind


def _is_begun(buffer: bytes, at: int) -> bool:
    """Return whether the octets at `at` may become a line."""
    return len(buffer) - at < _MAX_LINE and _LINE_BEGUN.fullmatch(buffer, at) is not None


def _telegram_extent(buffer: bytes, at: int, begin: int, searched_length: int = 0) -> int | None:
    """Return the octets of a telegram of mode D whose data begin there."""
    is_framed = buffer[begin : begin + 1] == STX
    start = max(begin + is_framed, searched_length - _LONGEST_END)
    end = _ENDS_TELEGRAM.search(buffer, start, at + MAX_LENGTH - len(_CRLF))
    if end is None:
        return None if len(buffer) - at < MAX_LENGTH else 0
    behind = end.end() + len(_CRLF)
    tail = buffer[end.end() : behind]
    if end[0] != b"!" or not _CRLF.startswith(tail):
        return 0
    if tail != _CRLF or (is_framed and len(buffer) == behind):
        return None
    return behind - at + (_BLOCK_END if is_framed and buffer[behind : behind + 1] == ETX else 0)


def _block_extent(buffer: bytes, at: int, searched_length: int = 0) -> int | None:
    """Return the length of a data or programming message at `at`."""
    text_at = at + 1
    if buffer[at] == SOH[0]:
        text_at = at + 4
        if buffer[at + 3] in _ENDS:  # a command without data
            return 5
    end = _NO_TEXT.search(buffer, max(text_at, searched_length), at + MAX_LENGTH - 1)
    if end is None:
        return None if len(buffer) - at < MAX_LENGTH else 0
    return end.end() + 1 - at if end[0] in _ENDS else 0


def _answer_extent(buffer: bytes, at: int, searched_length: int = 0) -> int | None:
    line = _IDENTIFICATION.match(buffer, at)
    if line is None:
        return None if _is_begun(buffer, at) else 0
    behind = line.end()
    if line[2].decode("ascii") in BAUDRATES_B | BAUDRATES_C:
        return behind - at
    if buffer[behind : behind + 1] == STX:
        data = _block_extent(buffer, behind, searched_length)
        return data and behind - at + data
    begin = _data_begin(buffer, behind)
    if begin is None or begin == behind:
        return None if begin is None else 0
    return _telegram_extent(buffer, at, begin, searched_length)


def _shape(
    heads: Mapping[bytes, bytes], extent: Callable[..., int | None], longest: int = MAX_LENGTH
) -> Shape:
    head = re.compile(b"|".join(start + rest_of_head for start, rest_of_head in heads.items()))
    return Shape(head, _MAX_HEAD, b"".join(heads), longest, extent, _flaw, _direction, resumed=extent)


_HEADS: Final = {  # by the octet they begin with
    b"/": rb"(?:\?[ -.0-~]|[A-Za-z]{3}[ \"-.0-~])",
    SOH: rb"[A-Z][0-9][\x02-\x04]",
    STX: rb"[\t\r\n -\xff]{2}[\x03\x04\t\r\n -\xff]",  # the least data are ()
    ACK: rb"[0-9][0-9A-I][0-9A-Z]\r\n",
}
_MAX_HEAD: Final = 6
_STREAM: Final = _shape(_HEADS, _stream_extent)
_STREAM_AT_REST: Final = _shape(_HEADS, _extent_at_rest)
_ANSWER: Final = _shape({b"/": _HEADS[b"/"]}, _answer_extent, longest=_MAX_LINE + MAX_LENGTH)
_READOUT: Final = _shape({STX: _HEADS[STX]}, _block_extent)
