"""Simulated buses, a reader for each, uplink and server; and the audit of every value that was stored.

What each reply served is compared with what the server holds, by key, sensor and time. A reply of which
nothing arrived must be booked: its reader has counted a time-out, a damaged or a late reply or an incomplete
poll, or it was on the wire while the reader was killed or its adapter out.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.simulator.field.bus import SimulatedBus
from bridge.simulator.field.transmission import Served
from bridge.simulator.server.stand_in import StandIn
from bridge.spool import SpoolAdmin, read_ledger
from tests.end_to_end.conftest import World
from tests.faults.played_bus import PlayedBus
from tests.faults.process import HOST
from tests.faults.tagged import STAMP_ERROR, Audit, Findings

COMMIT_EVERY_S = 0.2
STAMP_TOLERANCE_S = 0.3  # 50 ms are promised; the rest is for the simulator on a loaded machine
LONGEST_POLL_S = 30.0  # retries and holds of an address included
BEFORE_LOSS_S, AFTER_LOSS_S = 1.5, 1.5  # replies around a kill or an unplug may be lost
BOOKED = ("timeouts", "crc_errors", "late_replies", "incomplete")
REMAINDER = ("delivered", "queued", "expired", "refused", "dropped")

SITE = """\
site = "plant"

[thingsboard]
url = "coap://{host}:{port}"

