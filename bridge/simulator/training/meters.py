"""Random meters that are asked: M-Bus, DL/T 645, IEC 62056-21, Kamstrup's own protocol."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from bridge.simulator.field.wire import Answer, Unit
from bridge.simulator.training.description import Clock, RandomDevice
from protocols.dlt645 import simulation as dlt645
from protocols.dlt645.edition import DLT645_1997, DLT645_2007, Edition
from protocols.iec62056_21 import simulation as iec
from protocols.iec62056_21.frame import Identification
from protocols.kamstrup_kmp.meter import SimulatedMeter as SimulatedMultical
from protocols.kamstrup_kmp.registers import Register
from protocols.mbus.records import Record
from protocols.mbus.secondary import Secondary
from protocols.mbus.simulation import SimulatedMeter
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings

MAKERS: Final = ("KAM", "LUG", "ELS", "ITW", "SEN", "ACW", "ZRI", "EFE", "GAV", "ABB")
_ELECTRICITY, _HEAT, _WATER = 0x02, 0x04, 0x07  # EN 13757-3, medium
MEDIA: Final = (_HEAT, _HEAT, _WATER, _ELECTRICITY)
_OFFERED: Final = {"mode A": " ", "mode B": "ABCDE", "mode C": "345"}  # baud characters


def mbus(device: RandomDevice, _: Clock) -> Unit:
    """Return a meter of heat, water or electricity, with one or two telegrams."""
    chance = device.chance
    digits, maker, version, medium = device.serial.split(".")
    address = Secondary(digits, maker, int(version), int(medium))
    telegrams = [_records(int(medium), chance)] + [_records(int(medium), chance)] * (chance.random() < 0.2)
    return SimulatedMeter(int(device.address), telegrams, secondary=address)


def dlt645_2007(device: RandomDevice, _: Clock) -> Unit:
    """Return a meter of the edition of 2007."""
    return _dlt645(device, DLT645_2007, 230.0)


def dlt645_1997(device: RandomDevice, _: Clock) -> Unit:
    """Return a meter of the edition of 1997."""
    return _dlt645(device, DLT645_1997, 230)


class OpticalMeter:
    """A meter that answers an opening at 300 baud, and with its data at the rate it names."""

    def __init__(self, meter: iec.SimulatedMeter) -> None:
        self._meter = meter

    def answer(self, request: Frame) -> Answer:
        """Return the messages that answer, each with its settings; None if there are none."""
        messages = [
            (LineSettings(baudrate, 7, "E", 1), data) for baudrate, data in self._meter.answer(request)
        ]
        return messages or None


def iec62056_21(device: RandomDevice, _: Clock) -> Unit:
    """Return a meter of the mode that is its model."""
    chance = device.chance
    maker = chance.choice(("ESY", "LGZ", "ISK", "EMH", "ELS", "HAG"))
    character = chance.choice(_OFFERED[device.model])
    data = {
        "C.1.0": f"{chance.randrange(10**8):08}",
        "1.8.0": f"{chance.uniform(0, 99999):09.2f}*kWh",
        "32.7.0": f"{chance.uniform(225, 238):.1f}*V",
    }
    return OpticalMeter(iec.SimulatedMeter(Identification(maker, character, f"T{data['C.1.0'][:6]}"), data))


def kamstrup_kmp(device: RandomDevice, _: Clock) -> Unit:
    """Return a heat meter."""
    chance = device.chance
    flow = chance.randrange(5500, 9500)
    return SimulatedMultical(
        {
            60: Register(3, chance.randrange(10**6), -3),  # energy, MWh
            68: Register(40, chance.randrange(10**6), -2),  # volume, m³
            80: Register(22, chance.randrange(10, 900), -1),  # power, kW
            86: Register(37, flow, -2),
            87: Register(37, flow - chance.randrange(500, 3000), -2),
            99: Register(51, 0, 0),
        }
    )


def _records(medium: int, chance: random.Random) -> list[Record]:
    amount = Record((0x06 if medium != _WATER else 0x14,), 0xC, _bcd(chance, 8))  # kWh, or 10 l
    if medium == _HEAT:
        flow = chance.randrange(5500, 9500)
        flow_temperature = Record((0x59,), 0x2, flow.to_bytes(2, "little"))
        return [amount, Record((0x14,), 0x4, chance.randrange(10**6).to_bytes(4, "little")), flow_temperature]
    if medium == _ELECTRICITY:
        return [amount, Record((0x2B,), 0x4, chance.randrange(9000).to_bytes(4, "little"))]  # W
    return [amount]


def _bcd(chance: random.Random, digits: int) -> bytes:
    return bytes.fromhex(f"{chance.randrange(10 ** (digits - 2)):0{digits}}")[::-1]


def _dlt645(device: RandomDevice, edition: Edition, volts: float) -> Unit:
    chance = device.chance
    meter = dlt645.SimulatedMeter(device.address, preamble=chance.choice((0, 1, 4)), edition=edition)
    meter.put("energy_import", round(chance.uniform(0, 99999), 2))
    meter.put("active_power", round(chance.uniform(0, 12), 4))
    for phase in _phases(chance):
        meter.put(f"voltage_{phase}", volts + chance.randrange(-5, 6))
    return meter


def _phases(chance: random.Random) -> Sequence[str]:
    return chance.choice(("a", "abc"))
