"""What a foreign master asks and what it is answered, listened to: our own polls play the master.

The values that are overheard are those that the poll brought, whatever the protocol.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from protocols import load
from protocols.dlt645.edition import DLT645_1997
from protocols.dlt645.simulation import SimulatedMeter as Dlt645Meter
from protocols.jbd_bms.device import SimulatedBms as Jbd
from protocols.mbus.records import Record
from protocols.mbus.secondary import Secondary
from protocols.mbus.simulation import SimulatedMeter as MbusMeter
from protocols.modbus.ascii import ASCII
from protocols.modbus.simulation import SimulatedUnit
from protocols.toolkit.framing import Frame
from protocols.toolkit.overhearing import Overhearer
from protocols.toolkit.polling import LineSettings, Values
from protocols.toolkit.protocol import PolledProtocol
from tests.protocols.jbd_bms.test_device import REGISTERS

LINE = LineSettings(2400, 8, "E", 1)
KAMSTRUP = Secondary("12345678", "KAM", 1, 4)


def dlt645(address: str, number: int, **edition: Any) -> Dlt645Meter:
    meter = Dlt645Meter(address, most=4, **edition)
    meter.put("voltage_a", 200.0 + number)
    meter.put("energy_import", 1000.0 * number)
    return meter


def mbus(address: int, number: int, secondary: Secondary = KAMSTRUP) -> MbusMeter:
    volume, energy = (
        Record((0x04,), 0x13, bytes((number, 0, 0, 0))),
        Record((0x04,), 0x06, bytes((number, 1, 0, 0))),
    )
    return MbusMeter(address, [[volume], [energy]], secondary=secondary)


@dataclass
class Bus:
    """Sensors as site.toml writes them, each with the device that answers."""

    protocol: str
    sensors: list[Mapping[str, Any]]
    devices: list[Any]
    kind: PolledProtocol[Any] = field(init=False)

    def __post_init__(self) -> None:
        entry = load(self.protocol)
        assert isinstance(entry, PolledProtocol)
        self.kind = entry

    @property
    def settings(self) -> list[Any]:
        return [self.kind.settings(keys) for keys in self.sensors]

    def overhearer(self) -> Overhearer:
        assert self.kind.overhearer is not None
        return self.kind.overhearer(self.settings)

    def polled(self) -> Iterator[tuple[list[tuple[bytes, bytes]], Values]]:
        """Yield each sensor's poll: its requests with their replies, and its values."""
        for settings, device in zip(self.settings, self.devices, strict=True):
            poll, exchanges = self.kind.device([settings], LINE).poll(0.0), []
            request = next(poll)
            while True:
                (heard,) = (
                    event for event in self.kind.framer().feed(request.data) if isinstance(event, Frame)
                )
                reply = device.answer(heard) or b""
                exchanges.append((request.data, reply))
                events = [*(framer := request.framer()).feed(reply), *framer.silence()]
                frames = [event for event in events if isinstance(event, Frame) and request.accepts(event)]
                try:
                    request = poll.send(frames[0] if frames else None)
                except StopIteration as over:
                    yield exchanges, over.value.values[0]
                    break


METERS = ["000000000001", "000000000002", "000000000003"]
HOLDING = {"registers": {f"r{at}": {"holding": at} for at in range(4)}}
BUSES = [
    Bus(
        "modbus-rtu",
        [{"address": unit, **HOLDING} for unit in (1, 2, 3)],
        [SimulatedUnit(unit, holding={at: 100 * unit + at for at in range(4)}) for unit in (1, 2, 3)],
    ),
    Bus(
        "modbus-ascii",
        [{"address": unit, **HOLDING} for unit in (1, 2, 3)],
        [
            SimulatedUnit(unit, holding={at: 100 * unit + at for at in range(4)}, carrier=ASCII)
            for unit in (1, 2, 3)
        ],
    ),
    Bus(
        "dlt645",
        [{"address": meter, "values": ["voltage_a", "energy_import"]} for meter in METERS],
        [dlt645(meter, number) for number, meter in enumerate(METERS, 1)],
    ),
    Bus(
        "dlt645-1997",
        [{"address": meter, "values": ["voltage_a", "energy_import"]} for meter in METERS],
        [dlt645(meter, number, edition=DLT645_1997) for number, meter in enumerate(METERS, 1)],
    ),
    Bus("mbus", [{"address": a} for a in (1, 2, 3)], [mbus(a, a) for a in (1, 2, 3)]),
    Bus(
        "mbus",
        [{"id": f"1000000{number}"} for number in (1, 2, 3)],
        [mbus(0, number, Secondary(f"1000000{number}", "KAM", 1, 4)) for number in (1, 2, 3)],
    ),
    Bus("jbd-bms", [{}], [Jbd(REGISTERS)]),
]
every_bus = pytest.mark.parametrize(
    "bus", BUSES, ids=lambda bus: f"{bus.protocol} {next(iter(bus.sensors[0].values()), '')}"
)


