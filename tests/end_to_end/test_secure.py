"""coaps as a whole: by token and by certificate, over a bad link, and with the real command."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.simulator.field.sensors import SimulatedBus
from bridge.simulator.server.dtls import Secure
from bridge.simulator.server.stand_in import StandIn
from tests.benchmarks.secure_link import deliver
from tests.end_to_end.conftest import World
from tests.end_to_end.sites import LINE, site_text, units
from tests.support.certificates import Authority

pytestmark = pytest.mark.end_to_end


async def test_a_restart_nobody_announced_and_a_forgotten_certificate_lose_nothing(tmp_path: Path) -> None:
    outcome = await deliver(tmp_path, readings=40, restarts=1, every_s=0.5, loss=0.05)
    assert set(outcome.lost.values()) == {0}
    assert outcome.discrepancies == []
    assert len(outcome.recoveries) == 6


async def test_the_command_delivers_by_token_and_by_certificate(world: World) -> None:
    authority = Authority(world.folder)
    own, device = authority.server(), authority.issue("room")
    secure = Secure(own.certificate, own.key, {device.der: "ROOM"})
    server = StandIn({"T1"}, secure=secure)
    port = await server.start()
    with SimulatedBus(units(), LINE) as bus:
        site = site_text(bus, port).replace(
            f'"coap://127.0.0.1:{port}"', f'"coaps://localhost:{port}"\nca = "{authority.path.name}"'
        )
        world.write(site, {"counter": "T1"})
        with world.credentials.open("a") as file:
            file.write('room = { certificate = "room.pem", key = "room.key" }\n')
        process = world.start("run")
        await world.until(lambda: server.received.entries_of.keys() >= {"T1", "ROOM"})
        device.certificate.unlink()  # whatever happens to it now, the other one must not notice
        secure.close()
        await world.until(lambda: "room.pem" in str(world.status()["uplink"]["holds"].get("room")))
        before = server.received.entries_of["T1"]
        await world.until(lambda: server.received.entries_of["T1"] > before + 5)
        assert world.stop(process) == 0
    await server.stop()
    assert "PRIVATE KEY" not in world.log
