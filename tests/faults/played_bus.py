"""The buses of the line plant, each with a protocol, tagged devices, and how their replies are read back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bridge.simulator.field.bus import SimulatedBus
from bridge.simulator.field.transmission import Served
from protocols.dlt645 import frame as frames
from protocols.dlt645.data import BY_IDENTIFIER
from protocols.dlt645.simulation import DIALECT, SimulatedMeter
from protocols.modbus.ascii import ASCII
from protocols.modbus.serial_line import RTU
from protocols.modbus.simulation import MODBUS_ASCII, MODBUS_RTU
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings
from tests.faults.tagged import Source, tagged
from tests.faults.tagged_site import Sensor, blocks_of, bus_text, sources_of, tagged_units

_ENERGIES = ("energy_import", "energy_export", "energy_import_t1")  # six digits and two decimals each


@dataclass(frozen=True, slots=True)
class PlayedBus:
    """A bus of the plant.

    Attributes:
        text: its part of site.toml, given the path of its adapter.
        sensors: their names.
        sources: where each of their keys comes from.
        words: the tagged words that a reply tells, by the address in their source.
        play: makes its line with the devices on it; to be opened.
    """

    text: Callable[[str], str]
    sensors: Sequence[str]
    sources: Mapping[tuple[str, str], Source]
    words: Callable[[Served], Mapping[int, int]]
    play: Callable[[int], SimulatedBus]


def modbus_bus(name: str, line: str, sensors: Sequence[Sensor], *, is_ascii: bool = False) -> PlayedBus:
    """Return a Modbus bus, in RTU or ASCII mode, whose sensors are called after it."""
    protocol, dialect, carrier = (
        ("modbus-ascii", MODBUS_ASCII, ASCII) if is_ascii else ("modbus-rtu", MODBUS_RTU, RTU)
    )
    prefix = f"{name}-"

    def play(seed: int) -> SimulatedBus:
        return SimulatedBus(
            tagged_units(sensors, carrier), LineSettings.parse(line), dialect=dialect, seed=seed
        )

    return PlayedBus(
        lambda path: bus_text(name, path, protocol, line) + blocks_of(name, sensors, prefix),
        [f"{prefix}{number}" for number in range(len(sensors))],
        sources_of(sensors, prefix),
        lambda reply: reply.registers,
        play,
    )


class TaggedMeter(SimulatedMeter):
    """A DL/T 645 meter that tags its energies."""

    def __init__(self, unit: int) -> None:
        super().__init__(address_of(unit))
        self._unit = unit
        self._answers = 0

    def answer(self, request: Frame) -> bytes | None:
        """Answer with what the registers say now."""
        self._answers += 1
        for place, energy in enumerate(_ENERGIES):
            self.put(energy, float(tagged(self._unit, place, self._answers)))
        return super().answer(request)


def address_of(unit: int) -> str:
    """Return the twelve digits of a meter."""
    return f"{unit:012}"


def dlt645_bus(name: str, line: str, units: Sequence[int], every_s: float) -> PlayedBus:
    """Return a bus of DL/T 645 meters, a sensor each."""
    values = ", ".join(f'"{energy}"' for energy in _ENERGIES)
    blocks = "".join(
        f'\n[[bus.{name}.sensor]]\nname = "{name}-{unit}"\naddress = "{address_of(unit)}"\n'
        f'every = "{1000 * every_s:.0f}ms"\nvalues = [{values}]\n'
        for unit in units
    )

    def words(reply: Served) -> dict[int, int]:
        message = frames.parse(Frame(reply.reply))
        item = BY_IDENTIFIER.get(message.data[:4][::-1].hex().upper())
        if item is None or item.name not in _ENERGIES:
            return {}
        value = item.value(message.data[4:])
        return {} if value is None else {_ENERGIES.index(item.name): round(float(value))}

    def play(seed: int) -> SimulatedBus:
        meters = {address_of(unit): TaggedMeter(unit) for unit in units}
        return SimulatedBus(meters, LineSettings.parse(line), dialect=DIALECT, seed=seed)

    return PlayedBus(
        lambda path: bus_text(name, path, "dlt645", line) + blocks,
        [f"{name}-{unit}" for unit in units],
        {
            (f"{name}-{unit}", energy): Source(unit, (place,))
            for unit in units
            for place, energy in enumerate(_ENERGIES)
        },
        words,
        play,
    )
