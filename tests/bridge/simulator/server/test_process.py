"""The stand-in as others use it: a foreign client, and a process of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

from bridge.simulator.server.stand_in import StandIn
from tests.bridge.simulator.server.raw_client import (
    READING,
    TELEMETRY,
    Client,
    until,
)
from tests.support.programs import program


async def test_libcoap_delivers_to_it(server: StandIn, tmp_path: Path) -> None:
    tool = program("coap-client-notls")
    body = tmp_path / "body.json"
    body.write_bytes(READING)
    url = f"coap://127.0.0.1:{server.port}/" + "/".join(TELEMETRY)
    process = await asyncio.create_subprocess_exec(
        tool, "-m", "post", "-t", "application/json", "-f", str(body), "-B", "20", url,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    assert process.returncode == 0, output
    assert server.stored == {"A1": {"voltage": {1000: 230.1}}}
    assert server.received.duplicates == 0


async def test_it_runs_as_a_process_and_says_what_it_holds(tmp_path: Path) -> None:
    dump = tmp_path / "dump.json"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bridge.simulator.server.stand_in", "--port", "0", "--token", "A1",
        "--dump", str(dump),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            line = await process.stdout.readline()
            client = await Client.to(int(line.rpartition(b":")[2]))
            assert await client.ask() == ("2.01", b"")
            process.send_signal(signal.SIGUSR1)
            await until(dump.exists)
            assert json.loads(dump.read_text())["stored"] == {"A1": {"voltage": {"1000": 230.1}}}
            await client.ask(b'{"ts":2000,"values":{"voltage":1}}')
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
            client.transport.close()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    held = json.loads(dump.read_text())
    assert held["received"]["entries"] == 2
    assert held["received"]["answers"] == {"2.01": 2}
    assert [(token, ts) for _, token, ts in held["arrivals"]] == [("A1", 1000), ("A1", 2000)]
