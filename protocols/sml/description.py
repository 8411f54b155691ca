"""SML messages into values under our names, and into fields for people.

A value goes by the name of its OBIS code where it has one and the unit is that quantity's, and by the code
itself otherwise. Octets are hexadecimal digits, those of the manufacturer text, and so is a number of the
device (C = 0 or 96) that a meter writes in characters. What only says again which meter this is, its server
id among the values and its public key, is no value.

A server id is told in hexadecimal digits. site.toml may write it as the meter's label does, too: as the
fourteen characters of DIN 43863-5, or as the characters themselves where the id is made of them.

    0a 01 45 4d 48 00 00 c3 12 a1     1EMH0012784289      medium, maker, block, eight digits
    30 32 32 38 30 38 31 36           02280816
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from protocols.sml.messages import (
    ATTENTION_RES,
    GET_LIST_RES,
    NAMES,
    Entry,
    Message,
    ValueList,
    attention,
    messages,
    value_list,
)
from protocols.sml.transport import data_of
from protocols.toolkit.dlms_units import UNITS
from protocols.toolkit.errors import DecodeError
from protocols.toolkit.framing import Frame
from protocols.toolkit.obis import Code, in_unit, plain, quantity
from protocols.toolkit.polling import Value, Values
from protocols.toolkit.protocol import Fields
from protocols.toolkit.pushing import Telegram

MANUFACTURER: Final = "manufacturer"
_MANUFACTURER = Code(129, 129, 199, 130, 3)
_MANUFACTURER_TOO = Code(1, 0, 96, 50, 1, 1)  # of newer meters
_DIN_43863_5 = re.compile(rb"[\x09\x0a]([\x01-\x0f])([A-Z]{3})(.)(.{4})", re.DOTALL)
_OF_THE_DEVICE = (0, 96)  # C of its numbers
_TEXT = re.compile(rb"[0-9A-Za-z][ -~]{2,}")
_PUBLIC_KEY = Code(129, 129, 199, 130, 5)


class MeterListener:
    """Reads the frames of a line's meters: each list of values is a telegram of its server."""

    def telegrams(self, frame: Frame) -> Sequence[Telegram]:
        """Return a telegram for each list of values in a frame.

        Raises:
            DecodeError: an element cannot be read, or a message's checksum is wrong.
        """
        lists = [value_list(message) for message in messages(data_of(frame)) if message.tag == GET_LIST_RES]
        return [
            Telegram(meter_list.server_id.hex(), values_of(meter_list), labels_of(meter_list.server_id))
            for meter_list in lists
        ]


def labels_of(server_id: bytes) -> tuple[str, ...]:
    """Return the other ways to write a server id, as the meter's label has it, in lower-case letters."""
    if _is_text(server_id):
        return (server_id.decode("ascii").lower(),)
    match = _DIN_43863_5.fullmatch(server_id)
    if match is None:
        return ()
    medium, maker, block, number = match.groups()
    label = f"{medium[0]:X}{maker.decode('ascii')}{block.hex()}{int.from_bytes(number, 'big'):08}"
    return (label.lower(),)


def values_of(meter_list: ValueList) -> Values:
    """Return the values of a list, each in the unit of its name."""
    values: Values = {}
    for entry in meter_list.entries:
        if entry.value != meter_list.server_id and entry.code != _PUBLIC_KEY:
            values |= _value(entry)
    return values


def describe(frame: Frame) -> Fields:
    """Return the messages of a frame by name; of a list its server, the entries by code, and the values."""
    fields: Fields = {"messages": []}
    try:
        for message in messages(data_of(frame)):
            fields["messages"].append(NAMES.get(message.tag, f"0x{message.tag:08X}"))
            fields |= _described(message)
    except DecodeError as error:
        fields["error"] = str(error)
    return fields


def _described(message: Message) -> Fields:
    if message.tag == GET_LIST_RES:
        meter_list = value_list(message)
        entries = {_code_text(entry.code): _shown(entry) for entry in meter_list.entries}
        return {"server_id": meter_list.server_id.hex(), **entries, "values": values_of(meter_list)}
    if message.tag == ATTENTION_RES:
        event = attention(message)
        return {"server_id": event.server_id.hex(), "attention": event.number.hex(), "text": event.message}
    return {}


def _code_text(code: Code) -> str:
    """Return the code with all six groups, as text."""
    return "{}-{}:{}.{}.{}*{}".format(*code)


def _shown(entry: Entry) -> Fields:
    unit = entry.unit if entry.unit is None else UNITS.get(entry.unit, entry.unit)
    return {"value": _own_value(entry, is_text=entry.code == _MANUFACTURER), "unit": unit}


def _value(entry: Entry) -> Values:
    if entry.code in (_MANUFACTURER, _MANUFACTURER_TOO):
        name, value = MANUFACTURER, _own_value(entry, is_text=True)
    else:
        name, value = str(entry.code), _own_value(entry, is_text=_is_number_in_characters(entry))
    known_quantity = quantity(entry.code)
    if known_quantity and isinstance(entry.value, int) and not isinstance(entry.value, bool):
        unit = "" if entry.unit is None else UNITS.get(entry.unit, "")
        amount = in_unit(Decimal(entry.value).scaleb(entry.scaler), unit, known_quantity.unit)
        if amount is not None:
            name, value = known_quantity.name, amount
    return {} if value is None else {name: value}


def _own_value(entry: Entry, *, is_text: bool = False) -> Value | None:
    """Return the value of an entry in the entry's own unit; None if it has none, or only a time."""
    match entry.value:
        case bool():
            return entry.value
        case int():
            return plain(Decimal(entry.value).scaleb(entry.scaler))
        case bytes():
            return entry.value.decode("ascii", "replace") if is_text else entry.value.hex()
    return None


def _is_number_in_characters(entry: Entry) -> bool:
    return entry.code.c in _OF_THE_DEVICE and isinstance(entry.value, bytes) and _is_text(entry.value)


def _is_text(octets: bytes) -> bool:
    return _TEXT.fullmatch(octets) is not None
