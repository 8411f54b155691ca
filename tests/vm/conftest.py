"""A machine with the program installed, made once; each test goes on from there, or boots its own."""

from __future__ import annotations

import asyncio
import contextlib
import io
import socket
import tarfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bridge.simulator.field.sensors import SimulatedBus
from bridge.simulator.server.stand_in import StandIn
from tests.vm import build
from tests.vm.gateway import CONFIG, TOKENS, UPLINK, Gateway, credentials, lines, site
from tests.vm.machine import Machine

FIGURES = pytest.StashKey[list[str]]()

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Installed:
    """What a test begins with.

    Attributes:
        image: the folder with the machine's image.
        state: the machine, saved after `serial-bridge install`.
        files: what installing wrote, as a tar archive, for machines that boot.
        port: of the server, on the host.
    """

    image: Path
    state: Path
    files: bytes
    port: int


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Return the image, and a machine in which the default site was installed."""
    return asyncio.run(_install(build.prepare(), tmp_path_factory.mktemp("installed")))


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Note:
    """Take a line for the summary."""
    return request.config.stash.setdefault(FIGURES, []).append


@pytest.fixture
def sensors() -> Iterator[dict[str, SimulatedBus]]:
    """Yield the lines of the two buses."""
    with contextlib.ExitStack() as stack:
        yield {bus: stack.enter_context(line) for bus, line in lines().items()}


@pytest.fixture
async def server(installed: Installed) -> AsyncIterator[StandIn]:
    """Yield the ThingsBoard stand-in."""
    found = StandIn(TOKENS.values())
    await found.start(port=installed.port)
    yield found
    await found.stop()


@pytest.fixture
async def gateway(
    installed: Installed, sensors: dict[str, SimulatedBus], server: StandIn, tmp_path: Path
) -> AsyncIterator[Gateway]:
    """Yield the machine as it was installed, with no adapter in."""
    async with Machine.restore(installed.image, tmp_path, installed.state) as machine:
        yield Gateway(machine, sensors, server)


def archive(files: dict[str, str]) -> bytes:
    """Texts as a tar archive, for `Machine.boot`."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path, text in files.items():
            member = tarfile.TarInfo(path.lstrip("/"))
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was measured and said."""
    if figures := terminalreporter.config.stash.get(FIGURES, []):
        terminalreporter.section("in the virtual machine")
        for line in figures:
            terminalreporter.line(line)


async def _install(image: Path, folder: Path) -> Installed:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with Machine.boot(image, folder) as machine:
        await machine.run("touch /run/before")
        await machine.write(f"{CONFIG}/site.toml", site(port))
        await machine.write(f"{CONFIG}/credentials.toml", credentials(), "600")
        await machine.run("serial-bridge install")
        files = await machine.read("find /etc -newer /run/before ! -type d -print0 | tar -c -P --null -T -")
        await machine.until(f"systemctl is-active -q {UPLINK}")
        await machine.save(folder / "state")
    return Installed(image, folder / "state", files, port)
