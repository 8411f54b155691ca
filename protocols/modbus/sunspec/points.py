"""The points of a model as registers: a definition, laid over the model's place in a device.

A group of points may repeat: as often as another point says, or as the model is long. So the content of the
model is needed once, to know where its points lie. Points that lie beyond its length are not there: the
device follows an older edition.

The key of a point is the name of its group and its own: "inverter_three_phase_W". The groups of a model have
their number within it: "mppt_module_2_DCA". If a device has a model twice, the second is "…_2_…" as a whole.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

from protocols.modbus.pdu import MAX_REGISTERS
from protocols.modbus.registers import Register, Table
from protocols.modbus.sunspec.definitions import Definition, Group, Point
from protocols.toolkit.polling import Value
from protocols.toolkit.scaling import Missing

HEADER_WORDS: Final = 2  # a model's number and its length
_NOT_ACCUMULATED: Final = 0  # in a counter
_LEFT_OUT: Final = frozenset({"pad", "sunssf"})
_UINT16: Final = 0xFFFF

# SunSpec's type: ours, and the raw value that means "not implemented". Specification V1.1, table of types.
_NUMBERS: Final[Mapping[str, tuple[str, int]]] = {
    "int16": ("int16", -0x8000),
    "int32": ("int32", -0x8000_0000),
    "int64": ("int64", -0x8000_0000_0000_0000),
    "uint16": ("uint16", _UINT16),
    "uint32": ("uint32", 0xFFFF_FFFF),
    "uint64": ("uint64", 0xFFFF_FFFF_FFFF_FFFF),
    "count": ("uint16", _UINT16),
    "acc16": ("uint16", _NOT_ACCUMULATED),
    "acc32": ("uint32", _NOT_ACCUMULATED),
    "acc64": ("uint64", _NOT_ACCUMULATED),
    "enum16": ("uint16", _UINT16),
    "enum32": ("uint32", 0xFFFF_FFFF),
    "bitfield16": ("uint16", _UINT16),
    "bitfield32": ("uint32", 0xFFFF_FFFF),
    "bitfield64": ("uint64", 0xFFFF_FFFF_FFFF_FFFF),
}
_FLOATS: Final = ("float32", "float64")  # NaN: not implemented
_ENUMS: Final = ("enum16", "enum32")
_ADDRESSES: Final = ("ipaddr", "ipv6addr", "eui48")


@dataclass(frozen=True, slots=True)
class Place:
    """A model in the chain of a device.

    Attributes:
        number: the number of the model.
        start: the address of that number; the length stands behind it, then the points.
        length: the registers behind the length.
        instance: 1 for the first model of that number in the device.
    """

    number: int
    start: int
    length: int
    instance: int = 1

    @property
    def points_start(self) -> int:
        """Return the address of the first point."""
        return self.start + HEADER_WORDS

    @property
    def end(self) -> int:
        """Return the first address after the model."""
        return self.points_start + self.length


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressRegister(Register):
    """Registers with the address of a network interface: "ipaddr", "ipv6addr" or "eui48"."""

    def value(self, data: bytes) -> Value | Missing:
        """Return the address as text; 0 and, of an EUI-48, FF… are none."""
        octets = data[-6:] if self.type == "eui48" else data
        if not any(octets) or (self.type == "eui48" and octets == b"\xff" * 6):
            return Missing.NO_VALUE
        match self.type:
            case "ipaddr":
                return ".".join(map(str, octets))
            case "ipv6addr":
                return octets.hex(":", -4).upper()
            case _:
                return octets.hex(":").upper()


def registers_of(definition: Definition, place: Place, content: bytes) -> list[Register]:
    """Return the registers of a model in a device.

    Args:
        definition: the definition of its number.
        place: where it lies.
        content: the octets of its points, two for each register of its length.
    """
    return [register for register, _ in _laid_over(definition, place, content)]


def readings_of(definition: Definition, place: Place, content: bytes) -> list[Register]:
    """Return the registers that measure: `registers_of` without settings and what never changes."""
    return [
        register
        for register, point in _laid_over(definition, place, content)
        if not (point.is_setting or point.is_static or point.type == "count")
    ]


def units_of(definition: Definition) -> dict[str, str]:
    """Return the units of a model's points by their keys, for the first of each repeating group."""
    return dict(_units(definition.group, definition.group.name, skipped=HEADER_WORDS))


