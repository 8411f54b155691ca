"""What a device that gives only a part of what it is asked for costs its neighbour, and what is said."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest

from bridge.clock import Clock
from bridge.config import load_site
from bridge.port import Port, State
from bridge.reader import Reader
from bridge.spool import Reading, SpoolWriter
from protocols.modbus.rtu import RequestFramer, SimulatedUnit, adu
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings
from tests.support.lines import Said, ScriptedLine
from tests.support.loop import on_jumping_clock
from tests.support.site import site_head

TURN_AROUND_S = 0.02
SITE = (
    site_head()
    + """{keys}
[[bus.meters.sensor]]
name = "whole"
address = 1
every = "500ms"
[bus.meters.sensor.registers]
{registers}
[[bus.meters.sensor]]
name = "partial"
address = 2
every = "1s"
[bus.meters.sensor.registers]
{registers}
{more}
"""
)
REGISTERS = "\n".join(f"r{at} = {{ holding = {at} }}" for at in range(20))

Refuse = Callable[[bytes], bytes | None]  # the PDU of a request → that of the refusal, b"" for silence


class World(ScriptedLine):
    """A port with two units behind it, of which the second answers as `refuse` says.

    Attributes:
        asked: the PDU of each request to the second unit, with the time.
        readings: what the reader kept.
        document: the last status.
    """

    def __init__(self, folder: Path, refuse: Refuse, *, keys: str = "", more: str = "") -> None:
        super().__init__(LineSettings.parse("9600 8N1"), self._reply)
        self.state = State.CLOSED
        self.path = "/dev/ttyTEST"
        self.asked: list[tuple[float, bytes]] = []
        self.readings: list[Reading] = []
        self.document: Mapping[str, Any] = {}
        self._refuse = refuse
        self._units = {n: SimulatedUnit(n, {at: at for at in range(200)}, {1: 7}) for n in (1, 2)}
        site = folder / "site.toml"
        site.write_text(SITE.format(keys=keys, registers=REGISTERS, more=more))
        clock = Clock("boot", lambda: round(_now() * 1e9), lambda: 0, lambda wall_ns: None)
        self._reader = Reader(
            load_site(site).buses["meters"],
            cast(SpoolWriter, self),
            clock,
            self._publish,
            find_port=lambda: self.path,
            port=cast(Port, self),
        )

    async def run(self, seconds: float) -> None:
        """Read for so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._reader.run()

    def put(self, reading: Reading) -> None:
        """Keep a reading."""
        self.readings.append(reading)

    def note_counters(self, counters: Mapping[str, int]) -> None:
        """Keep nothing: no sensor here encrypts."""

    def rate(self, name: str, every_s: float, seconds: float) -> float:
        """Return the share of its slots in which a sensor was read."""
        return sum(reading.sensor == name for reading in self.readings) * every_s / seconds

    def sensor(self, name: str) -> Mapping[str, Any]:
        """Return what the status says of a sensor."""
        return cast(Mapping[str, Any], self.document["sensors"][name])

    async def open(self, *_: object) -> None:
        self.state = State.READY

    async def close(self) -> None:
        self.state = State.CLOSED

    def uart_errors(self) -> None:
        """None: a script has no UART."""

    def _publish(self, document: Mapping[str, Any]) -> None:
        self.document = document

    def _reply(self, request: bytes) -> list[Said]:
        (frame,) = RequestFramer().feed(request)
        assert isinstance(frame, Frame)
        unit = request[0]
        reply = self._units[unit].answer(frame)
        if unit == 2:
            self.asked.append((_now(), request[1:-2]))
            refusal = self._refuse(request[1:-2])
            if refusal is not None:
                reply = adu(unit, refusal) if refusal else None
        if reply is None:
            return []
        return [(TURN_AROUND_S + self.settings.duration_s(len(reply)), reply)]


def _now() -> float:
    return asyncio.get_running_loop().time()


def _span(asked: bytes) -> tuple[int, int]:
    start, quantity = int.from_bytes(asked[1:3]), int.from_bytes(asked[3:5])
    return start, start + quantity


SILENT_ON: Mapping[str, tuple[Refuse, str, set[str]]] = {
    "a function": (lambda asked: b"" if asked[0] == 4 else None, "i = { input = 1 }", {"i"}),
    "a register": (lambda asked: b"" if _span(asked)[0] <= 7 < _span(asked)[1] else None, "", {"r7"}),
    "a far register": (lambda asked: b"" if _span(asked)[0] == 150 else None, "f = { holding = 150 }", {"f"}),
    "reads above 8": (lambda asked: b"" if _span(asked)[1] - _span(asked)[0] > 8 else None, "", set()),
}


