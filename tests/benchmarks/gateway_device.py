"""What the gateway's own device costs: messages and bytes a day, and what readings lose by it.

    python -m tests.benchmarks.gateway_device

The day is played on a clock that jumps, for sites of 10 and 100 sensors, in which every sensor dies and
returns once and the shares of errors move all the time. The latency of readings is measured on loopback,
against a stand-in that answers late and scattered, with a gateway device that reports sixty times as often as
it really does.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bridge.clock import Instant
from bridge.clock.kernel_clock import system_clock
from bridge.coap import Client, Stats
from bridge.config import Bus, ClockSettings, Credentials, Sensor, Site, SpoolSettings, ThingsBoard, Token
from bridge.response_code import ResponseCode
from bridge.simulator.server.stand_in import StandIn
from bridge.spool import Reading, Spool
from bridge.status.gateway_report import SpoolFigures
from bridge.status.runtime import UPLINK, Runtime
from bridge.thingsboard import encode_values
from bridge.uplink import Uplink, gateway_device
from bridge.uplink.beside_readings import MOST_PER_S, SHARE, BesideReadings, Device
from bridge.uplink.gateway_device import GatewayDevice
from bridge.uplink.self_reports import self_reports
from tests.faults.activity import InlineLoop
from tests.support.tables import bare

DAY_S = 86_400
BUDGET_A_DAY = SHARE * MOST_PER_S * DAY_S  # messages
HEADER_BYTES = 60  # IPv4, UDP, CoAP with a token of 20 characters
_MOVES_EVERY_S = 10.0


@dataclass
class Cost:
    """Messages and bytes of payload in a day, and the busiest minute."""

    messages: int = 0
    payload: int = 0
    by_minute: dict[int, int] = field(default_factory=dict)


class _Counting:
    """A client that counts what is posted, of a server that accepts all; no reading is on its way."""

    lanes = 4

    def __init__(self) -> None:
        self.cost = Cost()

    @property
    def stats(self) -> Stats:
        return Stats(0, {}, 0, 0, self.lanes, 0.05, None)

    async def post(self, path: Sequence[str], payload: bytes, *, at_once: bool = False) -> Any:
        await asyncio.sleep(0.05)
        self.cost.messages += 1
        self.cost.payload += len(payload)
        minute = int(asyncio.get_running_loop().time() // 60)
        self.cost.by_minute[minute] = self.cost.by_minute.get(minute, 0) + 1
        return type("Created", (), {"code": ResponseCode("2.01")})

    def budget(self, path: Sequence[str]) -> int:
        return 1024

    def has_live_to_send(self) -> bool:
        return False

    def is_silent(self, client: object) -> bool:
        return False

    def are_sent_by(self, client: object) -> bool:
        return True


def a_day(sensors: int, hours: float = 24.0) -> Cost:
    """Return what a site of so many sensors reports in a day."""

    async def play(folder: Path) -> Cost:
        chance = random.Random(1)
        names = [f"sensor-{number:03}" for number in range(sensors)]
        client, runtime = _Counting(), Runtime(folder / "spool.db")
        job = GatewayDevice(
            _site(folder, names),
            Device(client, ("api", "v1", "G" * 20)),  # type: ignore[arg-type]
            BesideReadings(client),  # type: ignore[arg-type]
            runtime=runtime,
            clock=system_clock("system"),
            publish=lambda document: None,
            read_spool=lambda: SpoolFigures(
                *(chance.randrange(10**6) for _ in range(6)),
                oldest_age_s=chance.randrange(60),
                bytes=chance.randrange(10**6),
                limit=10**9,
                disk_free_bytes=chance.randrange(10**9),
            ),
        )
        task = asyncio.create_task(job.run())
        begun = asyncio.get_running_loop().time()
        dead = {name: sorted(chance.uniform(0, hours * 3600) for _ in range(2)) for name in names}
        requests, timeouts = 0, dict.fromkeys(names, 0)
        while (elapsed_s := asyncio.get_running_loop().time() - begun) < hours * 3600:
            requests += 1
            for name in names:
                timeouts[name] += chance.random() < 0.01
            counts = {
                name: {
                    "state": "silent" if dead[name][0] <= elapsed_s < dead[name][1] else "ok",
                    "last_ts": time.time_ns() // 1_000_000,
                    "requests": requests,
                    "timeouts": timeouts[name],
                }
                for name in names
            }
            line = {"wire_share": round(chance.uniform(0.2, 0.3), 4)}
            document = {"bus": "meters", "state": "ready", "sensors": counts, "line": line}
            runtime.publish("bus-meters", document)
            await asyncio.sleep(_MOVES_EVERY_S)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return client.cost

    with tempfile.TemporaryDirectory() as name, asyncio.Runner(loop_factory=InlineLoop) as runner:
        os.environ["RUNTIME_DIRECTORY"] = f"{name}/run"
        return runner.run(play(Path(name)))


async def _latencies(folder: Path, sensors: int, seconds: float, *, is_reporting: bool) -> list[float]:
    """Return how long each reading took from the spool to the server, in milliseconds."""
    names = [f"sensor-{number:03}" for number in range(sensors)]
    server = StandIn([*names, "gate"])
    await server.start()
    server.faults.answer_s = (0.005, 0.05)
    site = _site(folder, names, server.port, gateway="gate" if is_reporting else None)
    spool, runtime = Spool.open(site.spool.path), Runtime(site.spool.path)
    added: dict[tuple[str, int], float] = {}
    credentials = Credentials({name: Token(name) for name in (*names, "gate")})
    async with Client("127.0.0.1", server.port) as client:
        uplink = Uplink(
            site.spool.path, site, credentials, client=client, publish=partial(runtime.publish, UPLINK)
        )
        reports = self_reports(site, credentials, uplink, runtime=runtime, client=client, own_clients={})
        tasks = [asyncio.create_task(uplink.run())]
        tasks += [asyncio.ensure_future(job()) for _, job in reports]
        ts_ms = 1_700_000_000_000
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            ts_ms += 1
            body, points = encode_values({"voltage": 230.1, "current": 1.2})
            rows = [Reading(name, Instant("boot", 1), ts_ms, body, points) for name in names]
            await asyncio.to_thread(spool.add, rows)
            added |= dict.fromkeys(((name, ts_ms) for name in names), time.monotonic())
            counts = {name: {"state": "ok", "last_ts": ts_ms, "requests": ts_ms % 10**6} for name in names}
            runtime.publish("bus-meters", {"bus": "meters", "state": "ready", "sensors": counts, "line": {}})
            await asyncio.sleep(1.0)
        await asyncio.sleep(3.0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await server.stop()
    spool.close()
    arrivals = [(each.token, each.ts_ms, each.at) for each in server.arrivals if each.token != "gate"]
    if is_reporting:
        reports_seen = sum(each.token == "gate" for each in server.arrivals)
        print(f"    {reports_seen} messages of the gateway's device in {seconds:.0f} s")
    return [1000 * (at - added[token, ts_ms]) for token, ts_ms, at in arrivals]


def _site(folder: Path, names: Sequence[str], port: int = 5683, gateway: str | None = "gate") -> Site:
    sensors = tuple(bare(Sensor, name=name, bus="meters") for name in names)
    return bare(
        Site,
        name="bench",
        thingsboard=ThingsBoard(url=f"coap://127.0.0.1:{port}", gateway=gateway),
        spool=SpoolSettings(path=folder / "spool.db", limit=100_000_000, commit_every_s=2.0),
        clock=ClockSettings(),
        buses={"meters": bare(Bus, name="meters", sensors=sensors)},
    )


def main(hours: float = 24.0, seconds: float = 40.0) -> None:
    for sensors in (10, 100):
        cost = a_day(sensors, hours)
        factor = 24 / hours
        messages, payload = cost.messages * factor, cost.payload * factor
        on_wire = payload + messages * HEADER_BYTES
        print(
            f"  {sensors:>3} sensors: {messages:.0f} messages a day, {payload / 1e3:.0f} kB of payload, "
            f"{on_wire / 1e3:.0f} kB sent; {messages / BUDGET_A_DAY:.1%} of the 1 % that is allowed; "
            f"busiest minute {max(cost.by_minute.values())}"
        )
    gateway_device.LOOK_EVERY_S = gateway_device.REPORT_EVERY_S = 1.0  # type: ignore[misc]
    for is_reporting in (False, True, False, True):
        with tempfile.TemporaryDirectory() as name:
            os.environ["RUNTIME_DIRECTORY"] = f"{name}/run"
            times = asyncio.run(_latencies(Path(name), 50, seconds, is_reporting=is_reporting))
        marks = statistics.quantiles(times, n=100)
        print(
            f"  readings {'beside a gateway device' if is_reporting else 'alone':<24}"
            f"{len(times)} delivered, p50 {marks[49]:.0f} ms, p90 {marks[89]:.0f} ms, p99 {marks[98]:.0f} ms"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0, help="of the day that is played")
    parser.add_argument("--seconds", type=float, default=40.0, help="of each measurement of latency")
    main(**vars(parser.parse_args()))
