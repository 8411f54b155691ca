"""A whole plant: simulated sensors, reader, uplink and server, and the books of all of them side by side.

Each unit counts its answers, so every reading is one of a kind: what a unit said, what the ledger says was
read and delivered, and what the server stored can be compared one by one.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bridge.simulator.field.sensors import SimulatedBus
from bridge.simulator.server.stand_in import StandIn
from bridge.spool import SpoolAdmin, read_ledger
from protocols.modbus.rtu import SimulatedUnit
from protocols.toolkit.polling import LineSettings
from tests.end_to_end.conftest import World
from tests.end_to_end.sites import CountingUnit
from tests.end_to_end.small_disk import SmallDisk
from tests.faults.process import HOST

HERE = "127.0.0.1"
LINE = LineSettings(115200)
TOKENS = {"first": "T1", "second": "T2"}
UNITS = {"first": 1, "second": 2}
COMMIT_EVERY_S = 0.2
MARGIN_S = 0.8  # a commit on a slow machine
ON_THE_WIRE_S = 0.2  # a request that was, when its reader died, is answered all the same
REMAINDER = ("delivered", "queued", "expired", "refused", "dropped")

SITE = """\
site = "plant"

[thingsboard]
url = "coap://{host}:{port}"

[spool]
path = "{spool}"
commit_every = "{commit_ms}ms"

