"""A gateway in a virtual machine, the sensors on its lines and the server it delivers to, side by side.

Each line has one sensor, which counts its answers and says whose it is: so every reading is one of a kind,
and one that was taken from the wrong line is known by its value.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from bridge.simulator.field.sensors import SimulatedBus
from bridge.simulator.server.stand_in import StandIn
from protocols.modbus.rtu import SimulatedUnit
from protocols.toolkit.polling import LineSettings
from tests.end_to_end.sites import CountingUnit
from tests.vm.machine import HOST, Adapter, Machine

SERIALS = {"meters": "AB0JPQ7X", "tanks": "FT7KQ2Z4"}
WHOSE = {"meters": 1001, "tanks": 2002}
TOKENS = {"meters": "T_METERS", "tanks": "T_TANKS"}
LINE = LineSettings(9600)
CONFIG = "/etc/serial-bridge"
SPOOL = "/var/lib/serial-bridge/spool.db"
UPLINK = "serial-bridge-uplink.service"

_SITE = """\
site = "barn"

[thingsboard]
url = "{url}"
"""
_BUS = """
[bus.{bus}]
adapter = "{adapter}"
protocol = "modbus-rtu"
line = "9600 8N1"

[[bus.{bus}.sensor]]
name = "{bus}-sensor"
address = 1
every = "{every}"
[bus.{bus}.sensor.registers]
count = {{ holding = 0, type = "uint32" }}
whose = {{ holding = 2, type = "uint16" }}
"""
_NEXT_COMMIT = """
import os, sqlite3, sys, time
def read():
    try:
        with sqlite3.connect("file:{spool}?mode=ro", uri=True) as db:
            return db.execute("SELECT coalesce(sum(read), 0) FROM sensor").fetchone()[0]
    except sqlite3.Error:
        return 0
def changed_at():
    try:
        return os.stat("{spool}-wal").st_mtime_ns
    except OSError:
        return None
before, seen = read(), changed_at()
while True:
    if changed_at() != seen:
        seen = changed_at()
        if read() > before:
            sys.exit(print(time.monotonic()))
    time.sleep(0.02)
"""


def site(
    port: int,
    *,
    adapters: dict[str, str] | None = None,
    every: str = "1s",
    scheme: str = "coap",
    keys: str = "",
) -> str:
    """A site file with the two buses.

    Args:
        adapters: the adapter of each, by default the serial numbers.
        keys: more of [thingsboard] and what follows it.
    """
    adapters = adapters or {bus: f"serial:{serial}" for bus, serial in SERIALS.items()}
    text = _SITE.format(url=f"{scheme}://{HOST}:{port}") + keys
    return text + "".join(_BUS.format(bus=bus, adapter=where, every=every) for bus, where in adapters.items())


def credentials() -> str:
    """Return the credentials of the two sensors."""
    return "[sensors]\n" + "".join(f'{bus}-sensor = "{token}"\n' for bus, token in TOKENS.items())


def unit(bus: str) -> str:
    """Return the service that reads a bus."""
    return f"serial-bridge@{bus}.service"


def lines() -> dict[str, SimulatedBus]:
    """A line for each bus, with its sensor."""
    found = {}
    for bus, whose in WHOSE.items():
        sensor: SimulatedUnit = CountingUnit(1)
        sensor.holding[2] = whose
        found[bus] = SimulatedBus({1: sensor}, LINE)
    return found


@dataclass
class Gateway:
    """A machine with the program installed.

    Attributes:
        lines: by the bus whose sensor is on it.
        server: what it delivers to.
    """

    machine: Machine
    lines: dict[str, SimulatedBus]
    server: StandIn

    async def plug(self, *buses: str, ports: dict[str, int] | None = None, has_serial: bool = True) -> None:
        """Plug the adapters of these buses in, in this order; without `ports` into sockets 1 and 2."""
        for bus in buses:
            await self.machine.plug(
                bus, adapter(self.lines, bus, (ports or {}).get(bus), has_serial=has_serial)
            )

    async def unplug(self, *buses: str) -> None:
        """Pull them out again."""
        for bus in buses:
            await self.machine.unplug(bus)

    async def configure(self, text: str) -> str:
        """Write the site file and installs it; what `install` says."""
        await self.machine.write(f"{CONFIG}/site.toml", text)
        return await self.machine.run("serial-bridge install")

    async def next_commit(self, within_s: float = 120.0) -> float:
        """Wait until one reading more is committed; when that was, in seconds of the guest's clock."""
        script = _NEXT_COMMIT.format(spool=SPOOL)
        return float(await self.machine.run("python3 -S -", script.encode(), within_s=within_s))

    async def stopped(self, bus: str, within_s: float = 30.0) -> float:
        """Wait until the service of a bus has stopped; the seconds it took."""
        return await self.machine.until(
            f"systemctl show -P ActiveState {unit(bus)} | grep -qx -e inactive -e failed", within_s=within_s
        )

    async def main_pid(self, service: str) -> int:
        """Return the process of a service; 0: none."""
        return int(await self.machine.run(f"systemctl show -P MainPID {service}"))

    async def status(self) -> dict[str, Any]:
        """`serial-bridge status --json`."""
        found: dict[str, Any] = json.loads(await self.machine.run("serial-bridge status --json"))
        return found

    def arrived(self, bus: str) -> dict[int, int]:
        """Return the readings of a bus on the server: when, and which count."""
        stored = self.server.stored.get(TOKENS[bus], {}).get("count", {})
        return {ts: int(count) for ts, count in stored.items()}

    def unassigned(self) -> int:
        """Return readings on the server that were taken from another line than their bus's."""
        return sum(
            value != WHOSE[bus]
            for bus, token in TOKENS.items()
            for value in self.server.stored.get(token, {}).get("whose", {}).values()
        )

    async def next_reading(self, *buses: str, within_s: float = 120.0) -> float:
        """Wait until each of these buses has a reading on the server that was taken from now on."""
        since = {bus: self.said(bus) for bus in buses}
        return await self.until(
            lambda: all(max(self.arrived(bus).values(), default=0) > since[bus] for bus in buses),
            within_s=within_s,
        )

    def said(self, bus: str) -> int:
        """Return how often the sensor of a bus has answered."""
        sensor = self.lines[bus].units[1]
        assert isinstance(sensor, CountingUnit)
        return sensor.count

    async def until(self, claim: Callable[[], bool | Awaitable[bool]], within_s: float = 120.0) -> float:
        """Wait until a claim holds; the seconds it took. Else fails with the guest's log."""
        began = time.monotonic()
        while True:
            holds = claim()
            if await holds if inspect.isawaitable(holds) else holds:
                return time.monotonic() - began
            if time.monotonic() - began > within_s:
                pytest.fail(f"not within {within_s:.0f} s; the guest's log:\n{await self.machine.journal()}")
            await asyncio.sleep(0.1)


def adapter(
    lines: dict[str, SimulatedBus], bus: str, port: int | None = None, *, has_serial: bool = True
) -> Adapter:
    """Return the adapter on the line of a bus; without `port` it goes into socket 1 or 2."""
    return Adapter(lines[bus].path, port or 1 + [*WHOSE].index(bus), SERIALS[bus] if has_serial else None)