[spool]
path = "{folder}/spool.db"
commit_every = "{commit_ms}ms"
"""


@dataclass
class LinePlant(World):
    """The processes of a site with simulated buses.

    Attributes:
        buses: what is played, by name.
        simulated: their lines, open.
        server: what the uplink delivers to.
        lost_at: when a reader was killed or an adapter was out, by bus: (from, to).
        booked: what the readers counted of each sensor as not read.
        examples: wrong values that `reconcile` met.
        late_readings: late replies that the readers took for readings.
    """

    buses: dict[str, PlayedBus] = field(kw_only=True)
    simulated: dict[str, SimulatedBus] = field(kw_only=True)
    server: StandIn = field(kw_only=True)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    lost_at: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    booked: Counter[str] = field(default_factory=Counter)
    late_readings: int = 0
    examples: list[str] = field(default_factory=list)
    _counts: dict[str, Counter[str]] = field(default_factory=dict)
    _wall_offset_s: float = field(default_factory=lambda: time.time() - time.monotonic())

    def lay_out(self) -> None:
        """Write the site, and let the server's name resolve."""
        tokens = {sensor: f"T-{sensor}" for bus in self.buses.values() for sensor in bus.sensors}
        self.server.tokens.update(tokens.values())
        text = SITE.format(
            host=HOST, port=self.server.port, folder=self.folder, commit_ms=round(1000 * COMMIT_EVERY_S)
        )
        for name, bus in self.buses.items():
            text += bus.text(str(self.simulated[name].path))
            self.lost_at[name] = []
        self.write(text, tokens)
        (self.folder / "hosts").write_text("127.0.0.1\n")

    @property
    def parts(self) -> list[str]:
        """Return the names of the processes: of each bus, and "uplink"."""
        return [*self.buses, "uplink"]

    def begin(self, *parts: str) -> None:
        """Start these."""
        for part in parts:
            arguments = ["uplink"] if part == "uplink" else ["read", part]
            with (self.folder / "log").open("ab") as log:
                self.running[part] = subprocess.Popen(
                    [sys.executable, "-m", "tests.faults.process", str(self.folder), *arguments],
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            self.processes.append(self.running[part])

    def kill(self, *parts: str) -> None:
        """Kill these with SIGKILL."""
        self.count()
        for part in parts:
            process = self.running.pop(part)
            process.kill()
            process.wait()
            self.processes.remove(process)
            if part in self.buses:
                self.lost_at[part].append((time.monotonic(), time.monotonic()))

    async def stop_for(self, part: str, seconds: float) -> None:
        """Stop a process for so long, as a loaded machine does."""
        process = self.running[part]
        process.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            process.send_signal(signal.SIGCONT)

    async def served(self, bus: str, more: int) -> None:
        """Wait until a bus has served so many replies more."""
        target = len(self.simulated[bus].served) + more
        await self.until(lambda: len(self.simulated[bus].served) >= target)

    def count(self) -> None:
        """Add up what the readers have counted since the last time; each start of one counts anew."""
        for path in (self.folder / "run").rglob("bus-*.json"):
            try:
                document: dict[str, Any] = json.loads(path.read_text())
            except (OSError, ValueError):
                continue
            for sensor, counts in document["sensors"].items():
                before = self._counts.get(sensor, Counter())
                now = Counter({name: counts.get(name, 0) for name in (*BOOKED, "late_readings")})
                grown = {name: max(0, now[name] - before[name]) for name in now}
                self.booked[sensor] += sum(grown[name] for name in BOOKED)
                self.late_readings += grown["late_readings"]
                self._counts[sensor] = now

    async def settle(self, within_s: float = 120.0) -> None:
        """Let the devices fall silent, the readers finish, and the uplink deliver what is left."""
        for bus in self.simulated.values():
            for address in bus.units:
                bus.faults[address].silent = 1.0
        await asyncio.sleep(2.0)
        self.count()
        for name in self.buses:
            assert self.stop(self.running.pop(name)) == 0, self.log
        self.count()
        await self.until(lambda: not sum(books.queued for books in self._ledger().values()), within_s)
        assert self.stop(self.running.pop("uplink")) == 0, self.log

    def reconcile(self) -> tuple[Findings, int]:
        """Hold the books of devices, readers, spool and server against each other.

        Returns:
            What the audit found, and how many replies of which nothing arrived are not accounted for.
        """
        with closing(SpoolAdmin.view(self.folder / "spool.db")) as spool:
            assert spool.audit() == []
        for sensor, books in self._ledger().items():
            assert books.read == sum(getattr(books, column) for column in REMAINDER), books
            assert books.delivered == self._stored(sensor), (sensor, books, self._stored(sensor))
        assert self.server.received.conflicts == 0
        total, unaccounted = Findings(), 0
        for name, bus in self.buses.items():
            audit = Audit(bus.sources, STAMP_TOLERANCE_S, bus.words)
            audit.serve(self.simulated[name].served)
            for sensor in bus.sensors:
                stored = self.server.stored[f"T-{sensor}"]
                errors = stored.get(STAMP_ERROR, {})
                for key, values in stored.items():
                    for ts_ms, value in values.items():
                        taken_at = ts_ms / 1000 - self._wall_offset_s
                        reading = {STAMP_ERROR: errors.get(ts_ms, 0), key: value}
                        audit.judge(sensor, reading, taken_at, taken_at + LONGEST_POLL_S)
            total += audit.findings
            self.examples += audit.examples
            unread = [
                reply for reply in audit.unread() if bus.words(reply) and not self._may_be_lost(name, reply)
            ]
            unaccounted += max(0, len(unread) - sum(self.booked[sensor] for sensor in bus.sensors))
        return total, unaccounted

    def rss_mb(self) -> dict[str, float]:
        """Return what each process holds, in MB."""
        return {
            part: int(Path(f"/proc/{process.pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024
            for part, process in self.running.items()
        }

    def _ledger(self) -> dict[str, Any]:
        return dict(read_ledger(self.folder / "spool.db"))

    def _stored(self, sensor: str) -> int:
        """Return how many readings of a sensor the server holds."""
        stamps: set[int] = set()
        for values in self.server.stored[f"T-{sensor}"].values():
            stamps.update(values)
        return len(stamps)

    def _may_be_lost(self, bus: str, reply: Served) -> bool:
        return any(
            begun - BEFORE_LOSS_S <= reply.at <= over + AFTER_LOSS_S for begun, over in self.lost_at[bus]
        )
