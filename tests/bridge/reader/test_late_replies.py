"""Replies that come too late now and then: readings all the same, and no reason to ask less often."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.faults.simulated_reader import Sensor, SimulatedReader
from tests.support.loop import on_jumping_clock

HOUR_S = 3600.0
LATE = 0.02


@on_jumping_clock
async def _late_now_and_then(folder: Path, units: int, every_s: float, late_s: float) -> None:
    sensors = [Sensor(unit, every_s, ((0, 2),)) for unit in range(1, units + 1)]
    reader = SimulatedReader(folder, "9600 8N1", sensors, keys="retries = 0", seed=1)
    for unit in range(1, units + 1):
        reader.wire.faults[unit].late, reader.wire.faults[unit].late_s = LATE, late_s
    began = asyncio.get_running_loop().time()
    await reader.run(HOUR_S)
    slots = units * HOUR_S / every_s
    unread = slots - sum(reader.readings(number, began) for number in range(units))
    late_replies = LATE * slots  # each was a lost reading, were it not believed
    assert unread <= 0.1 * late_replies
    assert reader.audit.findings.are_clean


@pytest.mark.parametrize("late_s", [0.3, 0.6, 0.9])
@pytest.mark.parametrize(("units", "every_s"), [(4, 2.0), (4, 10.0)])
def test_of_the_readings_that_late_replies_cost_nine_tenths_are_had(
    units: int, every_s: float, late_s: float, tmp_path: Path
) -> None:
    _late_now_and_then(tmp_path, units, every_s, late_s)


@on_jumping_clock
async def _one_late_reply(folder: Path, late_s: float) -> None:
    reader = SimulatedReader(folder, "9600 8N1", [Sensor(unit, 1.0, ((0, 2),)) for unit in (1, 2, 3, 4)])
    loop = asyncio.get_running_loop()
    faults = reader.wire.faults[1]
    faults.late_s = late_s
    for share, at in ((1.0, 59.5), (0.0, 60.5)):
        loop.call_later(at, setattr, faults, "late", share)
    began = loop.time()
    await reader.run(180.0)
    assert reader.readings(0, began) >= 180 - 2 - late_s
    assert min(reader.readings(number, began) for number in (1, 2, 3)) >= 180 - 2 - late_s


@pytest.mark.parametrize("late_s", [0.6, 1.5, 3.0])
def test_one_late_reply_is_no_reason_to_ask_less_often_where_the_line_has_time(
    late_s: float, tmp_path: Path
) -> None:
    _one_late_reply(tmp_path, late_s)
