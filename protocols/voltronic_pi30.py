"""Voltronic inverters (Axpert, MPP Solar, EASUN and other brands) on RS-232, polled: PI30; 2400 8N1.

Spec: Voltronic Power, "Axpert series RS232 communication protocol" and "PI30MAX", QPIGS. The host asks one
inverter for its general status; no command that sets anything is known here.

    request   QPIGS | CRC 2 | CR
    reply     ( | fields of text, a space between them | CRC 2 | CR          (NAK … refuses
    CRC: CRC-16/XMODEM of all before it, high octet first; 28, 0D and 0A of it are sent as one more

A status has 17 fields, 21 of newer inverters, 24 of PI30MAX; what stands where is the same in all. A field
that holds no number is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fastcrc.crc16 import xmodem

from protocols.toolkit.errors import DeviceRefusal
from protocols.toolkit.framing import Direction, Frame, NoiseReason
from protocols.toolkit.polling import Dialogue, LineSettings, PollResult, Request, Value, Values
from protocols.toolkit.protocol import Fields, PolledProtocol
from protocols.toolkit.scanning import Scanning
from protocols.toolkit.search import SearchFramer, Shape
from protocols.toolkit.value_list import ValueKeys, ValueSettings

MAX_LENGTH: Final = 256
STATUS: Final = b"QPIGS"
REFUSED: Final = "NAK"

_FIELDS: Final[Sequence[tuple[str, str]]] = (
    ("grid_voltage", "V"),
    ("grid_frequency", "Hz"),
    ("output_voltage", "V"),
    ("output_frequency", "Hz"),
    ("apparent_power", "VA"),
    ("active_power", "W"),
    ("load", "%"),
    ("bus_voltage", "V"),
    ("battery_voltage", "V"),
    ("charging_current", "A"),
    ("state_of_charge", "%"),
    ("heat_sink_temperature", "°C"),
    ("pv_current", "A"),
    ("pv_voltage", "V"),
    ("charger_battery_voltage", "V"),
    ("discharging_current", "A"),
)
_FLAGS: Final[Mapping[str, int]] = {  # characters of the field behind them, b7 first
    "load_on": 3,
    "charging": 5,
    "solar_charging": 6,
    "grid_charging": 7,
}
_FLAGS_AT: Final = len(_FIELDS)
_POWER: Final = ("pv_power", "W")
_POWER_AT: Final = 19
_LENGTHS: Final = frozenset({17, 21, 24})  # fields of a status
_AROUND: Final = 4  # octets of a reply beside its text
_SHORTEST: Final = 90  # characters of a status with 17 fields

ADDRESS: Final = "1"
KEYS: Final = ValueKeys(units=dict((*_FIELDS, _POWER)) | dict.fromkeys(_FLAGS, ""), address=ADDRESS)


class StreamFramer(SearchFramer):
    """Finds the frames of both directions of a line."""

    def __init__(self) -> None:
        super().__init__(_SHAPE)


class Inverter:
    """The inverter on a line."""

    address = ADDRESS

    def __init__(self, sensors: Sequence[ValueSettings], line: LineSettings) -> None:
        self._sensors = tuple(sensors)

    def planned(self) -> list[Request]:
        """Return the one request of each poll."""
        return [
            Request(
                data=build(STATUS),
                framer=StreamFramer,
                accepts=lambda frame: is_refusal(frame) or bool(_status(frame)),
                reply_length=_SHORTEST + _AROUND,
                summary="voltronic-pi30: general status",
                longest_reply=MAX_LENGTH,
            )
        ]

    def poll(self, now: float = 0.0, /) -> Dialogue:
        """Start one poll."""
        (request,) = self.planned()
        frame = yield request
        nothing: tuple[Values, ...] = ({},) * len(self._sensors)
        if frame is None:
            return PollResult(nothing, complete=False)
        if is_refusal(frame):
            refusal = DeviceRefusal("not accepted (NAK)", code=0, request="general status")
            return PollResult(nothing, complete=False, refusals=(refusal,))
        status = _status(frame)
        return PollResult(tuple(KEYS.choose(status, sensor.values) for sensor in self._sensors))


@dataclass(frozen=True, slots=True)
class SimulatedInverter:
    """An inverter that answers: the other side of the line.

    Attributes:
        status: the text of its general status, without the parenthesis.
    """

    status: str

    def answer(self, request: Frame) -> bytes | None:
        """Return the whole reply; None if it is no request."""
        if request.direction is not Direction.REQUEST:
            return None
        return build(f"({self.status if request.data == build(STATUS) else REFUSED}".encode())


def build(text: bytes) -> bytes:
    """Return the frame of a text, a reply's with its parenthesis."""
    return text + _check(text) + b"\r"


