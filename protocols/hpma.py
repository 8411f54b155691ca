"""Honeywell HPM series particle sensors: HPMA115S0 (standard) and HPMA115C0 (compact), two or four masses.

Spec: datasheet 32322550, tables 4 to 7. They push, once a second; 9600 8N1.

    report    42 4D | length 2 | data0 2 … data12 2 | check 2     length 28; unasked, once a second
    command   68 | length | command | data | check                length: of command and data
    reply     40 | length | command | data | check                to 04: the masses

    check of a report: the sum of all octets before it; of the others: what makes the sum of all octets zero
    modulo 256. All numbers are big endian.

    masses in µg/m³     report                               reply to 04
    standard version    PM2.5 in data1, PM10 in data2        PM2.5, PM10
    compact version     PM1.0, PM2.5, PM4.0, PM10 in data0…  PM1.0, PM2.5, PM4.0, PM10, 4 octets reserved

A reply tells by its length which version speaks, a report does not. Other commands are answered with A5 A5 if
they were carried out, else with 96 96: two octets without a check, which are no frame here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from construct import Array, Byte, Bytes, Const, Int16ub, Struct, this

from protocols.toolkit import layout
from protocols.toolkit.framing import Direction, Frame, NoiseReason
from protocols.toolkit.polling import LineSettings, Values
from protocols.toolkit.protocol import Fields, Protocol, PushingProtocol
from protocols.toolkit.pushing import PushingKeys, PushingSettings, Telegram
from protocols.toolkit.scanning import Find, Scanning
from protocols.toolkit.search import SearchFramer, Shape

_REPORT_HEAD, _COMMAND_HEAD, _REPLY_HEAD = b"\x42\x4d", b"\x68", b"\x40"
_REPORT_START = _REPORT_HEAD[0]
REPORT: Final = "report" / Struct(
    "head" / Const(_REPORT_HEAD),
    "length" / Const(28, Int16ub),
    "data" / Array(13, Int16ub),
    "check" / Int16ub,
)
MESSAGE: Final = "command or reply" / Struct(
    "head" / Byte,
    "length" / Byte,
    "command" / Byte,
    "data" / Bytes(this.length - 1),
    "check" / Byte,
)
READ_RESULTS: Final = 0x04
REPORT_LENGTH: Final = REPORT.sizeof()
_AROUND = 3  # octets of a message beside those that its length counts

STANDARD: Final = ("pm2_5", "pm10")
COMPACT: Final = ("pm1_0", "pm2_5", "pm4_0", "pm10")
UNITS: Final = dict.fromkeys(COMPACT, "µg/m³")
_RESERVED: Final = 12  # words of a report, before the last one, which may be anything
_FIRST_WORD: Final = {STANDARD: 1, COMPACT: 0}  # of a report
_BY_DATA: Final = {4: STANDARD, 12: COMPACT}  # octets of a reply → which version it is

_HEAD = re.compile(
    rb"\x42\x4d\x00\x1c|\x40[\x02\x05\x0d][\x04\x10]|\x68[\x01\x02][\x01\x02\x04\x08\x10\x20\x40]"
)
_HEAD_LENGTH = 4


class StreamFramer(SearchFramer):
    """Framer of reports, commands and replies."""

    def __init__(self) -> None:
        super().__init__(_SHAPE)


class ReportListener:
    """Reads the frames of the one sensor on a line.

    Args:
        names: the masses that its version reports.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._describe = describer(names)

    def telegrams(self, frame: Frame) -> list[Telegram]:
        """Return the telegram of a report or reply: without masses while all are zero, as during start-up."""
        fields = self._describe(frame)
        values: Values = {name: fields[name] for name in COMPACT if name in fields}
        if not values:
            return []
        return [Telegram("", values if any(values.values()) else {})]


