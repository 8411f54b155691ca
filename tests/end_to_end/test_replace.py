"""A meter is exchanged while the site runs: its series goes on, and the change can be read and undone."""

from __future__ import annotations

import json
import tomllib
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from typing import Any

import pytest

from bridge.config import load_site
from bridge.simulator.field.bus import SimulatedBus
from bridge.simulator.server.stand_in import StandIn
from protocols.modbus.rtu import SimulatedUnit
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings
from tests.end_to_end.conftest import World
from tests.support.site import site_head

pytestmark = pytest.mark.end_to_end

TOKEN = "TokenMeter4711"
SITE = """
[[bus.meters.sensor]]   # in the left cabinet
name = "meter"
address = 1             # DIP switches: 0000001
every = "100ms"
[bus.meters.sensor.registers]
import_energy = { holding = 0, type = "uint32", divide = 10, unit = "kWh" }
voltage = { holding = 2, divide = 10, unit = "V" }
energy_today = { holding = 3, divide = 10, unit = "kWh" }

# the tank is read by the same bus
[[bus.meters.sensor]]
name = "tank"
address = 2
every = "1s"
registers = { level = { holding = 0 } }
"""


class Meter(SimulatedUnit):
    """Counts 0.1 kWh with each answer."""

    def __init__(self, address: int, count: int) -> None:
        super().__init__(address)
        self.count = count
        self.holding.update({0: 0, 1: 0, 2: 2301, 3: 55})

    def answer(self, request: Frame) -> bytes | None:
        self.count += 1
        self.holding[0], self.holding[1] = divmod(self.count, 0x10000)
        return super().answer(request)


@pytest.fixture
def bus() -> Iterator[SimulatedBus]:
    tank = SimulatedUnit(2)
    tank.holding[0] = 40
    units = {1: Meter(1, 812_345), 2: tank, 7: Meter(7, 30)}
    with SimulatedBus(units, LineSettings(115200)) as line:
        line.faults[7].silent = 1.0  # not connected yet
        yield line


@pytest.fixture
async def server() -> AsyncIterator[StandIn]:
    found = StandIn([TOKEN])
    await found.start()
    yield found
    await found.stop()


def write(world: World, bus: SimulatedBus, port: int) -> None:
    head = site_head(
        adapter=str(bus.path),
        line="115200 8N1",
        url=f"coap://127.0.0.1:{port}",
        spool="spool.db",
        reply_timeout="100ms",
        retries=0,
    )
    world.write(head.replace("[spool]\n", '[spool]\ncommit_every = "100ms"\n') + SITE, {"meter": TOKEN})


def series(server: StandIn, key: str) -> list[float]:
    points = server.stored.get(TOKEN, {}).get(key, {})
    return [points[ts] for ts in sorted(points)]


def exchange(bus: SimulatedBus) -> None:
    bus.faults[1].silent = 1.0
    bus.faults[7].silent = 0.0


def block(world: World) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(world.site.read_text())["bus"]["meters"]["sensor"][0]
    return found


async def test_the_series_goes_on_without_a_jump(world: World, bus: SimulatedBus, server: StandIn) -> None:
    write(world, bus, server.port)
    before = world.site.read_text()
    process = world.start("run")
    await world.until(lambda: len(series(server, "import_energy")) > 10)
    exchange(bus)
    await world.until(lambda: bus.requests[1] > 0 and world.status()["sensors"]["meter"]["state"] == "silent")
    done = world.command("replace", "meter", "--address", "7", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["before"], document["after"]) == ({"address": 1}, {"address": 7})
    assert set(document["offsets"]) == {"import_energy"}, "the day's energy begins anew with a new meter"
    assert world.stop(process) == 0
    old_end = series(server, "import_energy")[-1]
    count = len(series(server, "import_energy"))

    world.start("run")
    await world.until(lambda: len(series(server, "import_energy")) > count + 10)
    energy = series(server, "import_energy")
    steps = [later - earlier for earlier, later in pairwise(energy)]
    assert max(steps) < 2.0, "no jump"
    assert min(steps) > 0.0, "and none back"
    assert energy[count] > old_end
    assert all(round(value, 1) == value for value in energy), "exact to the digit"
    assert set(series(server, "energy_today")) == {5.5}

    after = world.site.read_text()
    added = [line for line in after.splitlines() if line not in before.splitlines()]
    assert added[0] == "address = 7             # DIP switches: 0000001"
    assert added[1].startswith("offsets.import_energy = { add = ")
    assert len(added) == 2
    assert len(after.splitlines()) == len(before.splitlines()) + 1

    entries = [json.loads(line) for line in (world.folder / "audit.jsonl").read_text().splitlines()]
    assert entries[-1]["command"] == "replace meter"
    changes = {change["what"]: change for change in entries[-1]["changes"]}
    address = changes["site.toml: bus.meters.sensor[meter].address"]
    assert (address["before"], address["after"]) == (1, 7)
    add = changes["site.toml: bus.meters.sensor[meter].offsets.import_energy.add"]
    assert (add["before"], add["after"]) == (None, document["offsets"]["import_energy"]["add"])

    shown = world.command("status", "meter").stdout
    assert f"import_energy goes on where a replaced device ended: {add['after']} kWh added since 20" in shown
    tried = json.loads(world.command("try", "meter", "--json").stdout)
    assert tried["values"]["import_energy"] > old_end
    assert "is added to it since" in tried["remarks"][0]

    world.site.write_text(before)  # the way back, by hand
    assert load_site(world.site).sensors["meter"].offsets == {}


