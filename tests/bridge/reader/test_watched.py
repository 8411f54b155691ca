"""What the watchdog is told of a reader that waits for its adapter, and of one that hangs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import cast

import pytest

from bridge.clock import Clock
from bridge.clock.kernel_clock import system_clock
from bridge.errors import PortLost
from bridge.port import OPEN_TIMEOUT_S, Port
from bridge.reader import Reader
from bridge.reader.reader import LOOK_TIMEOUT_S
from bridge.spool import SpoolWriter
from bridge.systemd import GRACE_S
from protocols.toolkit.polling import LineSettings
from tests.bridge.reader.test_dead_sensors import REGISTERS, Kept, Sensors
from tests.bridge.reader.test_reader import bus_of, sensor
from tests.support.loop import on_jumping_clock

OVERDUE_S = LOOK_TIMEOUT_S + OPEN_TIMEOUT_S + GRACE_S + 1.0


class HangingPort(Port):
    """One whose opening neither ends nor keeps its own deadline."""

    async def open(self, *_: object) -> None:
        await asyncio.Event().wait()


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """What nobody does before the test is over."""
    event = threading.Event()
    yield event
    event.set()


class NoSpool:
    """A spool for a bus from which nothing is read."""

    def note_counters(self, counters: object) -> None:
        """Nothing is heard that could be counted."""


def reader(folder: Path, port: Port, find_port: Callable[[], str]) -> Reader:
    """Return one that never comes to read anything."""
    bus = bus_of(folder, "serial:A1", sensor("a", 1))
    return Reader(
        bus,
        cast(SpoolWriter, NoSpool()),
        system_clock("system"),
        lambda _: None,
        find_port=find_port,
        port=port,
    )


async def end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@on_jumping_clock
async def test_a_reader_that_hangs_while_it_opens_its_port_is_overdue(tmp_path: Path) -> None:
    subject = reader(tmp_path, HangingPort(), lambda: "/dev/null")
    task = asyncio.create_task(subject.run())
    await asyncio.sleep(LOOK_TIMEOUT_S + OPEN_TIMEOUT_S)
    assert subject.is_advancing()
    await asyncio.sleep(OVERDUE_S)
    assert not subject.is_advancing()
    await end(task)


@on_jumping_clock
async def test_a_reader_that_waits_for_its_adapter_for_an_hour_gets_on_all_the_time(tmp_path: Path) -> None:
    def not_there() -> str:
        raise PortLost('adapter "serial:A1" is not plugged in')

    subject = reader(tmp_path, Port(), not_there)
    task = asyncio.create_task(subject.run())
    for _ in range(60):
        await asyncio.sleep(60)
        assert subject.is_advancing()
    await end(task)


@on_jumping_clock
async def test_a_system_that_does_not_say_where_an_adapter_is_costs_one_thread_and_one_sentence(
    tmp_path: Path, never: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    def hang() -> str:
        never.wait(60)
        raise PortLost("too late")

    subject = reader(tmp_path, Port(), hang)
    task = asyncio.create_task(subject.run())
    await asyncio.sleep(600)
    assert subject.is_advancing()
    assert caplog.text.count("did not say within 5 s where adapter") == 1
    assert sum(thread.name == "find meters" for thread in threading.enumerate()) == 1
    await end(task)


def polling(folder: Path, every: str, **keys: str) -> tuple[Reader, Sensors]:
    """A reader at work on one sensor, asked this often, and the sensor."""
    sensors, now = Sensors(LineSettings(9600)), asyncio.get_running_loop().time
    registers = "\n".join(f"r{at} = {{{{ holding = {at} }}}}" for at in range(REGISTERS))
    subject = Reader(
        bus_of(folder, "serial:A1", sensor("a", 1, every, registers, **keys)),
        cast(SpoolWriter, Kept()),
        Clock("boot", lambda: round(now() * 1e9), lambda: 0, lambda wall_ns: None),
        lambda _: None,
        find_port=lambda: sensors.path,
        port=cast(Port, sensors),
    )
    return subject, sensors


@on_jumping_clock
async def test_a_reader_that_has_nothing_to_ask_for_an_hour_gets_on_all_the_time(tmp_path: Path) -> None:
    subject, sensors = polling(tmp_path, "1h")
    task = asyncio.create_task(subject.run())
    for _ in range(150):
        await asyncio.sleep(60)
        assert subject.is_advancing()
    assert len(sensors.answered[1]) == 3
    await end(task)


@on_jumping_clock
async def test_a_reader_that_waits_long_for_a_reply_gets_on_all_the_time(tmp_path: Path) -> None:
    subject, sensors = polling(tmp_path, "10s", reply_timeout='"1m"', retries="3")
    sensors.dead.add(1)
    task = asyncio.create_task(subject.run())
    for _ in range(100):
        await asyncio.sleep(5)
        assert subject.is_advancing()
    await end(task)
