"""A data record into a name, a unit and a value.

The name is put together from what the record says of itself, so it stays the same wherever the record stands:

    what · combinable VIFE … · _max _min _error · _tariffN · _unitN · _storageN
    energy_positive_tariff1_storage2        volume_flow_max        temperature_difference

Of records that say the same of themselves the second is called NAME_2, the third NAME_3.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from protocols.mbus import data
from protocols.mbus.makers import DETAILS, MAKERS, QUANTITIES, UNKNOWN, Maker
from protocols.mbus.records import FUNCTIONS, PLAIN_TEXT, Record
from protocols.mbus.secondary import letters
from protocols.mbus.vif import FB, FD, FD_FD, FIXED, PRIMARY, Kind, Quantity
from protocols.mbus.vife import BY_SUFFIX as STANDARD
from protocols.mbus.vife import MANUFACTURER, SECOND_TABLE, Modifier, modifier
from protocols.toolkit.polling import Value

_MOST: Final = 1 << 63  # beyond it no database keeps an integer
_LONGEST_TEXT: Final = 60  # characters of a name
_EXTENSIONS: Final = {0x7B: ("fb", FB), 0x7D: ("fd", FD)}
_DATES: Final = (Kind.DATE, Kind.DATE_TIME)
_NOT_WRITTEN_AS_INTEGER: Final = (5, *range(9, 16))  # data fields


@dataclass(frozen=True, slots=True)
class Item:
    """What a record tells.

    Attributes:
        name: ours.
        quantity: what its VIF says, with which the name begins.
        unit: of the value, or "".
        value: None if there is none.
        error: why, if the meter or the record says so.
        function: "", "max", "min" or "error" (the value during an error).
        storage, tariff, subunit: their numbers.
    """

    name: str
    quantity: str
    unit: str
    value: Value | None
    error: str = ""
    function: str = ""
    storage: int = 0
    tariff: int = 0
    subunit: int = 0


def item(record: Record, manufacturer: str = "") -> Item:
    """Return what a record tells.

    Args:
        record: as it was read.
        manufacturer: the three letters of the meter's maker, for the codes that makers define; "" if unknown.
    """
    maker = MAKERS.get(manufacturer, UNKNOWN)
    quantity, name, rest = _quantity(record, maker)
    told, names, per, error, exponent = quantity, [name], "", "", 0
    is_unsigned = quantity.kind is Kind.UNSIGNED
    for said in _combinable(rest, maker):
        names += [said.suffix] if said.suffix else []
        told = said.quantity or told
        per += said.per
        exponent += said.exponent
        error = error or said.error
        is_unsigned |= said.is_unsigned
    function = FUNCTIONS[record.function]
    counted = (("tariff", record.tariff), ("unit", record.subunit), ("storage", record.storage))
    names += [function] if function else []
    names += [f"{what}{number}" for what, number in counted if number]
    told = replace(told, exponent=told.exponent + exponent)
    value = None if error else _value(told, record, is_unsigned=is_unsigned or told.kind is Kind.UNSIGNED)
    numbers = record.storage, record.tariff, record.subunit
    return Item("_".join(names), name, told.unit + per, value, error, function, *numbers)


def counter(unit: int, storage: int, octets: bytes, *, is_binary: bool) -> Item:
    """What a counter of the fixed data structure tells, which is read as a record."""
    quantity = FIXED.get(unit) or Quantity(f"fixed_{unit:02x}")
    number = data.integer(octets) if is_binary else data.bcd(octets)
    value = None if number is None or quantity.kind is Kind.OPAQUE else _scaled(quantity, number)
    name = quantity.name + (f"_storage{storage}" if storage else "")
    return Item(name, quantity.name, quantity.unit, value, storage=storage)


def named(items: Iterable[Item]) -> dict[str, Item]:
    """Each item by a name of its own, in order."""
    found: dict[str, Item] = {}
    seen: dict[str, int] = {}
    for one in items:
        seen[one.name] = number = seen.get(one.name, 0) + 1
        name = one.name if number == 1 else f"{one.name}_{number}"
        found[name] = replace(one, name=name)
    return found


def values(items: Mapping[str, Item]) -> dict[str, Value]:
    """The values that there are."""
    return {name: one.value for name, one in items.items() if one.value is not None}


def _quantity(record: Record, maker: Maker) -> tuple[Quantity, str, Sequence[int]]:
    """What the VIF names, its name, and the VIFE left."""
    vif, *vifes = record.vif
    if vif == PLAIN_TEXT:
        return Quantity(""), f"text_{_slug(record.text or '')}", vifes
    if vif == MANUFACTURER:
        return _own(vifes, maker)
    code, table = f"{vif:02x}", PRIMARY
    if vif in _EXTENSIONS and vifes:
        (code, table), (vif, *vifes) = _EXTENSIONS[vif], vifes
        if table is FD and vif == 0x7D and vifes:
            code, table, (vif, *vifes) = "fdfd", FD_FD, vifes
        code += f"{vif:02x}"
    quantity = table.get(vif) or Quantity(f"vif_{code}")
    kind = maker.kinds.get(record.subunit, {}).get(quantity.name)
    if kind is not None:
        quantity = replace(quantity, name=kind.name, unit=kind.unit)
    return quantity, quantity.name, vifes


def _own(vifes: Sequence[int], maker: Maker) -> tuple[Quantity, str, Sequence[int]]:
    """What the manufacturer's own VIF names; if that is not known, its numbers."""
    quantity = maker.quantities.get(vifes[0]) if vifes else None
    if quantity is not None:
        return quantity, quantity.name, vifes[1:]
    return Quantity(""), "_".join(("manufacturer", *(f"{code:02x}" for code in vifes))), ()


