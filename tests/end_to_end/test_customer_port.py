"""The customer port of a smart meter: one telegram, several meters, each to its own device."""

from __future__ import annotations

import json

import pytest

from bridge.simulator.field.free_running import FreeRunningLine
from bridge.simulator.server.stand_in import StandIn
from protocols import load
from tests.end_to_end.conftest import World, newest
from tests.protocols.vectors import vectors

pytestmark = pytest.mark.end_to_end

VALID = (vector for vector in vectors("dsmr") if vector["valid"])
TELEGRAM = next(bytes.fromhex(vector["hex"]) for vector in VALID if vector["device"] == "FLUVIUS_V171")
ELECTRICITY, GAS, WATER = "1SAG3101021605", "37464C4F32313139303333373333", "8SAG1234567890"
SITE = """\
site = "test"

[thingsboard]
url = "coap://127.0.0.1:{port}"

[spool]
path = "{{folder}}/spool.db"
commit_every = "200ms"

[bus.house]
adapter = "{adapter}"
protocol = "dsmr"

[[bus.house.sensor]]
name = "electricity"
id = "{electricity}"
every = "0s"
values = ["import_energy_t2", "voltage_l1"]

[[bus.house.sensor]]
name = "gas"
id = "{gas}"
every = "0s"
"""


async def test_each_meter_of_a_telegram_is_delivered_to_its_own_device(world: World, server: StandIn) -> None:
    server.tokens.update({"T1", "T2"})
    line = load("dsmr").line
    assert line is not None
    with FreeRunningLine(line) as port:
        site = SITE.format(port=server.port, adapter=port.path, electricity=ELECTRICITY, gas=GAS)
        world.write(site, {"electricity": "T1", "gas": "T2"})
        process = world.start("run")

        def is_told() -> bool:
            port.say(TELEGRAM)
            return all(len(server.stored.get(token, {})) for token in ("T1", "T2"))

        await world.until(is_told)
        await world.until(lambda: WATER in json.dumps(world.status()["buses"]))
        listed = world.command("status").stdout
        assert world.stop(process) == 0, world.log
    assert {token: newest(server, token) for token in server.stored} == {
        "T1": {"import_energy_t2": 15.758, "voltage_l1": 234.7},
        "T2": {"volume": 112.384, "measured_at": "2020-05-12T13:45:58+02:00", "valve": 1},
    }
    assert f'heard, not configured: id = "{WATER}"' in listed
