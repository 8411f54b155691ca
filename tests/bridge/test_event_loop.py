"""The event loop that lines are timed by: fine timers, any number of descriptors, and nothing that blocks."""

from __future__ import annotations

import asyncio
import os
import resource
import threading
import time
from collections.abc import Iterator

import pytest

from bridge import event_loop
from bridge.port import Port
from bridge.simulator.field.pty import Pty
from protocols.toolkit.polling import LineSettings
from tests.support.loop import on_jumping_clock

WITHIN_S = 10.0
SELECTABLE = 1024


@pytest.fixture
def crowded() -> Iterator[None]:
    """Have every descriptor that `select` could take in use."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < SELECTABLE + 100:
        pytest.skip(f"this machine allows only {hard} descriptors a process")
    resource.setrlimit(resource.RLIMIT_NOFILE, (SELECTABLE + 100, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def occupy() -> list[int]:
    taken = [os.open("/dev/null", os.O_RDONLY)]
    while taken[-1] < SELECTABLE:
        taken.append(os.open("/dev/null", os.O_RDONLY))
    return taken


@pytest.mark.usefixtures("crowded")
def test_a_port_is_read_and_written_whatever_the_number_of_its_descriptor() -> None:
    async def talk() -> None:
        taken = occupy()
        pty = Pty()
        try:
            pty.plug()
            port = Port()
            await port.open(str(pty.path), LineSettings(9600))
            assert port._device is not None
            assert port._device.fileno() > SELECTABLE
            for _ in range(3):
                await port.write(b"?")
                pty.write(b"!")
                assert await port.read(asyncio.get_running_loop().time() + WITHIN_S) == b"!"
            await port.write(bytes(6000)[: 4096 - 3])
            await port.close()
        finally:
            pty.close()
            for descriptor in taken:
                os.close(descriptor)

    event_loop.run(talk())


def test_a_timer_is_not_rounded_up_to_a_millisecond() -> None:
    async def overshoots() -> list[float]:
        loop = asyncio.get_running_loop()
        late = []
        for _ in range(200):
            due = loop.time() + 0.00025
            await asyncio.sleep(0.00025)
            late.append(loop.time() - due)
        return sorted(late)

    assert event_loop.run(overshoots())[20] < 0.0005, "with epoll's own time-out each would be 0.75 ms late"


def test_a_call_that_hangs_keeps_neither_the_loop_nor_the_end_of_the_process_waiting() -> None:
    never = threading.Event()

    async def call() -> None:
        hung = [event_loop.call_in_thread(never.wait, f"hung {number}") for number in range(100)]
        assert await event_loop.call_in_thread(lambda: 5, "healthy") == 5
        assert not any(future.done() for future in hung)

    began = time.monotonic()
    event_loop.run(call())
    assert time.monotonic() - began < WITHIN_S
    assert all(thread.daemon for thread in threading.enumerate() if thread.name.startswith("hung"))
    never.set()


async def test_what_a_call_raises_is_raised_for_who_awaits_it() -> None:
    with pytest.raises(ZeroDivisionError):
        await event_loop.call_in_thread(lambda: 1 // 0, "wrong")


def test_the_last_moment_is_waited_for_awake_and_never_cut_short() -> None:
    async def wait() -> list[float]:
        loop = asyncio.get_running_loop()
        early_s = []
        for lead_s in (event_loop.LEAD_S, event_loop.LEAD_S / 3, 0.0, -1.0):
            until = loop.time() + lead_s
            await event_loop.wait_awake(until)
            early_s.append(until - loop.time())
        return early_s

    assert max(event_loop.run(wait())) <= 0


def test_nobody_keeps_the_processor_longer_than_the_lead() -> None:
    async def wait() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await event_loop.wait_awake(began + 60)
        return loop.time() - began

    assert event_loop.run(wait()) < WITHIN_S


async def test_another_loop_waits_as_ever() -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + 0.01
    await event_loop.wait_awake(until)
    assert loop.time() >= until - 1e-3


@on_jumping_clock
async def test_looks_that_begin_apart_soon_share_their_moments() -> None:
    loop = asyncio.get_running_loop()
    looks: list[tuple[float, int]] = []

    async def look(number: int, every_s: float) -> None:
        await asyncio.sleep(0.37 * number)
        while True:
            await asyncio.sleep(0.001 * number)  # what it does takes a moment
            looks.append((loop.time(), number))
            await asyncio.sleep(event_loop.until_multiple_s(every_s))

    tasks = [
        asyncio.create_task(look(number, every_s)) for number, every_s in enumerate((1.0, 1.0, 1.0, 2.0))
    ]
    began = loop.time()
    await asyncio.sleep(10.5)
    for task in tasks:
        task.cancel()
    later = [(moment - began, number) for moment, number in looks if moment - began > 2.5]
    assert {round(moment) for moment, _ in later} == set(range(3, 11))
    assert all(0 <= moment - round(moment) < 0.01 for moment, _ in later)
    assert [sum(number == each for _, number in later) for each in range(4)] == [8, 8, 8, 4]


@pytest.mark.parametrize("every_s", [0.02, 0.2, 1.0, 60.0])
@pytest.mark.parametrize("after_s", [0.0, 1e-12, 0.0199999, 0.5, 0.999999999, 12345.678])
@on_jumping_clock
async def test_a_look_is_never_followed_by_another_at_once(every_s: float, after_s: float) -> None:
    await asyncio.sleep(after_s)
    assert 0.499 * every_s <= event_loop.until_multiple_s(every_s) <= 1.501 * every_s
