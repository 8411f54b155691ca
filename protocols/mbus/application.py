"""EN 13757-3: the content of a long frame, by its control information field (CI).

    72  id 4 | manufacturer 2 | version | medium | access number | status | signature 2 | records
    7A  access number | status | signature 2 | records        78  records, no header
    73  id 4 | access number | status | units 2 | counter 4 | counter 4       of old meters: fixed structure
    70  application error        50 application reset        51 records for the meter        52 selection

id to medium are the meter's secondary address, as in a selection (`secondary`).

Bits 12–8 of the signature are the encryption mode. Modes 5 and 7 are decrypted where there is a key
(`security`); other modes are not decrypted and give no values. Old meters write
other things into the signature (FFFF is seen): a mode above 15, which no standard defines, counts as none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from construct import Byte, Bytes, Int16ul, Struct

from protocols.mbus import records, secondary, security
from protocols.mbus.items import Item, counter, item
from protocols.mbus.link import Message
from protocols.mbus.secondary import Secondary
from protocols.mbus.vif import FIXED_STORED
from protocols.toolkit import layout
from protocols.toolkit.errors import FrameError
from protocols.toolkit.meter_keys import MeterKey

RESET: Final = 0x50
SEND: Final = 0x51
SELECT: Final = 0x52
ERROR: Final = 0x70
LONG_HEADER: Final = 0x72
FIXED: Final = 0x73
NO_HEADER: Final = 0x78
SHORT_HEADER: Final = 0x7A

HEADER: Final = "header" / Struct(
    "id" / Bytes(4),
    "manufacturer" / Int16ul,
    "version" / Byte,
    "medium_code" / Byte,
    "access_number" / Byte,
    "status" / Byte,
    "signature" / Int16ul,
)
HEADER_WITHOUT_ADDRESS: Final = "short header" / Struct(
    "access_number" / Byte, "status" / Byte, "signature" / Int16ul
)
FIXED_DATA: Final = "fixed data structure" / Struct(
    "id" / Bytes(4),
    "access_number" / Byte,
    "status" / Byte,
    "units" / Bytes(2),
    "counters" / Bytes(4)[2],
)
HEADER_LENGTH: Final = HEADER.sizeof()

ERRORS: Final[Mapping[int, str]] = {
    0: "Unspecified error",
    1: "Unimplemented CI-Field",
    2: "Buffer too long, truncated",
    3: "Too many records",
    4: "Premature end of record",
    5: "More than 10 DIFE´s",
    6: "More than 10 VIFE´s",
    7: "Reserved",
    8: "Application busy",
    9: "Too many readouts",
}
MEDIA: Final[Mapping[int, str]] = {
    0x00: "Other",
    0x01: "Oil",
    0x02: "Electricity",
    0x03: "Gas",
    0x04: "Heat: Outlet",
    0x05: "Steam",
    0x06: "Warm water (30-90°C)",
    0x07: "Water",
    0x08: "Heat Cost Allocator",
    0x09: "Compressed Air",
    0x0A: "Cooling load meter: Outlet",
    0x0B: "Cooling load meter: Inlet",
    0x0C: "Heat: Inlet",
    0x0D: "Heat / Cooling load meter",
    0x0E: "Bus/System",
    0x0F: "Unknown Medium",
    0x10: "Irrigation Water",
    0x11: "Water Logger",
    0x12: "Gas Logger",
    0x13: "Gas Converter",
    0x14: "Calorific value",
    0x15: "Hot water (>90°C)",
    0x16: "Cold water",
    0x17: "Dual water",
    0x18: "Pressure",
    0x19: "A/D Converter",
    0x1A: "Smoke Detector",
    0x1B: "Room Sensor",
    0x1C: "Gas Detector",
    0x20: "Breaker: Electricity",
    0x21: "Valve: Gas or Water",
    0x25: "Customer Unit: Display Device",
    0x28: "Waste Water",
    0x29: "Garbage",
    0x2A: "Carbon dioxide",
    0x31: "Communication controller",
    0x32: "Unidirectional repeater",
    0x33: "Bidirectional repeater",
    0x36: "Radio converter: System",
    0x37: "Radio converter: Meter",
}

_HIGHEST_MODE: Final = 15
_FIXED_MEDIA: Final = {10: 3, 11: 4, 12: 6, 13: 7, 14: 8}  # "mode 2" of the media 3, 4, 6, 7 and 8
_IS_BINARY, _IS_STORED = 0x01, 0x02  # in the status of a fixed data structure
_HEADERS: Final = {LONG_HEADER: HEADER, SHORT_HEADER: HEADER_WITHOUT_ADDRESS, NO_HEADER: None, SEND: None}


@dataclass(frozen=True, slots=True)
class Telegram:
    """The content of one frame of a meter.

    Attributes:
        header: its fields, `id` as digits and `manufacturer` as letters; {} where it has none.
        items: the values of the records, in order; their names may repeat.
        more_follow: the meter has another telegram to send.
        mode: the encryption mode, where the records are encrypted; then there are no items.
        manufacturer_data: octets that only the manufacturer understands, or None.
        fault: why the rest could not be read, or "".
    """

    header: Mapping[str, Any]
    items: tuple[Item, ...] = ()
    more_follow: bool = False
    mode: int = 0
    manufacturer_data: bytes | None = None
    fault: str = ""


def read(message: Message, key: MeterKey | None = None) -> Telegram | None:
    """Return the telegram in a message; None if its kind has no records.

    Args:
        message: the message of a meter.
        key: the key of the meter, if it encrypts.
    """
    counter = b""
    if message.ci == security.AFL:
        try:
            ci, data, counter = security.without_layer(message.data)
        except FrameError as error:
            return Telegram({}, fault=str(error))
        message = Message(message.c, message.a, ci, data)
    if message.ci == FIXED:
        return _fixed(message.data)
    if message.ci not in _HEADERS:
        return None
    header_layout = _HEADERS[message.ci]
    length = header_layout.sizeof() if header_layout else 0
    if len(message.data) < length:
        return Telegram({}, fault="the telegram ends within its header")
    header = (
        _with_readable_address(layout.parse(header_layout, message.data[:length])) if header_layout else {}
    )
    mode = header.get("signature", 0) >> 8 & 0x1F
    data = message.data[length:]
    if 0 < mode <= _HIGHEST_MODE:
        if key is None or message.ci != LONG_HEADER or mode not in security.EXTENSION_LENGTH:
            return Telegram(header, mode=mode)
        address, access_number = message.data[: secondary.LENGTH], header["access_number"]
        try:
            data = security.decrypted(address, access_number, header["signature"], data, key, counter)
        except FrameError as error:
            return Telegram(header, mode=mode, fault=str(error))
    parsed_records = records.parse(data)
    items = tuple(item(record, header.get("manufacturer", "")) for record in parsed_records.records)
    return Telegram(
        header, items, parsed_records.more_follow, 0, parsed_records.manufacturer, parsed_records.fault
    )


def secondary_of(message: Message) -> Secondary | None:
    """Return the secondary address in a meter's message; None if there is none."""
    if message.ci == security.AFL:
        try:
            ci, data, _ = security.without_layer(message.data)
        except FrameError:
            return None
        message = Message(message.c, message.a, ci, data)
    if message.ci == LONG_HEADER and len(message.data) >= HEADER_LENGTH:
        return secondary.parse(message.data[: secondary.LENGTH])
    if message.ci == FIXED and len(message.data) == FIXED_DATA.sizeof():
        return Secondary(secondary.digits(message.data[:4]))
    return None