def hear(bus: Bus, overhearer: Overhearer, pieces: list[tuple[float, bytes]]) -> list[dict[str, Any]]:
    """Return the values of each sensor in these pieces; what is there twice must be the same."""
    values: list[dict[str, Any]] = [{} for _ in bus.sensors]
    framer = bus.kind.framer()
    for at_s, data in pieces:
        for event in (*framer.feed(data), *framer.silence()):
            for one in overhearer.hear(event, at_s, at_s):
                for name, value in one.values.items():
                    assert values[one.sensor].setdefault(name, value) == value
    return values


@every_bus
def test_what_the_master_is_told_is_overheard(bus: Bus) -> None:
    pieces, polled = [], []
    for exchanges, values in bus.polled():
        polled.append(values)
        for exchange in exchanges:
            pieces += [(len(pieces) / 10 + at / 20, octets) for at, octets in enumerate(exchange)]
    overhearer = bus.overhearer()
    assert hear(bus, overhearer, pieces) == polled
    assert all(polled)
    assert not any(overhearer.unread())


@every_bus
def test_a_reply_without_its_request_is_nothing(bus: Bus) -> None:
    replies = [reply for exchanges, _ in bus.polled() for _, reply in exchanges]
    assert not any(hear(bus, bus.overhearer(), [(at / 10, reply) for at, reply in enumerate(replies)]))


class BadLine:
    """What is heard of exchanges on a line that damages, cuts and prefixes octets and delays replies."""

    def __init__(self, seed: int) -> None:
        self.pieces: list[tuple[float, bytes]] = []
        self._chance = random.Random(seed)
        self._late: list[tuple[float, bytes]] = []
        self._now = 0.0

    def exchange(self, request: bytes, reply: bytes) -> None:
        self._say(request, may_be_late=False)
        self._say(reply, may_be_late=True)

    def _say(self, octets: bytes, *, may_be_late: bool) -> None:
        self._now += 0.05
        for late in [late for late in self._late if late[0] <= self._now]:
            self._late.remove(late)
            self.pieces.append((self._now, late[1]))
            self._now += 0.05
        chance = self._chance.random()
        if 0.06 <= chance < 0.08 and may_be_late:
            self._late.append((self._now + self._chance.uniform(0.3, 2.0), octets))
            self._now += 0.3
        else:
            self.pieces.append((self._now, self._damaged(octets, chance)))

    def _damaged(self, octets: bytes, chance: float) -> bytes:
        if chance < 0.02:
            return bytes(octet ^ 1 << self._chance.randrange(8) for octet in octets)
        if chance < 0.04:
            return octets[: self._chance.randrange(len(octets) + 1)]
        return bytes((self._chance.randrange(256),)) + octets if chance < 0.06 else octets


@every_bus
@pytest.mark.parametrize("seed", range(5))
def test_on_a_bad_line_no_value_is_wrong(bus: Bus, seed: int) -> None:
    line = BadLine(seed)
    polled = list(bus.polled())
    truth = [values for _, values in polled]
    for _ in range(60):
        for exchanges, _ in polled:
            for request, reply in exchanges:
                line.exchange(request, reply)
    values = hear(bus, bus.overhearer(), line.pieces)
    for told, true in zip(values, truth, strict=True):
        assert told.items() <= true.items()
    assert all(values)
