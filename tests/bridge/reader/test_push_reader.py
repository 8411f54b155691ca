"""Sensors that push, on real pseudo terminals, into a real spool."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge.clock import Instant
from bridge.clock.kernel_clock import boottime_ns, system_clock
from bridge.config import Bus
from bridge.reader.attempt import Query
from bridge.reader.intake import Intake
from bridge.reader.push_reader import PushSensor
from bridge.simulator.field.free_running import FreeRunningLine
from protocols.toolkit.errors import SettingsError
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.pushing import PushingSettings
from tests.bridge.reader.talker import KEYS, NONSENSE, TALKER, telegram
from tests.bridge.reader.test_reader import Bench, bus_of, sensor

LINE = LineSettings(9600)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path / "spool.db")
    yield bench
    await bench.close()


@pytest.fixture
def line() -> Iterator[FreeRunningLine]:
    with FreeRunningLine(LINE) as found:
        yield found


def talkers(folder: Path, line: FreeRunningLine, every: str = "0s", **ids: str) -> Bus:
    """A bus whose sensors push, each with its id."""
    asked = bus_of(folder, line.path, *(sensor(name, 1, every) for name in ids))
    heard = (replace(each, settings=PushingSettings(ids[each.name], ())) for each in asked.sensors)
    return replace(asked, protocol=TALKER, sensors=tuple(heard))


def values(rows: Any) -> list[tuple[str, int]]:
    return [(row.sensor, json.loads(row.body)["x"]) for row in rows]


async def test_each_id_on_a_line_is_a_sensor_of_its_own(
    bench: Bench, line: FreeRunningLine, tmp_path: Path
) -> None:
    async with bench.reading(talkers(tmp_path, line, hall="0A", yard="0B")):
        await bench.status(lambda status: status["state"] == "ready")
        await asyncio.to_thread(
            line.say, telegram(0x0A, 1) + b"\xaa\x0a" + telegram(0x0B, 2) + telegram(0x0A, 3)
        )
        rows = await bench.rows(3)
    assert values(rows) == [("hall", 1), ("yard", 2), ("hall", 3)]


async def test_an_id_that_is_not_configured_is_listed_and_never_guessed(
    bench: Bench, line: FreeRunningLine, tmp_path: Path
) -> None:
    async with bench.reading(talkers(tmp_path, line, hall="0A")):
        await bench.status(lambda status: status["state"] == "ready")
        await asyncio.to_thread(line.say, telegram(0x77, 7) + telegram(0x77, 8) + telegram(0x0A, 1))
        found = await bench.status(lambda status: status["line"]["foreign_frames"] == 2)
        rows = await bench.rows(1)
    assert values(rows) == [("hall", 1)]
    assert found["line"]["not_configured"] == {"77": {"telegrams": 2, "last_values": {"x": 8, "half": 4.0}}}


async def test_a_reading_has_the_time_of_its_first_octet(
    bench: Bench, line: FreeRunningLine, tmp_path: Path
) -> None:
    offset_s = boottime_ns() / 1e9 - time.monotonic()
    async with bench.reading(talkers(tmp_path, line, hall="0A")) as reader:
        await bench.status(lambda status: status["state"] == "ready")
        for value in range(3):
            await asyncio.to_thread(line.say, telegram(0x0A, value))
        rows = await bench.rows(3)
        assert reader.is_advancing()
    now_ms = time.time() * 1000
    for row, said in zip(rows, line.said, strict=True):
        age_s = boottime_ns() / 1e9 - offset_s - said.at
        assert row.ts_ms is not None
        assert now_ms - row.ts_ms == pytest.approx(1000 * age_s, abs=250)


async def test_every_keeps_one_telegram_of_each_slot(
    bench: Bench, line: FreeRunningLine, tmp_path: Path
) -> None:
    async with bench.reading(talkers(tmp_path, line, every="1h", hall="0A")):
        await bench.status(lambda status: status["state"] == "ready")
        await asyncio.to_thread(line.say, b"".join(telegram(0x0A, value) for value in range(9)))
        found = await bench.status(lambda status: status["sensors"]["hall"]["telegrams"] == 9)
        rows = await bench.rows(1)
    assert values(rows) == [("hall", 0)]
    assert found["sensors"]["hall"]["thinned"] == 8
    assert found["sensors"]["hall"]["state"] == "ok"


async def test_what_is_damaged_or_makes_no_sense_is_counted_and_is_no_reading(
    bench: Bench, line: FreeRunningLine, tmp_path: Path
) -> None:
    good = telegram(0x0A, 5)
    spoiled = good[:-1] + bytes((good[-1] ^ 1,))
    async with bench.reading(talkers(tmp_path, line, hall="0A")):
        await bench.status(lambda status: status["state"] == "ready")
        await asyncio.to_thread(line.say, spoiled + telegram(0x0A, NONSENSE) + telegram(0x0A, 0xFFFF) + good)
        found = await bench.status(lambda status: status["sensors"]["hall"]["telegrams"] == 2)
        rows = await bench.rows(1)
    assert values(rows) == [("hall", 5)]
    counted = {name: found["line"][name] for name in ("frames", "crc_errors", "nonsense", "stray_octets")}
    assert counted == {"frames": 3, "crc_errors": 1, "nonsense": 1, "stray_octets": len(spoiled)}
    assert found["sensors"]["hall"]["empty"] == 1


async def test_a_replugged_line_is_heard_again(bench: Bench, line: FreeRunningLine, tmp_path: Path) -> None:
    async with bench.reading(talkers(tmp_path, line, hall="0A")):
        await bench.status(lambda status: status["state"] == "ready")
        await asyncio.to_thread(line.say, telegram(0x0A, 1) + telegram(0x0A, 2)[:3])
        await bench.rows(1)
        line.unplug()
        await bench.status(lambda status: status["state"] == "lost")
        line.replug()
        await bench.status(lambda status: status["state"] == "ready")
        await asyncio.to_thread(line.say, telegram(0x0A, 3))
        rows = await bench.rows(2)
    assert values(rows) == [("hall", 1), ("hall", 3)]


def test_a_sensor_that_always_says_something_else_is_thinned_out_all_the_same(
    bench: Bench, line: FreeRunningLine, tmp_path: Path
) -> None:
    (bus,) = [talkers(tmp_path, line, every="10s", hall="0A")]
    intake = Intake(bus.sensors[0], bench.writer, system_clock("system"))
    heard = PushSensor(bus.sensors[0], intake)
    for number in range(1000):
        heard.take({f"x{number}": 1}, Instant("boot", number * 10**6), 0.0)
    assert heard.document()["thinned"] > 900


def test_what_is_kept_of_a_steady_sensor_lies_on_a_grid_that_does_not_drift(
    bench: Bench, line: FreeRunningLine, tmp_path: Path
) -> None:
    """One telegram in 0.9 s, of which one per 10 s is kept: the grid is of 10 s, not of 10.8."""
    bus = talkers(tmp_path, line, every="10s", hall="0A")
    heard = PushSensor(bus.sensors[0], Intake(bus.sensors[0], bench.writer, system_clock("system")))
    kept_at_s = []
    for number in range(1000):
        before = heard.document()["thinned"]
        heard.take({"x": 1}, Instant("boot", number * 900_000_000), 0.0)
        if heard.document()["thinned"] == before:
            kept_at_s.append(number * 0.9)
    assert len(kept_at_s) == 91
    for slot, at_s in enumerate(kept_at_s):
        assert abs(at_s - 10 * slot) <= 5.0


def test_the_older_name_of_values_is_still_read() -> None:
    assert KEYS.parse({"id": "0A", "only": ["half"]}) == KEYS.parse({"id": "0A", "values": ["half"]})
    with pytest.raises(SettingsError, match=r'^only.0: unknown value "y"; use "x", "half"$'):
        KEYS.parse({"id": "0A", "only": ["y"]})
    with pytest.raises(SettingsError, match=r"^only: is an older name of values, keep values alone$"):
        KEYS.parse({"id": "0A", "only": ["x"], "values": ["x"]})


def test_the_keys_of_such_a_sensor_are_judged_all_at_once() -> None:
    assert KEYS.parse({"id": "0a", "values": ["half"]}).choose({"x": 1, "half": 0.5}) == {"half": 0.5}
    with pytest.raises(SettingsError) as caught:
        KEYS.parse({"id": "meter", "values": ["x", "y"]})
    assert [path for path, _ in caught.value.problems] == [("id",), ("values", 1)]
    with pytest.raises(SettingsError, match=r'id: is a text: write it in quotes, for example id = "0A"'):
        KEYS.parse({"id": 17})
    with pytest.raises(SettingsError, match=r'values.1: "x" stands here twice, keep one'):
        KEYS.parse({"id": "0A", "values": ["x", "x"]})
    with pytest.raises(SettingsError, match=r'id: is missing; write two digits, for example id = "0A"'):
        KEYS.parse({})


async def test_a_person_hears_the_next_telegram_of_a_sensor_that_is_not_configured(
    bench: Bench, line: FreeRunningLine, tmp_path: Path
) -> None:
    bus = talkers(tmp_path, line, hall="0A")
    query = Query("yard", "meters", TALKER.name, str(bus.line), {"id": "0B"}, listen_s=10.0)
    async with bench.reading(bus) as reader:
        await bench.status(lambda status: status["state"] == "ready")
        asking = asyncio.create_task(reader.answer(query))
        await asyncio.sleep(0)
        await asyncio.to_thread(line.say, telegram(0x0A, 1) + telegram(0x0B, 2))
        answer = await asking
        assert answer["values"]["x"] == 2
        assert len(await bench.rows(1)) == 1, "the configured one is read as ever"
        silent = await reader.answer(replace(query, table={"id": "0C"}, listen_s=0.01))
    assert silent["silence"] is not None
    assert "is not heard" in silent["silence"]