def is_refusal(frame: Frame) -> bool:
    """Return whether the inverter refuses."""
    return frame.direction is Direction.REPLY and _text(frame) == REFUSED


def describe(frame: Frame) -> Fields:
    """Return the command, or the text of a reply with what a general status in it says."""
    if frame.direction is Direction.REQUEST:
        return {"command": frame.data[:-3].decode("ascii")}
    return {"text": _text(frame), **_status(frame)}


def _status(frame: Frame) -> dict[str, Value]:
    """Return the general status in a reply; nothing if it is none."""
    fields = _text(frame).split(" ")
    if frame.direction is not Direction.REPLY or len(fields) not in _LENGTHS:
        return {}
    flags = fields[_FLAGS_AT]
    if not _VOLTAGE.fullmatch(fields[0]) or not _BITS.fullmatch(flags):
        return {}
    texts = {name: text for (name, _), text in zip(_FIELDS, fields, strict=False)}
    if len(fields) > _POWER_AT:
        texts[_POWER[0]] = fields[_POWER_AT]
    status: dict[str, Value] = {
        name: float(text) if "." in text else int(text)
        for name, text in texts.items()
        if _NUMBER.fullmatch(text)
    }
    return status | {name: flags[at] == "1" for name, at in _FLAGS.items()}


def _text(frame: Frame) -> str:
    return frame.data[1:-3].decode("ascii")


def _check(text: bytes) -> bytes:
    return bytes(octet + (octet in _RESERVED) for octet in xmodem(text).to_bytes(2, "big"))


def _extent(buffer: bytes, at: int) -> int | None:
    longest = MAX_LENGTH if buffer[at] == _OPEN else _LONGEST_REQUEST
    end = _END.search(buffer, at + 1, at + longest)
    if end is None:
        return None if len(buffer) < at + longest else 0
    return end.end() - at if end[0] == b"\r" else 0


def _flaw(frame: bytes) -> NoiseReason | None:
    if not _WHOLE.fullmatch(frame):
        return NoiseReason.CHARACTER
    return None if _check(frame[:-3]) == frame[-3:-1] else NoiseReason.CHECKSUM


def _direction(frame: bytes) -> Direction:
    return Direction.REPLY if frame[0] == _OPEN else Direction.REQUEST


_OPEN: Final = ord("(")
_RESERVED: Final = b"(\r\n"
_LONGEST_REQUEST: Final = 16
_NUMBER: Final = re.compile(r"\d{1,6}(\.\d{1,3})?", re.ASCII)
_VOLTAGE: Final = re.compile(r"\d{3}\.\d", re.ASCII)
_BITS: Final = re.compile("[01]{8}")
_END: Final = re.compile(rb"[(\r\n]")  # none of them stands inside a frame
_WHOLE: Final = re.compile(rb"(?:\([ -~]+|Q[0-9A-Z]+)[^(\r\n]{2}\r", re.DOTALL)
_SHAPE: Final = Shape(
    head=re.compile(rb"\([ -')-~]|Q[A-Z]"),
    head_length=2,
    starts=b"(Q",
    longest=MAX_LENGTH,
    extent=_extent,
    flaw=_flaw,
    direction=_direction,
)


def _scanning() -> Scanning:
    from protocols.toolkit.sole_device import SoleDevice  # a service never searches

    return SoleDevice(
        protocol="voltronic-pi30",
        lines=(LineSettings(2400, 8, "N", 1),),
        requests=lambda line: Inverter([KEYS.parse({})], line).planned(),
        fields_of=describe,
        ranges={"output_frequency": (0.0, 70.0), "battery_voltage": (0.0, 1000.0)},
        reply_within_s=1.0,
    ).scanning


PROTOCOL: Final = PolledProtocol(
    name="voltronic-pi30",
    title="Voltronic inverters, PI30",
    spec="Voltronic Axpert RS232 communication protocol, QPIGS",
    line=LineSettings(2400, 8, "N", 1),
    framer=StreamFramer,
    describer=lambda: describe,
    schema=KEYS.schema,
    settings=KEYS.parse,
    device=Inverter,
    reply_timeout_s=1.0,
    longest=MAX_LENGTH,
    bytesizes=frozenset({8}),
    scanning=_scanning,
)
