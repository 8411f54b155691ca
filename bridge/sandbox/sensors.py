"""The sensors of a site, played on pseudo terminals: what its register maps ask for, in plausible values.

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
from bridge.sandbox.bus import Served, SimulatedBus, UnitFaults
from bridge.sandbox.waveform import Waveform, words
from protocols.dialogue import Value
from protocols.framing import Frame
from protocols.modbus.ascii import ASCII
from protocols.modbus.carrier import Carrier
from protocols.modbus.registers import Register, Table
from protocols.modbus.rtu import SimulatedUnit
from protocols.modbus.serial_line import RTU
from protocols.modbus.settings import ModbusSettings
from protocols.modbus.simulation import MODBUS_ASCII, MODBUS_RTU

__all__ = ["LiveUnit", "Served", "SimulatedBus", "UnitFaults", "simulate", "simulate_until_stopped"]

_MODES = {"modbus-rtu": (MODBUS_RTU, RTU), "modbus-ascii": (MODBUS_ASCII, ASCII)}


class LiveUnit(SimulatedUnit):
    """A unit whose registers say something new whenever it is asked."""

    def __init__(
        self, address: int, registers: Sequence[Register], seed: str, carrier: Carrier = RTU
    ) -> None:
        """Makes a unit that holds these registers; the same seed says the same at the same age."""
        super().__init__(address, carrier=carrier)
        self._waves = [Waveform.of(register, seed) for register in registers]
        self._born = time.monotonic()
        for table, address in (register.scale for register in registers if register.scale):
            (self.holding if table is Table.HOLDING else self.input)[address] = 0  # times 10 to the power 0
        self.refresh(0.0)
        for held in (self.holding, self.input):  # a real device says 0 between its registers
            held.update(
                {hole: 0 for hole in range(min(held, default=0), max(held, default=0)) if hole not in held}
            )

    def answer(self, request: Frame) -> bytes | None:
        """Answers with what the registers say now."""
        self.refresh(time.monotonic() - self._born)
        return super().answer(request)

    def refresh(self, age_s: float) -> None:
        """Sets every register to what it says at that age."""
        for wave in self._waves:
            self._set(wave.register, wave.at(age_s))

    def _set(self, register: Register, value: Value) -> None:
        if register.table.of_bits:
            bits = self.coils if register.table is Table.COIL else self.discretes
            numbers: dict[Value, int] = {text: number for number, text in register.enum.items()}
            bits[register.start] = bool(numbers.get(value, value))
            return
        held = self.holding if register.table is Table.HOLDING else self.input
        addresses = range(register.start, register.end)
        before = b"".join(held.get(address, 0).to_bytes(2, "big") for address in addresses)
        octets = words(register, value, before)
        for at, address in enumerate(addresses):
            held[address] = int.from_bytes(octets[2 * at : 2 * at + 2], "big")


@contextmanager
def simulate(site: Site, folder: Path) -> Iterator[dict[str, SimulatedBus]]:
    """Plays every Modbus bus of a site: yields the buses by name; the link to each is `folder`/NAME."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(_played(bus, folder / name))
            for name, bus in site.buses.items()
            if bus.protocol.name in _MODES
        }


def simulate_until_stopped(site: Site, folder: Path, say: Callable[[str], None]) -> None:
    """Plays a site until SIGTERM or SIGINT, and says at the start what it plays where, and what not.

    Raises:
        BridgeError: the site has no bus that can be played.
    """
    stopped = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stopped)  # before the threads, which inherit it
    with simulate(site, folder) as buses:
        if not buses:
            raise BridgeError(f"{site.path}: no bus speaks {' or '.join(_MODES)}, which alone are simulated")
        for name, bus in buses.items():
            say(
                f"{bus.path}: {name}, {site.buses[name].line}, units {', '.join(map(str, sorted(bus.units)))}"
            )
        for name, left in site.buses.items():
            if name not in buses:
                say(
                    f"{name} is not played: it speaks {left.protocol.name}, only {' and '.join(_MODES)} are "
                    "simulated; `run` takes its own adapter"
                )
        signal.sigwait(stopped)


def _played(bus: Bus, link: Path) -> SimulatedBus:
    """The bus with a unit for each address, which has the registers of all sensors there."""
    dialect, carrier = _MODES[bus.protocol.name]
    registers: dict[int, list[Register]] = {}
    for sensor in bus.sensors:
        assert isinstance(sensor.settings, ModbusSettings)
        registers.setdefault(sensor.settings.unit, []).extend(sensor.settings.registers)
    units = {unit: LiveUnit(unit, held, f"{bus.name}/{unit}", carrier) for unit, held in registers.items()}
    return SimulatedBus(units, bus.line, dialect=dialect, link=link)
