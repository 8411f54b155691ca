"""No token and no key is ever found outside credentials.toml: a day of trouble, then a search everywhere."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from bridge.simulator.field.sensors import SimulatedBus
from bridge.simulator.server.dtls import Secure
from bridge.simulator.server.stand_in import StandIn
from tests.end_to_end.conftest import World
from tests.end_to_end.sites import LINE, site_text, units
from tests.support.certificates import Authority
from tests.support.provisioning import KEY, SECRET, losing_answers

pytestmark = pytest.mark.end_to_end

GOOD, WRONG, BROKEN = "TokenGood4711", "TokenWrong4712", "TokenBroken4713"
FRESH = """
[[bus.meters.sensor]]
name = "fresh"
address = 2
every = "200ms"
[bus.meters.sensor.registers]
heat = { input = 0, type = "int16" }
"""


@pytest.fixture
async def server() -> AsyncIterator[StandIn]:
    found = StandIn([GOOD], provisioning=(KEY, SECRET))
    await found.start()
    yield found
    await found.stop()


def write_credentials(world: World, counter: str) -> None:
    """The file as an installer has it, `fresh` yet without a token."""
    world.credentials.touch(mode=0o600)
    world.credentials.write_text(
        f'[sensors]\ncounter = {counter}\nroom = "{GOOD}"\n'
        f'[provisioning]\ndevice_key = "{KEY}"\ndevice_secret = "{SECRET}"\n'
    )


def leaks(texts: Iterable[tuple[str, bytes]], secrets: Iterable[str]) -> list[str]:
    """Return where a secret stands, as it is or as the hex dump of a byte log."""
    forms = [form for secret in secrets for form in _forms(secret.encode())]
    return [place for place, text in texts if any(form in text for form in forms)]


def _forms(secret: bytes) -> tuple[bytes, ...]:
    return secret, secret.hex().encode(), secret.hex(" ").encode(), secret.hex(" ").upper().encode()


def files(world: World) -> list[tuple[str, bytes]]:
    """Return everything in the folder but credentials.toml: log, spool, runtime files."""
    found = [path for path in world.folder.rglob("*") if path.is_file() and path != world.credentials]
    return [(path.name, path.read_bytes()) for path in found]


def command_line(pid: int) -> bytes:
    """Return what everybody on the gateway sees of a process."""
    return Path(f"/proc/{pid}/cmdline").read_bytes()


COMMANDS = (
    "status",
    "status --json",
    "check --json",
    "provision --json",
    "provision --dry-run",
    "spool audit",
    "spool refused",
    "spool export",
    "spool refused --json",
    "spool export --format csv",
)


@pytest.mark.timeout(240)
async def test_no_secret_is_found_outside_its_file(world: World, server: StandIn) -> None:
    said: list[tuple[str, bytes]] = []

    async def run(*arguments: str) -> str:
        done = await asyncio.to_thread(world.command, *arguments)
        said.append((" ".join(arguments), (done.stdout + done.stderr).encode()))
        return done.stdout + done.stderr

    with SimulatedBus(units(), LINE) as bus:
        async with losing_answers(server.port, ["fresh"]) as relay:
            world.write(site_text(bus, relay.port) + FRESH, {})
            write_credentials(world, f'"{WRONG}"')
            process = world.start("run", "-vv")
            await world.until(lambda: "counter" in world.status()["uplink"].get("holds", {}))  # 4.01
            server.faults.poison = b'"window"'
            await world.until(lambda: server.received.answers["4.00"] > 2)
            server.faults.poison = b""
            write_credentials(world, BROKEN)
            await world.until(lambda: "the edited credentials have mistakes" in world.log)
            said.append(("check", (await run("check")).encode()))
            write_credentials(world, f'"{WRONG}"')
            assert "completed" in await run("provision")
            secrets = {GOOD, WRONG, BROKEN, KEY, SECRET, *server.tokens}
            secrets |= set(tomllib.loads(world.credentials.read_text())["sensors"].values())
            await world.until(lambda: len(server.stored) == 2)
            server.faults.failing = True
            await world.until(lambda: server.received.answers["5.00"])
            for command in COMMANDS:
                assert await run(*command.split())
            said.append(("command line", command_line(process.pid)))
            assert world.stop(process) == 0
    assert len(secrets) == 6
    assert leaks([("the file itself", world.credentials.read_bytes())], secrets) != []
    assert leaks(files(world) + said, secrets) == []


async def test_no_private_key_is_found_outside_its_file(world: World) -> None:
    authority = Authority(world.folder)
    own, device = authority.server(), authority.issue("counter")
    server = StandIn(secure=Secure(own.certificate, own.key, {device.der: "counter"}))
    await server.start()
    with SimulatedBus(units(), LINE) as bus:
        site = site_text(bus, server.port).replace("coap://", "coaps://")
        world.write(site.replace("\n[spool]", 'ca = "authority.pem"\n[spool]'), {"room": WRONG})
        with world.credentials.open("a") as file:
            file.write('counter = { certificate = "counter.pem", key = "counter.key" }\n')
        process = world.start("run", "-vv")
        await world.until(lambda: "room" in world.status()["uplink"].get("holds", {}))
        await world.until(lambda: len(server.stored.get("counter", {}).get("count", ())) > 5)
        assert world.stop(process) == 0
    await server.stop()
    lines = [line for line in device.key.read_text().splitlines() if len(line) > 20 and "KEY" not in line]
    found = [(name, text) for name, text in files(world) if not name.endswith(".key")]
    assert len(lines) >= 2
    assert leaks(found, [WRONG, *lines]) == []


CRASH = """
import sys
from bridge.coap import Client

