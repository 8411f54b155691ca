r"""DSMR P1: the customer port of smart meters in the Netherlands, Belgium, Luxembourg and Scandinavia.

Spec: DSMR P1 Companion Standard 5.0.2. Its telegrams are those of IEC 62056-21 mode D, with a check of their
own. The meter pushes, every second or ten; 115200 8N1, versions 2 and 3: 9600 7E1.

    /ISk5\2MT382-1000
                                                          the blank line
    0-0:96.1.1(4B384547303034303436333935353037)          the meter's equipment identifier
    1-0:1.8.1(000004.426*kWh)
    0-1:96.1.0(3232323241424344313233343536373839)        that of the meter on M-Bus channel 1 …
    0-1:24.2.1(170102161005W)(00000.107*m3)               … and what it said last, and when
    !6EEE                                                 CRC-16 from / through !; not in versions 2 and 3

Each meter is a sensor of its own, named by its equipment identifier. The telegram has it as the hex digits of
its characters: K8EG004046395507, as on the label. In site.toml either form is found; where the digits do not
stand for characters, they are the identifier.

Quirks: some meters print the CRC without leading zeros (!B9F), some reckon it as CRC-16/X-25. Where a CRC
decides, the first line may hold control characters (0x02 for "\2") and "/". Fluvius tells the identifier of
an M-Bus meter with 0-n:96.1.1, and gas that is not converted to base conditions with 0-n:24.2.3. An M-Bus
meter that was never heard has a date that is none (632525252525W). Without any identifier the first line
serves as one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final, NamedTuple

from protocols.iec62056_21.data import DataSet, data_sets
from protocols.toolkit import obis
from protocols.toolkit.checksum import CHECKSUMS
from protocols.toolkit.framing import Direction, Frame, NoiseReason
from protocols.toolkit.obis import Code, Quantity
from protocols.toolkit.polling import LineSettings, Value, Values
from protocols.toolkit.protocol import Fields, PushingProtocol
from protocols.toolkit.pushing import Identity, PushingKeys, Telegram
from protocols.toolkit.scanning import Find, Scanning
from protocols.toolkit.search import SearchFramer, Shape

MAX_LENGTH: Final = 8192  # a text for the customer alone may have 2048 digits

_HEAD = re.compile(rb"/[A-Za-z]{3}[0-9]")
_LENIENT: Final = rb"/[A-Za-z]{3}[0-9][\x01-\x09\x0b\x0c\x0e- \"-\x7f]{0,64}"
_FIRST_LINE = re.compile(_LENIENT + rb"\r\n\r\n")
_FIRST_LINE_BEGUN = re.compile(_LENIENT + rb"(?:\r(?:\n\r?)?)?")
_PLAIN_FIRST_LINE = re.compile(rb"/[A-Za-z]{3}[0-9][ \"-.0-~]{0,64}\r\n\r\n")
_STOP = re.compile(rb"!|/|\r\n\r\n|[^\t\r\n -~]")
_LONGEST_END = 7  # octets from "!" on
_CHECK = re.compile(rb"([0-9A-Fa-f]{0,4})\r\n")
_CHECK_BEGUN = re.compile(rb"[0-9A-Fa-f]{0,4}\r?")
_VERSIONS_WITH_CHECK = (b"\n1-3:0.2.8(", b"\n0-0:96.1.4(")  # 4 and up state their version

_CRCS: Final = (CHECKSUMS["crc16-arc"].of, CHECKSUMS["crc16-x25"].of)  # the standard's, and some meters'

_MAIN: Final = 0  # the channel of the electricity meter
_IDENTIFIERS: Final = ("96.1.1", "96.1.0", "42.0.0")  # of the electricity meter, best first
_MBUS_IDENTIFIERS: Final = ("96.1.0", "96.1.1")
_MBUS_VALUES: Final = ("24.2.1", "24.2.3")
_MBUS_VALUE_OLD: Final = "24.3.0"  # version 2: date, …, unit; the value stands in the next line
_MBUS_QUANTITIES: Final = (  # the unit tells which one it is; MJ are told in GJ, MWh in kWh
    Quantity("volume", "m³"),
    Quantity("energy", "GJ"),
    Quantity("import_energy", "kWh"),
)
_OWN: Final[Mapping[str, Quantity]] = {  # C.D.E of what the companion standard adds
    "96.14.0": Quantity("tariff", ""),
    "96.7.21": Quantity("power_failures", ""),
    "96.7.9": Quantity("long_power_failures", ""),
    "96.3.10": Quantity("breaker", ""),  # 0 open, 1 closed, 2 ready to be closed
    "17.0.0": Quantity("power_limit", "W"),
    "24.4.0": Quantity("valve", ""),
}
_CURRENT_LIMIT: Final = Quantity("current_limit", "A")  # 31.4.0, where no phase but the first has a D of 4
_LIMITED: Final = "31.4.0"
_MEAN_CURRENTS: Final = ("51.4.0", "71.4.0")
_PEAKS: Final = "98.1.0"  # the highest demand of each month, as Fluvius sends it (e-MUCS-P1 2.1 §5.2)
_PEAK: Final = Quantity("import_demand_max", "W")
_AT: Final = "_at"  # behind the name of a maximum: when it was
_DATE = re.compile(r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)([WS]?)")
_ZONES = {"W": "+01:00", "S": "+02:00", "": ""}


class Meter(NamedTuple):
    """A meter in a telegram: its identifier, decoded and as sent, its values, and their units."""

    id: str
    sent_id: str
    values: Values
    units: dict[str, str]


def identifier(sent_id: str) -> str:
    """Return an equipment identifier of a telegram, decoded where its hexadecimal digits stand for text."""
    try:
        characters = bytes.fromhex(sent_id).decode("ascii")
    except ValueError:
        return sent_id
    is_text = characters.strip() and characters.isprintable() and " " not in sent_id
    return characters.strip() if is_text else sent_id  # some makers put a blank before it


def meters(data: bytes) -> list[Meter]:
    """Return the meters in a telegram, the electricity meter first."""
    first_line, _, text = data.decode("ascii").partition("\r\n\r\n")
    channels: dict[int, list[tuple[str, DataSet, DataSet | None]]] = {_MAIN: []}
    sets = [*data_sets(text.rpartition("!")[0]), None]
    for data_set, behind in pairwise(sets):
        code = obis.parse(data_set.address) if data_set else None
        if data_set and code:
            channel = code.b or 0 if code.a == 0 else _MAIN
            channels.setdefault(channel, []).append((_short(code), data_set, behind))
    channel_meters = []
    for channel, channel_sets in channels.items():
        numbers = _IDENTIFIERS if channel == _MAIN else _MBUS_IDENTIFIERS
        names = {short: data_set.texts[0] for short, data_set, _ in channel_sets if data_set.texts[0]}
        name = next((names[number] for number in numbers if number in names), None)
        if channel == _MAIN:
            name = name or first_line.removeprefix("/")
        if name:
            channel_meters.append(_meter(name, channel_sets))
    return channel_meters


class StreamFramer(SearchFramer):
    """Framer of telegrams."""

    def __init__(self) -> None:
        super().__init__(_SHAPE)


class TelegramListener:
    """Reads the telegrams of a P1 port."""

    def telegrams(self, frame: Frame) -> Sequence[Telegram]:
        """Return a telegram for each meter that has values."""
        return [
            Telegram(meter.id, meter.values, also=(meter.sent_id,) if meter.sent_id != meter.id else ())
            for meter in meters(frame.data)
            if meter.values
        ]


def describe(frame: Frame) -> Fields:
    """Return the first line of a frame, its objects as they are written, and the values of each meter."""
    text = frame.data.decode("ascii")
    first_line, _, body = text.removeprefix("/").partition("\r\n\r\n")
    body, _, check = body.rpartition("!")
    fields: Fields = {
        "identification": first_line,
        "objects": {
            data_set.address: list(data_set.texts) for data_set in data_sets(body) if data_set.address
        },
        "meters": [meter._asdict() for meter in meters(frame.data)],
    }
    return fields | ({"crc": check.strip()} if check.strip() else {})


def _short(code: Code) -> str:
    return f"{code.c}.{code.d}.{code.e}"


def _meter(sent_id: str, channel_sets: Sequence[tuple[str, DataSet, DataSet | None]]) -> Meter:
    meter = Meter(identifier(sent_id), sent_id, {}, {})
    has_mean_currents = any(short in _MEAN_CURRENTS for short, _, _ in channel_sets)
    for short, data_set, behind in channel_sets:
        if short == _PEAKS:
            _put_peaks(meter, data_set.texts)
        elif short == _LIMITED and not has_mean_currents:
            _put(meter, _CURRENT_LIMIT, data_set.texts[0])
        elif short in _MBUS_VALUES and len(data_set.texts) == 2:
            _put_measured(meter, data_set.texts[0], data_set.texts[1])
        elif short == _MBUS_VALUE_OLD and len(data_set.texts) == 6 and behind and not behind.address:
            _put_measured(meter, data_set.texts[0], f"{behind.texts[0]}*{data_set.texts[5]}")
        else:
            code = obis.parse(data_set.address)
            quantity = _OWN.get(short) or (obis.quantity(code) if code else None)
            if quantity:
                _put_dated(meter, quantity, data_set.texts)
    return meter


def _put_dated(meter: Meter, quantity: Quantity, texts: Sequence[str]) -> None:
    """Add a value, and beside a maximum the time when it was reached."""
    amount = next((text for text in texts if "*" in text), texts[0])
    reached_at = next(filter(None, map(_iso_date, texts)), None)
    if _put(meter, quantity, amount) and reached_at:
        meter.values[quantity.name + _AT] = reached_at


def _put_peaks(meter: Meter, texts: Sequence[str]) -> None:
    """Add the peaks of the months past, the newest as _month1.

    (count)(code)(code) and then, of each month, (its end)(when the peak was)(the peak); a month in which
    the meter was not there has no date.
    """
    months = list(zip(texts[4::3], texts[5::3], strict=False))
    for number, (reached_at, amount) in enumerate(reversed(months), start=1):
        if _iso_date(reached_at):
            _put_dated(meter, Quantity(f"{_PEAK.name}_month{number}", _PEAK.unit), (reached_at, amount))


def _put_measured(meter: Meter, date: str, amount: str) -> None:
    """Add the last reading of an M-Bus meter and its time; nothing if it has none yet."""
    measured_at = _iso_date(date)
    if measured_at and any(_put(meter, quantity, amount) for quantity in _MBUS_QUANTITIES):
        meter.values["measured_at"] = measured_at


def _put(meter: Meter, quantity: Quantity, text: str) -> bool:
    """Add the value if the text is an amount of this quantity; return whether it is."""
    digits, _, unit = text.partition("*")
    amount = obis.number(digits)
    value: Value | None = None if amount is None else obis.in_unit(amount, unit.strip(), quantity.unit)
    if amount is None and not quantity.unit:  # a state in words: TARIFF 1, ON
        value = text.strip() or None
    if value is not None:
        meter.values[quantity.name] = value
        if quantity.unit:
            meter.units[quantity.name] = quantity.unit
    return value is not None


def _iso_date(stamp: str) -> str | None:
    """Return YYMMDDhhmmss with W (winter) or S (summer time) in ISO 8601; None if it is no date."""
    match = _DATE.fullmatch(stamp)
    if match is None:
        return None
    year, month, day, hour, minute, second, season = match.groups()
    try:
        date = datetime.fromisoformat(f"20{year}-{month}-{day}T{hour}:{minute}:{second}{_ZONES[season]}")
    except ValueError:
        return None
    return date.isoformat()


def _extent(buffer: bytes, at: int, searched_length: int = 0) -> int | None:
    """Return the length of the telegram at `at`; its end is not among the first `searched_length` octets."""
    first_line = _FIRST_LINE.match(buffer, at)
    if first_line is None:
        return None if _FIRST_LINE_BEGUN.fullmatch(buffer, at) else 0
    stop = _STOP.search(buffer, max(first_line.end(), searched_length - _LONGEST_END), at + MAX_LENGTH - 6)
    if stop is None:
        return None if len(buffer) - at < MAX_LENGTH - 6 else 0
    if stop[0] != b"!":
        return 0
    check = _CHECK.match(buffer, stop.end())
    if check:
        return check.end() - at
    return None if _CHECK_BEGUN.fullmatch(buffer, stop.end()) else 0


def _flaw(telegram: bytes) -> NoiseReason | None:
    """Return "checksum" where the check does not fit; without one, the first line must be plain."""
    body, mark, check = telegram.rpartition(b"!")
    if check.strip():
        return None if int(check, 16) in (crc(body + mark) for crc in _CRCS) else NoiseReason.CHECKSUM
    states_a_check = any(version in body for version in _VERSIONS_WITH_CHECK)
    return None if _PLAIN_FIRST_LINE.match(telegram) and not states_a_check else NoiseReason.CHECKSUM


def _direction(telegram: bytes) -> Direction:
    return Direction.REPLY


_SHAPE: Final = Shape(_HEAD, 5, b"/", MAX_LENGTH, _extent, _flaw, _direction, resumed=_extent)

_PHASED = r"(im|ex)port_power|voltage|current|voltage_sags|voltage_swells"


def _unit_of(name: str) -> str | None:
    """Return the unit of a value that `_KEYS` does not list."""
    is_peak = name.startswith(f"{_PEAK.name}_month") and not name.endswith(_AT)
    return _PEAK.unit if is_peak else obis.unit_of(name)


_KEYS: Final = PushingKeys(
    units={f"{name}_energy{tariff}": "kWh" for name in ("import", "export") for tariff in ("", "_t1", "_t2")}
    | {name: unit for name, unit in obis.UNITS.items() if re.fullmatch(rf"({_PHASED})(_l[123])?", name)}
    | dict(_OWN.values())
    | dict((_CURRENT_LIMIT, _PEAK))
    | dict(_MBUS_QUANTITIES)
    | {"measured_at": "", _PEAK.name + _AT: ""},
    identity=Identity(
        form=re.compile(r"[ -~]{1,96}"),
        what="the equipment identifier, from the meter's label or as the telegram has it",
        example="K8EG004046395507",
    ),
    others=re.compile(
        rf"({'|'.join(obis.UNITS)})(_t[1-9][0-9]?)?({_AT})?|{_PEAK.name}_month[1-9][0-9]?({_AT})?"
    ),
    unit_of=_unit_of,
)


_LINES: Final = tuple(map(LineSettings.parse, ("115200 8N1", "9600 7E1")))


def _scanning() -> Scanning:
    from protocols.iec62056_21.mode_d import is_p1  # a service never searches
    from protocols.toolkit.senders import senders

    def passive(frames: Sequence[Frame]) -> Sequence[Find]:
        """Leave the telegrams of other meters, which look alike, to mode D of IEC 62056-21."""
        return senders(PROTOCOL, frames) if all(map(is_p1, frames)) else ()

    return Scanning(lines=_LINES, passive=passive)


PROTOCOL = PushingProtocol(
    name="dsmr",
    title="DSMR P1",
    spec="DSMR P1 Companion Standard 5.0.2",
    line=LineSettings(115200),
    framer=StreamFramer,
    describer=lambda: describe,
    schema=_KEYS.schema,
    settings=_KEYS.parse,
    listener=TelegramListener,
    scanning=_scanning,
    longest=MAX_LENGTH,
)
