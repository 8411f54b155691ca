"""What a list of values means: the makers agree on OBIS codes and on little else.

    with units        code, value, (scaler, unit), in structures of their own (Aidon, Iskra, Kaifa in Tyrol)
                      or one behind the other (Kaifa in Lower Austria)
    without units     code, value (Kamstrup, Landis+Gyr E450, Kaifa in Sweden): its maker's document has them
    with description  first what stands where (class, code, attribute, index), then the values (Landis+Gyr)
    by position       values alone (Kaifa in Norway, Iskra AM550 and Sagemcom IM350 in Vienna)

A value without a unit gets one only where its maker is known, by the list's version or the system title; it
goes by its code otherwise, as it was sent. A list whose kind is not known gives nothing.

Sources: "Kaifa HAN OBIS codes KFM_001"; Kamstrup "HAN-NVE information sheet"; NVE 201603186 (Norway); the
customer interface descriptions of Netz Niederösterreich, TINETZ and Wiener Netze. The scales of Landis+Gyr
are those with which powers, currents and voltages of its pushes agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from protocols.dlms.data import Element, Enumerated
from protocols.toolkit.obis import Code, quantity

_CODE_LENGTH = 6
_W, _VAR, _WH, _VARH, _A, _V, _HZ, _NONE = 27, 29, 30, 32, 33, 35, 44, 255

CLOCK: Final = (1, 0, 0)  # C, D, E
_IDS: Final = ((0, 96, 1, 0), (1, 0, 0, 5))  # A, C, D, E: of the electricity meter, and Kamstrup's GS1 number
_VIENNA: Final = bytes((0, 6, 25, 9, 0, 255))  # the push setup, with which the list of Vienna begins
_VIENNA_LENGTH = 12
_LEAST_ID = 8  # characters


class Scale(NamedTuple):
    """What a number without a unit means: value × 10 ** scaler in unit."""

    scaler: int
    unit: int


class Entry(NamedTuple):
    """One value of a list; no scale where it has none and its maker is not known."""

    code: Code
    value: Element
    scale: Scale | None = None


class List(NamedTuple):
    """What a list tells.

    Attributes:
        meter_id: as on the meter's label; "" if the list has none.
    """

    meter_id: str
    entries: tuple[Entry, ...]


_MAKERS: Final[Mapping[str, Mapping[str, Scale]]] = {  # maker → our unit → what the number is
    "KFM": {
        "W": Scale(0, _W),
        "var": Scale(0, _VAR),
        "kWh": Scale(0, _WH),
        "kvarh": Scale(0, _VARH),
        "A": Scale(-3, _A),
        "V": Scale(-1, _V),
    },
    "Kamstrup": {
        "W": Scale(0, _W),
        "var": Scale(0, _VAR),
        "kWh": Scale(1, _WH),
        "kvarh": Scale(1, _VARH),
        "A": Scale(-2, _A),
        "V": Scale(0, _V),
        "": Scale(-2, _NONE),
    },
    "LGZ": {
        "W": Scale(0, _W),
        "var": Scale(0, _VAR),
        "kWh": Scale(0, _WH),
        "kvarh": Scale(0, _VARH),
        "A": Scale(-2, _A),
        "V": Scale(0, _V),
        "": Scale(-3, _NONE),
        "Hz": Scale(0, _HZ),
    },
}


def read(body: Element, system_title: bytes = b"") -> List:
    """Return what a notification's body tells.

    Args:
        system_title: of the meter, where it was encrypted.
    """
    if not isinstance(body, list):
        return List("", ())
    if body[:1] == [_VIENNA]:
        return _vienna(body)
    pairs_by_description = _described(body)
    pairs = pairs_by_description or list(_walked(body))
    if not pairs:
        return _by_position(body)
    maker = _maker(body, system_title, is_described=bool(pairs_by_description))
    entries = tuple(Entry(code, value, scale or _known(maker, code)) for code, value, scale in pairs)
    return List(_meter_id(entries) or _last_text(body), entries)


def _walked(items: Sequence[Element]) -> Iterator[tuple[Code, Element, Scale | None]]:
    """Yield each code with the value behind it and, if that follows, its scaler and unit."""
    at = 0
    while at < len(items):
        item = items[at]
        code = _code(item)
        if isinstance(item, list):
            yield from _walked(item)
        elif code and at + 1 < len(items) and not isinstance(items[at + 1], list):
            scale = _scale(items[at + 2]) if at + 2 < len(items) else None
            yield code, items[at + 1], scale
            at += 2 if scale else 1
        at += 1


def _described(body: Sequence[Element]) -> list[tuple[Code, Element, Scale | None]]:
    """Return the values that a description before them names; [] if there is none.

    The description begins with its own place; where that place is not sent, one value less follows it.
    """
    head = body[0] if body else None
    if not isinstance(head, list) or not head:
        return []
    codes = [_code(entry[1]) for entry in head if isinstance(entry, list) and len(entry) == 4]
    values = body[1:]
    if len(codes) != len(head) or None in codes or not len(codes) - 1 <= len(values) <= len(codes):
        return []
    codes_of_values = codes[len(codes) - len(values) :]
    return [(code, value, None) for code, value in zip(codes_of_values, values, strict=True) if code]


def _by_position(body: Sequence[Element]) -> List:
    """Return the values of a list without codes; no values if its kind is unknown."""
    match body:
        case [int() as power]:
            return _placed("", {Code(1, 0, 1, 7, 0): power})
        case [str() | bytes() as version, meter_id, _, *values] if _text(version).startswith("KFM"):
            return _kaifa(_text(meter_id), values)
    return List("", ())


def _kaifa(meter_id: str, values: Sequence[Element]) -> List:
    """Return the values of a Kaifa in Norway: one or three phases; in list 3 clock and energies follow."""
    phases = {6: 1, 10: 3, 11: 1, 15: 3}.get(len(values))
    if phases is None:
        return List("", ())
    flows = [Code(1, 0, c, 7, 0) for c in (1, 2, 3, 4)]
    currents = [Code(1, 0, c, 7, 0) for c in (31, 51, 71)[:phases]]
    voltages = [Code(1, 0, c, 7, 0) for c in (32, 52, 72)[:phases]]
    clock_and_energies = [Code(0, 0, 1, 0, 0), *(Code(1, 0, c, 8, 0) for c in (1, 2, 3, 4))]
    codes = [*flows, *currents, *voltages, *clock_and_energies]
    return _placed(meter_id, dict(zip(codes, values, strict=False)))


def _vienna(body: Sequence[Element]) -> List:
    """Return the values of an Iskra AM550 or Sagemcom IM350 in Vienna.

    These are number, time, date, energies, reactive energies and powers. The reactive energies are left out:
    which tariff they are of is not told.
    """
    if len(body) != _VIENNA_LENGTH:
        return List("", ())
    codes = {4: (1, 8), 5: (2, 8), 8: (1, 7), 9: (2, 7)}
    values = {Code(1, 0, c, d, 0): body[at] for at, (c, d) in codes.items()}
    return _placed(_text(body[1]), values)


def _placed(meter_id: str, values: Mapping[Code, Element]) -> List:
    entries = tuple(Entry(code, value, _known("KFM", code)) for code, value in values.items())
    return List(meter_id, entries)


def _known(maker: str, code: Code) -> Scale | None:
    known_quantity = quantity(code)
    return _MAKERS[maker].get(known_quantity.unit) if known_quantity and maker else None


def _maker(body: Sequence[Element], system_title: bytes, *, is_described: bool) -> str:
    """Return who made the meter, as far as a list tells it; "" if it does not."""
    texts = [_text(item) for item in body if isinstance(item, str | bytes)]
    for maker in _MAKERS:
        if any(text.startswith(maker) for text in texts) or system_title.startswith(maker.encode()):
            return maker
    return "LGZ" if is_described else ""


def _code(item: Element) -> Code | None:
    if not isinstance(item, bytes) or len(item) != _CODE_LENGTH:
        return None
    return Code(*item)


def _scale(item: Element) -> Scale | None:
    match item:
        case [int() as scaler, Enumerated() as unit]:
            return Scale(scaler, int(unit))
    return None


def _meter_id(entries: Sequence[Entry]) -> str:
    for entry in entries:
        if (entry.code.a, *entry.code[2:5]) in _IDS and isinstance(entry.value, str | bytes):
            return _text(entry.value)
    return ""


def _last_text(body: Sequence[Element]) -> str:
    """Return the meter's number at the end of a list, where it has no code (Netz Niederösterreich)."""
    text = _text(body[-1]) if len(body) > 1 and isinstance(body[-1], bytes) else ""
    return text if len(text) >= _LEAST_ID and text.isalnum() and isinstance(body[-2], list) else ""


def _text(item: Element) -> str:
    octets = item if isinstance(item, bytes) else str(item).encode()
    text = octets.decode("ascii", "replace").strip("\0 ")
    return text if text.isprintable() else octets.hex()
