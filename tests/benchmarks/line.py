"""Polls a second on a paced line, as a share of what the wire carries with t3.5 kept.

Four sensors are asked in turn, without pause, by our reader with its spool, by pymodbus (async), by
minimalmodbus, and by a loop of pyserial and struct. Runs are interleaved, the median counts. Each begins with
the timers that the kernel gives a process, whatever the one before asked for. "early" are requests that did
not wait for t3.5: who sends them is quicker than Modbus allows.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import struct
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import minimalmodbus
import serial
from pymodbus import pymodbus_apply_logging_config
from pymodbus.client import AsyncModbusSerialClient
from pymodbus.exceptions import ModbusIOException

from bridge import event_loop
from bridge.clock.kernel_clock import system_clock
from bridge.config import load_site
from bridge.reader import Reader
from bridge.spool import Spool, SpoolWriter
from protocols.modbus.rtu import adu
from protocols.toolkit.checksum import crc16_modbus
from tests.benchmarks import table
from tests.benchmarks.wire import Heard, Wire, reply_octets, wire

TIMER_SLACK = Path("/proc/self/timerslack_ns")
UNITS = (1, 2, 3, 4)
SITE = """\
site = "bench"
[thingsboard]
url = "coap://127.0.0.1:9"
[bus.meters]
adapter = "{path}"
protocol = "modbus-rtu"
line = "{line}"
"""
SENSOR = """\
[[bus.meters.sensor]]
name = "s{unit}"
address = {unit}
every = "0s"
[bus.meters.sensor.registers]
{registers}
"""


def ours(wire: Wire, registers: int, seconds: float) -> None:
    """The reader of `serial-bridge read`, with its spool."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keys = "\n".join(f"r{at} = {{ holding = {at} }}" for at in range(registers))
        sensors = "".join(SENSOR.format(unit=unit, registers=keys) for unit in UNITS)
        (folder / "site.toml").write_text(SITE.format(path=wire.path, line=wire.line) + sensors)
        bus = load_site(folder / "site.toml").buses["meters"]

        async def read() -> None:
            writer = SpoolWriter(Spool.open(folder / "spool.db"))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await Reader(bus, writer, system_clock("system"), lambda document: None).run()
            await writer.close()

        event_loop.run(read())


def pymodbus_async(wire: Wire, registers: int, seconds: float) -> None:
    """pymodbus's asynchronous client."""

    async def read() -> None:
        client = AsyncModbusSerialClient(wire.path, baudrate=wire.line.baudrate, timeout=0.3, retries=0)
        await client.connect()
        for unit in _in_turn(seconds):
            with contextlib.suppress(ModbusIOException):  # a request too early is not heard
                await client.read_holding_registers(0, count=registers, device_id=unit)
        client.close()

    asyncio.run(read())


def minimal(wire: Wire, registers: int, seconds: float) -> None:
    """minimalmodbus, one instrument for each sensor."""
    instruments = {unit: minimalmodbus.Instrument(wire.path, unit) for unit in UNITS}
    instruments[1].serial.baudrate = wire.line.baudrate
    instruments[1].serial.timeout = 1
    for unit in _in_turn(seconds):
        instruments[unit].read_registers(0, registers)
    instruments[1].serial.close()


def raw(wire: Wire, registers: int, seconds: float) -> None:
    """pyserial and struct, as one writes it by hand, with the gap kept by sleeping."""
    gap_s = wire.line.frame_gap_s
    with serial.Serial(wire.path, wire.line.baudrate, timeout=1) as port:
        for unit in _in_turn(seconds):
            port.write(adu(unit, struct.pack(">BHH", 3, 0, registers)))
            reply = port.read(reply_octets(registers))
            assert not crc16_modbus(reply)
            struct.unpack_from(f">{registers}H", reply, 3)
            time.sleep(gap_s)


CONTENDERS: dict[str, Callable[[Wire, int, float], None]] = {
    "serial-bridge": ours,
    "pymodbus": pymodbus_async,
    "minimalmodbus": minimal,
    "pyserial + struct": raw,
}


def main(
    *,
    seconds: float = 2.0,
    runs: int = 7,
    baudrates: tuple[int, ...] = (9600, 19200, 115200),
    registers: tuple[int, ...] = (1, 10),
) -> list[table.Row]:
    """Print the figures, and return them as rows of a table."""
    pymodbus_apply_logging_config("CRITICAL")
    rows = [table.Row("share of the wire", *CONTENDERS)]
    for baudrate in baudrates:
        with wire(baudrate) as bus:
            for count in registers:
                heard, cpu_s = _compare(bus, count, seconds, runs)
                limit = bus.limit(count)
                cells = []
                for name, of_runs in heard.items():
                    share = median(run.polls_per_s for run in of_runs) / limit
                    early = sum(run.early for run in of_runs) / sum(run.polls for run in of_runs)
                    cells.append(f"{share:.3f}" + (f" ({100 * early:.0f} % early)" if early else ""))
                    cpu_us = 1e6 * cpu_s[name] / sum(run.polls for run in of_runs)
                    print(
                        f"  {baudrate:6} baud, {count:2} registers  {name:<18} {share:.3f} of {limit:.1f} "
                        f"polls/s, {100 * early:.1f} % early, {cpu_us:.0f} µs of CPU a poll"
                    )
                rows.append(table.Row(f"{baudrate} baud, {count} register{'s' * (count > 1)}", *cells))
    return rows


def _compare(
    bus: Wire, registers: int, seconds: float, runs: int
) -> tuple[dict[str, list[Heard]], dict[str, float]]:
    heard: defaultdict[str, list[Heard]] = defaultdict(list)
    cpu_s: defaultdict[str, float] = defaultdict(float)
    for _ in range(runs):
        for name, contender in CONTENDERS.items():
            bus.start()
            TIMER_SLACK.write_text("0")  # proc(5): back to what the process was started with
            before = time.process_time()
            contender(bus, registers, seconds)
            cpu_s[name] += time.process_time() - before
            heard[name].append(bus.stop())
            _drain(bus)
    return dict(heard), cpu_s


def _drain(bus: Wire) -> None:
    """Hears out the reply to a request that was under way when a run ended."""
    time.sleep(0.2)
    with serial.Serial(bus.path) as port:
        port.reset_input_buffer()


def _in_turn(seconds: float) -> Iterator[int]:
    """Yield the units in turn, for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield from UNITS


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each run")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--baudrates", type=int, nargs="+", default=[9600, 19200, 115200])
    parser.add_argument("--registers", type=int, nargs="+", default=[1, 10])
    given = parser.parse_args()
    main(
        seconds=given.seconds,
        runs=given.runs,
        baudrates=tuple(given.baudrates),
        registers=tuple(given.registers),
    )
