"""Random buses: what they are follows from their number, and each device speaks its protocol."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from itertools import islice

import pytest

from bridge.simulator.field.wire import Wire
from bridge.simulator.training import drawing
from bridge.simulator.training.catalogue import KINDS, KINDS_BY_PROTOCOL, Asked, Pushing
from bridge.simulator.training.description import RandomBus
from bridge.simulator.training.drawing import random_bus
from bridge.simulator.training.playing import wire_of
from protocols import load
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings, PollResult, Request
from protocols.toolkit.protocol import PolledProtocol, PushingProtocol

SEEDS = range(400)
PATIENCE_S = 4.0


def asked(protocol: str) -> Asked:
    kind = KINDS_BY_PROTOCOL[protocol]
    assert isinstance(kind, Asked)
    return kind


def heard(wire: Wire, until: float) -> Iterator[tuple[float, bytes]]:
    while wire.due_at <= until:
        at = wire.due_at
        yield at, wire.advance(at)


def reply(wire: Wire, request: Request, at: float) -> tuple[Frame | None, float]:
    """Return the accepted reply to a request, and when it was through."""
    wire.host_line = request.line or wire.host_line
    if request.data:
        wire.write(request.data, at)
    at += (wire.host_line or LineSettings(300)).duration_s(len(request.data))
    wire.host_line = request.reply_line or wire.host_line
    framer = request.framer()
    for through_at, octets in heard(wire, at + PATIENCE_S):
        for event in framer.feed(octets):
            if isinstance(event, Frame) and request.accepts(event):
                return event, through_at + 0.2
    for event in framer.silence():
        if isinstance(event, Frame) and request.accepts(event):
            return event, at + PATIENCE_S
    return None, at + PATIENCE_S


def polled(bus: RandomBus, place: int, wire: Wire, at: float) -> tuple[PollResult, float]:
    """Return what a poll of one device brings, on the wire of its bus."""
    device = bus.devices[place]
    kind = asked(device.protocol)
    wire.host_line = device.line
    sensor = kind.record.settings(kind.keys(device))
    poll = kind.record.device([sensor], device.line).poll(at)
    request = next(poll)
    while True:
        frame, at = reply(wire, request, at + 0.1)
        try:
            request = poll.send(frame)
        except StopIteration as over:
            return over.value, at


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if isinstance(kind, Asked)], ids=lambda k: k.protocol
)
def test_each_device_that_is_asked_is_read_by_its_own_protocol(kind: Asked) -> None:
    seeds = (seed for seed in range(100) if random_bus(seed, protocol=kind.protocol).is_healthy)
    for seed in islice(seeds, 4):
        bus = random_bus(seed, protocol=kind.protocol)
        wire, at = wire_of(bus, lambda: 0.0), 1.0
        for place, device in enumerate(bus.devices):
            result, at = polled(bus, place, wire, at)
            if kind.protocol == "shdlc" and not any(result.values):  # that began the measurement
                result, at = polled(bus, place, wire, at)
            assert any(result.values), f"{seed}: {device.title}: {result}"


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if isinstance(kind, Pushing)], ids=lambda k: k.protocol
)
def test_each_sensor_that_pushes_is_heard_by_its_own_protocol(kind: Pushing) -> None:
    entry = load(kind.protocol)
    assert isinstance(entry, PushingProtocol)
    for seed in range(4):
        bus = random_bus(seed, protocol=kind.protocol)
        wire, framer = wire_of(bus, lambda: 0.0), entry.framer()
        events = [event for _, octets in heard(wire, 5.0) for event in framer.feed(octets)]
        frames = [event for event in events if isinstance(event, Frame)]
        assert len(frames) >= 3
        assert {telegram.sender for frame in frames for telegram in entry.listener().telegrams(frame)} == {
            bus.devices[0].address
        }


def test_a_bus_follows_from_its_number() -> None:
    for seed in SEEDS:
        assert random_bus(seed) == random_bus(seed)
        assert json.loads(json.dumps(random_bus(seed).document()))["seed"] == seed


def test_all_kinds_and_all_faults_are_drawn() -> None:
    buses = [random_bus(seed) for seed in range(1500)]
    assert {device.protocol for bus in buses for device in bus.devices} == {kind.protocol for kind in KINDS}
    faults = Counter(device.fault for bus in buses for device in bus.devices) + Counter(
        bus.fault for bus in buses
    )
    names = {name: text for name, text in vars(drawing).items() if name.isupper() and isinstance(text, str)}
    assert set(names.values()) - {drawing.FOREIGN_MASTER} == set(faults) - {""}
    assert 0.4 < sum(bus.is_healthy for bus in buses) / len(buses) < 0.75
    assert any(bus.has_foreign_master for bus in buses)
    assert any(len({device.protocol for device in bus.devices}) > 1 for bus in buses)


def test_a_foreign_master_is_answered_and_heard() -> None:
    seed = next(seed for seed in SEEDS if random_bus(seed).has_foreign_master)
    bus = random_bus(seed)
    wire = wire_of(bus, lambda: 0.0)
    octets = b"".join(data for _, data in heard(wire, 5.0))
    framer = load(bus.devices[0].protocol)
    assert isinstance(framer, PolledProtocol)
    frames = [event for event in framer.framer().feed(octets) if isinstance(event, Frame)]
    assert len(frames) >= 4
    assert wire.served


def test_the_device_whose_settings_differ_is_deaf_to_the_others() -> None:
    chosen = (
        (bus, place)
        for bus in map(random_bus, SEEDS)
        for place, device in enumerate(bus.devices)
        if device.fault in (drawing.WRONG_PARITY, drawing.OTHER_SPEED)
        and device.protocol in ("modbus-rtu", "mbus", "dlt645")
    )
    for bus, place in islice(chosen, 6):
        wire = wire_of(bus, lambda: 0.0)
        result, at = polled(bus, place, wire, 1.0)
        assert any(result.values), bus
        wire.served.clear()
        device = bus.devices[place]
        kind = asked(device.protocol)
        sensor = kind.record.settings(kind.keys(device))
        for request in kind.record.device([sensor], bus.line).planned():
            wire.host_line = bus.line
            frame, at = reply(wire, request, at + 1.0)
            assert frame is None


def test_nothing_is_due_on_a_bus_where_nobody_sends() -> None:
    assert math.isinf(wire_of(random_bus(0, protocol="modbus-rtu"), lambda: 0.0).due_at)
