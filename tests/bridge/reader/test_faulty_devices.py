"""A reader on a simulated line whose devices slow down, sleep, refuse now and then or keep silent in part.

Hours on a clock that jumps. Every value is audited: whatever a device does, none arrives under another key.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.simulator.field.device_faults import Part, Stall, UnitFaults
from tests.faults.simulated_reader import Sensor, SimulatedReader
from tests.support.loop import on_jumping_clock

LINE = "9600 8N1"
CODES = (1, 2, 3, 4, 5, 6, 0x0A, 0x0B)
KEPT_RATE = 0.97
SLOW_LINE = "2400 8N1"  # filled by few sensors: a poll of 40 registers takes 0.45 s
FULL_LINE = [Sensor(unit, 5.0, tuple((start, 4) for start in range(0, 40, 4))) for unit in range(2, 12)]
SLOW_EVERY_S = 60.0


def now() -> float:
    return asyncio.get_running_loop().time()


def at(seconds: float, action: Callable[[], object]) -> float:
    """Do something so long from now; return when that is."""
    due = now() + seconds
    asyncio.get_running_loop().call_at(due, action)
    return due


def first_reading(reader: SimulatedReader, number: int, since: float) -> float:
    """When a sensor was read first after a moment, in seconds from then; `math.inf` if it was not."""
    return min(
        (read_at - since for read_at in reader.read_at[f"s{number}"] if read_at >= since), default=math.inf
    )


@on_jumping_clock
async def _power_back(folder: Path, deaf_s: float, refusing_s: float) -> None:
    reader = SimulatedReader(folder, LINE, [Sensor(unit, 60.0, ((0, 2),)) for unit in range(1, 61)])
    back_at = now() + 300 + 3600

    def cut() -> None:
        for unit in reader.wire.units:
            reader.wire.power_cut(unit, back_at, deaf_s=deaf_s, refusing_s=refusing_s)

    at(300, cut)
    await reader.run(300 + 3600 + deaf_s + refusing_s + 2 * 60)
    assert max(first_reading(reader, number, back_at) for number in range(60)) < math.inf
    assert reader.audit.findings.are_clean


@pytest.mark.parametrize(("deaf_s", "refusing_s"), [(0, 0), (5, 0), (3, 7)])
def test_sixty_meters_are_read_within_two_rounds_once_their_power_is_back(
    deaf_s: float, refusing_s: float, tmp_path: Path
) -> None:
    _power_back(tmp_path, deaf_s, refusing_s)


@on_jumping_clock
async def _slows_down(folder: Path, faults: UnitFaults) -> None:
    reader = SimulatedReader(
        folder, SLOW_LINE, [Sensor(1, SLOW_EVERY_S, ((0, 2),)), *FULL_LINE], turn_around_s=0.02
    )
    slows_at = at(1500, lambda: reader.wire.faults.update({1: faults}))  # its turn-around is known by then
    await reader.run(1500 + 900)
    assert reader.wire.requests[1] > 25
    assert first_reading(reader, 0, slows_at) <= 3 * SLOW_EVERY_S + 10
    rates = [
        reader.readings(number, slows_at) * 5.0 / (now() - slows_at)
        for number in range(1, 1 + len(FULL_LINE))
    ]
    assert min(rates) >= KEPT_RATE
    assert reader.audit.findings.are_clean


@pytest.mark.parametrize("slow_s", [0.15, 0.48, 0.7, 2.0, 4.5])
def test_a_sensor_that_becomes_slow_is_read_again_within_three_polls(slow_s: float, tmp_path: Path) -> None:
    _slows_down(tmp_path, UnitFaults(stall=Stall(1.0, slow_s, slow_s)))


@on_jumping_clock
async def _slow_from_the_start(folder: Path, slow_s: float, every_s: float) -> None:
    reader = SimulatedReader(folder, LINE, [Sensor(1, every_s, ((0, 2),)), Sensor(2, 10.0, ((0, 2),))])
    reader.wire.faults[1].stall = Stall(1.0, slow_s, slow_s)
    await reader.run(20 * every_s)
    assert reader.readings(0, 0.0) >= 15
    assert reader.audit.findings.are_clean


@pytest.mark.parametrize("slow_s", [0.7, 2.0, 4.5])
def test_a_slow_meter_is_read_with_the_default_settings(slow_s: float, tmp_path: Path) -> None:
    _slow_from_the_start(tmp_path, slow_s, 15.0)


@on_jumping_clock
async def _sporadic(folder: Path, share: float, codes: tuple[int, ...]) -> None:
    reader = SimulatedReader(folder, LINE, [Sensor(1, 1.0, ((0, 2), (10, 2), (14, 1)))])
    reader.wire.faults[1].refuse, reader.wire.faults[1].refuse_codes = share, codes
    await reader.run(3600)
    refused = sum(served.reply[0] >= 0x80 for served in reader.wire.served)
    assert refused >= 0.8 * share * 3600
    assert reader.wire.requests[1] <= 1.1 * 3600
    assert 3 * 3600 - reader.audit.findings.values <= 3 * refused
    assert reader.audit.findings.are_clean


@pytest.mark.parametrize(
    ("share", "codes"), [(0.01, (2,)), (0.01, CODES), *((0.05, codes) for codes in ((1,), (2,), (6,), CODES))]
)
def test_an_odd_refusal_costs_neither_requests_nor_values(
    share: float, codes: tuple[int, ...], tmp_path: Path
) -> None:
    _sporadic(tmp_path, share, codes)


@on_jumping_clock
async def _passing(folder: Path, code: int) -> None:
    reader = SimulatedReader(folder, LINE, [Sensor(1, 1.0, ((0, 2), (10, 2), (14, 1)))])
    at(60, lambda: reader.wire.faults.update({1: UnitFaults(refuse_with=code)}))
    over_at = at(63, lambda: reader.wire.faults.update({1: UnitFaults()}))
    await reader.run(120)
    before = reader.audit.findings.values
    assert first_reading(reader, 0, over_at) <= 10
    await reader.run(600)
    assert reader.audit.findings.values - before >= 3 * 598, "a value stays left out"
    assert reader.audit.findings.are_clean


@pytest.mark.parametrize("code", CODES)
def test_refusals_of_three_seconds_leave_nothing_behind(code: int, tmp_path: Path) -> None:
    _passing(tmp_path, code)


@on_jumping_clock
async def _asleep_after_a_power_cut(folder: Path) -> None:
    reader = SimulatedReader(folder, LINE, [Sensor(1, 10.0, ((0, 2),)), Sensor(2, 1.0, ((0, 2),))])
    back_at = now() + 900

    def cut() -> None:
        reader.wire.power_cut(1, back_at, deaf_s=0)
        reader.wire.faults[1].wakes_after, reader.wire.faults[1].sleeps_after_s = 2, 5.0

    at(300, cut)
    await reader.run(900 + 300)
    sent_at = [sent for sent, request in reader.line.sent if request[0] == 1 and sent >= back_at]
    probes = [sent for before, sent in zip([0.0, *sent_at], sent_at, strict=False) if sent - before > 5.0]
    assert first_reading(reader, 0, back_at) < math.inf
    assert sum(probe <= back_at + first_reading(reader, 0, back_at) for probe in probes) <= 2


def test_a_device_that_needs_two_requests_is_back_within_its_second_probe(tmp_path: Path) -> None:
    _asleep_after_a_power_cut(tmp_path)


@on_jumping_clock
async def _asleep_between_polls(folder: Path) -> None:
    reader = SimulatedReader(folder, LINE, [Sensor(1, 10.0, ((0, 2),)), Sensor(2, 1.0, ((0, 2),))])
    reader.wire.faults[1].wakes_after, reader.wire.faults[1].sleeps_after_s = 2, 5.0
    began = now()
    await reader.run(600)
    assert reader.readings(0, began) >= 55


def test_a_device_that_sleeps_between_polls_is_read_in_each(tmp_path: Path) -> None:
    _asleep_between_polls(tmp_path)


@on_jumping_clock
async def _half_silent(folder: Path, part: Part, blocks: tuple[tuple[int, int], ...], left: set[str]) -> None:
    others = [Sensor(unit, 1.0, ((0, 4), (4, 4))) for unit in range(2, 8)]
    reader = SimulatedReader(folder, LINE, [Sensor(1, 2.0, blocks), *others])
    reader.wire.faults[1].silent_on = part
    began = now()
    await reader.run(900)
    since = began + 60
    rates = [reader.readings(number, since) / (now() - since) for number in range(1, 1 + len(others))]
    assert min(rates) >= KEPT_RATE
    assert reader.readings(0, since) * 2.0 / (now() - since) >= 0.8
    sensor = reader.status["sensors"]["s0"]
    assert sensor["wire_share"] <= 0.05
    assert set(sensor["left_out"]) == left
    assert reader.audit.findings.are_clean


@pytest.mark.parametrize(
    ("part", "blocks", "left"),
    [
        (Part(addresses=range(4, 8)), ((0, 2), (10, 2)), set()),
        (Part(above=6), ((0, 2), (2, 2), (4, 2), (6, 2)), set()),
        (Part(addresses=range(100, 103)), ((0, 2), (100, 2)), {"k1"}),
    ],
    ids=["a hole", "long reads", "one value"],
)
def test_a_half_silent_device_costs_its_neighbours_little_and_is_named(
    part: Part, blocks: tuple[tuple[int, int], ...], left: set[str], tmp_path: Path
) -> None:
    _half_silent(tmp_path, part, blocks, left)


@on_jumping_clock
async def _unplugged(folder: Path, call: int) -> None:
    reader = SimulatedReader(folder, LINE, [Sensor(1, 1.0, ((0, 2), (100, 2))), Sensor(2, 1.0, ((0, 2),))])
    reader.line.unplug_at = call
    began = now()
    await reader.run(60)
    assert reader.line.awaits > call
    assert min(reader.readings(number, began + 40) for number in (0, 1)) >= 18
    assert reader.audit.findings.are_clean


@pytest.mark.parametrize("call", range(1, 40))
def test_an_adapter_pulled_at_any_moment_is_read_again(call: int, tmp_path: Path) -> None:
    _unplugged(tmp_path, call)


@on_jumping_clock
async def _lossy(folder: Path, every_s: float, keys: str) -> None:
    reader = SimulatedReader(folder, "19200 8N1", [Sensor(1, every_s, ((0, 2),))], keys=keys)
    reader.wire.faults[1].silent = 0.05
    began = now()
    await reader.run(600)
    assert reader.readings(0, began) * every_s / 600 >= 0.9
    assert reader.audit.findings.are_clean


@pytest.mark.parametrize("keys", ["retries = 0", 'retries = 0\nreply_timeout = "100ms"', "retries = 1"])
@pytest.mark.parametrize("every_s", [0.1, 0.2, 0.5])
def test_a_fast_sensor_loses_the_slots_of_its_lost_replies_and_few_others(
    every_s: float, keys: str, tmp_path: Path
) -> None:
    _lossy(tmp_path, every_s, keys)


@on_jumping_clock
async def _late_after_a_cut(folder: Path, part: Part, blocks: tuple[tuple[int, int], ...]) -> None:
    reader = SimulatedReader(folder, LINE, [Sensor(1, 3.0, blocks)], keys="retries = 0")
    faults = reader.wire.faults[1]
    faults.refuse_on, faults.late_s = part, 0.7
    at(300, lambda: setattr(faults, "late", 0.03))
    await reader.run(300 + 3 * 3600)
    sensor = reader.status["sensors"]["s0"]
    assert sensor["late_replies"] > 30
    assert sensor["late_readings"] >= 0.9 * sensor["late_replies"]
    assert reader.audit.findings.are_clean


@pytest.mark.parametrize(
    ("part", "blocks"),
    [
        (Part(), ((0, 2), (4, 2))),
        (Part(addresses=range(2, 4)), ((0, 2), (4, 2))),
        (Part(above=4), ((0, 2), (2, 2), (4, 2), (6, 2))),
        (Part(addresses=range(100, 102)), ((0, 2), (100, 2))),
    ],
    ids=["all in one", "a hole", "long reads", "one value"],
)
def test_a_late_reply_is_a_reading_whatever_was_learned_of_its_device(
    part: Part, blocks: tuple[tuple[int, int], ...], tmp_path: Path
) -> None:
    _late_after_a_cut(tmp_path, part, blocks)


@on_jumping_clock
async def _forgotten(folder: Path, into_poll_s: float) -> None:
    """A slow sensor of which a part was silent for an hour; that is mended, and a person says so."""
    reader = SimulatedReader(folder, LINE, [Sensor(1, 10.0, ((0, 2), (100, 2)))])
    faults = reader.wire.faults[1]
    faults.silent_on, faults.stall = Part(addresses=range(100, 102)), Stall(1.0, 1.5, 1.5)
    polled_at = now() + 3600.0
    at(3595, lambda: setattr(faults, "silent_on", None))
    at(3600 + into_poll_s, lambda: setattr(reader, "to_forget", "s0"))
    at(3600 + 9, lambda: setattr(faults, "stall", Stall()))
    documents: list[Any] = []
    for seconds in (-3, 8):
        at(3600 + seconds, lambda: documents.append(reader.status["sensors"]["s0"]))
    await reader.run(3600 + 25)
    before, after = documents
    assert before["left_out"].keys() == {"k1"}
    assert before["learned"]["is_slow"]
    assert after["left_out"] == {}
    assert not after["learned"]["is_slow"]
    assert after["learned"]["reply_timeout_ms"] == 500
    both = [data for sent, data in reader.line.sent if sent >= polled_at + 9]
    assert len(both) >= 4, "two reads a poll, two polls"


@pytest.mark.parametrize("into_poll_s", [-2.0, 0.1, 1.1, 2.5])
def test_what_a_person_has_forgotten_is_not_written_back_by_a_poll_under_way(
    into_poll_s: float, tmp_path: Path
) -> None:
    _forgotten(tmp_path, into_poll_s)
