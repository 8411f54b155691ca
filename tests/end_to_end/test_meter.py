"""DL/T 645 meters on a pseudo terminal, read by the real command and delivered to the stand-in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bridge.simulator.field.bus import SimulatedBus
from bridge.simulator.server.stand_in import StandIn
from protocols import load
from protocols.dlt645.frame import ANY_ADDRESS
from protocols.dlt645.simulation import DIALECT, SimulatedMeter
from tests.end_to_end.conftest import World, newest

pytestmark = pytest.mark.end_to_end

FLAT, SHOP = "002311905387", "123456789012"
SITE = """\
site = "test"

[thingsboard]
url = "coap://127.0.0.1:{port}"

[spool]
path = "{{folder}}/spool.db"
commit_every = "200ms"

[bus.house]
adapter = "{adapter}"
protocol = "dlt645"

[[bus.house.sensor]]
name = "flat"
address = "{flat}"
every = "1s"
values = ["energy_import", "voltage_a", "active_power", "time"]

[[bus.house.sensor]]
name = "shop"
address = "123456789012"
every = "1s"
values = ["voltage_a", "frequency"]
[bus.house.sensor.identifiers]
serial = {{{{ di = "04000403", format = "NNNNNNNN" }}}}
"""


@pytest.fixture
def bus() -> Iterator[SimulatedBus]:
    flat = SimulatedMeter(FLAT, preamble=0)
    flat.put("energy_import", 1234.56)
    flat.put("voltage_a", 230.5)
    flat.put("active_power", -0.125)
    flat.put("time", "23:59:58")
    shop = SimulatedMeter(SHOP, most=3)
    shop.put("voltage_a", 229.9)
    shop.data["04000403"] = bytes.fromhex("78563412")  # longer than this meter sends at once
    line = load("dlt645").line
    assert line is not None
    with SimulatedBus({FLAT: flat, SHOP: shop}, line, dialect=DIALECT) as found:
        yield found


def site_text(bus: SimulatedBus, port: int, world: World, flat: str = FLAT) -> str:
    return SITE.format(port=port, adapter=bus.path, flat=flat).format(folder=world.folder)


async def test_two_meters_on_one_line_are_delivered_to_two_devices(
    world: World, server: StandIn, bus: SimulatedBus
) -> None:
    server.tokens.update({"T1", "T2"})
    world.write(site_text(bus, server.port, world), {"flat": "T1", "shop": "T2"})
    process = world.start("run")
    for token, last in ("T1", "time"), ("T2", "serial"):
        await world.until(lambda token=token, last=last: len(server.stored.get(token, {}).get(last, ())) > 2)
    sensors = world.status()["sensors"]
    assert world.stop(process) == 0, world.log
    assert {token: newest(server, token) for token in server.stored} == {
        "T1": {"energy_import": 1234.56, "voltage_a": 230.5, "active_power": -0.125, "time": "23:59:58"},
        "T2": {"voltage_a": 229.9, "serial": 12345678},  # to ThingsBoard a text of digits is a number
    }
    assert [sensors[name]["crc_errors"] for name in ("flat", "shop")] == [0, 0]
    assert sensors["shop"]["exceptions"] > 0  # it has no frequency


def test_try_reads_the_only_meter_of_a_line_whatever_its_address(world: World, bus: SimulatedBus) -> None:
    del bus.units[SHOP]
    site, _, _ = site_text(bus, 5683, world, ANY_ADDRESS).partition('\n[[bus.house.sensor]]\nname = "shop"')
    world.write(site, {})
    done = world.command("try", "flat")
    assert done.returncode == 0, done.stderr
    assert "230.5 V" in done.stdout
    bus.faults[FLAT].wrong_unit = 1.0
    world.write(site_text(bus, 5683, world), {})
    assert world.command("try", "flat").returncode == 1, "another meter answered"


def test_check_needs_no_line_and_names_every_mistake(world: World, bus: SimulatedBus) -> None:
    good = site_text(bus, 5683, world)
    world.write(good, {})
    checked = world.command("check")
    assert checked.returncode == 0, checked.stderr
    assert "dlt645 at 2400 8E1" in checked.stdout
    world.write(
        good.replace('"voltage_a", "active_power"', '"voltage"').replace('= "123456789012"', "= 12"), {}
    )
    done = world.command("check")
    assert done.returncode == 2
    assert 'values[2]: unknown value "voltage"' in done.stderr
    assert '12 is a number, write the digits on the meter in quotes: "000000000012"' in done.stderr
