"""A search through the reader of a bus in service: it tells what a search of the free line tells."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.commands.scan.plan import Limits
from bridge.commands.scan.protocols import spoken
from bridge.commands.scan.survey import Subject, Survey
from bridge.simulator.field.device_faults import UnitFaults
from bridge.simulator.field.wire import Wire
from protocols.modbus.simulation import SimulatedUnit
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.scanning import Evidence, Find, Trouble
from tests.faults.scan_sweep import Quiet
from tests.faults.simulated_reader import Sensor, SimulatedReader
from tests.support.lines import SimulatedLine
from tests.support.loop import on_jumping_clock

LINE = "9600 8N1"
ADDRESSES = ("4", "5", "6", "7")
SECONDS = 120.0


def twin_at_once(faults: UnitFaults) -> None:
    faults.twin_s = 0.002


def twin_behind(faults: UnitFaults) -> None:
    faults.twin_s = 0.04


def damaged(faults: UnitFaults) -> None:
    faults.bad_crc = 1.0


def damaged_at_times(faults: UnitFaults) -> None:
    faults.bad_crc = 0.3


def slow(faults: UnitFaults) -> None:
    faults.late, faults.late_s = 1.0, 0.2


FAULTS = (twin_at_once, twin_behind, damaged, damaged_at_times, slow)


def equip(wire: Wire, spoil: Callable[[UnitFaults], None]) -> None:
    """Put two healthy units on a wire, and one with a fault."""
    wire.units |= {address: SimulatedUnit(address, holding={0: 4711}) for address in (4, 5, 7)}
    spoil(wire.faults[5])


async def on_a_free_line(spoil: Callable[[UnitFaults], None]) -> dict[str, Find]:
    settings = LineSettings.parse(LINE)
    wire = Wire({}, settings)
    equip(wire, spoil)
    line = SimulatedLine(wire, settings)
    await line.open("", settings)
    limits = Limits(line=settings, addresses="4-7")
    result = await Survey(line, Subject("port", spoken(["modbus-rtu"]), limits), Quiet()).run()
    return {located.find.address: located.find for located in result.finds}


async def through_the_reader(folder: Path, spoil: Callable[[UnitFaults], None]) -> dict[str, Find]:
    reader = SimulatedReader(folder, LINE, [Sensor(1, 1.0, ((0, 2),))])
    equip(reader.wire, spoil)
    running = asyncio.create_task(reader.run(SECONDS))
    await asyncio.sleep(2.0)
    finds = await reader.search(ADDRESSES)
    await running
    assert reader.audit.findings.wrong_key == reader.audit.findings.wrong_sensor == 0
    assert reader.readings(0, 0.0) >= SECONDS - 5, "the sensor of the bus loses nothing"
    return {find.address: find for find in finds}


@pytest.mark.parametrize("spoil", FAULTS)
@on_jumping_clock
async def test_what_is_wrong_at_an_address_is_told_as_on_a_free_line(
    spoil: Callable[[UnitFaults], None], tmp_path: Path
) -> None:
    free, lent = await on_a_free_line(spoil), await through_the_reader(tmp_path, spoil)
    assert lent.keys() == free.keys() == {"4", "5", "7"}
    for address, find in lent.items():
        assert (find.evidence, find.trouble) == (free[address].evidence, free[address].trouble), address


@on_jumping_clock
async def test_two_devices_that_garble_each_other_are_told_as_such(tmp_path: Path) -> None:
    find = (await through_the_reader(tmp_path, twin_at_once))["5"]
    assert (find.evidence, find.trouble) == (Evidence.GARBLED, Trouble.TWO_DEVICES)