def error_of(message: Message) -> int | None:
    """Return the code of an application error; None if the message is none."""
    if message.ci != ERROR:
        return None
    return message.data[0] if message.data else 0


def error_name(code: int) -> str:
    """Return the standard's name of an application error, or a text that says that it has none."""
    return ERRORS.get(code, f"application error {code}, not in the standard")


def _with_readable_address(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a header, with its id as digits and its manufacturer as letters."""
    if "id" in fields:
        fields["id"] = secondary.digits(fields["id"])
        fields["manufacturer"] = secondary.letters(fields["manufacturer"])
    return fields


def _fixed(octets: bytes) -> Telegram:
    """Return the telegram of a fixed data structure: two counters.

    The second may be the first one at a fixed date.
    """
    if len(octets) != FIXED_DATA.sizeof():
        return Telegram(
            {}, fault=f"the telegram has {len(octets)} octets, its structure {FIXED_DATA.sizeof()}"
        )
    fields = layout.parse(FIXED_DATA, octets)
    low, high = fields["units"]
    medium = low >> 6 | high >> 6 << 2
    header = {
        "id": secondary.digits(fields["id"]),
        "access_number": fields["access_number"],
        "status": fields["status"],
        "medium_code": _FIXED_MEDIA.get(medium, medium),
    }
    units = low & 0x3F, high & 0x3F
    storages = [int(bool(fields["status"] & _IS_STORED))] * 2
    if units[1] == FIXED_STORED:
        units, storages[1] = (units[0], units[0]), 1
    counters = zip(units, storages, fields["counters"], strict=True)
    is_binary = bool(fields["status"] & _IS_BINARY)
    return Telegram(
        header, tuple(counter(*fields_of_counter, is_binary=is_binary) for fields_of_counter in counters)
    )
