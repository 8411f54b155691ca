"""A Modbus line that belongs to a foreign master, listened to: what its units answer becomes readings.

    request ──▶ `Pairing` ──▶ table, first address, data ──▶ the registers of site.toml that lie in it

Two replies of one unit with the same function code and length cannot be told apart; that is the kind of a
request. What the master writes and the unit confirms (function codes 5, 6, 15, 16) is the content of its
registers as well; so is what it reads while it writes (23). A mask (22) does not tell what it leaves behind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Final, NamedTuple

from protocols.modbus import pdu
from protocols.modbus.carrier import Carrier
from protocols.modbus.payload import Plan
from protocols.modbus.registers import Register, Table, octets_of
from protocols.modbus.rereading import Content, other_readings
from protocols.modbus.serial_line import BROADCAST, RTU
from protocols.modbus.settings import ModbusSettings
from protocols.modbus.sunspec.choice import NAME as SUNSPEC
from protocols.toolkit.errors import SettingsError
from protocols.toolkit.framing import Direction, Event, Frame
from protocols.toolkit.overhearing import Overheard
from protocols.toolkit.pairing import Pairing
from protocols.toolkit.polling import Value
from protocols.toolkit.scaling import Missing

_READ: Final = {
    **{table.function: table for table in Table},
    pdu.READ_WRITE_MULTIPLE_REGISTERS: Table.HOLDING,
}
_WRITTEN: Final = {
    pdu.WRITE_SINGLE_COIL: Table.COIL,
    pdu.WRITE_MULTIPLE_COILS: Table.COIL,
    pdu.WRITE_SINGLE_REGISTER: Table.HOLDING,
    pdu.WRITE_MULTIPLE_REGISTERS: Table.HOLDING,
}
_WRITES: Final = {*_WRITTEN, pdu.MASK_WRITE_REGISTER, pdu.READ_WRITE_MULTIPLE_REGISTERS}
_MOST_PLANS: Final = 1024


@dataclass(frozen=True, slots=True)
class ModbusRequest:
    """A request that the master sent.

    Attributes:
        unit: the unit that was asked; None: all of them.
        kind: unit, function code and length of the reply (None: the device decides it).
        data: the request's PDU after the octet of the unit.
    """

    unit: int | None
    kind: Hashable
    data: bytes
    carrier: Carrier

    @property
    def body(self) -> bytes:
        """Return the request's PDU."""
        return self.data[1:]

    @property
    def is_write(self) -> bool:
        """Return whether it changes something in the unit."""
        return self.data[1] in _WRITES

    def is_broken_reply(self, noise: bytes) -> bool:
        """Return whether these octets begin as its reply and are no longer than that, so that it was cut."""
        length = pdu.reply_length(self.body)
        if length is None or self.carrier is not RTU:
            return False
        head = self.data[:2]
        if pdu.REPLIES[self.body[0]].counted_at == 1:
            head += bytes((length - 2,))
        return len(head) < len(noise) <= self.carrier.octets(length) and noise.startswith(head)


class PlaceRead(NamedTuple):
    """Registers or bits that the master reads at once."""

    unit: int
    table: Table
    start: int
    quantity: int


