"""`serial-bridge try` on a real pty: what it shows, and what it says when there is nothing to show."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from bridge.simulator.field.bus import SimulatedBus
from protocols.modbus.simulation import SimulatedUnit
from protocols.toolkit.framing import Frame
from tests.end_to_end.conftest import World
from tests.end_to_end.sites import LINE, site_text, units

pytestmark = pytest.mark.end_to_end


@pytest.fixture
def bus(world: World) -> Iterator[SimulatedBus]:
    with SimulatedBus(units(), LINE) as found:
        world.write(site_text(found, 5683), {})
        yield found


def test_try_shows_the_values_of_one_sensor_with_their_units(world: World, bus: SimulatedBus) -> None:
    done = world.command("try", "room", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["values"] == {"temperature": -1.0, "window": True}
    assert answer["units"] == {"temperature": "°C"}
    assert [asked["request"] for asked in answer["asked"]] == [
        "unit 2: discrete inputs 4",
        "unit 2: input registers 0",
    ]
    assert set(bus.requests) == {2}, "nobody else was asked"
    assert not (world.folder / "spool.db").exists(), "nothing was stored"
    shown = world.command("try", "room").stdout
    assert "temperature  -1.0 °C" in shown


def test_try_tells_what_was_refused(world: World, bus: SimulatedBus) -> None:
    bus.faults[2].refuse_with = 4
    done = world.command("try", "room")
    assert done.returncode == 1, "it told no value"
    assert "no usable value" in done.stdout
    assert "room refuses input registers 0: server device failure: look at its own display" in done.stdout


@pytest.mark.parametrize("deaf", [2, 4])
def test_try_reads_a_sensor_that_is_silent_on_one_function(world: World, deaf: int) -> None:
    class Unit(SimulatedUnit):
        def answer(self, request: Frame) -> bytes | None:
            return None if request.data[1] == deaf else super().answer(request)

    silent = units()
    silent[2] = Unit(2, input=silent[2].input, discretes=silent[2].discretes)
    with SimulatedBus(silent, LINE) as bus:
        world.write(site_text(bus, 5683), {})
        done = world.command("try", "room", "--json")
    answer = json.loads(done.stdout)
    assert answer["values"] == ({"temperature": -1.0} if deaf == 2 else {"window": True})
    assert not answer["complete"]


def test_try_tells_the_next_step_when_a_sensor_is_silent(world: World, bus: SimulatedBus) -> None:
    bus.faults[2].silent = 1.0
    done = world.command("try", "room")
    assert done.returncode == 1
    assert "room (address 2)" in done.stderr
    assert "does not answer: check its power, then A and B" in done.stderr


def test_try_tells_the_next_step_when_a_sensor_is_not_understood(world: World, bus: SimulatedBus) -> None:
    bus.faults[2].bad_crc = 1.0
    done = world.command("try", "room")
    assert done.returncode == 1
    assert "room (address 2)" in done.stderr
    assert "answers, and the checksum is wrong: look for missing termination" in done.stderr


def test_try_names_the_bus_whose_port_is_missing(world: World, bus: SimulatedBus) -> None:
    bus.unplug()
    done = world.command("try", "room")
    assert done.returncode == 1
    assert done.stderr.startswith("bus meters: ")


def test_try_names_the_sensors_there_are(world: World, bus: SimulatedBus) -> None:
    done = world.command("try", "rom")
    assert done.returncode == 2
    assert "the sensors are: counter, room" in done.stderr


async def test_try_leaves_a_bus_alone_that_is_being_read(world: World, bus: SimulatedBus) -> None:
    reader = world.start("read", "meters")
    await world.until(lambda: bus.requests[2] > 0)
    done = world.command("try", "room")
    assert done.returncode == 1
    assert f"already being read by process {reader.pid}: `serial-bridge status` shows" in done.stderr
    assert world.stop(reader) == 0
