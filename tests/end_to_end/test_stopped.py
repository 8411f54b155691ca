"""A reader that the system stops for a while, as a loaded or swapping machine does, loses no reply to that.

The simulated sensors go on meanwhile: their replies wait in the kernel until the reader is awake again. The
sensor counts its answers, so each reading is held against the very reply that the wire handed over.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sqlite3
import time
from contextlib import closing

import pytest

from bridge.line.wakefulness import GAP_S, TICK_S
from bridge.simulator.field.sensors import Served, SimulatedBus
from tests.end_to_end.conftest import World
from tests.end_to_end.lateness import Lateness
from tests.end_to_end.sites import LINE, site_text, units

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(120)]

TURN_AROUND_S = 0.020
LEARN_S = 1.5
USUAL_STAMP_ERROR_S = TICK_S + GAP_S + 0.005  # what is not said to be wrong, and what rounding adds
SENSOR = "counter"
OTHER = '[[bus.meters.sensor]]\nname = "room"'  # left out, so that each stop falls into a poll of the counter


def readings(world: World) -> dict[int, tuple[float, float]]:
    """Return the stamp and its told error, in seconds, of each answer of the counter, by its number."""
    with closing(sqlite3.connect(f"file:{world.folder / 'spool.db'}?mode=ro", uri=True, timeout=5)) as spool:
        rows = [(ts_ms, json.loads(body)) for ts_ms, body in spool.execute("SELECT ts, body FROM reading")]
    return {
        values["count"]: (ts_ms / 1000, values.get("stamp_error_ms", 0) / 1000)
        for ts_ms, values in rows
        if "count" in values
    }


def answers(bus: SimulatedBus) -> dict[int, Served]:
    """Return what the counter served, by the number of the answer."""
    return {
        reply.registers[0] << 16 | reply.registers[1]: reply for reply in list(bus.served) if reply.unit == 1
    }


@pytest.mark.parametrize(("times", "stopped_s", "awake_s"), [(50, 0.2, 0.5), (6, 0.8, 1.2)])
async def test_a_stopped_reader_loses_no_reply_and_knows_its_stamps(
    world: World, times: int, stopped_s: float, awake_s: float
) -> None:
    moments = random.Random(times)
    since_1970_s = time.time() - time.monotonic()
    with SimulatedBus(units(), LINE, turn_around_s=TURN_AROUND_S) as bus, Lateness().watched() as lateness:
        site = site_text(bus, 5683, every="0s").replace("[spool]", '[clock]\ntrust = "system"\n\n[spool]')
        world.write(site.partition(OTHER)[0], {})
        reader = world.start("read", "meters")
        await world.until(lambda: len(answers(bus)) > 10)
        await asyncio.sleep(LEARN_S)
        for _ in range(times):
            reader.send_signal(signal.SIGSTOP)
            try:
                await asyncio.sleep(stopped_s)
            finally:
                reader.send_signal(signal.SIGCONT)
            await asyncio.sleep(awake_s * moments.uniform(0.7, 1.3))
        assert world.stop(reader) == 0
    sensor = world.status()["sensors"][SENSOR]
    on_wire, taken = answers(bus), readings(world)

    excused = lateness.excuses(bus.served)
    assert len(on_wire) > 10 * times, "the stops fall into polls"
    assert sensor["timeouts"] <= excused, f"{sensor} {excused} {world.log}"
    under_way = 1  # when the reader ended
    assert sensor["requests"] - sensor["replies"] - sensor["timeouts"] <= under_way, sensor
    assert len(on_wire.keys() - taken.keys()) <= under_way + sensor["timeouts"], world.log
    assert sensor["turn_around_p99_ms"] < 100 + 1000 * lateness.longest_s(bus.served), sensor

    for count, (stamp, error_s) in taken.items():
        reply = on_wire[count]
        off_s = abs(stamp - since_1970_s - reply.at)
        excused_s = reply.delay_s + lateness.near_s(reply.at)
        assert off_s <= error_s + USUAL_STAMP_ERROR_S + excused_s, (count, off_s, error_s, excused_s)
