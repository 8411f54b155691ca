"""An M-Bus meter of several telegrams, some of them lost, on the model of a wire and a clock that jumps."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest

from bridge.clock import Clock
from bridge.config import load_site
from bridge.port import Port
from bridge.reader import Reader
from bridge.simulator.field.wire import Wire
from bridge.spool import Reading, SpoolWriter
from protocols.mbus.records import Record
from protocols.mbus.simulation import DIALECT, SimulatedMeter
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings
from tests.support.lines import SimulatedLine
from tests.support.loop import on_jumping_clock
from tests.support.site import site_head

LINE = "2400 8E1"
SITE = f"""\
{site_head("cellar", "mbus", LINE, retries=0)}\
[[bus.cellar.sensor]]
name = "heat"
address = 5
every = "5s"
"""
ENERGY = Record((0x06,), 0xC, bytes.fromhex("91370000"))
FLOW = Record((0x5A,), 2, bytes.fromhex("ea00"))
POLLS = 60
LOSE_EVERY = 4


class LossyMeter(SimulatedMeter):
    """A meter that tells two telegrams, some of which get lost on the way.

    Attributes:
        loses: which of the two.
        tellings: how often it told that one.
    """

    loses = 2
    tellings = 0

    def answer(self, request: Frame) -> bytes | None:
        """Answer, unless the answer is lost."""
        before = self.access_number
        reply = super().answer(request)
        if self.access_number == before or (self._next - 1) % 2 != self.loses - 1:
            return reply
        self.tellings += 1
        return reply if self.tellings % LOSE_EVERY else None


class Spool:
    """Keeps the names of the values of each reading."""

    def __init__(self) -> None:
        self.names: list[set[str]] = []

    def put(self, reading: Reading) -> None:
        """Keep them."""
        self.names.append(set(json.loads(reading.body)))

    def note_counters(self, counters: Mapping[str, int]) -> None:
        """Keep nothing: the meter does not encrypt."""


@on_jumping_clock
async def _read(folder: Path, loses: int, spool: Spool) -> None:
    settings = LineSettings.parse(LINE)
    meter = LossyMeter(5, [[ENERGY], [FLOW]])
    meter.loses = loses
    line = SimulatedLine(Wire({5: meter}, settings, dialect=DIALECT, turn_around_s=0.05), settings)
    path = folder / "site.toml"
    path.write_text(SITE)
    now = asyncio.get_running_loop().time
    reader = Reader(
        load_site(path).buses["cellar"],
        cast(SpoolWriter, spool),
        Clock("boot", lambda: round(now() * 1e9), lambda: 0, lambda wall_ns: None),
        lambda document: None,
        find_port=lambda: line.path,
        port=cast(Port, line),
    )
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(5.0 * POLLS - 1.0):
            await reader.run()


@pytest.mark.parametrize(("loses", "least"), [(1, 1 - 1 / LOSE_EVERY), (2, 1.0)])
def test_a_lost_telegram_costs_its_own_poll_and_no_other(loses: int, least: float, tmp_path: Path) -> None:
    spool = Spool()
    _read(tmp_path, loses, spool)
    energies = sum("energy" in names for names in spool.names)
    assert energies >= least * POLLS - 1, spool.names
    assert sum("flow" in " ".join(names) for names in spool.names) >= (1 - 1.2 / LOSE_EVERY) * POLLS - 1
