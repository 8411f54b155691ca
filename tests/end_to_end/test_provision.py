"""The real `provision`, over a network that loses answers, and in a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator

import pytest

from bridge import coap
from bridge.simulator.server.dtls import Secure
from bridge.simulator.server.stand_in import StandIn
from tests.end_to_end.conftest import World
from tests.support.certificates import Authority
from tests.support.provisioning import CREDENTIALS, KEY, SECRET, losing_answers, names, site_of

pytestmark = pytest.mark.end_to_end


@pytest.fixture
async def server() -> AsyncIterator[StandIn]:
    found = StandIn(provisioning=(KEY, SECRET))
    await found.start()
    yield found
    await found.stop()


def write(world: World, count: int, port: int) -> None:
    world.write(site_of(count, port), {})
    world.credentials.write_text(CREDENTIALS)


async def provision(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(world.command, "provision", *arguments)


def tokens(world: World) -> dict[str, str]:
    found: dict[str, str] = tomllib.loads(world.credentials.read_text()).get("sensors", {})
    return found


@pytest.mark.timeout(180)
async def test_twenty_sensors_get_a_token_each_though_five_answers_are_lost(
    world: World, server: StandIn
) -> None:
    doomed = names(20)[2:17:3]
    async with losing_answers(server.port, doomed) as relay:
        write(world, 20, relay.port)
        process = world.start("provision", "--json")
        await asyncio.to_thread(process.wait, 120)
        assert process.returncode == 0, world.log
        assert relay.lost >= 5
    results = {name: found["result"] for name, found in json.loads(world.log)["sensors"].items()}
    assert results == {name: "completed" if name in doomed else "created" for name in names(20)}
    found = tokens(world)
    assert len(set(found.values())) == 20
    assert server.tokens == set(found.values())  # so none was created twice
    async with coap.Client("127.0.0.1", server.port) as client:
        for token in found.values():
            answer = await client.post(("api", "v1", token, "telemetry"), b'{"works":true}')
            assert answer.code == "2.01"
    assert world.credentials.stat().st_mode & 0o777 == 0o600
    (line,) = (world.folder / "audit.jsonl").read_text().splitlines()
    places = {change["what"] for change in json.loads(line)["changes"]}
    assert places == {f"credentials.toml: sensors.{name}" for name in names(20)}
    assert not [secret for secret in [*found.values(), KEY, SECRET] if secret in line]
    again = await provision(world)
    assert (again.returncode, again.stdout) == (0, "every sensor has a credential: nothing to do\n")


async def test_in_a_pipe_it_prints_a_line_for_each_sensor(world: World, server: StandIn) -> None:
    write(world, 2, server.port)
    planned = await provision(world, "--dry-run", "--prefix", "barn ")
    assert 'sensor-02: would be asked for as "barn sensor-02"\n' in planned.stdout
    assert server.tokens == set()
    done = await provision(world, "--prefix", "barn ")
    assert done.returncode == 0, done.stderr
    assert 'sensor-02: created as "barn sensor-02"\n' in done.stdout
    assert done.stdout.endswith("2 created\n")
    assert "\x1b" not in done.stdout


async def test_in_a_terminal_it_shows_a_bar(world: World, server: StandIn) -> None:
    write(world, 3, server.port)
    status, shown = await asyncio.to_thread(run_in_terminal, world, "provision")
    assert status == 0, shown
    assert "devices" in shown
    assert "3/3" in shown
    assert "sensor-03: created" in shown


async def test_what_a_kill_cut_short_is_completed(world: World, server: StandIn) -> None:
    write(world, 3, server.port)
    server.faults.loss_out = 1.0
    process = world.start("provision")
    await world.until(lambda: server.tokens)
    process.kill()
    process.wait()
    server.faults.loss_out = 0.0
    done = await provision(world)
    assert done.stdout.endswith("1 completed, 2 created\n"), done.stderr
    assert server.tokens == set(tokens(world).values())


async def test_a_wrong_key_ends_it_with_the_next_step(world: World, server: StandIn) -> None:
    server.api.provisioning = (KEY, "another")
    write(world, 3, server.port)
    done = await provision(world)
    assert done.returncode == 1
    assert "NOT_FOUND" in done.stderr
    assert "provision strategy" in done.stderr
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stdout + done.stderr


async def test_a_running_uplink_takes_the_tokens_obtained(world: World, server: StandIn) -> None:
    write(world, 2, server.port)
    process = world.start("uplink")
    await world.until(lambda: len(world.status()["uplink"].get("holds", {})) == 2)
    done = await provision(world)
    assert done.returncode == 0, done.stdout
    await world.until(lambda: world.status()["uplink"]["holds"] == {})
    assert world.stop(process) == 0


async def test_over_coaps_it_asks_only_a_server_that_it_trusts(world: World) -> None:
    authority, other = Authority(world.folder), Authority(world.folder, "other")
    own = authority.server()
    server = StandIn(provisioning=(KEY, SECRET), secure=Secure(own.certificate, own.key, {}))
    await server.start()
    write(world, 2, server.port)
    site = world.site.read_text().replace("coap://", "coaps://")
    world.site.write_text(site.replace("\n[spool]", f'ca = "{other.path}"\n[spool]'))
    refused = await provision(world)
    assert (refused.returncode, server.tokens) == (1, set())
    assert "Traceback" not in refused.stderr
    world.site.write_text(site.replace("\n[spool]", f'ca = "{authority.path}"\n[spool]'))
    done = await provision(world)
    assert done.stdout == "sensor-01: created\nsensor-02: created\n2 created\n"
    assert server.tokens == set(tokens(world).values())
    await server.stop()


def run_in_terminal(world: World, *arguments: str) -> tuple[int, str]:
    """Run `serial-bridge` to its end on a terminal of its own; its exit status and what was shown."""
    mine, its = pty.openpty()
    command = [sys.executable, "-m", "bridge", *arguments]
    environment = {**world.environment, "TERM": "xterm", "COLUMNS": "80"}
    process = subprocess.Popen(command, env=environment, stdin=its, stdout=its, stderr=its)
    world.processes.append(process)
    os.close(its)
    shown = b""
    with contextlib.suppress(OSError):  # how a terminal says that its other end is closed
        while said := os.read(mine, 4096):
            shown += said
    os.close(mine)
    return process.wait(30), shown.decode(errors="replace")
