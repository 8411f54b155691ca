"""A scan of whole buses, on a clock that jumps: what is found, what is claimed, and what is never sent."""

from __future__ import annotations

import asyncio

import pytest

from bridge.commands.scan.plan import Limits
from bridge.commands.scan.protocols import spoken
from bridge.commands.scan.result import Ending, sentence
from bridge.commands.scan.survey import Subject, Survey
from bridge.simulator.training import drawing
from bridge.simulator.training.description import RandomBus
from bridge.simulator.training.drawing import random_bus
from bridge.simulator.training.playing import wire_of
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.scanning import Evidence, Trouble
from tests.faults.scan_sweep import Quiet, buses, scan
from tests.support.lines import SimulatedLine
from tests.support.loop import on_jumping_clock

RTU = ["modbus-rtu"]


def with_fault(fault: str, protocol: str = "modbus-rtu") -> RandomBus:
    """Return the first random bus of which a device has this fault."""
    drawn = (random_bus(seed, devices=5, protocol=protocol) for seed in range(1000))
    return next(bus for bus in drawn if any(device.fault == fault for device in bus.devices))


def with_low_addresses() -> RandomBus:
    """A healthy Modbus bus whose addresses are those that installers give first."""
    healthy = buses(0, 40, "modbus-rtu", faulty=False)
    return next(bus for bus in healthy if all(int(device.address) <= 16 for device in bus.devices))


def with_master(protocol: str = "modbus-rtu") -> RandomBus:
    drawn = (random_bus(seed, devices=5, protocol=protocol) for seed in range(1000))
    return next(bus for bus in drawn if bus.has_foreign_master)


@pytest.mark.parametrize(
    "bus", [*buses(0, 4, "modbus-rtu", faulty=False)], ids=lambda bus: f"seed {bus.seed}"
)
def test_every_unit_of_a_line_that_nobody_knows_is_found(bus: RandomBus) -> None:
    outcome = scan(bus, protocols=RTU)
    assert not outcome.missed
    assert not outcome.wrong
    assert {one.find.address for one in outcome.result.finds} == {device.address for device in bus.devices}


def test_units_of_modbus_ascii_are_found() -> None:
    (bus,) = buses(0, 1, "modbus-ascii", faulty=False)
    outcome = scan(bus, protocols=["modbus-rtu", "modbus-ascii"])
    assert not outcome.missed
    assert not outcome.wrong
    assert {one.find.protocol for one in outcome.result.finds} == {"modbus-ascii"}


def test_with_known_line_settings_the_finds_come_within_ten_seconds() -> None:
    bus = with_low_addresses()
    outcome = scan(bus, Limits(line=bus.line), RTU)
    assert not outcome.missed
    assert outcome.last_s < 10
    assert {one.line for one in outcome.result.finds} == {bus.line}


def test_only_the_addresses_that_are_named_are_asked() -> None:
    bus = with_low_addresses()
    first, *others = (device.address for device in bus.devices)
    outcome = scan(bus, Limits(line=bus.line, addresses=first), RTU)
    assert {one.find.address for one in outcome.result.finds} == {first}
    assert others


@pytest.mark.parametrize("fault", [drawing.SLOW, drawing.DAMAGED_REPLIES, drawing.WRONG_PARITY])
def test_a_device_with_a_fault_is_found_all_the_same(fault: str) -> None:
    outcome = scan(with_fault(fault), protocols=RTU)
    assert not outcome.missed
    assert not outcome.wrong


def test_two_devices_on_one_address_are_said_as_such_and_nothing_is_claimed() -> None:
    bus = with_fault(drawing.SHARED_ADDRESS)
    address = next(device.address for device in bus.devices if device.fault)
    (shared,) = (one.find for one in scan(bus, protocols=RTU).result.finds if one.find.address == address)
    assert shared.trouble is Trouble.TWO_DEVICES
    assert shared.model is None
    assert "two devices with this address" in sentence(shared)


@on_jumping_clock
async def test_on_the_line_of_another_master_nothing_is_sent_and_that_is_said_within_three_seconds() -> None:
    bus, loop = with_master(), asyncio.get_running_loop()
    line = SimulatedLine(wire_of(bus, loop.time), bus.line)
    await line.open("", LineSettings(9600))
    begun = loop.time()
    said: list[tuple[float, str]] = []

    class Timed(Quiet):
        def said(self, sentence: str) -> None:
            said.append((loop.time() - begun, sentence))

    result = await Survey(line, Subject("/dev/ttyTEST", spoken()), Timed()).run()
    assert line.sent == []
    assert result.octets_sent == 0
    assert result.ending is Ending.NOT_OURS
    assert said[0][0] <= 3
    assert "nothing is asked" in said[0][1]
    assert "another master is at work" in result.remark
    assert {one.find.evidence for one in result.finds} == {Evidence.HEARD}


@on_jumping_clock
async def test_a_silent_line_ends_with_a_sentence() -> None:
    bus, loop = with_low_addresses(), asyncio.get_running_loop()
    wire = wire_of(bus, loop.time)
    wire.units.clear()
    line = SimulatedLine(wire, bus.line)
    await line.open("", LineSettings(9600))
    limits = Limits(line=LineSettings(9600), addresses="1-10")
    result = await Survey(line, Subject("/dev/ttyTEST", spoken(RTU), limits), Quiet()).run()
    assert not result.finds
    assert "nothing answers" in result.remark
    assert result.remark.endswith("without --addresses and --quick every address is asked")


@on_jumping_clock
async def test_what_was_found_is_told_when_a_scan_is_interrupted() -> None:
    bus, loop = with_low_addresses(), asyncio.get_running_loop()
    line = SimulatedLine(wire_of(bus, loop.time), bus.line)
    await line.open("", LineSettings(9600))
    scanning = asyncio.ensure_future(Survey(line, Subject("p", spoken(RTU)), Quiet()).run())
    loop.call_later(15, scanning.cancel)
    result = await scanning
    assert result.ending is Ending.INTERRUPTED
    assert result.finds
