"""A push into values under our names, and into fields for people.

A value goes by the name of its OBIS code where it has one and its unit is that quantity's, and by the code
itself otherwise. `measured_at` is the meter's own clock, in the list or before it. Texts (version and type of
the list) are no values.

A line has one meter. A list that does not say which meter it is of (the short one between two long ones) is
of the meter that was heard last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from protocols.dlms import hdlc, wired_mbus
from protocols.dlms.apdu import CIPHERED, DATA_NOTIFICATION, Notification, ciphered, notification
from protocols.dlms.assembly import Assembler
from protocols.dlms.ciphering import Decryption
from protocols.dlms.data import DATE_TIME_LENGTH, iso_date
from protocols.dlms.lists import CLOCK, Entry, List, read
from protocols.toolkit.dlms_units import UNITS
from protocols.toolkit.errors import DecodeError
from protocols.toolkit.framing import Frame
from protocols.toolkit.meter_keys import MeterKey
from protocols.toolkit.obis import ELECTRICITY, in_unit, plain, quantity
from protocols.toolkit.polling import Value, Values
from protocols.toolkit.protocol import Fields
from protocols.toolkit.pushing import Telegram

MEASURED_AT: Final = "measured_at"
_ENERGIES = ("Wh", "varh", "VAh")


class MeterListener:
    """Hears the meter of a line.

    Args:
        decryption: of what is encrypted; it outlives a port that is closed and opened again.
    """

    def __init__(self, decryption: Decryption | None = None) -> None:
        self._decryption = decryption or Decryption(())
        self._assembler = Assembler()
        self._meter_id = ""

    @property
    def invocation_counters(self) -> Mapping[str, int]:
        """Return the last good counter of each meter, by its system title and the fingerprint of its key."""
        return self._decryption.counters

    def continue_after(self, counters: Mapping[str, int]) -> None:
        """Refuse from now on what is not greater than these counters."""
        self._decryption.continue_after(counters)

    def telegrams(self, frame: Frame) -> Sequence[Telegram]:
        """Return the telegram that this frame completes; () if there is none yet.

        Raises:
            DecodeError: it makes no sense.
            DecryptionError: it cannot be decrypted, or is a repetition.
        """
        apdu = self._assembler.add(frame.data)
        if apdu is None or apdu[:1] not in _PUSHED:
            return ()
        push, system_title = self._opened(apdu)
        value_list = read(push.body, system_title)
        values = values_of(value_list.entries)
        if not values:
            return ()
        if push.sent_at:
            values.setdefault(MEASURED_AT, push.sent_at)
        title = system_title.hex().upper()
        self._meter_id = value_list.meter_id or self._meter_id or title
        further_ids = {title, ""} - {self._meter_id}
        return (Telegram(self._meter_id, values, also=tuple(sorted(further_ids))),)

    def _opened(self, apdu: bytes) -> tuple[Notification, bytes]:
        """Return the notification in an APDU, and the system title if it was encrypted, else b""."""
        if apdu[0] == DATA_NOTIFICATION:
            return notification(apdu), b""
        telegram = ciphered(apdu)
        return self._decryption.read(telegram, notification), telegram.system_title


def listener_with(keys: Iterable[MeterKey]) -> Callable[[], MeterListener]:
    """Return what makes the listeners of a line whose meters have these keys."""
    decryption = Decryption(keys)
    return lambda: MeterListener(decryption)


def values_of(entries: Sequence[Entry]) -> Values:
    """Return the values of a list, each in the unit of its name."""
    values: Values = {}
    for entry in entries:
        values |= _value(entry)
    return values


def describer() -> Callable[[Frame], Fields]:
    """Make a function that describes the frames of one stream; nothing is decrypted."""
    assembler = Assembler()

    def describe(frame: Frame) -> Fields:
        fields = _frame_fields(frame.data)
        try:
            apdu = assembler.add(frame.data)
            return fields | (_apdu_fields(apdu) if apdu else {"goes_on": True})
        except DecodeError as error:
            return fields | {"error": str(error)}

    return describe


_PUSHED: Final = tuple(bytes((tag,)) for tag in (DATA_NOTIFICATION, *CIPHERED))


def _frame_fields(frame: bytes) -> Fields:
    if frame.startswith(wired_mbus.STARTS):
        segment = wired_mbus.parse(frame)
        return {"carrier": "M-Bus", "segment": segment.number}
    part = hdlc.parse(frame)
    return {
        "carrier": "HDLC",
        "destination": part.destination.hex(),
        "source": part.source.hex(),
        "control": part.control,
    }


def _apdu_fields(apdu: bytes) -> Fields:
    name = CIPHERED.get(apdu[0])
    if name:
        telegram = ciphered(apdu)
        return {
            "apdu": name,
            "system_title": telegram.system_title.hex().upper(),
            "security_control": f"{telegram.control:02X}",
            "invocation_counter": telegram.invocation_counter,
        }
    if apdu[0] != DATA_NOTIFICATION:
        return {"apdu": f"{apdu[0]:02X}"}
    push = notification(apdu)
    return {"apdu": "data-notification", **_list_fields(read(push.body), push.sent_at)}


def _list_fields(value_list: List, sent_at: str | None) -> Fields:
    objects = {
        str(entry.code): {
            "value": entry.value.hex() if isinstance(entry.value, bytes) else entry.value,
            "scaler": entry.scale and entry.scale.scaler,
            "unit": entry.scale and UNITS.get(entry.scale.unit, str(entry.scale.unit)),
        }
        for entry in value_list.entries
    }
    return {
        "meter": value_list.meter_id,
        "sent_at": sent_at,
        "objects": objects,
        "values": values_of(value_list.entries),
    }


def _value(entry: Entry) -> Values:
    """Return a value under its name; {} if it is a text, or a time that is none."""
    code, value = entry.code, entry.value
    if isinstance(value, bytes):
        is_clock = code[2:5] == CLOCK and len(value) == DATE_TIME_LENGTH
        date = iso_date(value) if is_clock else None
        return {MEASURED_AT: date} if date else {}
    if isinstance(value, bool):
        return {str(code): value}
    if not isinstance(value, int | float):
        return {}
    amount = Decimal(str(value))
    if entry.scale is None:
        return {str(code): plain(amount)} if code.c else {}
    amount = amount.scaleb(entry.scale.scaler)
    unit = UNITS.get(entry.scale.unit, "")
    if code.a == 0 and unit in _ENERGIES:  # Landis+Gyr ZMF100: 0-0:1.8.0 for 1-0:1.8.0
        code = code._replace(a=ELECTRICITY)
    known_quantity = quantity(code)
    amount_in_unit: Value | None = in_unit(amount, unit, known_quantity.unit) if known_quantity else None
    if known_quantity and amount_in_unit is not None:
        return {known_quantity.name: amount_in_unit}
    return {str(code): plain(amount)}