def describer(names: Sequence[str]) -> Callable[[Frame], Fields]:
    """Return a function that turns frames into fields; reports have the masses of these names."""
    first = _FIRST_WORD[tuple(names)]

    def describe(frame: Frame) -> Fields:
        if frame.data.startswith(_REPORT_HEAD):
            words = layout.parse(REPORT, frame.data)["data"]
            return {"words": words} | dict(zip(names, words[first:], strict=False))
        fields = layout.parse(MESSAGE, frame.data)
        message: Fields = {"command": fields["command"], "data": fields["data"].hex()}
        if frame.direction is Direction.REPLY and fields["command"] == READ_RESULTS:
            message |= _results(fields["data"])
        return message

    return describe


def _results(data: bytes) -> Values:
    return {
        name: int.from_bytes(data[2 * at : 2 * at + 2], "big")
        for at, name in enumerate(_BY_DATA.get(len(data), ()))
    }


def _extent(buffer: bytes, at: int) -> int:
    return REPORT_LENGTH if buffer[at] == _REPORT_START else _AROUND + buffer[at + 1]


def _flaw(frame: bytes) -> NoiseReason | None:
    if frame[0] != _REPORT_START:
        return NoiseReason.CHECKSUM if sum(frame) & 0xFF else None
    return None if sum(frame[:-2]) == int.from_bytes(frame[-2:], "big") else NoiseReason.CHECKSUM


def _direction(frame: bytes) -> Direction:
    return Direction.REQUEST if frame.startswith(_COMMAND_HEAD) else Direction.REPLY


_SHAPE: Final = Shape(
    head=_HEAD,
    head_length=_HEAD_LENGTH,
    starts=_REPORT_HEAD[:1] + _COMMAND_HEAD + _REPLY_HEAD,
    longest=REPORT_LENGTH,
    extent=_extent,
    flaw=_flaw,
    direction=_direction,
)


def is_own(frames: Sequence[Frame], masses: Sequence[str]) -> bool:
    """Return whether these are reports of the version with these masses, and of no other sensor.

    Masses grow with the size that they include; beside them all words are zero. Plantower's reports, which
    have the same frame, have counts there.
    """
    first = _FIRST_WORD[tuple(masses)]
    reports = [frame for frame in frames if frame.data.startswith(_REPORT_HEAD)]
    words = [layout.parse(REPORT, frame.data)["data"] for frame in reports]
    own_words = [each[first : first + len(masses)] for each in words]
    others = [each[:first] + each[first + len(masses) : _RESERVED] for each in words]
    is_version = masses == STANDARD or any(each[-1] for each in own_words)
    return is_version and all(each == sorted(each) for each in own_words) and not any(map(any, others))


def _protocol(name: str, title: str, version: str, masses: Sequence[str]) -> Protocol:
    """Return the protocol of one version, which reports these masses."""
    keys = PushingKeys({mass: UNITS[mass] for mass in masses})

    def passive(frames: Sequence[Frame]) -> Sequence[Find]:
        from protocols.toolkit.senders import senders  # a service never searches

        return senders(record, frames) if is_own(frames, masses) else ()

    record: PushingProtocol[PushingSettings] = PushingProtocol(
        name=name,
        title=title,
        spec=f"Honeywell HPM Series datasheet 32322550, {version} version",
        line=LineSettings(9600, 8, "N", 1),
        framer=StreamFramer,
        describer=lambda: describer(masses),
        schema=keys.schema,
        settings=keys.parse,
        listener=lambda: ReportListener(masses),
        longest=REPORT_LENGTH,
        bytesizes=frozenset({8}),
        scanning=lambda: Scanning(lines=(LineSettings(9600, 8, "N", 1),), passive=passive),
    )
    return record


HPMA115S0: Final = _protocol("honeywell-hpma", "Honeywell HPMA115S0", "standard", STANDARD)
HPMA115C0: Final = _protocol("honeywell-hpma-compact", "Honeywell HPMA115C0", "compact", COMPACT)
