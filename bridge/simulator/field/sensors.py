"""The sensors of a site, simulated on pseudo terminals: its register maps, filled with plausible values.

`run --devices FOLDER` then reads the site as if its adapters were plugged in.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bridge.config import Bus, Site
from bridge.errors import BridgeError
from bridge.simulator.field.bus import Served, SimulatedBus, UnitFaults
from bridge.simulator.field.waveform import Waveform, words
from protocols.modbus.ascii import ASCII
from protocols.modbus.carrier import Carrier
from protocols.modbus.registers import Register, Table
from protocols.modbus.rtu import SimulatedUnit
from protocols.modbus.serial_line import RTU
from protocols.modbus.settings import ModbusSettings
from protocols.modbus.simulation import MODBUS_ASCII, MODBUS_RTU
from protocols.modbus.sunspec.simulation import chain_of
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import Value

__all__ = ["LiveUnit", "Served", "SimulatedBus", "UnitFaults", "simulate", "simulate_until_stopped"]

_SUNSPEC_MODELS = (103,)  # of a device whose site does not choose: a three-phase inverter
_MODES = {"modbus-rtu": (MODBUS_RTU, RTU), "modbus-ascii": (MODBUS_ASCII, ASCII)}


class LiveUnit(SimulatedUnit):
    """A unit whose registers have new values at each request."""

    def __init__(
        self,
        address: int,
        registers: Sequence[Register],
        seed: str,
        carrier: Carrier = RTU,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a unit with these registers; the same seed gives the same values at the same age.

        Args:
            address: its unit address.
            registers: what it has.
            seed: what its values follow from.
            carrier: the transmission mode that it speaks.
            clock: returns the time, in seconds, that its age is reckoned by.
        """
        super().__init__(address, carrier=carrier)
        self._waves = [Waveform.of(register, seed) for register in registers]
        self._clock = clock
        self._born = clock()
        for kind, address in (register.scale for register in registers if register.scale):
            (self.holding if kind is Table.HOLDING else self.input)[address] = 0  # times 10 to the power 0
        self.refresh(0.0)
        for table in (self.holding, self.input):  # a real device says 0 between its registers
            table.update(
                {hole: 0 for hole in range(min(table, default=0), max(table, default=0)) if hole not in table}
            )

    def answer(self, request: Frame) -> bytes | None:
        """Return the reply to a request, with the registers' present values."""
        self.refresh(self._clock() - self._born)
        return super().answer(request)

    def refresh(self, age_s: float) -> None:
        """Set every register to its value at that age of the unit, in seconds."""
        for wave in self._waves:
            self._set(wave.register, wave.at(age_s))

    def _set(self, register: Register, value: Value) -> None:
        if register.table.of_bits:
            bits = self.coils if register.table is Table.COIL else self.discretes
            numbers: dict[Value, int] = {text: number for number, text in register.enum.items()}
            bits[register.start] = bool(numbers.get(value, value))
            return
        words_by_address = self.holding if register.table is Table.HOLDING else self.input
        addresses = range(register.start, register.end)
        previous_octets = b"".join(
            words_by_address.get(address, 0).to_bytes(2, "big") for address in addresses
        )
        octets = words(register, value, previous_octets)
        for at, address in enumerate(addresses):
            words_by_address[address] = int.from_bytes(octets[2 * at : 2 * at + 2], "big")


@contextmanager
def simulate(site: Site, folder: Path) -> Iterator[dict[str, SimulatedBus]]:
    """Simulate every Modbus bus of a site; yield the buses by name. The link to each is `folder`/NAME."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(_played(bus, folder / name))
            for name, bus in site.buses.items()
            if bus.protocol.name in _MODES
        }


def simulate_until_stopped(site: Site, folder: Path, say: Callable[[str], None]) -> None:
    """Simulate a site until SIGTERM or SIGINT; report each bus with its path, or why it is left out.

    Raises:
        BridgeError: the site has no bus that can be simulated.
    """
    stop_signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop_signals)  # before the threads, which inherit it
    with simulate(site, folder) as buses:
        if not buses:
            raise BridgeError(f"{site.path}: no bus speaks {' or '.join(_MODES)}, which alone are simulated")
        for name, bus in buses.items():
            say(
                f"{bus.path}: {name}, {site.buses[name].line}, units {', '.join(map(str, sorted(bus.units)))}"
            )
        for name, idle in site.buses.items():
            if name not in buses:
                say(
                    f"{name} is not played: it speaks {idle.protocol.name}, only {' and '.join(_MODES)} are "
                    "simulated; `run` takes its own adapter"
                )
        signal.sigwait(stop_signals)


def _played(bus: Bus, link: Path) -> SimulatedBus:
    """Return the simulated bus, with a unit for each address that has the registers of all sensors there."""
    dialect, carrier = _MODES[bus.protocol.name]
    registers: dict[int, list[Register]] = {}
    chains: dict[int, dict[int, int]] = {}
    for sensor in bus.sensors:
        assert isinstance(sensor.settings, ModbusSettings)
        of_unit = registers.setdefault(sensor.settings.unit, [])
        of_unit.extend(sensor.settings.registers)
        if sensor.settings.sunspec is not None:
            chain, points = chain_of(sorted(sensor.settings.sunspec.models or _SUNSPEC_MODELS))
            chains.setdefault(sensor.settings.unit, {}).update(chain)
            of_unit.extend(points)
    units = {
        unit: LiveUnit(unit, of_unit, f"{bus.name}/{unit}", carrier) for unit, of_unit in registers.items()
    }
    for unit, chain in chains.items():
        units[unit].holding.update(chain)
    return SimulatedBus(units, bus.line, dialect=dialect, link=link)
