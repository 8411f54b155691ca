"""One request of a search on the wire, and what is heard after it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from bridge.commands.scan.asking import Asker
from bridge.simulator.field.wire import Wire
from protocols.mbus.link import StreamFramer
from protocols.mbus.records import Record
from protocols.mbus.search_requests import data
from protocols.mbus.simulation import DIALECT, SimulatedMeter
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.scanning import Heard, Probe
from tests.support.lines import SimulatedLine
from tests.support.loop import JumpingLoop

LINE = LineSettings(9600, 8, "E", 1)
WITHIN_S, LINGER_S = 0.3, 0.02


def heard_of_two_meters(second_after_s: float) -> tuple[Heard, float]:
    """Return what is heard of two meters with one address, and how long that takes.

    The second one begins so long after the request.
    """
    energy = Record((0x06,), 0xC, bytes.fromhex("91370000"))
    concerns: Callable[[Frame, int | str], bool] = lambda request, key: DIALECT.concerns(request, 5)  # noqa: E731
    meters = {place: SimulatedMeter(5, [[energy]]) for place in (0, 1)}
    wire = Wire(meters, LINE, dialect=replace(DIALECT, concerns=concerns), turn_around_s=0.01)
    wire.faults[1].late, wire.faults[1].late_s = 1.0, second_after_s - 0.01

    async def run() -> tuple[Heard, float]:
        line = SimulatedLine(wire, LINE)
        await line.open("", LINE)
        began = asyncio.get_running_loop().time()
        probe = Probe(data(5), "5", WITHIN_S, LINGER_S, waits_out=True)
        heard = await Asker(line).ask(probe, LINE, StreamFramer)
        return heard, asyncio.get_running_loop().time() - began

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(run())


@pytest.mark.parametrize("second_after_s", [0.1, 0.29])
def test_a_second_device_has_the_whole_time_for_a_reply_to_begin(second_after_s: float) -> None:
    heard, _ = heard_of_two_meters(second_after_s)
    assert heard.frame is not None
    assert len(heard.others) == 1


def test_a_lone_device_is_waited_for_no_longer_than_a_second_one_may_take() -> None:
    heard, seconds = heard_of_two_meters(5.0)
    assert heard.frame is not None
    assert seconds < WITHIN_S + 2 * LINGER_S
