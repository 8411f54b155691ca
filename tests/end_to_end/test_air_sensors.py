"""Sensirion sensors on a pseudo terminal, idle and asleep, read by the real command and delivered."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bridge.simulator.field.bus import SimulatedBus
from bridge.simulator.server.stand_in import StandIn
from protocols import load
from protocols.shdlc.models import MODELS
from protocols.shdlc.simulation import DIALECT, Mode, SimulatedSensor
from tests.end_to_end.conftest import World, newest

pytestmark = pytest.mark.end_to_end

DUST = {each.name: 1.5 + index for index, each in enumerate(MODELS["sps30"].quantities)}
AIR = {"humidity": 45.67, "temperature": 23.115, "voc_index": 100.5, "nox_index": 1.0}
SITE = """\
site = "test"

[thingsboard]
url = "coap://127.0.0.1:{port}"

[spool]
path = "{{folder}}/spool.db"
commit_every = "200ms"

[bus.air]
adapter = "{adapter}"
protocol = "shdlc"

[[bus.air.sensor]]
name = "dust"
model = "sps30"
every = "500ms"

[[bus.air.sensor]]
name = "office"
model = "svm41"
address = 1
every = "500ms"
values = ["serial_number", "temperature", "voc_index"]
"""


@pytest.fixture
def bus() -> Iterator[SimulatedBus]:
    dust = SimulatedSensor(MODELS["sps30"], DUST, mode=Mode.ASLEEP)
    office = SimulatedSensor(MODELS["svm41"], AIR, address=1)
    line = load("shdlc").line
    assert line is not None
    with SimulatedBus({0: dust, 1: office}, line, dialect=DIALECT) as found:
        yield found


async def test_sensors_are_woken_started_and_delivered(
    world: World, server: StandIn, bus: SimulatedBus
) -> None:
    server.tokens.update({"T1", "T2"})
    world.write(SITE.format(port=server.port, adapter=bus.path), {"dust": "T1", "office": "T2"})
    process = world.start("run")
    for token, key in ("T1", "pm2_5"), ("T2", "voc_index"):
        await world.until(lambda token=token, key=key: len(server.stored.get(token, {}).get(key, ())) > 2)
    sensors = world.status()["sensors"]
    assert world.stop(process) == 0, world.log
    assert {token: newest(server, token) for token in server.stored} == {
        "T1": DUST | {"device_error": False},
        "T2": {"serial_number": "8E4A6A5B11D0C3B2", "temperature": 23.115, "voc_index": 100.5},
    }
    assert [sensors[name]["crc_errors"] for name in ("dust", "office")] == [0, 0]
    assert sensors["office"]["exception_codes"] == {"67": 1}  # it was idle, and said so once


def test_try_says_what_it_did_about_an_idle_sensor(world: World, bus: SimulatedBus) -> None:
    world.write(SITE.format(port=5683, adapter=bus.path), {})
    started = world.command("try", "office")
    assert started.returncode == 1, "it had no value yet"
    assert "not allowed in the current state; the measurement was started" in started.stdout
    assert "23.115 °C" in world.command("try", "office").stdout