[bus.meters]
adapter = "{adapter}"
protocol = "modbus-rtu"
line = "115200 8N1"
retries = 0
"""
SENSOR = """
[[bus.meters.sensor]]
name = "{name}"
address = {unit}
every = "{every}"
[bus.meters.sensor.registers]
count = {{ holding = 0, type = "uint32" }}
level = {{ holding = 2, type = "uint16" }}
temperature = {{ holding = 3, type = "float32" }}
"""


def units() -> dict[int, SimulatedUnit]:
    """Return two that count."""
    found: dict[int, SimulatedUnit] = {}
    for address in UNITS.values():
        found[address] = CountingUnit(address)
        found[address].holding.update({2: 17, 3: 0x41BB, 4: 0x3333})
    return found


class Outcome(NamedTuple):
    """Readings read, delivered and refused by the server; replies that came too late for their reader."""

    read: int
    delivered: int
    refused: int
    too_late: int


@dataclass
class Plant(World):
    """The processes, and when each reader was killed."""

    bus: SimulatedBus = field(kw_only=True)
    server: StandIn = field(kw_only=True)
    killed_at: list[float] = field(default_factory=list)
    missed: int = 0  # polls whose reply, on a slow machine, came too late to be believed
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    disk: SmallDisk | None = None  # of the spool

    @property
    def spool(self) -> Path:
        """Return the spool. On a disk of its own it is a copy, good once the processes have stopped."""
        if self.disk is None:
            return self.folder / "spool.db"
        copy = self.folder / "copy"
        copy.mkdir(exist_ok=True)
        for file in self.disk.seen.glob("spool.db*"):  # SQLite would follow /proc's link to the wrong place
            shutil.copy(file, copy)
        return copy / "spool.db"

    def lay_out(self, every: str = "50ms") -> None:
        """Write the site and lets the server's name resolve."""
        self.server.tokens.update(TOKENS.values())
        text = SITE.format(
            host=HOST,
            port=self.server.port,
            spool=(self.disk or self).folder / "spool.db",
            adapter=self.bus.path,
            commit_ms=round(1000 * COMMIT_EVERY_S),
        )
        for name, unit in UNITS.items():
            text += SENSOR.format(name=name, unit=unit, every=every)
        self.write(text, TOKENS)
        self.resolves(True)

    def resolves(self, yes: bool) -> None:
        """Whether the server's name has an address."""
        if yes:
            self.addresses(HERE)
        else:
            (self.folder / "hosts").unlink()

    def addresses(self, *addresses: str) -> None:
        """What the server's name resolves to, replaced in one step."""
        draft = self.folder / "hosts.new"
        draft.write_text("\n".join(addresses))
        draft.replace(self.folder / "hosts")

    def begin(self, *parts: str) -> None:
        """Start "reader", "uplink"."""
        enter = self.disk.enter if self.disk else []
        for part in parts:
            arguments = ["read", "meters"] if part == "reader" else [part]
            with (self.folder / "log").open("ab") as log:
                self.running[part] = subprocess.Popen(
                    [*enter, sys.executable, "-m", "tests.faults.process", str(self.folder), *arguments],
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            self.processes.append(self.running[part])

    def kill(self, *parts: str) -> None:
        """kill -9."""
        for part in parts:
            if part == "reader":
                self._note_missed()
                self.killed_at.append(time.monotonic())
            process = self.running.pop(part)
            process.kill()
            process.wait()
            self.processes.remove(process)

    async def served(self, more: int) -> None:
        """Wait until each unit has answered so many times more."""
        target = {unit: self.count(unit) + more for unit in UNITS.values()}
        await self.until(lambda: all(self.count(unit) >= count for unit, count in target.items()))

    def count(self, unit: int) -> int:
        """Return how often a unit has answered."""
        found = self.bus.units[unit]
        assert isinstance(found, CountingUnit)
        return found.count

    async def settle(self, within_s: float = 60.0) -> None:
        """Let the sensors fall silent, the reader finish, and the uplink deliver what is left."""
        for unit in UNITS.values():
            self.bus.faults[unit].silent = 1.0
        await asyncio.sleep(0.3)  # the last reply is on its way
        ended = self.stop(self.running.pop("reader"))
        assert ended in (0, -signal.SIGTERM), self.log  # by the signal: it had only just been started
        self._note_missed()
        await self.until(lambda: self.queued == 0, within_s)
        assert self.stop(self.running.pop("uplink")) == 0, self.log

    @property
    def queued(self) -> int:
        if self.disk:
            waiting: int = self.disk.status()["ledger"]["queued"]
            return waiting
        return sum(account.queued for account in read_ledger(self.spool).values())

    def _note_missed(self) -> None:
        for path in (self.folder / "run").rglob("bus-meters.json"):
            document: dict[str, Any] = json.loads(path.read_text())
            self.missed += sum(
                sensor["requests"] - sensor["replies"] for sensor in document["sensors"].values()
            )

    def reconcile(self) -> Outcome:
        """Hold the three books against each other; every difference fails."""
        with closing(SpoolAdmin.view(self.spool)) as spool:
            assert spool.audit() == []
            ledger = spool.ledger()
        unexplained = 0
        for sensor, token in TOKENS.items():
            books = ledger[sensor]
            assert books.read == sum(getattr(books, column) for column in REMAINDER), books
            assert books.queued == books.expired == books.dropped == 0, books
            stored = self.server.stored[token]["count"]
            assert books.delivered == len(stored), (books, len(stored))
            said = self._said(UNITS[sensor])
            arrived = set(stored.values())
            assert len(arrived) == len(stored), "one reading under two timestamps"
            assert arrived <= set(said), "the server holds what no sensor said"
            missing = [said[count] for count in set(said) - arrived]
            unexplained += sum(not self._may_be_lost(at) for at in missing) - books.refused
        assert 0 <= unexplained <= self.missed, f"{unexplained} lost, {self.missed} missed:\n{self.log}"
        assert self.server.received.conflicts == 0
        return Outcome(
            sum(account.read for account in ledger.values()),
            sum(account.delivered for account in ledger.values()),
            sum(account.refused for account in ledger.values()),
            unexplained,
        )

    def _said(self, unit: int) -> dict[Any, float]:
        """Return each count that a unit told, and when."""
        told = [served for served in self.bus.served if served.unit == unit]
        return {served.registers[0] << 16 | served.registers[1]: served.at for served in told}

    def _may_be_lost(self, at: float) -> bool:
        """A reader died before it had to commit this."""
        return any(-COMMIT_EVERY_S - MARGIN_S <= at - killed <= ON_THE_WIRE_S for killed in self.killed_at)
