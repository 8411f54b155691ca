"""What dead sensors cost the living, on a scripted line and a clock that jumps: two minutes take a second."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import cast

import pytest

from bridge.clock import Clock
from bridge.config import load_site
from bridge.port import Port, State
from bridge.reader import Reader
from bridge.spool import Reading, SpoolWriter
from protocols.toolkit.polling import LineSettings
from tests.bridge.line.test_line import TURN_AROUND_S, now, telling
from tests.support.lines import Said, ScriptedLine
from tests.support.loop import on_jumping_clock
from tests.support.site import site_head

REGISTERS = 10
UART_CHUNK = 8  # octets that a UART collects before it hands them over
WARM_UP_S, WATCHED_S = 30.0, 120.0
SITE = site_head(line="{line}")
SENSOR = """
[[bus.meters.sensor]]
name = "s{address}"
address = {address}
every = "{every_ms:.0f}ms"
[bus.meters.sensor.registers]
"""


class Sensors(ScriptedLine):
    """A port with sensors behind it; those in `dead` keep silent.

    Attributes:
        answered: when each of them answered.
    """

    def __init__(self, settings: LineSettings) -> None:
        super().__init__(settings, self._reply)
        self.state = State.CLOSED
        self.path = "/dev/ttyTEST"
        self.dead: set[int] = set()
        self.answered: defaultdict[int, list[float]] = defaultdict(list)

    async def open(self, *_: object) -> None:
        self.state = State.READY

    async def close(self) -> None:
        self.state = State.CLOSED

    def uart_errors(self) -> None:
        """None: a script has no UART."""

    def _reply(self, request: bytes) -> list[Said]:
        unit = request[0]
        if unit in self.dead:
            return []
        self.answered[unit].append(now())
        reply = telling(unit, *range(REGISTERS))
        cuts = [*range(0, len(reply), UART_CHUNK), len(reply)]
        return [
            (TURN_AROUND_S + self.settings.duration_s(end), reply[start:end]) for start, end in pairwise(cuts)
        ]


class Kept:
    """A spool that forgets."""

    def put(self, reading: Reading) -> None:
        """Take it."""

    def note_counters(self, counters: Mapping[str, int]) -> None:
        """Keep nothing: no sensor here encrypts."""


class Bus:
    """A reader of `count` sensors, asked so often that they fill this share of the wire."""

    def __init__(self, folder: Path, line: str, count: int, *, load: float = 0.9, every_s: float = 0) -> None:
        settings = LineSettings.parse(line)
        poll_s = settings.duration_s(8 + 5 + 2 * REGISTERS) + TURN_AROUND_S + settings.frame_gap_s
        self.every_s = every_s or count * poll_s / load
        self.every_s = round(self.every_s, 3)
        keys = "\n".join(f"r{at} = {{ holding = {at} }}" for at in range(REGISTERS))
        path = folder / "site.toml"
        path.write_text(
            SITE.format(line=line)
            + "".join(
                SENSOR.format(address=address, every_ms=1000 * self.every_s) + keys
                for address in range(1, count + 1)
            )
        )
        self.sensors = Sensors(settings)
        clock = Clock("boot", lambda: round(now() * 1e9), lambda: 0, lambda wall_ns: None)
        self._reader = Reader(
            load_site(path).buses["meters"],
            cast(SpoolWriter, Kept()),
            clock,
            lambda document: None,
            find_port=lambda: self.sensors.path,
            port=cast(Port, self.sensors),
        )

    async def run(self, seconds: float) -> None:
        """Read for so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._reader.run()

    def rate(self, address: int, since: float) -> float:
        """Return what share of its asked rate a sensor had since then."""
        got = sum(at >= since for at in self.sensors.answered[address])
        return got * self.every_s / (now() - since)


async def dying(bus: Bus, dead: set[int]) -> float:
    """Let them die after the warm-up and read on; return when they died."""
    death = now() + WARM_UP_S
    asyncio.get_running_loop().call_at(death, bus.sensors.dead.update, dead)
    await bus.run(WARM_UP_S + WATCHED_S)
    return death


@on_jumping_clock
async def _one_of_five(folder: Path) -> None:
    bus = Bus(folder, "19200 8E1", 5)
    death = await dying(bus, {5})
    assert min(bus.rate(address, death) for address in (1, 2, 3, 4)) >= 0.97


def test_one_dead_of_five_leaves_the_living_their_rate(tmp_path: Path) -> None:
    _one_of_five(tmp_path)


@on_jumping_clock
async def _nine_of_ten(folder: Path) -> None:
    bus = Bus(folder, "9600 8E1", 10)
    death = await dying(bus, set(range(2, 11)))
    assert bus.rate(1, death) == pytest.approx(1, abs=0.05)


def test_nine_dead_of_ten_leave_the_living_one_its_rate(tmp_path: Path) -> None:
    _nine_of_ten(tmp_path)


@on_jumping_clock
async def _comes_back(
    folder: Path, count: int, dead: set[int], within_s: float, answered_s: float, dead_s: float
) -> None:
    bus = Bus(folder, "9600 8E1", count, every_s=1.0)
    loop = asyncio.get_running_loop()
    back = loop.time() + answered_s + dead_s
    loop.call_at(back - dead_s, bus.sensors.dead.update, dead)
    loop.call_at(back, bus.sensors.dead.discard, count)
    await bus.run(answered_s + dead_s + within_s)
    assert any(at >= back for at in bus.sensors.answered[count])


@pytest.mark.parametrize("dead_s", [60, 70.2, 90.1, 133])
@pytest.mark.parametrize("answered_s", [6, 6.5, WARM_UP_S, WARM_UP_S + 0.7])
@pytest.mark.parametrize(("count", "dead", "within_s"), [(5, {5}, 3.0), (10, set(range(2, 11)), 15.0)])
def test_one_that_comes_back_is_soon_read_again(
    tmp_path: Path, count: int, dead: set[int], within_s: float, answered_s: float, dead_s: float
) -> None:
    _comes_back(tmp_path, count, dead, within_s, answered_s, dead_s)