def broken(self, *arguments, **named):
    raise RuntimeError("broken on purpose")

setattr(Client, sys.argv.pop(1), broken)
from bridge.commands.terminal.app import main
main()
"""


@pytest.mark.parametrize("where", ["post", "budget", "_exchange"])
async def test_no_secret_stands_in_a_traceback(where: str, world: World, server: StandIn) -> None:
    with SimulatedBus(units(), LINE) as bus:
        world.write(site_text(bus, server.port), {})
        write_credentials(world, f'"{WRONG}"')
        with (world.folder / "log").open("ab") as log:
            process = subprocess.Popen(  # noqa: ASYNC220 - ended by the fixture
                [sys.executable, "-X", "dev", "-c", CRASH, where, "run", "-vv"],
                env=world.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        world.processes.append(process)
        await world.until(lambda: "RuntimeError: broken on purpose" in world.log)
        assert world.stop(process) == 0
    assert "Traceback" in world.log
    assert leaks(files(world), [GOOD, WRONG, KEY, SECRET]) == []


def test_a_credentials_file_that_others_may_read_is_refused_with_the_command_that_helps(world: World) -> None:
    with SimulatedBus(units(), LINE) as bus:
        world.write(site_text(bus, 5683), {"counter": GOOD})
        world.credentials.chmod(0o640)
        for command in ("run", "uplink", "check", "provision"):
            done = world.command(command)
            assert done.returncode == 2
            assert f"chmod 600 {world.credentials}" in done.stderr
            assert GOOD not in done.stdout + done.stderr


def test_systemd_may_hand_the_credentials_over(world: World) -> None:
    handed_over = world.folder / "handed-over"
    handed_over.mkdir()
    with SimulatedBus(units(), LINE) as bus:
        world.write(site_text(bus, 5683), {"counter": GOOD, "room": WRONG})
    world.credentials.replace(handed_over / "credentials.toml").chmod(0o440)
    environment = {**world.environment, "CREDENTIALS_DIRECTORY": str(handed_over)}
    del environment["SERIAL_BRIDGE_CREDENTIALS"]
    command = [sys.executable, "-m", "bridge", "check", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    sensors = json.loads(done.stdout)["buses"]["meters"]["sensors"]
    assert {sensor["credential"] for sensor in sensors.values()} == {"access token"}
