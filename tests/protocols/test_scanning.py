"""Each protocol's search against its own simulation, and against everybody else's."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice

import pytest

from bridge.simulator.training.catalogue import KINDS, Asked
from bridge.simulator.training.description import RandomBus, RandomDevice
from bridge.simulator.training.drawing import SHARED_ADDRESS, random_bus
from bridge.simulator.training.playing import wire_of
from protocols import load, names
from protocols.toolkit.errors import ProtocolError
from protocols.toolkit.framing import Frame
from protocols.toolkit.protocol import PolledProtocol, Settings
from protocols.toolkit.scanning import Evidence, Find, Heard, Probe, Scanning, Scope, Trouble
from tests.protocols.vectors import good_frames, hear
from tests.support.searching import searched

OWN_TESTS = ("modbus-rtu", "modbus-ascii")
SEARCHED = [
    kind
    for kind in KINDS
    if isinstance(kind, Asked) and kind.record.scanning and kind.protocol not in OWN_TESTS
]
SEEDS = range(30)
EVERY = [name for name in names() if isinstance(record := load(name), PolledProtocol) and record.scanning]
RUNS, MOST_PROBES = 8, 300


def scanning_of(protocol: PolledProtocol[Settings]) -> Scanning:
    assert protocol.scanning is not None
    return protocol.scanning()


def scope(scanning: Scanning, bus: RandomBus) -> Scope:
    return Scope(bus.line, reply_within_s=scanning.reply_within_s)


def healthy_buses(protocol: str, most: int) -> Iterator[RandomBus]:
    buses = (random_bus(seed, protocol=protocol) for seed in SEEDS)
    return (bus for number, bus in enumerate(bus for bus in buses if bus.is_healthy) if number < most)


def searched_by(bus: RandomBus, protocol: PolledProtocol[Settings]) -> list[Find]:
    """Return what a search found, the last that it told of each address."""
    scanning = scanning_of(protocol)
    assert scanning.search is not None
    finds = searched(wire_of(bus, lambda: 0.0), scanning.search(scope(scanning, bus)), bus.line).finds
    return list({find.address: find for find in finds}.values())


def label(device: RandomDevice) -> str:
    """Return the address that a find has: what stands on the device, or the number it is asked by."""
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


@pytest.mark.parametrize("protocol", ["dlt645", "dlt645-1997", "pylontech"])
def test_two_devices_on_one_address_are_told_as_such(protocol: str) -> None:
    buses = (random_bus(seed, protocol=protocol) for seed in range(200))
    for bus in islice((bus for bus in buses if has_twins(bus)), 1):
        shared = next(device.address for device in bus.devices if device.fault)
        record = load(protocol)
        assert isinstance(record, PolledProtocol)
        finds = searched_by(bus, record)
        troubles = {find.address: find.trouble for find in finds}
        assert troubles[shared] is Trouble.TWO_DEVICES, bus
        others = {device.address for device in bus.devices} - {shared}
        assert others == {find.address for find in finds if find.trouble is None}


def has_twins(bus: RandomBus) -> bool:
    return any(device.fault == SHARED_ADDRESS for device in bus.devices)


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


@pytest.mark.parametrize("name", EVERY)
def test_whatever_is_heard_breaks_no_search(name: str) -> None:
    """Silence, octets, and good frames of the protocol in any order."""
    record = load(name)
    assert isinstance(record, PolledProtocol)
    search_of = scanning_of(record).search
    assert search_of is not None
    file_name = {"dlt645-1997": "dlt645_1997", "winsen": "winsen"}.get(name, name.replace("-", "_"))
    frames = frames_of(record, file_name)
    for run in range(RUNS):
        chance = random.Random(f"{name}/{run}")
        search = search_of(Scope(scanning_of(record).lines[0]))
        step = next(search)
        for _ in range(MOST_PROBES):
            answer = Heard() if isinstance(step, Find) else any_answer(step, frames, chance)
            try:
                step = search.send(answer)
            except (StopIteration, ProtocolError):
                break


def any_answer(probe: Probe, frames: list[Frame], chance: random.Random) -> Heard:
    """Silence, stray octets, the piece of a frame, or a frame that the request accepts."""
    kind = chance.random()
    accepted = [frame for frame in frames if probe.request.accepts(frame)]
    if kind < 0.2:
        return Heard()
    if kind < 0.4 or not frames:
        return Heard(octets=chance.randbytes(chance.randint(1, 40)))
    if kind < 0.6 or not accepted:
        frame = chance.choice(frames)
        return Heard(others=(frame,), octets=frame.data)
    frame = chance.choice(accepted)
    return Heard(frame, octets=frame.data + chance.randbytes(chance.choice((0, 0, 2))))


def frames_of(record: PolledProtocol[Settings], file_name: str) -> list[Frame]:
    """Return the good frames of a protocol's vectors, as its framer tells their direction."""
    events = [event for data in good_frames(file_name) for event in hear(record, [data])]
    return [event for event in events if isinstance(event, Frame)]
