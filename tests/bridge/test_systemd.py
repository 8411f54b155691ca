"""What systemd hears of a service, through a socket like its own."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from bridge.clock import Instant
from bridge.config import Site, ThingsBoard, load_site
from bridge.gateway import reading, supervised
from bridge.simulator.field.bus import SimulatedBus
from bridge.spool import Reading, Spool
from bridge.status.runtime import Runtime
from bridge.systemd import notify, watchdog_s
from protocols.modbus.rtu import SimulatedUnit
from tests.bridge.reader.test_reader import LINE, WITHIN_S, bus_of, sensor
from tests.support.loop import on_jumping_clock

WATCHDOG_S = 20


class Systemd:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(address.replace("@", "\0", 1))

    def heard(self) -> list[str]:
        """Return every line that has come since the last call."""
        found: list[str] = []
        with suppress(BlockingIOError):
            while True:
                found += self._socket.recv(4096).decode().splitlines()
        return found

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def systemd(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Systemd]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@serial-bridge-test-{os.getpid()}"
    listening = Systemd(address)
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.setenv("WATCHDOG_USEC", str(WATCHDOG_S * 1_000_000))
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    yield listening
    listening.close()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(
        name="barn",
        path=tmp_path / "site.toml",
        thingsboard=ThingsBoard(url="coap://localhost"),
        fingerprints={"bus-meters": "1234567890ab"},
    )


@on_jumping_clock
async def test_systemd_hears_that_a_service_is_up_with_what_and_that_it_stops(
    systemd: Systemd, site: Site
) -> None:
    async with supervised(lambda: True, site, "bus-meters"):
        assert systemd.heard()[:2] == ["READY=1", "STATUS=runs bus-meters 1234567890ab"]
    assert systemd.heard()[-1] == "STOPPING=1"


@on_jumping_clock
async def test_the_watchdog_is_fed_in_time(systemd: Systemd, site: Site) -> None:
    async with supervised(lambda: True, site, "bus-meters"):
        systemd.heard()
        for _ in range(10):
            await asyncio.sleep(WATCHDOG_S / 2)
            assert "WATCHDOG=1" in systemd.heard()


@on_jumping_clock
async def test_the_watchdog_is_fed_only_while_the_work_moves(
    systemd: Systemd, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    moves = True
    async with supervised(lambda: moves, site, "bus-meters"):
        await asyncio.sleep(WATCHDOG_S)
        moves = False
        systemd.heard()
        await asyncio.sleep(10 * WATCHDOG_S)
        assert systemd.heard() == []
        assert caplog.text.count("no progress; systemd will restart this service") == 1
        moves = True
        await asyncio.sleep(WATCHDOG_S / 2)
        assert "WATCHDOG=1" in systemd.heard()


@on_jumping_clock
async def test_nothing_is_told_where_nobody_asked(
    systemd: Systemd, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET")
    async with supervised(lambda: True, site, "bus-meters"):
        await asyncio.sleep(WATCHDOG_S)
    assert systemd.heard() == []


async def test_a_reader_goes_on_above_the_stamps_of_the_process_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What status shows of a reading is the stamp it has, also where the clock was set back meanwhile."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    spool_path = tmp_path / "spool.db"
    ahead_ms = time.time_ns() // 1_000_000 + 30_000
    with closing(Spool.open(spool_path)) as spool:
        spool.add([Reading("a", Instant("the boot before", 1), ahead_ms, b"{}", 0)])
    with SimulatedBus({1: SimulatedUnit(1, holding={0: 7})}, LINE) as bus:
        read_site = site_of(tmp_path, bus.path)
        async with reading(read_site, read_site.buses.values()), asyncio.timeout(WITHIN_S):
            while (shown := last_ts(spool_path)) is None:  # noqa: ASYNC110 - a file has no event
                await asyncio.sleep(0.05)
    assert shown > ahead_ms


def last_ts(spool_path: Path) -> int | None:
    document = Runtime(spool_path).read_all().get("bus-meters", {})
    stamp: int | None = document.get("sensors", {}).get("a", {}).get("last_ts")
    return stamp


def site_of(folder: Path, adapter: Path) -> Site:
    """A site of one bus, whose spool lies in the folder."""
    bus_of(folder, adapter, sensor("a", 1))
    path = folder / "site.toml"
    path.write_text(f'{path.read_text()}\n[spool]\npath = "{folder}/spool.db"\n[clock]\ntrust = "system"\n')
    return load_site(path)


def test_a_systemd_that_is_gone_hurts_nobody(systemd: Systemd) -> None:
    systemd.close()
    notify("READY=1")


@pytest.mark.parametrize(
    ("usec", "pid", "expected"),
    [
        ("20000000", "ours", 20.0),
        ("500000", None, 0.5),
        ("20000000", "1", None),
        (None, None, None),
    ],
)
def test_the_watchdog_is_ours_only_if_systemd_says_so(
    monkeypatch: pytest.MonkeyPatch, usec: str | None, pid: str | None, expected: float | None
) -> None:
    for name, value in (("WATCHDOG_USEC", usec), ("WATCHDOG_PID", pid)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value.replace("ours", str(os.getpid())))
    assert watchdog_s() == expected
