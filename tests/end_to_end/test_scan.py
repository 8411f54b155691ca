"""`serial-bridge scan` on real ptys: a bare port, a bus in service, a foreign device, an interruption."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import Any

import pytest

from bridge.simulator.field.bus import SimulatedBus
from protocols.modbus.simulation import SimulatedUnit
from tests.end_to_end.conftest import World
from tests.end_to_end.lateness import Lateness
from tests.end_to_end.sites import LINE, site_text, units
from tests.support.foreign import pymodbus_sensor
from tests.support.lines import PtyPump

pytestmark = pytest.mark.end_to_end


def scanned(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.stdout, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_scan_finds_the_units_of_a_port(world: World) -> None:
    with SimulatedBus({**units(), 30: SimulatedUnit(30)}, LINE) as bus:
        done = world.command(
            "scan", str(bus.path), "--line", "115200 8N1", "--protocol", "modbus-rtu", "--addresses", "1-5,30"
        )
    assert done.returncode == 0, done.stderr
    assert "115200 8N1  modbus-rtu address 1: " in done.stdout
    assert "nothing was written" in done.stdout
    assert "address 30" in done.stdout


@pytest.mark.parametrize("mode", ["rtu", "ascii"])
def test_scan_finds_a_foreign_device_and_what_it_says_of_itself(world: World, mode: str) -> None:
    with PtyPump() as cable, pymodbus_sensor(cable.far, 19200, mode):
        options = ["--line", "19200 8N1", "--protocol", f"modbus-{mode}", "--addresses", "1-5"]
        (find, *_) = scanned(world.command("scan", cable.near, *options, "--json"))["finds"]
    assert (find["address"], find["keys"]) == ("1", {"address": 1})
    assert find["evidence"] in ("identified", "answers")


async def test_scan_of_a_bus_in_service_finds_others_and_its_sensors_lose_nothing(world: World) -> None:
    alive = {**units(), 7: SimulatedUnit(7, holding={0: 4711})}
    with SimulatedBus(alive, LINE) as bus, Lateness().watched() as lateness:
        world.write(site_text(bus, 5683), {})
        reader = world.start("read", "meters")
        await world.until(lambda: bus.requests[2] > 2)
        before = world.status()["sensors"]
        document = scanned(world.command("scan", "meters", "--addresses", "1-9", "--json"))
        await world.until(
            lambda: world.status()["sensors"]["room"]["requests"] > before["room"]["requests"] + 10
        )
        after = world.status()["sensors"]
        silent = scanned(world.command("scan", "meters", "--addresses", "8-9", "--json"))
        refused = world.command("scan", "meters", "--line", "9600 8N1")
        assert world.stop(reader) == 0
    assert [find["address"] for find in document["finds"]] == ["7"]
    assert "the sensors of site.toml were not asked" in document["remark"]
    assert "nothing else" not in document["remark"]
    assert "nothing else answers at 115200 8N1: check its power" in silent["remark"]
    for name in ("room", "counter"):
        # a question that were in the way would cost several; a busy machine may cost one by itself
        assert after[name]["missed_slots"] - before[name]["missed_slots"] <= 1 + lateness.excuses(bus.served)
        assert after[name]["timeouts"] <= lateness.excuses(bus.served)
    assert refused.returncode == 1
    assert "is in service as modbus-rtu at 115200 8N1" in refused.stderr


async def test_an_interrupted_scan_shows_what_it_found_and_goes_on(world: World) -> None:
    with SimulatedBus(units(), LINE) as bus:
        options = [str(bus.path), "--line", "115200 8N1", "--protocol", "modbus-rtu"]
        process = world.start("scan", *options)
        await world.until(lambda: bus.requests[60] > 0)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0, world.log
        assert "address 2" in world.log
        assert f"to go on: serial-bridge scan {bus.path} --resume" in world.log
        asked, later = bus.requests[5], bus.requests[61]
        again = world.start("scan", *options, "--resume")
        await world.until(lambda: bus.requests[61] > later)
        assert bus.requests[5] == asked, "its step was done"
        again.send_signal(signal.SIGINT)
        assert again.wait(20) == 0, world.log