@pytest.mark.parametrize("part", SILENT_ON)
def test_a_half_silent_device_costs_its_neighbour_little_and_is_named(
    part: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    refuse, more, missing = SILENT_ON[part]
    watched_s = 600.0
    worlds: list[World] = []

    @on_jumping_clock
    async def run() -> None:
        worlds.append(World(tmp_path, refuse, more=more))
        await worlds[0].run(watched_s)

    with caplog.at_level(logging.WARNING):
        run()
    (world,) = worlds
    silences = [at for at, asked in world.asked if refuse(asked) == b""]
    cost = len(silences) * 0.5 / watched_s
    assert cost <= 0.05, "each silence costs the line a time-out"
    assert world.rate("whole", 0.5, watched_s) >= 0.97
    assert world.rate("partial", 1.0, watched_s) >= 0.95
    assert world.sensor("partial")["state"] == ("partly" if missing else "ok")
    assert set(world.sensor("partial")["left_out"]) == missing
    assert world.sensor("whole")["left_out"] == {}
    named = [record.getMessage() for record in caplog.records if "does not give" in record.getMessage()]
    assert len(named) == (1 if missing else 0)
    assert all(key in named[0] for key in missing)


@pytest.mark.parametrize("code", [5, 6, 0x0A, 0x0B])
def test_a_busy_device_is_asked_again_at_once_and_said_once(
    code: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    worlds: list[World] = []
    turn = iter(range(10**6))

    def busy(asked: bytes) -> bytes | None:
        return bytes((asked[0] | 0x80, code)) if next(turn) % 4 < 3 else None

    @on_jumping_clock
    async def run() -> None:
        worlds.append(World(tmp_path, busy, keys="retries = 3"))
        await worlds[0].run(60)

    with caplog.at_level(logging.INFO):
        run()
    (world,) = worlds
    assert world.rate("partial", 1.0, 60) >= 0.97
    assert world.sensor("partial")["timeouts"] == 0
    said = [record.getMessage() for record in caplog.records if "partial" in record.getMessage()]
    assert said == ["partial (address 2) answers"]


def test_a_device_that_stays_busy_is_said_to_refuse_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    worlds: list[World] = []
    turn = iter(range(10**6))

    def busy(asked: bytes) -> bytes | None:
        return bytes((asked[0] | 0x80, 6)) if next(turn) % 2 else None

    @on_jumping_clock
    async def run() -> None:
        worlds.append(World(tmp_path, busy, keys="retries = 0"))
        await worlds[0].run(60)

    with caplog.at_level(logging.INFO):
        run()
    said = [record.getMessage() for record in caplog.records if "partial" in record.getMessage()]
    assert said == ["partial (address 2) answers"], "busy in every second poll is no change of state"


KEYS = {
    "gap": 'gap = "150ms"',
    "settle": 'settle = "3s"',
    "pause": 'pause_within_reply = "120ms"',
}


@pytest.mark.parametrize("key", [None, *KEYS])
def test_the_keys_of_a_bus_are_kept_on_the_wire(key: str | None, tmp_path: Path) -> None:
    worlds: list[World] = []

    class Slow(World):
        """Units that fall silent for 100 ms inside each reply, and are deaf for 3 s once the port is open."""

        def _reply(self, request: bytes) -> list[Said]:
            if key == "settle" and _now() < self.opened_at + 3:
                return []
            said = super()._reply(request)
            if key != "pause" or not said:
                return said
            ((_, reply),) = said
            ends = [*range(8, len(reply), 8), len(reply)]  # a UART collects eight octets
            return [
                (TURN_AROUND_S + self.settings.duration_s(end) + 0.1 * (end > 16), reply[start:end])
                for start, end in pairwise([0, *ends])
            ]

        async def open(self, *_: object) -> None:
            self.opened_at = _now()
            await super().open()

    @on_jumping_clock
    async def run() -> None:
        worlds.append(Slow(tmp_path, lambda _: None, keys=KEYS.get(key or "", "")))
        await worlds[0].run(60)

    run()
    (world,) = worlds
    for name in ("whole", "partial"):
        assert world.sensor(name)["timeouts"] == world.sensor(name)["crc_errors"] == 0
    assert world.rate("partial", 1.0, 60) >= 0.9
    begun = [at for at, _ in world.sent]
    assert begun[0] - world.opened_at == pytest.approx(3 if key == "settle" else 0, abs=0.01)
    if key == "gap":
        reply_s = TURN_AROUND_S + world.settings.duration_s(8 + 5 + 40)
        assert min(later - earlier for earlier, later in pairwise(begun)) >= reply_s + 0.149
