"""The APDUs that a meter pushes: data-notification, plain or inside general ciphering.

Spec: IEC 62056-5-3 (Green Book 8 §9.3 and §9.2.7).

    0F | long-invoke-id-and-priority 4 | date-time | body            date-time: length 0 or 0C, then octets
    DB | length | system title | length | security control | invocation counter 4 | ciphertext | tag 12

DB is general-glo-ciphering, DD the same with a dedicated key. Without authentication there is no tag.

Quirk: Kaifa writes the date-time with its type before it (09 0C …).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from construct import Byte, Int32ub, Struct

from protocols.dlms.data import DATE_TIME_LENGTH, Element, Reader, iso_date
from protocols.toolkit import layout
from protocols.toolkit.errors import DecodeError

DATA_NOTIFICATION: Final = 0x0F
CIPHERED: Final = {0xDB: "general-glo-ciphering", 0xDD: "general-ded-ciphering"}

_NOTIFICATION: Final = "data-notification" / Struct("tag" / Byte, "long-invoke-id-and-priority" / Int32ub)
_SECURITY: Final = "security header" / Struct("control" / Byte, "invocation_counter" / Int32ub)
_NOTIFICATION_LENGTH = _NOTIFICATION.sizeof()
_SECURITY_LENGTH = _SECURITY.sizeof()
_OCTET_STRING = 0x09


class Notification(NamedTuple):
    """A data-notification.

    Attributes:
        sent_at: in ISO 8601; None if it has no time, or the clock is not set.
    """

    sent_at: str | None
    body: Element


class Ciphered(NamedTuple):
    """An APDU of general ciphering.

    Attributes:
        system_title: of the meter: three letters of its maker and a number.
        control: the security control byte.
        text: the ciphertext, with its tag if it has one.
    """

    system_title: bytes
    control: int
    invocation_counter: int
    text: bytes


def notification(apdu: bytes) -> Notification:
    """Read a data-notification.

    Raises:
        DecodeError: it is none, or cannot be read whole.
    """
    reader = Reader(apdu)
    head = layout.parse(_NOTIFICATION, reader.octets("data-notification", _NOTIFICATION_LENGTH))
    if head["tag"] != DATA_NOTIFICATION:
        raise DecodeError("is not a data-notification", field="tag", value=head["tag"], data=apdu)
    length = reader.length("date-time")
    if length == _OCTET_STRING:
        length = reader.length("date-time")
    if length not in (0, DATE_TIME_LENGTH):
        raise DecodeError("is not a date-time", field="date-time", value=length, data=apdu)
    date_time = reader.octets("date-time", length)
    body = reader.element("notification-body")
    reader.end("notification-body")
    return Notification(iso_date(date_time) if date_time else None, body)


def ciphered(apdu: bytes) -> Ciphered:
    """Read what stands around a ciphertext.

    Raises:
        DecodeError: the lengths do not fit.
    """
    reader = Reader(apdu)
    reader.octets("tag", 1)
    title = reader.octets("system-title", reader.length("system-title"))
    text = reader.octets("ciphered-content", reader.length("ciphered-content"))
    reader.end("ciphered-content")
    if len(title) != 8 or len(text) <= _SECURITY_LENGTH:
        raise DecodeError("too short for general ciphering", field="length", value=len(text), data=apdu)
    header = layout.parse(_SECURITY, text[:_SECURITY_LENGTH])
    counter = header["invocation_counter"]
    return Ciphered(title, header["control"], counter, text[_SECURITY_LENGTH:])
