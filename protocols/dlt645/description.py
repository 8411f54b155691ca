"""Frames into fields: for people, and for what reads `decode --json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from protocols.dlt645 import frame as frames
from protocols.dlt645.data import Item
from protocols.dlt645.edition import DLT645_2007, Edition
from protocols.toolkit.framing import Frame
from protocols.toolkit.protocol import Fields

NO_SUCH_DATA: Final = 0x02
NOT_AUTHORISED: Final = 0x04
ERRORS: Final[Mapping[int, str]] = {  # the bits of ERR
    0x01: "other error",
    NO_SUCH_DATA: "no such data",
    NOT_AUTHORISED: "wrong password or not authorised",
    0x08: "the baud rate cannot be changed",
    0x10: "too many time zones of the year",
    0x20: "too many time periods of the day",
    0x40: "too many tariffs",
}


def error_name(code: int) -> str:
    """Return the meaning of the bits of an error octet."""
    texts = [text for bit, text in ERRORS.items() if code & bit]
    return ", ".join(texts) or f"error 0x{code:02X}, not in the standard"


def describe(frame: Frame, edition: Edition = DLT645_2007) -> Fields:
    """Return the fields of a frame, its data without the offset; the value if its identifier is known."""
    message = frames.parse(frame)
    fields: Fields = {
        "preamble": frames.preamble(frame),
        "address": message.address.lower(),
        "control": message.control,
        "data": message.data.hex(),
    }
    is_reply = bool(message.control & frames.REPLY)
    if is_reply and message.control & frames.REFUSED:
        if message.data:
            fields |= {"error": message.data[0], "error_name": error_name(message.data[0])}
    elif is_reply and message.function == frames.READ_ADDRESS:
        fields["read_address"] = message.data[::-1].hex()
    elif message.function in (edition.read, edition.read_following) and len(message.data) >= edition.octets:
        fields["di"] = message.data[: edition.octets][::-1].hex()
        if is_reply and message.function == edition.read and not message.control & frames.MORE_FOLLOW:
            fields |= _value(edition.item_of(fields["di"].upper()), message.data[edition.octets :])
    return fields


def _value(item: Item | None, data: bytes) -> Fields:
    value = item.value(data) if item else None
    if item is None or value is None:
        return {}
    return {"name": item.name, "value": value} | ({"unit": item.unit} if item.unit else {})
