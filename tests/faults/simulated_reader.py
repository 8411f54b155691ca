"""A real reader on the model of a wire, both on a clock that jumps: hours take seconds.

`SimulatedReader` lays out a site with tagged sensors on one bus, reads it, and audits every value that
reaches the spool. What goes wrong is set on its `wire` while it runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from bridge.clock import Clock
from bridge.config import load_site
from bridge.port import Port
from bridge.reader import Reader
from bridge.sandbox.wire import Wire
from bridge.spool import Reading, SpoolWriter
from protocols.dialogue import LineSettings
from tests.faults.tagged import Audit, Source, TaggedUnit
from tests.lines import SimulatedLine

SITE = """\
site = "test"
[thingsboard]
url = "coap://127.0.0.1"
[bus.meters]
adapter = "/dev/ttyTEST"
protocol = "modbus-rtu"
line = "{line}"
{keys}
"""
SENSOR = """
[[bus.meters.sensor]]
name = "{name}"
address = {unit}
every = "{every_ms:.0f}ms"
[bus.meters.sensor.registers]
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


class _AuditedSpool:
    """Takes readings as a spool does, has them audited, and remembers when each sensor had one."""

    def __init__(self, wire: Wire, audit: Audit) -> None:
        self.read_at: defaultdict[str, list[float]] = defaultdict(list)
        self._wire = wire
        self._audit = audit

    def put(self, reading: Reading) -> None:
        """Judge a reading; the poll that brought it is over now."""
        now = asyncio.get_running_loop().time()
        taken_at = reading.taken.boottime_ns / 1e9
        self.read_at[reading.sensor].append(now)
        self._audit.serve(self._wire.served)
        self._audit.judge(reading.sensor, json.loads(reading.body), taken_at, now)


class SimulatedReader:
    """A reader of one simulated bus.

    Attributes:
        wire: the model, with its faults.
        line: what the reader has for a port.
        read_at: when each sensor ("s0", "s1" …, in the order given) had a reading, in loop time.
        audit: of all that was read.
        status: the document that the reader published last.
    """

    def __init__(
        self,
        folder: Path,
        line: str,
        sensors: Sequence[Sensor],
        *,
        keys: str = "",
        turn_around_s: float = 0.005,
        seed: int = 0,
    ) -> None:
        settings = LineSettings.parse(line)
        sources = {
            (f"s{number}", f"k{place}"): Source(sensor.unit, tuple(range(start, start + count)))
            for number, sensor in enumerate(sensors)
            for place, (start, count) in enumerate(sensor.blocks)
        }
        held: defaultdict[int, set[int]] = defaultdict(set)
        for sensor in sensors:
            for start, count in sensor.blocks:
                held[sensor.unit].update(range(start, start + count))
        units = {unit: TaggedUnit(unit, range(max(addresses) + 1)) for unit, addresses in held.items()}
        self.wire = Wire(units, settings, turn_around_s=turn_around_s, seed=seed)
        self.line = SimulatedLine(self.wire, settings)
        self.audit = Audit(sources)
        self.status: Mapping[str, Any] = {}
        spool = _AuditedSpool(self.wire, self.audit)
        self.read_at = spool.read_at
        path = folder / "site.toml"
        path.write_text(
            SITE.format(line=line, keys=keys)
            + "".join(_block(number, sensor) for number, sensor in enumerate(sensors))
        )
        self._reader = Reader(
            load_site(path).buses["meters"],
            cast(SpoolWriter, spool),
            Clock("boot", lambda: round(_now() * 1e9), lambda: 0, lambda wall_ns: None),
            self._publish,
            find_port=lambda: self.line.path,
            port=cast(Port, self.line),
        )

    async def run(self, seconds: float) -> None:
        """Read for so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._reader.run()
        self.audit.serve(self.wire.served)

    async def run_until(self, values: int, within_s: float) -> None:
        """Read until so many values arrived, but for no longer than `within_s`."""
        reading = asyncio.create_task(self._reader.run())
        deadline = _now() + within_s
        while self.audit.findings.values < values and _now() < deadline:  # noqa: ASYNC110 - the clock jumps
            await asyncio.sleep(min(10.0, deadline - _now()))
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        self.audit.serve(self.wire.served)

    def readings(self, number: int, since: float, until: float | None = None) -> int:
        """Return how many readings a sensor had since then."""
        until = _now() if until is None else until
        return sum(since <= at < until for at in self.read_at[f"s{number}"])

    def _publish(self, document: Mapping[str, Any]) -> None:
        self.status = document


def _block(number: int, sensor: Sensor) -> str:
    registers = "\n".join(
        f'k{place} = {{ holding = {start}, type = "{_TYPES[count]}" }}'
        for place, (start, count) in enumerate(sensor.blocks)
    )
    block = SENSOR.format(
        name=f"s{number}", unit=sensor.unit, every_ms=1000 * sensor.every_s, registers=registers
    )
    return block.replace("\n[bus.meters.sensor.reg", f"\n{sensor.keys}\n[bus.meters.sensor.reg", 1)


def _now() -> float:
    return asyncio.get_running_loop().time()
