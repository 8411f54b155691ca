"""The frames that a line brings unasked, on a scripted wire and a clock that jumps."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from bridge.clock import Clock
from bridge.line.stamp import midway
from bridge.line.timed_framer import Arrival
from bridge.port import Port
from bridge.reader.frame_reader import PAUSE_S, FrameReader
from protocols.toolkit.framing import Event, Frame, Noise
from protocols.toolkit.polling import LineSettings
from tests.bridge.reader.talker import TALKER, telegram
from tests.support.lines import ScriptedLine, script
from tests.support.loop import JumpingLoop, on_jumping_clock


def now() -> float:
    return asyncio.get_running_loop().time()


def frame_reader(wire: ScriptedLine) -> FrameReader:
    clock = Clock("boot", lambda: round(now() * 1e9), lambda: 0, lambda wall_ns: None)
    return FrameReader(cast(Port, wire), TALKER.framer(), clock, wire.settings)


async def read_all(frames: FrameReader, wait_s: float) -> list[tuple[Event, Arrival]]:
    """Return everything that comes in so much time."""
    until, events = now() + wait_s, list[tuple[Event, Arrival]]()
    while now() < until:
        events += await frames.read(until - now())
    return events


@pytest.mark.parametrize("baudrate", [50, 300, 1200, 9600, 115200])
@on_jumping_clock
async def test_octets_that_a_uart_gathers_on_a_slow_line_are_no_silence(baudrate: int) -> None:
    wire = ScriptedLine(LineSettings(baudrate), script([]))
    data = telegram(0x0A, 1)
    gathered_s = wire.settings.duration_s(16)
    wire.say(data[:3], after_s=1.0)
    wire.say(data[3:], after_s=1.0 + gathered_s + 0.016)
    ((event, arrival),) = await read_all(frame_reader(wire), 10.0)
    assert event == Frame(data)
    assert arrival.taken.boottime_ns / 1e9 == pytest.approx(now() - 9.0)


@on_jumping_clock
async def test_a_telegram_that_does_not_go_on_was_cut() -> None:
    wire = ScriptedLine(LineSettings(9600), script([]))
    data = telegram(0x0A, 1)
    wire.say(data[:3], after_s=1.0)
    wire.say(data, after_s=1.0 + PAUSE_S + 0.01)
    events = [event for event, _ in await read_all(frame_reader(wire), 10.0)]
    assert events == [Noise(data[:3], "cut"), Frame(data)]


@on_jumping_clock
async def test_a_telegram_that_came_while_nobody_was_awake_says_how_wrong_its_time_may_be() -> None:
    wire = ScriptedLine(LineSettings(9600), script([]))
    wire.say(telegram(0x0A, 1), after_s=1.0)
    wire.say(telegram(0x0A, 2), after_s=5.0)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, JumpingLoop)
    begun = now()
    loop.call_later(0.95, loop.sleep, 0.8)
    (_, asleep), (_, awake) = await read_all(frame_reader(wire), 10.0)
    middle, error_s = midway(asleep)
    assert 0.35 < error_s < 0.5
    assert abs(middle.taken.boottime_ns / 1e9 - (begun + 1.0)) <= error_s
    assert midway(awake) == (awake, 0.0)
