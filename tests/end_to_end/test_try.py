"""`serial-bridge try` on a real pty: what it shows, and what it says when there is nothing to show."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from bridge.simulator.field.bus import SimulatedBus
from protocols.modbus.simulation import SimulatedUnit
from protocols.toolkit.framing import Frame
from tests.end_to_end.conftest import World
from tests.end_to_end.lateness import Lateness
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


async def test_try_borrows_the_line_of_a_bus_that_is_being_read(world: World, bus: SimulatedBus) -> None:
    reader = world.start("read", "meters")
    await world.until(lambda: bus.requests[2] > 0)
    done = world.command("try", "room", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["values"] == {"temperature": -1.0, "window": True}
    assert world.stop(reader) == 0


NEW_SENSOR = """
[[bus.meters.sensor]]
name = "new"
address = {address}
every = "1s"
[bus.meters.sensor.registers]
level = {{ holding = 7, divide = 10, unit = "m" }}
"""


@pytest.mark.parametrize("address", [3, 9])
async def test_try_asks_a_sensor_just_written_and_the_others_lose_nothing(world: World, address: int) -> None:
    alive = units() | {3: SimulatedUnit(3, holding={7: 42})}
    with SimulatedBus(alive, LINE) as bus, Lateness().watched() as lateness:
        text = site_text(bus, 5683)
        world.write(text, {})
        reader = world.start("read", "meters")
        await world.until(lambda: bus.requests[2] > 2)
        world.write(text + NEW_SENSOR.format(address=address), {})
        before = world.status()["sensors"]["room"]
        done = world.command("try", "new", "--json")
        if address == 3:
            answer = json.loads(done.stdout)
            assert (answer["values"], answer["units"]) == ({"level": 4.2}, {"level": "m"})
            assert answer["raw"] == {"level": "holding 7: 002A"}
        else:
            assert done.returncode == 1
            assert "new (address 9) on bus meters at 115200 8N1 does not answer" in done.stderr
        await world.until(lambda: world.status()["sensors"]["room"]["requests"] > before["requests"] + 10)
        after = world.status()["sensors"]
        # a question that were in the way would cost several; a busy machine may cost one by itself
        assert after["room"]["missed_slots"] - before["missed_slots"] <= 1 + lateness.excuses(bus.served)
        assert all(after[name]["timeouts"] <= lateness.excuses(bus.served) for name in ("room", "counter"))
        assert world.stop(reader) == 0


async def test_try_on_a_bus_that_runs_with_other_settings_says_what_to_do(
    world: World, bus: SimulatedBus
) -> None:
    reader = world.start("read", "meters")
    await world.until(lambda: bus.requests[2] > 0)
    world.site.write_text(world.site.read_text().replace("115200 8N1", "9600 8N1"))
    done = world.command("try", "room")
    assert done.returncode == 1
    assert "in service as modbus-rtu at 115200 8N1" in done.stderr
    assert "sudo serial-bridge install" in done.stderr
    assert world.stop(reader) == 0


def test_try_of_all_sensors_gives_each_a_line_and_counts_those_that_fail(
    world: World, bus: SimulatedBus
) -> None:
    done = world.command("try")
    assert done.returncode == 1, done.stderr
    incomplete, whole = done.stdout.splitlines()
    assert incomplete.split()[:2] == ["incomplete", "counter"]
    assert "nothing: " in incomplete, "a NaN, which is no value"
    assert whole.split() == ["ok", "room", "temperature", "-1.0", "°C,", "window", "True"]
    bus.faults[2].silent = 1.0
    done = world.command("try", "--bus", "meters")
    assert done.returncode == 2
    assert "2 of 2 silent or incomplete" in done.stderr
    assert "does not answer: check its power" in done.stdout
    assert "there is no bus" in world.command("try", "--bus", "roof").stderr


def test_try_shows_the_registers_and_octets_behind_each_value(world: World, bus: SimulatedBus) -> None:
    shown = world.command("try", "room", "-v").stdout
    assert "temperature  -1.0 °C   (input 0: FFF6)" in shown
    assert "> 02 04 00 00 00 01" in shown
    assert "< 02 04 02 ff f6" in shown


async def test_peek_shows_the_registers_of_a_unit_alone_and_while_its_bus_is_read(
    world: World, bus: SimulatedBus
) -> None:
    done = world.command("peek", "meters", "1", "holding", "0-6")
    assert done.returncode == 0, done.stderr
    assert "*23.4" in done.stdout
    reader = world.start("read", "meters")
    await world.until(lambda: bus.requests[2] > 0)
    done = world.command("peek", "meters", "1", "holding", "3-4", "--json")
    assert json.loads(done.stdout)["pairs"]["3"]["float32"]["ABCD"] == 23.4
    done = world.command("peek", "meters", "9", "input", "0")
    assert done.returncode == 1
    assert "unit 9 (address 9) on bus meters at 115200 8N1 does not answer" in done.stderr
    assert world.command("peek", "meters", "1", "registers", "0-6").returncode == 2
    assert world.command("peek", "roof", "1", "input", "0-6").returncode == 2
    assert world.stop(reader) == 0


def test_try_says_how_good_the_numbers_of_a_model_are(world: World) -> None:
    thermometer = SimulatedUnit(2, input={1: 0x0131, 2: 0x0222})
    with SimulatedBus({2: thermometer}, LINE) as bus:
        head, _, _ = site_text(bus, 5683).partition("[[bus.meters.sensor]]")
        sensor = '[[bus.meters.sensor]]\nname = "hall"\naddress = 2\nmodel = "xy-md02"\nevery = "1s"\n'
        world.write(head + sensor, {})
        answer = json.loads(world.command("try", "hall", "--json").stdout)
        assert answer["values"] == {"temperature": 30.5, "humidity": 54.6}
        assert answer["model"] == {"name": "xy-md02", "evidence": "A, an exchange with a real device"}
        assert "model xy-md02: evidence A, an exchange" in world.command("try", "hall").stdout
