"""One sensor's trouble stays its own: a protocol that fails, a late reply, a poll that is interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from bridge.clock import Clock
from bridge.config import load_site
from bridge.port import Port
from bridge.reader import Reader
from bridge.spool import Reading, SpoolWriter
from protocols.toolkit.polling import Dialogue, LineSettings
from tests.bridge.line.test_line import now, telling
from tests.bridge.reader.test_dead_sensors import SENSOR, SITE, Sensors
from tests.support.lines import Said
from tests.support.loop import on_jumping_clock


class World:
    """A reader of units 1 and 2, one register each, every second, behind a script."""

    def __init__(self, folder: Path, *, retries: int = 1, more: str = "", last: str = "") -> None:
        path = folder / "site.toml"
        blocks = "".join(
            SENSOR.format(address=unit, every_ms=1000) + "x = { holding = 0 }\n" + more for unit in (1, 2)
        )
        path.write_text(SITE.format(line="9600 8N1") + f"retries = {retries}\n" + blocks + last)
        self.readings: list[Reading] = []
        self.document: Any = {}
        self.sensors = Sensors(LineSettings(9600))
        self.bus = load_site(path).buses["meters"]

    def read_by(self, **changes: Any) -> Reader:
        """Return the reader, its protocol changed so."""
        bus = replace(self.bus, protocol=replace(self.bus.protocol, **changes))
        return Reader(
            bus,
            cast(SpoolWriter, self),
            Clock("boot", lambda: round(now() * 1e9), lambda: 0, lambda wall_ns: None),
            self.publish,
            find_port=lambda: self.sensors.path,
            port=cast(Port, self.sensors),
        )

    def put(self, reading: Reading) -> None:
        """Keep a reading."""
        self.readings.append(reading)

    def note_counters(self, counters: Mapping[str, int]) -> None:
        """Keep nothing: no sensor here encrypts."""

    def publish(self, document: Any) -> None:
        """Keep the status."""
        self.document = document


async def run(reader: Reader, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await reader.run()


class Failing:
    """A device whose protocol fails at whatever its unit 2 says."""

    def __init__(self, device: Any) -> None:
        self._device = device
        self.address = device.address

    def planned(self) -> Sequence[Any]:
        return cast(Sequence[Any], self._device.planned())

    def poll(self, at: float, /) -> Dialogue:
        if self.address == "2":
            yield self._device.planned()[0]
            raise ZeroDivisionError("nobody foresaw this")
        return (yield from self._device.poll(at))


@on_jumping_clock
async def _failing(world: World) -> None:
    world.sensors._answer = lambda request: [(0.02, telling(request[0], 7))]
    make = world.bus.protocol.device
    reader = world.read_by(device=lambda settings, line: Failing(make(settings, line)))
    await run(reader, 600.0)


def test_a_protocol_that_fails_costs_its_own_sensor_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path)
    _failing(world)
    assert {reading.sensor for reading in world.readings} == {"s1"}
    assert len(world.readings) >= 599
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert errors[0].exc_info is not None, "with its traceback"
    assert world.document["sensors"]["s2"]["state"] == "failed"
    assert 5 <= world.document["sensors"]["s2"]["failures"] <= 12, "tried again at growing distances"


@on_jumping_clock
async def _late(world: World, late_s: float) -> None:
    calls = 0

    def answer(request: bytes) -> list[Said]:
        nonlocal calls
        calls += request[0] == 2
        is_late = request[0] == 2 and calls == 40
        return [(late_s if is_late else 0.02, telling(request[0], calls if request[0] == 2 else 7))]

    world.sensors._answer = answer
    await run(world.read_by(), 60.0)


def test_a_late_reply_that_can_be_one_answer_only_is_a_reading_with_its_own_time(tmp_path: Path) -> None:
    world = World(tmp_path, retries=0)
    _late(world, 0.4)
    bodies = [reading.body for reading in world.readings if reading.sensor == "s2"]
    assert b'{"x":40}' in bodies
    late = next(reading for reading in world.readings if reading.body == b'{"x":40}')
    before = next(reading for reading in world.readings if reading.body == b'{"x":39}')
    assert (late.taken.boottime_ns - before.taken.boottime_ns) / 1e9 == pytest.approx(1.38, abs=0.02)
    assert world.document["sensors"]["s2"]["late_readings"] == 1


def test_a_late_reply_to_a_request_that_was_repeated_is_counted_and_never_believed(tmp_path: Path) -> None:
    world = World(tmp_path, retries=1)
    _late(world, 0.4)
    bodies = [reading.body for reading in world.readings if reading.sensor == "s2"]
    assert b'{"x":40}' not in bodies
    told = world.document["sensors"]["s2"]
    assert (told["late_replies"], told["late_readings"]) == (1, 0)


@on_jumping_clock
async def _unplugged(world: World) -> None:
    """The port is lost while the second of two reads of unit 1 is waited for."""

    def answer(request: bytes) -> list[Said]:
        if request[2:4] == b"\x00\x00":
            return [(0.02, telling(request[0], 7))]
        asyncio.get_running_loop().call_later(0.1, world.sensors.lose)
        return []

    world.sensors._answer = answer
    await run(world.read_by(), 0.4)


def test_what_an_interrupted_poll_brought_is_kept(tmp_path: Path) -> None:
    world = World(tmp_path, more="y = { holding = 2000 }\n")
    _unplugged(world)
    assert [(reading.sensor, reading.body) for reading in world.readings] == [("s1", b'{"x":7}')]


@on_jumping_clock
async def _rhythms(world: World) -> None:
    world.sensors._answer = lambda request: [(0.02, telling(request[0], *[7] * request[5]))]
    await run(world.read_by(), 60.5)


def test_sensors_of_one_unit_are_asked_each_in_its_own_rhythm(tmp_path: Path) -> None:
    more = SENSOR.format(address=1, every_ms=10000).replace('"s1"', '"third"') + "y = { holding = 0 }\n"
    world = World(tmp_path, last=more)
    _rhythms(world)
    counts = Counter(reading.sensor for reading in world.readings)
    assert (counts["s1"], counts["third"]) == (61, 7)
