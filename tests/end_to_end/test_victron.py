"""A Victron charger, which has no address, on a pseudo terminal: read by the real command, and delivered."""

from __future__ import annotations

import pytest

from bridge.simulator.field.bus import SimulatedBus
from bridge.simulator.server.stand_in import StandIn
from protocols import load
from protocols.vedirect.simulation import DIALECT, SimulatedDevice
from tests.end_to_end.conftest import World, newest
from tests.end_to_end.lateness import Lateness

pytestmark = pytest.mark.end_to_end

SITE = """\
site = "test"

[thingsboard]
url = "coap://127.0.0.1:{port}"

[spool]
path = "{folder}/spool.db"
commit_every = "200ms"

[bus.solar]
adapter = "{adapter}"
protocol = "vedirect-hex"

[[bus.solar.sensor]]
name = "charger"
every = "200ms"
values = ["charger_voltage", "panel_power", "load_current"]
[bus.solar.sensor.registers]
load_power = {{ register = 0xEDA7, divide = 100, unit = "W" }}
"""


async def test_a_device_without_an_address_is_read_and_delivered(world: World, server: StandIn) -> None:
    server.tokens.add("T1")
    line = load("vedirect-hex").line
    assert line is not None
    charger = SimulatedDevice(
        {0xEDD5: b"\x3c\x0a", 0xEDBC: b"\x40\xe2\x01\x00", 0xEDAD: b"\xff\xff", 0xEDA7: b"\x39\x30\x00\x00"}
    )
    with SimulatedBus({"": charger}, line, dialect=DIALECT) as bus, Lateness().watched() as lateness:
        site = SITE.format(port=server.port, adapter=bus.path, folder=world.folder)
        world.write(site, {"charger": "T1"})
        process = world.start("run")
        await world.until(lambda: len(server.stored.get("T1", {}).get("load_power", ())) > 2)
        told = world.status()["sensors"]["charger"]
        assert world.stop(process) == 0, world.log
    assert newest(server, "T1") == {"charger_voltage": 26.2, "panel_power": 1234.56, "load_power": 123.45}
    assert told["state"] == "partly"
    assert told["timeouts"] + told["incomplete"] <= lateness.excuses(bus.served)
    assert list(told["left_out"]) == ["load_current"], "it says that it has none"
