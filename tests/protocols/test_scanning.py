"""Each protocol's search against its own simulation, and against everybody else's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bridge.simulator.training.catalogue import KINDS, Asked
from bridge.simulator.training.description import RandomBus, RandomDevice
from bridge.simulator.training.drawing import random_bus
from bridge.simulator.training.playing import wire_of
from protocols import load, names
from protocols.toolkit.protocol import PolledProtocol, Settings
from protocols.toolkit.scanning import Evidence, Find, Scanning, Scope
from tests.support.searching import searched

OWN_TESTS = ("modbus-rtu", "modbus-ascii")
SEARCHED = [
    kind
    for kind in KINDS
    if isinstance(kind, Asked) and kind.record.scanning and kind.protocol not in OWN_TESTS
]
SEEDS = range(30)


def scanning_of(protocol: PolledProtocol[Settings]) -> Scanning:
    assert protocol.scanning is not None
    return protocol.scanning()


def scope(scanning: Scanning, bus: RandomBus) -> Scope:
    return Scope(bus.line, reply_within_s=scanning.reply_within_s)


def healthy_buses(protocol: str, most: int) -> Iterator[RandomBus]:
    buses = (random_bus(seed, protocol=protocol) for seed in SEEDS)
    return (bus for number, bus in enumerate(bus for bus in buses if bus.is_healthy) if number < most)


def searched_by(bus: RandomBus, protocol: PolledProtocol[Settings]) -> list[Find]:
    scanning = scanning_of(protocol)
    assert scanning.search is not None
    return searched(wire_of(bus, lambda: 0.0), scanning.search(scope(scanning, bus)), bus.line).finds


def label(device: RandomDevice) -> str:
    """The address that a find has: what stands on the device, or the number it is asked by."""
    return device.serial.partition(".")[0] or device.address


@pytest.mark.parametrize("kind", SEARCHED, ids=lambda kind: kind.protocol)
def test_every_device_is_found_and_claimed(kind: Asked) -> None:
    for bus in healthy_buses(kind.protocol, 6):
        finds = searched_by(bus, kind.record)
        assert sorted(find.address for find in finds) == sorted(map(label, bus.devices)), bus
        for find in finds:
            assert (find.protocol, find.evidence) == (kind.protocol, Evidence.IDENTIFIED), find
            kind.record.settings(find.keys)
            assert find.reasons
        models = {find.model for find in finds} - {None}
        assert models <= {device.model for device in bus.devices}


@pytest.mark.parametrize("kind", SEARCHED, ids=lambda kind: kind.protocol)
def test_the_line_settings_to_try_are_those_that_such_devices_have(kind: Asked) -> None:
    assert {str(line)[:-1] for line in kind.lines} <= {
        str(line)[:-1] for line in scanning_of(kind.record).lines
    }


@pytest.mark.parametrize("kind", SEARCHED, ids=lambda kind: kind.protocol)
def test_nobody_else_is_claimed(kind: Asked) -> None:
    """Every other search, with the settings of the bus and with its own."""
    others = [load(name) for name in names() if name not in (kind.protocol, *OWN_TESTS)]
    for bus in healthy_buses(kind.protocol, 2):
        for other in others:
            if not isinstance(other, PolledProtocol) or other.scanning is None:
                continue
            assert not searched_by(bus, other), other.name
            scanning = other.scanning()
            for line in scanning.lines[:2]:
                assert scanning.search is not None
                wire = wire_of(bus, lambda: 0.0)
                search = scanning.search(Scope(line, reply_within_s=scanning.reply_within_s))
                assert not searched(wire, search, line).finds, (other.name, line)