def _combinable(vifes: Sequence[int], maker: Maker) -> Iterator[Modifier]:
    """What the combinable VIFE say; of the manufacturer's own, if not known, their numbers."""
    rest = list(vifes)
    while rest:
        code = rest.pop(0)
        if code == MANUFACTURER and rest and rest[0] in maker.details:
            yield maker.details[rest.pop(0)]
        elif code == MANUFACTURER:
            yield Modifier("_".join(("manufacturer", *(f"{own:02x}" for own in rest))))
            return
        else:
            if code == SECOND_TABLE:
                code = code << 8 | (rest.pop(0) if rest else 0)
            yield modifier(code)


def _slug(text: str) -> str:
    return re.sub("[^a-z0-9]+", "_", text.lower()).strip("_")[:_LONGEST_TEXT] or "unnamed"


def _value(told: Quantity, record: Record, *, is_unsigned: bool) -> Value | None:
    if told.kind is Kind.OPAQUE:
        return None
    if told.kind in _DATES:
        if record.data_field in _NOT_WRITTEN_AS_INTEGER:
            return None
        return data.date_g(record.data) if len(record.data) == 2 else data.date_time(record.data)
    number = data.number(record.data_field, record.data, record.lvar, is_unsigned=is_unsigned)
    if number is None or isinstance(number, str):
        return number or None
    if told.kind is Kind.MANUFACTURER:
        return letters(int(number))
    return _scaled(told, number)


def _scaled(told: Quantity, number: int | float) -> int | float:
    value = data.scaled(number, told.exponent, told.factor)
    return value if isinstance(value, float) or -_MOST <= value < _MOST else float(value)


_UNITS: Final[Mapping[str, str]] = {
    one.name: one.unit for table in (PRIMARY, FB, FD, FD_FD, FIXED) for one in table.values()
} | {one.name: one.unit for one in QUANTITIES}
NAMES: Final = tuple(_UNITS)
"""What a record may be about; the names of its items begin with one of these."""


_BY_SUFFIX: Final[Mapping[str, Modifier]] = {one.suffix: one for one in DETAILS} | dict(STANDARD)


def _longest_first(words: Iterable[str]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


_NUMBERED = "manufacturer(?:_[0-9a-f]{2})*"
_BASE = f"{_longest_first(NAMES)}|vif_[0-9a-f]{{2,6}}|fixed_[0-9a-f]{{2}}|{_NUMBERED}|text_[a-z0-9_]+?"
_SUFFIX = f"_(?:{_longest_first(_BY_SUFFIX)}|{_NUMBERED}|vife_[0-9a-f]{{2,4}})"
_NUMBER = "[1-9][0-9]*"
_NAME = re.compile(
    f"(?P<base>{_BASE})(?P<combinable>(?:{_SUFFIX})*)(?:_max|_min|_error)?"
    f"(?:_tariff{_NUMBER})?(?:_unit{_NUMBER})?(?:_storage{_NUMBER})?(?:_[2-9]|_[1-9][0-9]+)?"
)


def is_name(name: str) -> bool:
    """Whether a record may have this name."""
    return _NAME.fullmatch(name) is not None


def unit_of(name: str) -> str:
    """The unit of the value with this name, or ""."""
    match = _NAME.fullmatch(name)
    if match is None:
        return ""
    unit = _UNITS.get(match["base"], "")
    per = ""
    for suffix in re.findall(_SUFFIX, match["combinable"]):
        said = _BY_SUFFIX.get(suffix[1:])
        unit = said.quantity.unit if said and said.quantity else unit
        per += said.per if said else ""
    return unit + per
