"""What a foreign Modbus master does, learned by listening: who is polled, for which registers, how often.

From it blocks for site.toml are proposed, for a bus with `listen = true`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bridge.commands.decode.traffic import Heard
from protocols.modbus.models import SHIPPED, Library, Model
from protocols.modbus.overhearing import ModbusOverhearer, PlaceRead
from protocols.modbus.registers import Table

FITS: Final = 0.9
"""A model fits a unit if the master reads at least this share of its registers."""


class RegisterLearner:
    """Learns from what passes on a line.

    Args:
        overhearer: of no sensors.
    """

    def __init__(self, overhearer: ModbusOverhearer) -> None:
        self._overhearer = overhearer

    def hear(self, heard: Heard) -> None:
        """Take a frame or noise."""
        self._overhearer.hear(heard.event, heard.start_us / 1e6, heard.start_us / 1e6)

    def blocks(self, bus: str, elapsed_s: float) -> str:
        """Return blocks for site.toml: a sensor for each unit that answered; "" if none did."""
        return blocks(bus, learned(self._overhearer, elapsed_s))


@dataclass(frozen=True, slots=True)
class UnitTraffic:
    """What the master asks of one unit.

    Attributes:
        unit: its address.
        reads: what is read, with how often each was answered.
        every_s: the mean time from one reading of the same registers to the next, in seconds; 0: read once.
        models: the models of which the master reads (nearly) all registers, the best first.
    """

    unit: int
    reads: dict[PlaceRead, int]
    every_s: float
    models: Sequence[str]


def learned(overhearer: ModbusOverhearer, elapsed_s: float, library: Library = SHIPPED) -> list[UnitTraffic]:
    """Return what the master asks of each unit, by address.

    Args:
        overhearer: has listened, for whatever sensors.
        elapsed_s: for so long.
        library: the models to compare with.
    """
    units = sorted({place.unit for place in overhearer.reads})
    models = [library.model(name) for name in library.names()]
    traffic = []
    for unit in units:
        places = sorted((place for place in overhearer.reads if place.unit == unit), key=_order)
        reads = {place: overhearer.reads[place] for place in places}
        every_s = elapsed_s / max(reads.values())
        traffic.append(UnitTraffic(unit, reads, every_s, _fitting(list(reads), models)))
    return traffic


def _order(place: PlaceRead) -> tuple[str, int, int]:
    return place.table.key, place.start, place.quantity


def blocks(bus: str, traffic: Sequence[UnitTraffic]) -> str:
    """Return blocks for site.toml: a sensor for each unit, with every register that the master reads."""
    return "\n".join(line for unit in traffic for line in _block(bus, unit))


def _block(bus: str, traffic: UnitTraffic) -> Iterator[str]:
    yield f"[[bus.{bus}.sensor]]"
    yield f'name = "unit-{traffic.unit}"'
    yield f"address = {traffic.unit}"
    if not 1 <= traffic.unit <= 247:
        yield "reserved_address = true"
    yield f'every = "{max(1, round(traffic.every_s))}s"'
    for name in traffic.models[:3]:
        yield f'# model = "{name}"            # instead of the registers: the master reads all that it names'
    yield f"[bus.{bus}.sensor.registers]"
    written_addresses: set[tuple[Table, int]] = set()
    for place in traffic.reads:
        for address in range(place.start, place.start + place.quantity):
            if (place.table, address) not in written_addresses:
                written_addresses.add((place.table, address))
                yield f"{place.table.key}_{address} = {{ {place.table.key} = {address} }}"
    yield ""


def _fitting(reads: Sequence[PlaceRead], models: Sequence[Model]) -> list[str]:
    """Return the models whose registers are read, as far as `FITS`, the largest first."""
    fitting = []
    for model in models:
        covered = sum(
            any(
                place.table is register.table
                and place.start <= register.start
                and register.end <= place.start + place.quantity
                for place in reads
            )
            for register in model.registers
        )
        if covered >= FITS * len(model.registers):
            fitting.append((covered, model.name))
    return [name for _, name in sorted(fitting, reverse=True)]
