"""coaps against coap: CPU per POST, and the memory of an uplink over 10,000 requests and 500 handshakes."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from contextlib import closing
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from bridge.clock import Instant
from bridge.coap import Client
from bridge.coap.dtls import DTLS
from bridge.coap.trust import Trust
from bridge.simulator.server.dtls import Secure
from bridge.simulator.server.stand_in import StandIn
from bridge.spool import Reading, Spool
from bridge.thingsboard import encode_values
from tests.benchmarks.services import rss_mb
from tests.support.certificates import Authority

MOST_RATIO, MOST_MB, MOST_GROWTH_MB = 2.0, 56.0, 3.0
TOKEN = ("api", "v1", "T", "telemetry")
BODY = b"[%b]" % b",".join(b'{"ts":179000000%04d,"values":{"voltage":230.1}}' % n for n in range(15))
BLOCK = 200  # posts of one kind before the other's turn
SITE = """\
site = "bench"
[thingsboard]
url = "coaps://127.0.0.1:{port}"
ca = "authority.pem"
lanes = 8
[spool]
path = "spool.db"
[bus.meters]
adapter = "/dev/ttyUSB0"
protocol = "modbus-rtu"
line = "9600 8N1"
[[bus.meters.sensor]]
name = "token"
address = 1
every = "1m"
registers = {{ voltage = {{ holding = 0, type = "uint16" }} }}
[[bus.meters.sensor]]
name = "certificate"
address = 2
every = "1m"
registers = {{ voltage = {{ holding = 0, type = "uint16" }} }}
"""


def main(posts: int = 4000, requests: int = 10_000, handshakes: int = 500) -> int:
    """Print the figures; 1 if a bound is exceeded."""
    with tempfile.TemporaryDirectory() as folder:
        plain_us, secure_us = asyncio.run(_cpu(Path(folder), posts))
    ratio = secure_us / plain_us
    print(
        f"  CPU per POST: {plain_us:.0f} µs plain, {secure_us:.0f} µs encrypted: "
        f"{ratio:.2f} × (at most {MOST_RATIO:g})"
    )
    with tempfile.TemporaryDirectory() as folder:
        first_mb, last_mb, done = asyncio.run(_memory(Path(folder), requests, handshakes))
    print(
        f"  uplink over {done} handshakes and {requests} requests: RSS {first_mb:.1f} MB after a tenth, "
        f"{last_mb:.1f} MB at the end (at most {MOST_MB:g}, {MOST_GROWTH_MB:g} more)"
    )
    return int(ratio > MOST_RATIO or last_mb > MOST_MB or last_mb - first_mb > MOST_GROWTH_MB)


async def _cpu(folder: Path, posts: int) -> tuple[float, float]:
    """Microseconds of the client's CPU per POST: plain, encrypted."""
    authority = Authority(folder)
    own = authority.server()
    plain, secure = StandIn({"T"}), StandIn({"T"}, secure=Secure(own.certificate, own.key, {}))
    ports = [await server.start() for server in (plain, secure)]
    ours, theirs = get_context("spawn").Pipe()
    client = get_context("spawn").Process(target=_post, args=(theirs, ports, authority.path, posts))
    client.start()
    try:
        found: tuple[float, float] = await asyncio.to_thread(ours.recv)
    finally:
        await asyncio.to_thread(client.join, 10)
        for server in (plain, secure):
            await server.stop()
    return found


def _post(pipe: Connection, ports: list[int], ca: Path, posts: int) -> None:
    pipe.send(asyncio.run(_alternate(ports, ca, posts)))


async def _alternate(ports: list[int], ca: Path, posts: int) -> tuple[float, float]:
    transport = DTLS(Trust("127.0.0.1", ca=ca))
    async with (
        Client("127.0.0.1", ports[0], rate=None) as plain,
        Client("127.0.0.1", ports[1], rate=None, transport=transport) as secure,
    ):
        spent = {plain: 0.0, secure: 0.0}
        for client in spent:
            await client.post(TOKEN, BODY)  # the handshake is not what is measured
        for _ in range(posts // BLOCK):
            for client in spent:
                started = time.process_time()
                for _ in range(BLOCK):
                    await client.post(TOKEN, BODY)
                spent[client] += time.process_time() - started
        of_plain, of_secure = (1e6 * cpu_s / (posts // BLOCK * BLOCK) for cpu_s in spent.values())
        return of_plain, of_secure


async def _memory(folder: Path, requests: int, handshakes: int) -> tuple[float, float, int]:
    """RSS of the real uplink after a tenth of the requests and at the end, and the handshakes it made."""
    authority = Authority(folder)
    own, device = authority.server(), authority.issue("device")
    secure = Secure(own.certificate, own.key, {device.der: "certificate"})
    server = StandIn({"T"}, secure=secure)
    port = await server.start()
    _fill(folder, requests // 2)
    (folder / "site.toml").write_text(SITE.format(port=port))
    (folder / "credentials.toml").touch(mode=0o600)
    (folder / "credentials.toml").write_text(
        '[sensors]\ntoken = "T"\n'
        f'certificate = {{ certificate = "{device.certificate}", key = "{device.key}" }}\n'
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "uplink", "--site", str(folder / "site.toml")),
        *("--credentials", str(folder / "credentials.toml")),
        env={**os.environ, "RUNTIME_DIRECTORY": str(folder / "run")},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _reached(server, requests // 10)
        first_mb = rss_mb(process.pid)
        while server.received.posts < requests or secure.handshakes < handshakes:
            if secure.handshakes < handshakes:
                secure.close()  # whoever sends next makes a new handshake
            await asyncio.sleep(0.1)
        return first_mb, rss_mb(process.pid), secure.handshakes
    finally:
        process.terminate()
        await process.wait()
        await server.stop()


async def _reached(server: StandIn, posts: int) -> None:
    while server.received.posts < posts:  # noqa: ASYNC110 - the server has no event for it
        await asyncio.sleep(0.05)


def _fill(folder: Path, each: int) -> None:
    """Readings of which one fills a message."""
    text = "x" * 600
    with closing(Spool.open(folder / "spool.db")) as spool:
        for start in range(0, each, 500):
            spool.add(
                [
                    _reading(sensor, number, text)
                    for number in range(start, min(start + 500, each))
                    for sensor in ("token", "certificate")
                ]
            )


def _reading(sensor: str, number: int, text: str) -> Reading:
    body, points = encode_values({"number": number, "text": text})
    return Reading(sensor, Instant("boot", number), 1_700_000_000_000 + number, body, points)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=4000, help="of each kind, for the CPU")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--handshakes", type=int, default=500)
    sys.exit(main(**vars(parser.parse_args())))
