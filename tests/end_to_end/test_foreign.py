"""Peers that nobody here wrote: pymodbus as the sensor, libcoap as the server."""

from __future__ import annotations

import json

import pytest

from bridge import coap
from bridge.simulator.field.sensors import SimulatedBus
from bridge.simulator.server.stand_in import StandIn
from tests.end_to_end.conftest import World, newest
from tests.end_to_end.sites import LINE, site_text, units
from tests.support.foreign import libcoap_server, pymodbus_sensor
from tests.support.lines import PtyPump

pytestmark = pytest.mark.end_to_end


async def test_a_foreign_server_takes_the_readings(world: World) -> None:
    with libcoap_server() as port, SimulatedBus(units(), LINE) as bus:
        world.write(site_text(bus, port), {"counter": "T1", "room": "T2"})
        process = world.start("run")
        await world.until(lambda: world.status()["sensors"]["counter"]["delivered"] > 10)
        assert world.stop(process) == 0
        client = coap.Client("127.0.0.1", port)
        try:
            last = await client.get(("api", "v1", "T1", "telemetry"))
        finally:
            await client.close()
    assert last.code == "2.05"
    (*_, entry) = json.loads(last.payload)
    assert entry["values"] == {"count": entry["values"]["count"], "zero": 0, "temperature": 23.4}


FOREIGN_SENSOR = """\
site = "test"

[thingsboard]
url = "coap://127.0.0.1:{port}"

[spool]
path = "{{folder}}/spool.db"
commit_every = "200ms"

[bus.meters]
adapter = "{adapter}"
protocol = "modbus-{mode}"
line = "19200 8N1"

[[bus.meters.sensor]]
name = "foreign"
address = 1
every = "200ms"
[bus.meters.sensor.registers]
temperature = {{{{ holding = 0, type = "float32" }}}}
zero = {{{{ holding = 2, type = "uint16" }}}}
below = {{{{ modicon = 40004, type = "int16", divide = 10 }}}}
total = {{{{ holding = 4, type = "uint32" }}}}
voltage = {{{{ input = 0, type = "uint16", divide = 10 }}}}
frequency = {{{{ input = 1, type = "uint16", divide = 10 }}}}
relay = {{{{ coil = 2 }}}}
alarm = {{{{ discrete = 1 }}}}
"""


@pytest.mark.parametrize("mode", ["rtu", "ascii"])
async def test_a_foreign_sensor_is_read(world: World, server: StandIn, mode: str) -> None:
    server.tokens.add("T1")
    with PtyPump() as cable, pymodbus_sensor(cable.far, 19200, mode):
        world.write(
            FOREIGN_SENSOR.format(port=server.port, adapter=cable.near, mode=mode).format(
                folder=world.folder
            ),
            {"foreign": "T1"},
        )
        process = world.start("run")
        await world.until(lambda: len(server.stored.get("T1", {}).get("alarm", ())) > 5)
        sensor = world.status()["sensors"]["foreign"]
        assert world.stop(process) == 0
    assert newest(server, "T1") == {
        "temperature": 23.4,
        "zero": 0,
        "below": -1.0,
        "total": 123456,
        "voltage": 230.1,
        "frequency": 50.2,
        "relay": True,
        "alarm": False,
    }
    assert sensor["state"] == "ok"
    assert sensor["crc_errors"] == sensor["exceptions"] == 0
