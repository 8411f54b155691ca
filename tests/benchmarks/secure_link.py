"""coaps over a bad link: nothing lost, and how soon all is well after a restart that nobody announced.

Three sensors with a token and three with a certificate deliver through loss each way; the stand-in restarts
without a word, and forgets which certificates it was shown. A sensor has recovered with its first reading
accepted after that.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bridge.clock import Instant
from bridge.config import (
    Bus,
    Certificate,
    Credentials,
    Sensor,
    Site,
    SpoolSettings,
    ThingsBoard,
    Token,
)
from bridge.simulator.server.dtls import Secure
from bridge.simulator.server.stand_in import StandIn
from bridge.spool import Reading, SpoolAdmin
from bridge.thingsboard import encode_values
from bridge.uplink import Uplink, connect
from tests.support.certificates import Authority
from tests.support.tables import bare

SENSORS = tuple("abcdef")  # the first three by token, the others by certificate
T0 = 1_700_000_000_000
DRAINED_WITHIN_S = 120.0
MEDIAN_S, MOST_S = 10.0, 30.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """Readings that never arrived, of each sensor; seconds to recover from each restart, of each sensor."""

    readings: int
    lost: dict[str, int]
    recoveries: list[float]
    discrepancies: list[str]


async def deliver(folder: Path, *, readings: int, restarts: int, every_s: float, loss: float) -> Outcome:
    """Deliver at least so many readings of each sensor.

    Args:
        restarts: without notice, one after the other; after each the certificates are forgotten once more.
        every_s: how often every sensor is read; after the last restart the rest comes at once.
    """
    authority = Authority(folder)
    own = authority.server()
    devices = {name: authority.issue(name) for name in SENSORS[3:]}
    secure = Secure(own.certificate, own.key, {issued.der: name for name, issued in devices.items()})
    server = StandIn(SENSORS[:3], secure=secure)
    port = await server.start()
    certificates = {
        name: Certificate(certificate=issued.certificate, key=issued.key) for name, issued in devices.items()
    }
    credentials = Credentials({**{name: Token(name) for name in SENSORS[:3]}, **certificates})
    site = _site(folder, port, authority.path)
    client, own_clients = connect(site.thingsboard, certificates.values())
    spool = SpoolAdmin.open(site.spool.path)
    uplink = Uplink(
        site.spool.path,
        site,
        credentials,
        client=client,
        own_clients=own_clients,
        publish=lambda _document: None,
    )
    server.faults.loss_in = server.faults.loss_out = loss
    taken = 0

    def read() -> None:
        nonlocal taken
        spool.add([_reading(name, taken) for name in SENSORS])
        taken += 1

    async def read_on() -> None:
        while True:
            read()
            await asyncio.sleep(every_s)

    async with asyncio.TaskGroup() as tasks:
        jobs = [tasks.create_task(uplink.run()), tasks.create_task(read_on())]
        recoveries: list[float] = []
        await _recovered(server, 0.0)
        for _ in range(restarts):
            server.forget()
            recoveries += await _recovered(server, time.monotonic())
            secure.forget_sessions()
            await _recovered(server, time.monotonic())
        jobs[1].cancel()
        while taken < readings:
            read()
        with contextlib.suppress(TimeoutError):
            await _until(lambda: not any(each.queued for each in spool.ledger().values()), DRAINED_WITHIN_S)
        jobs[0].cancel()
    for each in (client, *own_clients.values()):
        await each.close()
    await server.stop()
    discrepancies = spool.audit()
    spool.close()
    expected = set(range(taken))
    lost = {name: len(expected - _stored(server, name)) for name in SENSORS}
    return Outcome(taken * len(SENSORS), lost, recoveries, discrepancies)


async def _recovered(server: StandIn, since: float) -> list[float]:
    """Wait until every sensor had a reading accepted since then; how long each took."""
    found: dict[str, float] = {}
    seen = len(server.arrivals) if since else 0

    def all_have() -> bool:
        nonlocal seen
        for arrival in server.arrivals[seen:]:
            if arrival.at >= since:
                found.setdefault(arrival.token, arrival.at - since)
        seen = len(server.arrivals)
        return len(found) == len(SENSORS)

    await _until(all_have, DRAINED_WITHIN_S)
    return list(found.values())


async def _until(claim: Callable[[], bool], within_s: float) -> None:
    async with asyncio.timeout(within_s):
        while not claim():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.02)


def _site(folder: Path, port: int, ca: Path) -> Site:
    bus = bare(Bus, sensors=tuple(bare(Sensor, name=name) for name in SENSORS))
    return bare(
        Site,
        thingsboard=ThingsBoard(url=f"coaps://127.0.0.1:{port}", ca=ca),
        spool=SpoolSettings(path=folder / "spool.db", limit=100_000_000, commit_every_s=0.5),
        buses={"meters": bus},
    )


def _reading(sensor: str, number: int) -> Reading:
    body, points = encode_values({"number": number, "voltage": 230.1})
    return Reading(sensor, Instant("boot", number), T0 + number, body, points)


def _stored(server: StandIn, name: str) -> set[int]:
    held = server.stored.get(name, {}).get("number", {})
    return {number for ts_ms, number in held.items() if isinstance(number, int) and ts_ms == T0 + number}


def main(readings: int = 167, restarts: int = 12, every_s: float = 0.5, loss: float = 0.05) -> int:
    """Print the figures; 1 if a bound is exceeded."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = asyncio.run(
            deliver(Path(folder), readings=readings, restarts=restarts, every_s=every_s, loss=loss)
        )
    lost = sum(outcome.lost.values())
    median, most = statistics.median(outcome.recoveries), max(outcome.recoveries)
    print(
        f"  {outcome.readings} readings, {100 * loss:g} % loss each way, {restarts} restarts: {lost} lost, "
        f"recovered in {median:.1f} s in the median (at most {MEDIAN_S:g}), {most:.1f} s at most ({MOST_S:g})"
    )
    return int(lost > 0 or bool(outcome.discrepancies) or median > MEDIAN_S or most > MOST_S)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, default=167, help="of each of the six sensors")
    parser.add_argument("--restarts", type=int, default=12)
    parser.add_argument("--every-s", type=float, default=0.5)
    parser.add_argument("--loss", type=float, default=0.05)
    sys.exit(main(**vars(parser.parse_args())))
