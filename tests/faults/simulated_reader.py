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
from pathlib import Path
from typing import Any, cast

from bridge.clock import Clock
from bridge.config import load_site
from bridge.port import Port
from bridge.reader import Reader
from bridge.reader.searching import SearchQuery, find_in
from bridge.simulator.field.wire import Wire
from bridge.spool import Reading, SpoolWriter
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.scanning import Find
from tests.faults.tagged import Audit
from tests.faults.tagged_site import Sensor, blocks_of, bus_text, sources_of, tagged_units
from tests.support.lines import SimulatedLine

__all__ = ["Sensor", "SimulatedReader"]

SITE = """\
site = "test"
[thingsboard]
url = "coap://127.0.0.1"
"""


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

    def note_counters(self, counters: Mapping[str, int]) -> None:
        """Keep nothing: no simulated sensor encrypts."""


class SimulatedReader:
    """A reader of one simulated bus.

    Attributes:
        wire: the model, with its faults.
        line: what the reader has for a port.
        read_at: when each sensor ("s0", "s1" …, in the order given) had a reading, in loop time.
        audit: of all that was read.
        status: the document that the reader published last.
        to_forget: the sensor of which a person asks to forget what was learned; None once the reader knows.
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
        wall_ahead_s: float | None = None,
    ) -> None:
        """Lay out the site; with `wall_ahead_s`, its clock is trusted and so far ahead of the loop's."""
        settings = LineSettings.parse(line)
        self.wire = Wire(tagged_units(sensors), settings, turn_around_s=turn_around_s, seed=seed)
        self.line = SimulatedLine(self.wire, settings)
        self.audit = Audit(sources_of(sensors))
        self.status: Mapping[str, Any] = {}
        self.to_forget: str | None = None
        spool = _AuditedSpool(self.wire, self.audit)
        self.read_at = spool.read_at
        path = folder / "site.toml"
        path.write_text(
            SITE + bus_text("meters", self.line.path, "modbus-rtu", line, keys) + blocks_of("meters", sensors)
        )
        self._bus = load_site(path).buses["meters"]
        self._reader = Reader(
            self._bus,
            cast(SpoolWriter, spool),
            Clock(
                "boot",
                lambda: round(_now() * 1e9),
                lambda: round((_now() + (wall_ahead_s or 0)) * 1e9),
                lambda wall_ns: None if wall_ahead_s is None else "the test",
            ),
            self._publish,
            find_port=lambda: self.line.path,
            port=cast(Port, self.line),
            forgotten=self._take_request,
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

    async def search(self, addresses: Sequence[str]) -> list[Find]:
        """Have the reader search these addresses while it runs."""
        bus = self._bus
        query = SearchQuery(bus.name, bus.protocol.name, str(bus.line), tuple(addresses))
        documents = cast(Sequence[Mapping[str, Any]], await self._reader.answer(query))
        return [find_in(document) for document in documents]

    def readings(self, number: int, since: float, until: float | None = None) -> int:
        """Return how many readings a sensor had since then."""
        until = _now() if until is None else until
        return sum(since <= at < until for at in self.read_at[f"s{number}"])

    def _take_request(self) -> str | None:
        sensor, self.to_forget = self.to_forget, None
        return sensor

    def _publish(self, document: Mapping[str, Any]) -> None:
        self.status = document


def _now() -> float:
    return asyncio.get_running_loop().time()
