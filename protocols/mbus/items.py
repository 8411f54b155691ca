"""A data record into a name, a unit and a value.

The name is made of the record's own fields, so it stays the same wherever the record stands:

    quantity · combinable VIFE … · _max _min _error · _tariffN · _unitN · _storageN
    energy_positive_tariff1_storage2        volume_flow_max        temperature_difference

Of records with the same fields the second is called NAME_2, the third NAME_3.
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

_MAX_INTEGER: Final = 1 << 63  # beyond it no database keeps an integer
_LONGEST_TEXT: Final = 60  # characters of a name
_EXTENSIONS: Final = {0x7B: ("fb", FB), 0x7D: ("fd", FD)}
_DATES: Final = (Kind.DATE, Kind.DATE_TIME)
_NOT_WRITTEN_AS_INTEGER: Final = (5, *range(9, 16))  # data fields


@dataclass(frozen=True, slots=True)
class Item:
    """The value of a record.

    Attributes:
        name: the key under which the value is published.
        quantity: the quantity that its VIF names; the name begins with it.
        unit: the unit of the value, or "".
        value: None if there is none.
        error: why there is none, if the meter or the record says so.
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
    """Return the item of a record.

    Args:
        record: the record, as `records.parse` returns it.
        manufacturer: the three letters of the meter's maker, for the codes that makers define; "" if unknown.
    """
    maker = MAKERS.get(manufacturer, UNKNOWN)
    base, name, vifes = _quantity(record, maker)
    quantity, names, per, error, exponent = base, [name], "", "", 0
    is_unsigned = base.kind is Kind.UNSIGNED
    for vife in _combinable(vifes, maker):
        names += [vife.suffix] if vife.suffix else []
        quantity = vife.quantity or quantity
        per += vife.per
        exponent += vife.exponent
        error = error or vife.error
        is_unsigned |= vife.is_unsigned
    function = FUNCTIONS[record.function]
    numbered = (("tariff", record.tariff), ("unit", record.subunit), ("storage", record.storage))
    names += [function] if function else []
    names += [f"{word}{number}" for word, number in numbered if number]
    quantity = replace(quantity, exponent=quantity.exponent + exponent)
    is_unsigned |= quantity.kind is Kind.UNSIGNED
    value = None if error else _value(quantity, record, is_unsigned=is_unsigned)
    numbers = record.storage, record.tariff, record.subunit
    return Item("_".join(names), name, quantity.unit + per, value, error, function, *numbers)


def counter(unit: int, storage: int, octets: bytes, *, is_binary: bool) -> Item:
    """Return the item of a counter of the fixed data structure."""
    quantity = FIXED.get(unit) or Quantity(f"fixed_{unit:02x}")
    number = data.integer(octets) if is_binary else data.bcd(octets)
    value = None if number is None or quantity.kind is Kind.OPAQUE else _scaled(quantity, number)
    name = quantity.name + (f"_storage{storage}" if storage else "")
    return Item(name, quantity.name, quantity.unit, value, storage=storage)


def named(items: Iterable[Item]) -> dict[str, Item]:
    """Return the items in their order, each under a unique name."""
    items_by_name: dict[str, Item] = {}
    uses: dict[str, int] = {}
    for record_item in items:
        uses[record_item.name] = number = uses.get(record_item.name, 0) + 1
        name = record_item.name if number == 1 else f"{record_item.name}_{number}"
        items_by_name[name] = replace(record_item, name=name)
    return items_by_name


def values(items: Mapping[str, Item]) -> dict[str, Value]:
    """Return the values of the items that have one."""
    return {name: item.value for name, item in items.items() if item.value is not None}


def _quantity(record: Record, maker: Maker) -> tuple[Quantity, str, Sequence[int]]:
    """Return the quantity that the VIF of a record names, its name, and the VIFE that follow."""
    vif, *vifes = record.vif
    if vif == PLAIN_TEXT:
        return Quantity(""), f"text_{_slug(record.text or '')}", vifes
    if vif == MANUFACTURER:
        return _manufacturer_quantity(vifes, maker)
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


def _manufacturer_quantity(vifes: Sequence[int], maker: Maker) -> tuple[Quantity, str, Sequence[int]]:
    """Return the quantity that a manufacturer's own VIF names, its name, and the VIFE that follow.

    The name of an unknown one is made of its numbers.
    """
    quantity = maker.quantities.get(vifes[0]) if vifes else None
    if quantity is not None:
        return quantity, quantity.name, vifes[1:]
    return Quantity(""), "_".join(("manufacturer", *(f"{code:02x}" for code in vifes))), ()


def _combinable(vifes: Sequence[int], maker: Maker) -> Iterator[Modifier]:
    """Yield the meaning of the combinable VIFE; a manufacturer's own that are unknown keep their numbers."""
    pending = list(vifes)
    while pending:
        code = pending.pop(0)
        if code == MANUFACTURER and pending and pending[0] in maker.details:
            yield maker.details[pending.pop(0)]
        elif code == MANUFACTURER:
            yield Modifier("_".join(("manufacturer", *(f"{vife:02x}" for vife in pending))))
            return
        else:
            if code == SECOND_TABLE:
                code = code << 8 | (pending.pop(0) if pending else 0)
            yield modifier(code)


def _slug(text: str) -> str:
    return re.sub("[^a-z0-9]+", "_", text.lower()).strip("_")[:_LONGEST_TEXT] or "unnamed"


def _value(quantity: Quantity, record: Record, *, is_unsigned: bool) -> Value | None:
    if quantity.kind is Kind.OPAQUE:
        return None
    if quantity.kind in _DATES:
        if record.data_field in _NOT_WRITTEN_AS_INTEGER:
            return None
        return data.date_g(record.data) if len(record.data) == 2 else data.date_time(record.data)
    number = data.number(record.data_field, record.data, record.lvar, is_unsigned=is_unsigned)
    if number is None or isinstance(number, str):
        return number or None
    if quantity.kind is Kind.MANUFACTURER:
        return letters(int(number))
    return _scaled(quantity, number)


def _scaled(quantity: Quantity, number: int | float) -> int | float:
    value = data.scaled(number, quantity.exponent, quantity.factor)
    return value if isinstance(value, float) or -_MAX_INTEGER <= value < _MAX_INTEGER else float(value)


_UNITS: Final[Mapping[str, str]] = {
    quantity.name: quantity.unit for table in (PRIMARY, FB, FD, FD_FD, FIXED) for quantity in table.values()
} | {quantity.name: quantity.unit for quantity in QUANTITIES}
NAMES: Final = tuple(_UNITS)
"""The quantities of records; the name of each item begins with one of these."""


_BY_SUFFIX: Final[Mapping[str, Modifier]] = {detail.suffix: detail for detail in DETAILS} | dict(STANDARD)


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
    """Return whether a record may have this name."""
    return _NAME.fullmatch(name) is not None


def unit_of(name: str) -> str:
    """Return the unit of the value with this name, or ""."""
    match = _NAME.fullmatch(name)
    if match is None:
        return ""
    unit = _UNITS.get(match["base"], "")
    per = ""
    for suffix in re.findall(_SUFFIX, match["combinable"]):
        modifier_of_suffix = _BY_SUFFIX.get(suffix[1:])
        unit = (
            modifier_of_suffix.quantity.unit if modifier_of_suffix and modifier_of_suffix.quantity else unit
        )
        per += modifier_of_suffix.per if modifier_of_suffix else ""
    return unit + per
