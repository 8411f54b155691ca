"""Random batteries and inverters that are asked: JBD, Daly, JK, Pylontech, Voltronic."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Final

from bridge.simulator.field.wire import Unit
from bridge.simulator.training.description import Clock, RandomDevice
from protocols.daly_bms import commands
from protocols.daly_bms.device import SimulatedBms as SimulatedDaly
from protocols.jbd_bms import registers
from protocols.jbd_bms.device import SimulatedBms as SimulatedJbd
from protocols.jk_bms.polled import SimulatedBms as SimulatedJk
from protocols.pylontech import analog
from protocols.pylontech.battery import SimulatedBattery
from protocols.pylontech.frame import StreamFramer, address
from protocols.toolkit import layout
from protocols.toolkit.simulation import alone
from protocols.voltronic_pi30 import SimulatedInverter

PYLONTECH: Final = replace(
    alone(StreamFramer), address=address, concerns=lambda frame, number: address(frame) == number
)
_ICE: Final = 2731  # 0 °C in 0.1 K


def jbd(device: RandomDevice, _: Clock) -> Unit:
    """Return a pack of 4 to 16 cells with two thermometers."""
    chance = device.chance
    cells = _millivolts(chance)
    capacity = chance.randrange(20, 300) * 100
    basic = layout.build(
        registers.BASIC,
        voltage=sum(cells) // 10,
        current=chance.randrange(-2000, 2000),
        remaining_capacity=capacity // 2,
        nominal_capacity=capacity,
        cycles=chance.randrange(800),
        production_date=0x2C7C,
        balancing=0,
        balancing_high=0,
        protection=0,
        version=0x80,
        state_of_charge=50,
        fet=3,
        cells=len(cells),
        ntc=2,
        temperatures=[_ICE + chance.randrange(100, 300) for _ in range(2)],
        more=b"",
    )
    return SimulatedJbd(
        {
            registers.BASIC_INFORMATION: basic,
            registers.CELL_VOLTAGES: b"".join(cell.to_bytes(2, "big") for cell in cells),
            registers.HARDWARE: f"JBD-SP{len(cells):02}S{chance.randrange(100):03}".encode(),
        }
    )


def daly(device: RandomDevice, _: Clock) -> Unit:
    """Return a pack of 4 to 16 cells with one thermometer."""
    chance = device.chance
    cells = _millivolts(chance)
    volts = sum(cells) // 100
    summary = layout.build(
        commands.DATA[commands.SUMMARY],
        voltage=volts,
        gathered_voltage=volts,
        current=30000 + chance.randrange(-900, 900),
        state_of_charge=chance.randrange(100, 1000),
    )
    numbers = layout.build(
        commands.DATA[commands.NUMBERS],
        cells=len(cells),
        thermometers=1,
        charger_connected=0,
        load_connected=1,
        dio=0,
        cycles=chance.randrange(800),
    )
    frames = [cells[at : at + 3] for at in range(0, len(cells), 3)]
    voltages = [
        layout.build(commands.DATA[commands.CELL_VOLTAGES], frame=number, cell_voltages=[*frame, 0, 0][:3])
        for number, frame in enumerate(frames, start=1)
    ]
    return SimulatedDaly(
        {
            commands.SUMMARY: [summary],
            commands.NUMBERS: [numbers],
            commands.CELL_VOLTAGES: voltages,
        }
    )


def jk(device: RandomDevice, _: Clock) -> Unit:
    """Return a pack of 4 to 16 cells."""
    chance = device.chance
    cells = _millivolts(chance)
    items = b"".join(bytes((number,)) + cell.to_bytes(2, "big") for number, cell in enumerate(cells, start=1))
    data = bytes((0x79, len(items))) + items
    words = {0x80: chance.randrange(15, 40), 0x83: sum(cells) // 10, 0x84: chance.randrange(2000)}
    data += b"".join(bytes((code,)) + word.to_bytes(2, "big") for code, word in words.items())
    return SimulatedJk(data + bytes((0x85, chance.randrange(10, 100))) + b"\xc0\x01")


def pylontech(device: RandomDevice, _: Clock) -> Unit:
    """Return a battery of fifteen cells with five thermometers."""
    chance = device.chance
    number = int(device.address)
    cells = [chance.randrange(3200, 3500) for _ in range(15)]
    info = layout.build(
        analog.LAYOUT,
        flag=0,
        battery=number,
        cells=len(cells),
        cell_voltages=cells,
        thermometers=5,
        temperatures=[_ICE + chance.randrange(150, 300) for _ in range(5)],
        current=chance.randrange(-250, 250),
        voltage=sum(cells),
        remaining=chance.randrange(5000, 50000),
        items=2,
        total=50000,
        cycles=chance.randrange(900),
        remaining_long=None,
        total_long=None,
    )
    return SimulatedBattery(number, info)


def voltronic(device: RandomDevice, _: Clock) -> Unit:
    """Return an inverter with its 21 fields."""
    chance = device.chance
    watts = chance.randrange(100, 3000)
    mains = f"{chance.uniform(228, 232):05.1f} 50.0"
    power = f"{watts + 20:04} {watts:04} {watts // 50:03} 380"
    battery = f"{chance.uniform(48, 56):05.2f} 010 {chance.randrange(20, 100):03} 0035"
    panels = f"0004 {chance.uniform(60, 90):05.1f} 52.00 00000"
    return SimulatedInverter(
        f"{mains} {mains} {power} {battery} {panels} 00010110 00 00 {chance.randrange(900):05} 110"
    )


def _millivolts(chance: random.Random) -> list[int]:
    """Return the voltages of the cells of a pack."""
    level = chance.randrange(3150, 3400)
    return [level + chance.randrange(-15, 16) for _ in range(chance.choice((4, 8, 15, 16)))]
