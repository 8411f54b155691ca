"""Sensors that are slow, become slow, sleep or lose power, on the model of a wire and a clock that jumps."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

from bridge.simulator.field.device_faults import Stall, UnitFaults
from tests.faults.simulated_reader import Sensor, SimulatedReader
from tests.support.loop import on_jumping_clock

TWO = ((0, 2),)
FULL_LINE = [Sensor(unit, 0.47, TWO) for unit in range(1, 10)]  # 9600 baud: these fill it to 90 %


def slow(reader: SimulatedReader, unit: int, seconds: float) -> None:
    """Let a unit take so long for each answer; it keeps three requests meanwhile."""
    reader.wire.faults[unit].stall = Stall(1.0, seconds, seconds, depth=3)


@on_jumping_clock
async def _becomes_slow(folder: Path, seconds: float, every_s: float) -> None:
    reader = SimulatedReader(folder, "9600 8N1", [*FULL_LINE, Sensor(10, every_s, TWO)], turn_around_s=0.020)
    loop = asyncio.get_running_loop()
    changed_at = loop.time() + 40.0
    loop.call_at(changed_at, slow, reader, 10, seconds)
    await reader.run(340.0)
    polls = [at for at in reader.read_at["s9"] if at >= changed_at]
    assert polls[0] - changed_at <= 3 * max(every_s, seconds + 1.0), "within three polls"
    assert len(polls) > 1 or seconds > 4, "and again; where others lose slots by the wait, not often"
    for number, sensor in enumerate(FULL_LINE):
        assert reader.readings(number, changed_at) * sensor.every_s / 300.0 >= 0.97
    assert reader.audit.findings.are_clean


@pytest.mark.parametrize("every_s", [0.5, 30.0])
@pytest.mark.parametrize("seconds", [0.15, 0.48, 0.7, 2.0, 4.5])
def test_a_sensor_that_becomes_slow_on_a_full_line_is_read_again_and_costs_nobody(
    seconds: float, every_s: float, tmp_path: Path
) -> None:
    _becomes_slow(tmp_path, seconds, every_s)


@on_jumping_clock
async def _default_settings(folder: Path) -> None:
    times = (0.1, 0.7, 2.0, 4.5)
    reader = SimulatedReader(folder, "9600 8N1", [Sensor(unit, 10.0, TWO) for unit in range(1, 5)])
    for unit, seconds in enumerate(times, 1):
        slow(reader, unit, seconds)
    began = asyncio.get_running_loop().time()
    await reader.run(600.0)
    for number, seconds in enumerate(times):
        assert reader.readings(number, began) >= 54, f"the meter of {seconds} s"
        assert reader.status["sensors"][f"s{number}"]["learned"]["is_slow"] == (seconds > 0.5)
    assert reader.audit.findings.are_clean


def test_default_settings_read_meters_of_every_speed(tmp_path: Path) -> None:
    _default_settings(tmp_path)


EVERY_S = 10.0


@on_jumping_clock
async def _of_every_speed(folder: Path, *, is_sixth_dead: bool) -> None:
    """Five meters with default settings; the last one becomes slow after five minutes."""
    times = (0.1, 0.7, 2.0, 4.5, 0.1)
    sensors = [Sensor(unit, EVERY_S, TWO) for unit in range(1, 6 + is_sixth_dead)]
    reader = SimulatedReader(folder, "9600 8N1", sensors)
    for unit, seconds in enumerate(times, 1):
        slow(reader, unit, seconds)
    if is_sixth_dead:
        reader.wire.faults[6].silent = 1.0
    loop = asyncio.get_running_loop()
    began, changes_at, ends_at = loop.time(), loop.time() + 300.0, loop.time() + 900.0
    loop.call_at(changes_at, slow, reader, 5, 2.0)
    await reader.run(ends_at - began)
    learning_s = (6 if is_sixth_dead else 3) * EVERY_S  # the dead one is waited for patiently meanwhile
    for number, seconds in enumerate(times):
        settled_at = began + learning_s + 5.0
        slots = (changes_at - settled_at) / EVERY_S
        share = reader.readings(number, settled_at, changes_at) / slots
        assert share >= 0.97, f"the meter of {seconds} s: {share:.3f}"
        assert reader.readings(number, began, began + 3 * EVERY_S) >= 1, "read within three polls"
    after = reader.readings(4, changes_at + learning_s + 5.0, ends_at)
    assert after >= 0.97 * (ends_at - changes_at - learning_s - 5.0) / EVERY_S, "the one that became slow"
    for number in (0, 1, 2, 3):
        assert reader.readings(number, changes_at, ends_at) >= 0.97 * (ends_at - changes_at) / EVERY_S
    rows = reader.status["sensors"]
    assert [rows[f"s{number}"]["learned"]["is_slow"] for number in range(5)] == [
        False,
        True,
        True,
        True,
        True,
    ]
    for number in (1, 2, 3, 4):
        assert rows[f"s{number}"]["state"] == "ok"
        assert rows[f"s{number}"]["trouble"].startswith("answers slowly (waited for up to ")
        assert any(lesson.startswith("answers slowly, after ") for lesson in rows[f"s{number}"]["lessons"])
    assert reader.audit.findings.are_clean


@pytest.mark.parametrize("is_sixth_dead", [False, True])
def test_meters_of_every_speed_are_read_on_their_grid_after_three_polls(
    is_sixth_dead: bool, tmp_path: Path
) -> None:
    _of_every_speed(tmp_path, is_sixth_dead=is_sixth_dead)


@on_jumping_clock
async def _quick_again(folder: Path) -> None:
    reader = SimulatedReader(folder, "9600 8N1", [Sensor(1, 5.0, TWO)])
    slow(reader, 1, 2.0)
    asyncio.get_running_loop().call_later(120.0, slow, reader, 1, 0.0)
    await reader.run(300.0)
    learned = reader.status["sensors"]["s0"]["learned"]
    assert not learned["is_slow"]
    assert learned["reply_timeout_ms"] <= 500


def test_a_sensor_that_is_quick_again_is_soon_known_to_be(tmp_path: Path) -> None:
    _quick_again(tmp_path)


@on_jumping_clock
async def _power_cut(folder: Path, count: int, every_s: float, off_s: float) -> None:
    reader = SimulatedReader(folder, "9600 8N1", [Sensor(1 + n, every_s, TWO) for n in range(count)])
    loop = asyncio.get_running_loop()

    def switch(silent: float) -> None:
        for unit in reader.wire.units:
            reader.wire.faults[unit].silent = silent

    loop.call_later(300.0, switch, 1.0)
    back_at = loop.time() + 300.0 + off_s
    loop.call_at(back_at, switch, 0.0)
    await reader.run(300.0 + off_s + 2 * every_s)
    unread = [name for name, at in reader.read_at.items() if at[-1] < back_at]
    assert unread == []


def test_after_a_power_cut_all_are_read_within_two_rounds(tmp_path: Path) -> None:
    _power_cut(tmp_path, 60, 60.0, 3600.0)


@on_jumping_clock
async def _wakes_at_the_second_request(folder: Path) -> None:
    reader = SimulatedReader(folder, "9600 8N1", [Sensor(1, 1.0, TWO), Sensor(2, 1.0, TWO)])
    faults: UnitFaults = reader.wire.faults[2]
    loop = asyncio.get_running_loop()
    asked: list[float] = []
    loop.call_later(60.0, setattr, faults, "silent", 1.0)
    back_at = loop.time() + 600.0

    def back() -> None:
        faults.silent, faults.wakes_after, faults.sleeps_after_s = 0.0, 2, 0.5

    loop.call_at(back_at, back)
    await reader.run(620.0)
    asked = [at for at, data in reader.line.sent if data[0] == 2 and at >= back_at]
    first = next(at for at in reader.read_at["s1"] if at >= back_at)
    probes = 1 + sum(later - sooner > 0.3 for sooner, later in pairwise(asked) if later <= first)
    assert probes <= 2


def test_a_device_that_needs_two_requests_is_back_within_its_second_probe(tmp_path: Path) -> None:
    _wakes_at_the_second_request(tmp_path)


@on_jumping_clock
async def _two_rhythms(folder: Path) -> None:
    """One unit asked in two rhythms, which leaves a fifth of its requests unanswered, and a neighbour."""
    sensors = [Sensor(1, 1.0, ((0, 1),)), Sensor(1, 1.7, ((201, 1),)), Sensor(2, 1.0, TWO)]
    reader = SimulatedReader(folder, "9600 8N1", sensors)
    reader.wire.faults[1].silent = 0.2
    began = asyncio.get_running_loop().time()
    await reader.run(1500.0)
    assert reader.readings(2, began) >= 1490, "the neighbour misses nothing"
    assert reader.readings(0, began) > 0.9 * 1500
    assert 0.9 * 1500 / 1.7 < reader.readings(1, began) < 1.05 * 1500 / 1.7
    asked = [data[4:6] for _, data in reader.line.sent if data[0] == 1]
    assert max(int.from_bytes(quantity, "big") for quantity in asked) <= 3, (
        "sensors of one unit in two rhythms are not asked together"
    )
    assert reader.audit.findings.are_clean


def test_two_rhythms_on_one_unit_that_misses_cost_no_neighbour(tmp_path: Path) -> None:
    _two_rhythms(tmp_path)


@on_jumping_clock
async def _back_but_slower(folder: Path, seconds: float, every_s: float) -> None:
    sensors = [Sensor(unit, every_s, TWO) for unit in range(1, 11)]
    reader = SimulatedReader(folder, "9600 8N1", sensors)
    loop = asyncio.get_running_loop()
    back_at = loop.time() + 300.0

    def switch(silent: float) -> None:
        for unit in range(1, 10):
            reader.wire.faults[unit].silent = silent

    def back() -> None:
        slow(reader, 1, seconds)
        reader.wire.faults[1].silent = 0.0

    loop.call_later(60.0, switch, 1.0)
    loop.call_at(back_at, back)
    await reader.run(300.0 + 300.0)
    first = min(at for at in reader.read_at["s0"] if at >= back_at)
    assert first - back_at <= 15.0
    assert reader.readings(0, first) * every_s >= 0.95 * (300.0 - 15.0)
    assert reader.audit.findings.are_clean


@pytest.mark.parametrize("every_s", [1.0, 5.0])
@pytest.mark.parametrize("seconds", [0.02, 0.04, 0.06, 0.1, 0.2, 0.4])
def test_a_device_that_is_back_and_slower_than_a_probe_waits_is_found_by_its_late_reply(
    seconds: float, every_s: float, tmp_path: Path
) -> None:
    _back_but_slower(tmp_path, seconds, every_s)
