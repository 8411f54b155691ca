"""The sensors that docs/protocols.md describes in site.toml alone, read by the real command and delivered."""

from __future__ import annotations

import asyncio
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.simulator.field.bus import SimulatedBus
from bridge.simulator.field.free_running import FreeRunningLine
from bridge.simulator.server.stand_in import StandIn
from protocols.declared import declaration
from protocols.declared.simulation import SimulatedSensor, dialect
from protocols.toolkit.polling import LineSettings
from tests.end_to_end.conftest import World, newest
from tests.protocols.vectors import vectors
from tests.support.pages import BLOCKS

pytestmark = pytest.mark.end_to_end

DUST, TANKS = (
    next(block for block in BLOCKS if block.startswith(f"[bus.{name}]")) for name in ("dust", "tanks")
)
REPORT = next(vector for vector in vectors("plantower") if vector["origin"] == "captured" and vector["valid"])
HEAD = """\
site = "test"

[thingsboard]
url = "coap://127.0.0.1:PORT"

[spool]
path = "{folder}/spool.db"
commit_every = "200ms"

"""


@pytest.fixture
def tanks() -> Iterator[SimulatedBus]:
    table = tomllib.loads(TANKS)["bus"]["tanks"]
    declared = declaration({key: table[key] for key in ("frame", "request")})
    units = {
        "1": SimulatedSensor(declared, "1", level=1234, temperature=-5, pump=0x01, leak=0x01),
        "2": SimulatedSensor(declared, "2", level=0xFFFF, temperature=215, pump=0x80, leak=0x80),
    }
    with SimulatedBus(units, LineSettings.parse(table["line"]), dialect=dialect(declared)) as found:
        yield found


def site(block: str, adapter: Path, port: int) -> str:
    """Return the file with one block of README, on this device and for this server."""
    return HEAD.replace("PORT", str(port)) + re.sub('adapter = ".*?"', f'adapter = "{adapter}"', block)


async def test_two_probes_are_asked_and_delivered_to_two_devices(
    world: World, server: StandIn, tanks: SimulatedBus
) -> None:
    server.tokens.update({"T1", "T2"})
    world.write(site(TANKS, tanks.path, server.port), {"rain-water": "T1", "well": "T2"})
    tanks.faults["2"].wrong_unit = 0.2  # a frame with another's id: not believed
    process = world.start("run")
    for token in ("T1", "T2"):
        await world.until(lambda token=token: len(server.stored.get(token, {}).get("leak", ())) > 2)
    sensors = world.status()["sensors"]
    assert world.stop(process) == 0, world.log
    told = {
        token: {key: set(series.values()) for key, series in keys.items()}
        for token, keys in server.stored.items()
    }
    assert told == {
        "T1": {"level": {1.234}, "temperature": {-0.5}, "pump": {"on"}, "leak": {False}},
        "T2": {"temperature": {21.5}, "pump": {"off"}, "leak": {True}},  # it has no level yet
    }
    assert [sensors[name]["state"] for name in ("rain-water", "well")] == ["ok", "ok"]


async def test_the_dust_sensor_is_heard(world: World, server: StandIn) -> None:
    server.tokens.add("T1")
    with FreeRunningLine(LineSettings(9600)) as line:
        world.write(site(DUST, line.path, server.port).replace('"10s"', '"0s"'), {"dust": "T1"})
        process = world.start("run")
        await world.until(lambda: world.status()["buses"]["dust"]["state"] == "ready")
        await asyncio.to_thread(line.say, bytes.fromhex(REPORT["hex"]))
        await world.until(lambda: len(newest(server, "T1")) == 12)
        assert world.stop(process) == 0, world.log
    latest = newest(server, "T1")
    assert latest["pm2_5"] == REPORT["expected"]["pm25"]
    assert latest["particles_0_3"] == REPORT["expected"]["n0_3_raw"]


def test_check_plans_try_asks_and_decode_reads_by_the_site_file(world: World, tanks: SimulatedBus) -> None:
    world.write(site(TANKS, tanks.path, 5683), {})
    checked = world.command("check", "--plan")
    assert checked.returncode == 0, checked.stderr
    assert re.search(r"id 2: aa 02 01 [0-9a-f]{2} [0-9a-f]{2}$", checked.stdout, re.MULTILINE)
    tried = world.command("try", "rain-water")
    assert tried.returncode == 0, tried.stderr
    assert "1.234 m" in tried.stdout
    (served,) = tanks.served
    stream = f"{served.request.hex()}{served.reply.hex()}\nff\n"
    decoded = world.command("decode", "declared", "-", "--bus", "tanks", "--json", given=stream)
    request, reply, noise = map(json.loads, decoded.stdout.splitlines())
    assert request["fields"] == {"request": "1"}
    assert reply["fields"]["values"] == {"level": 1.234, "temperature": -0.5, "pump": "on", "leak": False}
    assert noise == {"stream": 1, "offset": 0, "noise": "ff", "reason": "noise"}
    assert world.command("decode", "--bus", "tanks", served.reply.hex()).stdout.count("values={") == 1
    alone = world.command("decode", "declared", "00")
    assert alone.returncode == 2
    assert alone.stderr.count("\n") == 1
    assert "name the bus that declares them" in alone.stderr