class ModbusOverhearer:
    """Listens to a line for sensors with these settings.

    Attributes:
        reads: how often what was read with a reply; of so many places as a master may have.
    """

    def __init__(self, sensors: Sequence[ModbusSettings], carrier: Carrier = RTU) -> None:
        """Prepare to listen.

        Raises:
            SettingsError: a sensor's registers are not known unless it is asked for them.
        """
        if any(sensor.sunspec for sensor in sensors):
            message = (
                f'"{SUNSPEC}" must be asked for its registers, but this bus only listens: name '
                "its model, or its registers"
            )
            raise SettingsError([(("model",), message)])
        self._carrier = carrier
        self._pairing: Pairing[ModbusRequest] = Pairing()
        self._sensors: dict[int, list[tuple[int, ModbusSettings]]] = {}
        for index, sensor in enumerate(sensors):
            self._sensors.setdefault(sensor.unit, []).append((index, sensor))
        self._unread = [{register.name: register for register in sensor.registers} for sensor in sensors]
        self.reads: Counter[PlaceRead] = Counter()
        self._scales: dict[tuple[int, Table, int], bytes] = {}  # octets of scale registers, as last read
        self._plans: dict[tuple[int, Table, int, int], list[_Reader]] = {}

    @property
    def pairing(self) -> Pairing[ModbusRequest]:
        """Return the requests and replies so far."""
        return self._pairing

    def hear(self, event: Event, start_s: float, end_s: float) -> Sequence[Overheard]:
        """Take what was heard next; return the values that it brings.

        Args:
            event: a frame of either direction, or noise.
            start_s: when its first octet came, in seconds of a clock that never goes back.
            end_s: when its last octet came.
        """
        self._pairing.at(start_s, end_s)
        if not isinstance(event, Frame):
            self._pairing.noise(event.data)
            return ()
        unit, body = self._carrier.unit(event), self._carrier.body(event)
        asked = self._pairing.outstanding()
        if asked is not None and asked.unit == unit and pdu.answers(asked.body, body):
            if body[0] & pdu.REFUSED:
                self._pairing.refused()
                return ()
            request = self._pairing.reply(asked.kind, start_s, body)
            return self._values(unit, request.body, body) if request else ()
        if event.direction is Direction.REPLY:
            self._pairing.reply(None, start_s)
            return ()
        self._pairing.request(self._request(unit, body), end_s)
        return ()

    def unread(self) -> Sequence[Mapping[str, str]]:
        """Return for each sensor the values that the master has not read so far, each with its place."""
        return [
            {name: f"{register.table.key} {register.start}" for name, register in registers.items()}
            for registers in self._unread
        ]

    def _request(self, unit: int, body: bytes) -> ModbusRequest:
        kind: Hashable = (unit, body[0], pdu.reply_length(body))
        if body[0] in _WRITTEN:
            kind = (unit, body[0], body[1:5])  # its reply repeats where and what was written
        elif body[0] == pdu.MASK_WRITE_REGISTER:
            kind = (unit, body)  # its reply repeats all of it
        return ModbusRequest(None if unit == BROADCAST else unit, kind, bytes((unit,)) + body, self._carrier)

    def _values(self, unit: int, request: bytes, reply: bytes) -> list[Overheard]:
        content = _content(request, reply)
        if content is None:
            return []
        if request[0] in _READ and len(self.reads) < _MOST_PLANS:
            self.reads[PlaceRead(unit, content.table, content.start, content.quantity)] += 1
        if unit not in self._sensors:
            return []
        key = (unit, content.table, content.start, content.quantity)
        readers = self._plans.get(key)
        if readers is None:
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            readers = self._plans[key] = [
                reader
                for index, sensor in self._sensors[unit]
                if (reader := _Reader(index, sensor, content)).is_needed
            ]
        overheard = []
        for reader in readers:
            values = reader.values(content, self._scales, unit)
            for name in reader.names:
                self._unread[reader.index].pop(name, None)
            if values:
                reread = partial(reader.other_readings, content)
                overheard.append(Overheard(reader.index, values, reread))
        return overheard


class _Reader:
    """What one sensor takes from a content of this place."""

    def __init__(self, index: int, sensor: ModbusSettings, content: Content) -> None:
        self.index = index
        end = content.start + content.quantity

        def holds(table: Table, start: int, words: int) -> bool:
            return table is content.table and content.start <= start and start + words <= end

        inside = [each for each in sensor.registers if holds(each.table, each.start, each.words)]
        self._scaled = [each for each in inside if each.scale is not None]
        self._scales = {
            each.scale for each in sensor.registers if each.scale is not None and holds(*each.scale, 1)
        }
        self._inside = inside
        self._plan = Plan([each for each in inside if each.scale is None], content.start)
        self.names = [each.name for each in inside]

    @property
    def is_needed(self) -> bool:
        """Return whether anything that the sensor wants lies in the content."""
        return bool(self.names or self._scales)

    def values(
        self, content: Content, scales: dict[tuple[int, Table, int], bytes], unit: int
    ) -> dict[str, int | float | str | bool]:
        """Return the values of the sensor in a content; keep the scale registers in it for later ones."""
        for table, at in self._scales:
            scales[unit, table, at] = octets_of(table, content.data, at - content.start, 1)
        values: dict[str, int | float | str | bool] = {}
        self._plan.into(values, content.data)
        for register in self._scaled:
            factor = scales.get((unit, *_scale_of(register)))
            scaled = register.scaled_by(factor) if factor else None
            octets = octets_of(register.table, content.data, register.start - content.start, register.words)
            value = scaled.value(octets) if scaled else Missing.NO_VALUE
            if not isinstance(value, Missing):
                values[register.name] = value
        return values

    def other_readings(self, content: Content, key: str) -> Iterator[tuple[str, Value]]:
        """Yield the values that a key would have if one key of its register were another in site.toml."""
        for register in self._inside:
            if register.name == key:
                yield from other_readings(register, (content,))


def _scale_of(register: Register) -> tuple[Table, int]:
    assert register.scale is not None
    return register.scale


_span = lru_cache(256)(pdu.span_read)


def _content(request: bytes, reply: bytes) -> Content | None:
    """Return what a request and its reply tell of registers; None if that is nothing."""
    function = request[0]
    if table := _READ.get(function):
        span = _span(request)
        assert span is not None
        return Content(table, *span, reply[2:])
    if function == pdu.WRITE_SINGLE_REGISTER:
        return Content(Table.HOLDING, _address(request), 1, request[3:5])
    if function == pdu.WRITE_SINGLE_COIL:
        return Content(Table.COIL, _address(request), 1, bytes((request[3] == _ON,)))
    if table := _WRITTEN.get(function):
        return Content(table, _address(request), int.from_bytes(request[3:5], "big"), request[6:])
    return None


def _address(request: bytes) -> int:
    """Return the address that a write begins with."""
    return int.from_bytes(request[1:3], "big")


_ON: Final = 0xFF  # App. Protocol §6.5: FF 00 is on, 00 00 is off