def _units(group: Group, name: str, *, skipped: int = 0) -> Iterator[tuple[str, str]]:
    for point in group.points[skipped:]:
        if point.type not in _LEFT_OUT:
            yield f"{name}_{point.name}", point.unit
    for inner in group.groups:
        yield from _units(inner, _name_in(name, inner, 1))


def _name_in(name: str, inner: Group, index: int) -> str:
    """Return the name of a group, or of one of its repetitions, in the group with this name."""
    return f"{name}_{inner.name}" + ("" if inner.count is None else f"_{index}")


def _laid_over(definition: Definition, place: Place, content: bytes) -> Iterator[tuple[Register, Point]]:
    """Yield the registers of a model, each with its point."""
    name = definition.group.name + (f"_{place.instance}" if place.instance > 1 else "")
    layout = _Layout(place, content)
    for laid in layout.points(definition.group, place.start, name, {}):
        is_inside = place.points_start <= laid.address and laid.address + laid.point.words <= place.end
        register = _register(laid) if is_inside and laid.point.type not in _LEFT_OUT else None
        if register is not None:
            yield register, laid.point


@dataclass(frozen=True, slots=True)
class _LaidPoint:
    """A point at its address, with the addresses of the points by which it may be scaled."""

    point: Point
    key: str
    address: int
    scope: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Layout:
    """The place and the content over which the groups of a model are laid."""

    place: Place
    content: bytes

    def points(
        self, group: Group, at: int, name: str, outer: Mapping[str, int]
    ) -> Generator[_LaidPoint, None, int]:
        """Yield the points of a group that begins at this address; return the address behind it.

        Args:
            group: the group.
            at: its first address.
            name: the beginning of its points' keys.
            outer: the addresses of the points of the groups around it, by their names.
        """
        starts = accumulate((point.words for point in group.points), initial=at)
        scope = {**outer, **{point.name: start for point, start in zip(group.points, starts, strict=False)}}
        for point in group.points:
            yield _LaidPoint(point, f"{name}_{point.name}", scope[point.name], scope)
        at += sum(point.words for point in group.points)
        for inner in group.groups:
            for index in range(1, self._count(inner, at, scope) + 1):
                if at >= self.place.end:
                    break
                at = yield from self.points(inner, at, _name_in(name, inner, index), scope)
        return at

    def _count(self, group: Group, at: int, scope: Mapping[str, int]) -> int:
        """Return how often a group stands at this address."""
        match group.count:
            case None:
                return 1
            case 0:
                return (self.place.end - at) // max(1, self._size(group, at, scope))
            case int():
                return group.count
        word = self._word(scope.get(group.count, -1))
        return 0 if word == _UINT16 else word

    def _size(self, group: Group, at: int, scope: Mapping[str, int]) -> int:
        """Return the registers of a group."""
        return sum(point.words for point in group.points) + sum(
            self._count(inner, at, scope) * self._size(inner, at, scope) for inner in group.groups
        )

    def _word(self, address: int) -> int:
        """Return the content of a register of the model; 0 outside of it."""
        at = 2 * (address - self.place.points_start)
        return int.from_bytes(self.content[at : at + 2], "big") if at >= 0 else 0


def _register(laid: _LaidPoint) -> Register | None:
    """Return the register of a point.

    None: its type is not known, what scales it does not exist, or it is longer than any read.
    """
    point, key = laid.point, laid.key
    if point.words > MAX_REGISTERS:
        return None
    common: dict[str, Any] = {"name": key, "table": Table.HOLDING, "start": laid.address, "unit": point.unit}
    if point.type == "string":
        return Register(**common, type=f"string:{2 * point.words}", words=point.words)
    if point.type in _ADDRESSES:
        return AddressRegister(**common, type=point.type, words=point.words)
    scale = _scale(laid)
    if scale is None:
        return None
    if point.type in _FLOATS:
        return Register(**common, **scale, type=point.type, words=point.words)
    if point.type not in _NUMBERS:
        return None
    kind, not_implemented = _NUMBERS[point.type]
    enum = point.symbols if point.type in _ENUMS else {}
    return Register(
        **common, **scale, type=kind, words=point.words, enum=enum, invalid=frozenset({not_implemented})
    )


def _scale(laid: _LaidPoint) -> dict[str, Any] | None:
    """Return the fields of a register that say how it is scaled; None: its scale factor does not exist."""
    match laid.point.scale:
        case None:
            return {}
        case int() as power:
            return {"divide": 10**-power} if power < 0 else {"multiply": 10**power}
        case name if name in laid.scope:
            return {"scale": (Table.HOLDING, laid.scope[name])}
    return None
