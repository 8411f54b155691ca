"""A bus whose sensors are tagged: what the site says of it, its devices, and where each key comes from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from protocols.modbus.carrier import Carrier
from protocols.modbus.serial_line import RTU
from tests.faults.tagged import Source, TaggedUnit

_BUS = """
[bus.{bus}]
adapter = "{adapter}"
protocol = "{protocol}"
line = "{line}"
{keys}
"""
_SENSOR = """
[[bus.{bus}.sensor]]
name = "{name}"
address = {unit}
every = "{every_ms:.0f}ms"
{keys}
[bus.{bus}.sensor.registers]
{registers}
"""
_TYPES = {1: "uint16", 2: "uint32", 4: "int64"}  # an unsigned one of 64 bits may not fit what is stored


@dataclass(frozen=True, slots=True)
class Sensor:
    """A sensor of the simulated site.

    Attributes:
        unit: its address; several sensors may have one.
        every_s: its rhythm.
        blocks: (PDU address, registers) of each value; 1, 2 or 4 registers.
        keys: further lines of its block in site.toml.
    """

    unit: int
    every_s: float = 1.0
    blocks: tuple[tuple[int, int], ...] = ((0, 1),)
    keys: str = ""


def bus_text(bus: str, adapter: str, protocol: str, line: str, keys: str = "") -> str:
    """Return the table of a bus."""
    return _BUS.format(bus=bus, adapter=adapter, protocol=protocol, line=line, keys=keys)


def blocks_of(bus: str, sensors: Sequence[Sensor], prefix: str = "s") -> str:
    """Return the blocks of Modbus sensors, called `prefix` and their number; their keys are k0, k1 …"""
    return "".join(_block(bus, f"{prefix}{number}", sensor) for number, sensor in enumerate(sensors))


def sources_of(sensors: Sequence[Sensor], prefix: str = "s") -> dict[tuple[str, str], Source]:
    """Return where each key of each of these sensors comes from."""
    return {
        (f"{prefix}{number}", f"k{place}"): Source(sensor.unit, tuple(range(start, start + count)))
        for number, sensor in enumerate(sensors)
        for place, (start, count) in enumerate(sensor.blocks)
    }


def tagged_units(sensors: Sequence[Sensor], carrier: Carrier = RTU) -> dict[int, TaggedUnit]:
    """Return the units that serve these sensors; they hold every register from 0 up to the last wanted."""
    ends: defaultdict[int, int] = defaultdict(int)
    for sensor in sensors:
        ends[sensor.unit] = max(ends[sensor.unit], *(start + count for start, count in sensor.blocks))
    return {unit: TaggedUnit(unit, range(end), carrier) for unit, end in ends.items()}


def _block(bus: str, name: str, sensor: Sensor) -> str:
    registers = "\n".join(
        f'k{place} = {{ holding = {start}, type = "{_TYPES[count]}" }}'
        for place, (start, count) in enumerate(sensor.blocks)
    )
    return _SENSOR.format(
        bus=bus,
        name=name,
        unit=sensor.unit,
        every_ms=1000 * sensor.every_s,
        keys=sensor.keys,
        registers=registers,
    )