async def test_after_a_restart_the_last_values_are_still_known(
    world: World, bus: SimulatedBus, server: StandIn
) -> None:
    write(world, bus, server.port)
    process = world.start("run")
    await world.until(lambda: len(series(server, "import_energy")) > 3)
    assert world.stop(process) == 0
    last = series(server, "import_energy")[-1]
    exchange(bus)
    for path in (world.folder / "run").rglob("*.json"):
        path.unlink()  # a reboot empties the runtime folder
    asked = bus.requests[1]
    process = world.start("run")  # and the old sensor is dead since
    await world.until(lambda: bus.requests[1] > asked + 3)
    assert world.stop(process) == 0
    for path in (world.folder / "run").rglob("*.json"):
        path.unlink()
    done = world.command("replace", "meter", "--address", "7", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["offsets"]["import_energy"]["last"] >= last


async def test_a_second_exchange_goes_on_from_the_sum(
    world: World, bus: SimulatedBus, server: StandIn
) -> None:
    write(world, bus, server.port)
    exchange(bus)
    done = world.command("replace", "meter", "--address", "7", "--last", "import_energy=5000", "--yes")
    assert done.returncode == 0, done.stderr
    bus.faults[1].silent = 0.0
    done = world.command(
        "replace", "meter", "--address", "1", "--last", "import_energy=6000.5", "--yes", "--json"
    )
    assert done.returncode == 0, done.stderr
    (offset,) = json.loads(done.stdout)["offsets"].values()
    assert offset["first"] + offset["add"] == pytest.approx(6000.5)
    assert world.site.read_text().count("offsets.import_energy") == 1
    assert block(world)["address"] == 1


async def test_where_the_address_stays_and_is_read_nobody_guesses_the_old_count(
    world: World, bus: SimulatedBus, server: StandIn
) -> None:
    write(world, bus, server.port)
    world.start("run")
    await world.until(lambda: len(series(server, "import_energy")) > 3)
    before = world.site.read_text()
    done = world.command("replace", "meter", "--address", "1", "--yes")
    assert done.returncode == 2
    assert "say what the old one showed, --last import_energy=VALUE, or --fresh" in done.stderr
    assert world.site.read_text() == before
    told = world.command(
        "replace", "meter", "--address", "1", "--last", "import_energy=90000", "--yes", "--json"
    )
    assert json.loads(told.stdout)["offsets"]["import_energy"]["last"] == 90000
    done = world.command("replace", "meter", "--address", "1", given="9000\n\n")
    assert done.returncode == 0, done.stderr
    entry = block(world)["offsets"]["import_energy"]
    first = json.loads(json.dumps(entry["add"]))
    assert 0 < 9000 - first - 81_234.5 < 100 or first < 0


async def test_without_a_last_value_the_counters_begin_anew_and_that_is_said(
    world: World, bus: SimulatedBus, server: StandIn
) -> None:
    write(world, bus, server.port)
    exchange(bus)
    done = world.command("replace", "meter", "--address", "7", given="\n")
    assert done.returncode == 0, done.stderr
    assert "these begin anew, because no last value is known: import_energy" in done.stdout
    assert "offsets" not in block(world)
    assert block(world)["address"] == 7
    assert "next: sudo serial-bridge install" in done.stderr


async def test_refused_by_the_person_or_by_the_rules_nothing_is_written(
    world: World, bus: SimulatedBus, server: StandIn
) -> None:
    write(world, bus, server.port)
    before = world.site.read_text()
    exchange(bus)
    assert world.command("replace", "meter", "--address", "7", given="n\n").returncode == 1
    assert world.command("replace", "meter", "--address", "700", "--yes").returncode == 2
    assert world.command("replace", "nobody", "--address", "7", "--yes").returncode == 2
    wrong = world.command("replace", "meter", "--address", "7", "--last", "energy=5", "--yes")
    assert "meter has no value energy; it has: import_energy, voltage, energy_today" in wrong.stderr
    assert world.site.read_text() == before
    assert not (world.folder / "audit.jsonl").exists()


async def test_without_an_address_the_bus_in_service_is_scanned_for_who_is_new(
    world: World, bus: SimulatedBus, server: StandIn
) -> None:
    write(world, bus, server.port)
    world.site.write_text(world.site.read_text().replace('"100ms"', '"1s"'))
    world.start("read", "meters")
    await world.until(lambda: bus.requests[1] > 0)
    exchange(bus)
    done = world.command("replace", "meter", "--addresses", "1-8", "--fresh", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["after"] == {"address": 7}
    assert "address 7" in done.stderr
    assert "address 2" not in done.stderr, "the tank is another sensor"


async def test_a_value_that_looks_like_no_counter_goes_on_if_its_last_value_is_said(
    world: World, bus: SimulatedBus, server: StandIn
) -> None:
    write(world, bus, server.port)
    exchange(bus)
    done = world.command(
        "replace", "meter", "--address", "7", "--last", "energy_today=7.5", "--yes", "--json"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["offsets"]["energy_today"]["add"] == 2.0
