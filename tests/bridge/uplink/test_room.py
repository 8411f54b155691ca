"""Whether readings leave room for something else, asked of the real uplink."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from bridge.coap import Client
from bridge.config import Bus, Credentials, Sensor, Site, SpoolSettings, ThingsBoard, Token
from bridge.simulator.server.stand_in import StandIn
from bridge.spool import Spool
from bridge.uplink import Uplink
from bridge.uplink.beside_readings import BesideReadings, Device
from tests.bridge.uplink.test_service import QUICK, readings, until
from tests.support.tables import bare

NAMES = [f"sensor-{number}" for number in range(12)]


async def test_a_report_goes_behind_live_readings_and_a_silent_server_is_left_alone(tmp_path: Path) -> None:
    server = StandIn([*NAMES, "gate"])
    await server.start()
    server.faults.answer_s = (0.1, 0.2)
    path = tmp_path / "spool.db"
    spool = Spool.open(path)
    bus = bare(Bus, sensors=tuple(bare(Sensor, name=name) for name in NAMES))
    site = bare(
        Site,
        thingsboard=ThingsBoard(url=f"coap://127.0.0.1:{server.port}"),
        spool=SpoolSettings(path=path, limit=100_000_000, commit_every_s=0.05),
        buses={"meters": bus},
    )
    credentials = Credentials({name: Token(name) for name in NAMES})
    async with Client("127.0.0.1", server.port, lanes=2, rate=None, ack_timeout_s=0.05) as client:
        uplink = Uplink(path, site, credentials, client=client, publish=lambda document: None, pace=QUICK)
        assert not uplink.has_live_to_send()
        task = asyncio.create_task(uplink.run())
        await asyncio.sleep(0.1)
        for name in NAMES:
            spool.add(readings(name, [1]))
        await until(uplink.has_live_to_send)
        gate = Device(client, ("api", "v1", "gate"))
        assert await BesideReadings(uplink).post(gate, "telemetry", b'{"x":1}')
        order = [post.token for post in server.posts]
        assert order.index("gate") >= len(NAMES) - client.lanes, "only what is in flight may be overtaken"
        assert uplink.are_sent_by(client)
        server.cut()
        spool.add(readings(NAMES[0], [2]))
        await until(lambda: uplink.is_silent(client))
        assert not await BesideReadings(uplink).post(gate, "telemetry", b'{"x":2}')
        server.restore()
        await until(lambda: not uplink.is_silent(client))
        assert await BesideReadings(uplink).post(gate, "telemetry", b'{"x":3}')
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    spool.close()
    await server.stop()
