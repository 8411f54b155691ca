"""A polled SunSpec unit: it is walked once, then its registers are read like those of any Modbus unit.

The number and the length in front of each model are read with its points at every poll. Where they are no
longer what the walk brought, another device stands there, or its firmware was changed: no value of that poll
is believed, and the next one begins with a walk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Final, Self, TypeVar

from protocols.modbus.carrier import Carrier
from protocols.modbus.device import ModbusDevice
from protocols.modbus.registers import Register, Table
from protocols.modbus.serial_line import RTU
from protocols.modbus.settings import ModbusSettings
from protocols.modbus.sunspec.definitions import definition
from protocols.modbus.sunspec.points import Place, readings_of, registers_of
from protocols.modbus.sunspec.walk import COMMON, Chain, Walk, WalkEnded
from protocols.toolkit.errors import DeviceRefusal, Refusal
from protocols.toolkit.polling import Device, Dialogue, LineSettings, PollResult, Request

_Content = TypeVar("_Content")
_HEADER: Final = "SunSpec model at "  # begins the names of the registers that prove where a model lies


class SunSpecDevice:
    """One unit, of whose sensors at least one has the model "sunspec"."""

    def __init__(self, sensors: Sequence[ModbusSettings], line: LineSettings, carrier: Carrier = RTU) -> None:
        self._sensors = tuple(sensors)
        self._line = line
        self._carrier = carrier
        self._chain: Chain | None = None
        self._headers: dict[str, int] = {}
        self._reader = self._reader_without_chain()
        self._others: tuple[Device, ...] = ()
        self._walk = self._new_walk()

    @property
    def address(self) -> str:
        """Return the unit address."""
        return self._sensors[0].address

    def twin(self) -> Self:
        """Return a copy that begins with the same knowledge and learns independently."""
        twin = copy(self)
        twin._reader = self._reader.twin() if self._reader else None
        twin._walk = self._walk.twin()
        return twin

    def keep_apart(self, devices: Sequence[Device], /) -> None:
        """Use reads of other lengths than these devices of the same unit, where its limits allow."""
        self._others = tuple(devices)
        if self._reader is not None:
            self._reader.keep_apart(devices)

    def lessons(self) -> list[str]:
        """Return which models cannot be read, and where reads are cut."""
        sentences = [
            f"SunSpec model {place.number} at {place.start} is a maker's own: its {place.length} registers "
            "are not read"
            for place in self._places()
            if definition(place.number) is None
        ]
        if self._chain is not None:
            numbers = ", ".join(str(place.number) for place in self._chain.places)
            absent_numbers = (self._wanted() or frozenset()) - {place.number for place in self._chain.places}
            sentences += [
                f"SunSpec model {number} is not in the device, which has {numbers}: its values are not read"
                for number in sorted(absent_numbers)
            ]
        return sentences + (self._reader.lessons() if self._reader else [])

    def planned(self) -> list[Request]:
        """Return the requests of the next poll, as they are if each is answered."""
        walk = [self._walk.first_request()] if self._chain is None else []
        return walk + (self._reader.planned() if self._reader else [])

    def poll(self, now: float, /) -> Dialogue:
        """Poll once; walk first where the chain is not known.

        Args:
            now: the time in seconds of a monotonic clock.
        """
        refusals: list[DeviceRefusal] = []
        if self._chain is None:
            try:
                self._chain = yield from self._walk.chain(self._wanted())
            except WalkEnded as end:
                refusals += [end.refusal] if end.refusal else []
                if end.refusal is None or self._reader is None:
                    return self._nothing(refusals)
            else:
                self._lay()
        if self._reader is None:
            return self._nothing([*refusals, _nothing_to_read(self._chain)])
        result = yield from self._reader.poll(now)
        return self._proven(result, refusals)

    def _new_walk(self) -> Walk:
        return Walk(
            self._carrier,
            self._sensors[0].unit,
            max(sensor.gap_s for sensor in self._sensors),
            min(sensor.limits.max_registers for sensor in self._sensors),
        )

    def _wanted(self) -> frozenset[int] | None:
        """Return the numbers of the models whose content is needed; None: all that are defined."""
        choices = [sensor.sunspec for sensor in self._sensors if sensor.sunspec is not None]
        return (
            None
            if any(choice.models is None for choice in choices)
            else frozenset().union(*(choice.models or () for choice in choices))
        )

    def _places(self) -> tuple[Place, ...]:
        return self._chain.places if self._chain else ()

    def _lay(self) -> None:
        """Make the registers of the chain that was walked."""
        assert self._chain is not None
        registers: dict[int, list[Register]] = {}
        for index, sensor in enumerate(self._sensors):
            if sensor.sunspec is not None:
                registers[index] = list(self._registers(sensor.sunspec.models, self._chain))
        self._headers = {
            _header(place).name: place.number << 16 | place.length for place in self._chain.contents
        }
        self._reader = self._reader_of(registers) if any(registers.values()) else self._reader

    def _registers(self, models: frozenset[int] | None, chain: Chain) -> Iterable[Register]:
        """Yield the registers of the models of a sensor, each model's with that of its header."""
        for place, content in chain.contents.items():
            model = definition(place.number)
            if model is None or (place.number == COMMON if models is None else place.number not in models):
                continue
            registers = (readings_of if models is None else registers_of)(model, place, content)
            if registers:
                yield _header(place)
                yield from registers

    def _reader_without_chain(self) -> ModbusDevice | None:
        """Return what reads the sensors' own registers; None: they have none."""
        return self._reader_of({}) if any(sensor.registers for sensor in self._sensors) else None

    def _reader_of(self, registers: Mapping[int, Sequence[Register]]) -> ModbusDevice:
        sensors = [
            replace(sensor, registers=(*registers.get(index, ()), *sensor.registers))
            for index, sensor in enumerate(self._sensors)
        ]
        reader = ModbusDevice(sensors, self._line, self._carrier)
        if registers and self._others:
            reader.keep_apart(self._others)
        return reader

    def _nothing(self, refusals: Sequence[DeviceRefusal]) -> PollResult:
        return PollResult(tuple({} for _ in self._sensors), complete=False, refusals=tuple(refusals))

    def _proven(self, result: PollResult, refusals: Sequence[DeviceRefusal]) -> PollResult:
        """Return the result of a poll without the headers; without all values if one of them has changed."""
        headers = {
            name: number
            for values in result.values
            for name, number in values.items()
            if name in self._headers
        }
        if any(self._headers[name] != number for name, number in headers.items()):
            self._chain, self._walk, self._headers = None, self._new_walk(), {}
            self._reader = self._reader_without_chain()
            moved = "its models are not where they were: they are looked up again with the next poll"
            return self._nothing([DeviceRefusal(moved, code=0, request="SunSpec models", kind=Refusal.BUSY)])
        return replace(
            result,
            values=tuple(_without_headers(values) for values in result.values),
            complete=result.complete and not refusals,
            refusals=(*refusals, *result.refusals),
            left_out=tuple(_without_headers(keys) for keys in result.left_out),
            missing=tuple(_without_headers(keys) for keys in result.missing),
        )


def _header(place: Place) -> Register:
    return Register(
        name=f"{_HEADER}{place.start}", table=Table.HOLDING, start=place.start, type="uint32", words=2
    )


def _without_headers(keys: Mapping[str, _Content]) -> dict[str, _Content]:
    return {key: content for key, content in keys.items() if not key.startswith(_HEADER)}


def _nothing_to_read(chain: Chain | None) -> DeviceRefusal:
    numbers = ", ".join(str(place.number) for place in chain.places) if chain else "none"
    message = f"none of the models that are asked for is in its chain, which has {numbers}"
    return DeviceRefusal(message, code=0, request="SunSpec models", kind=Refusal.ADDRESS)
