"""Every fault of the uplink with every victim: whatever happens, the books of all sides agree at the end.

`make test` runs each fault with nobody killed and each victim with one fault; `make faults` runs all.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bridge.simulator.field.sensors import SimulatedBus
from bridge.simulator.server.stand_in import StandIn
from tests.end_to_end.small_disk import NEEDS_A_SMALL_DISK, SmallDisk
from tests.faults.catalogue import FAULTS, Fault
from tests.faults.plant import LINE, Plant, units

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(180)]

FULL_DISK = "disk full"
VICTIMS: dict[str, tuple[str, ...]] = {
    "nobody killed": (),
    "reader killed": ("reader",),
    "uplink killed": ("uplink",),
    "both killed": ("reader", "uplink"),
    FULL_DISK: (),
}
SHORT = {(fault, "nobody killed") for fault in FAULTS} | {("silence", victim) for victim in VICTIMS}


def _marks(fault: str, victim: str) -> list[pytest.MarkDecorator]:
    marks = [] if (fault, victim) in SHORT else [pytest.mark.long]
    return [*marks, NEEDS_A_SMALL_DISK] if victim == FULL_DISK else marks


CELLS = [
    pytest.param(FAULTS[fault], victim, id=f"{fault} × {victim}", marks=_marks(fault, victim))
    for fault in FAULTS
    for victim in VICTIMS
]


@pytest.mark.parametrize(("fault", "victim"), CELLS)
async def test_the_books_agree(fault: Fault, victim: str, tmp_path: Path) -> None:
    server = StandIn(ack_timeout_s=1.0)
    await server.start()
    with SimulatedBus(units(), LINE) as bus:
        plant = Plant(tmp_path, bus=bus, server=server)
        try:
            if victim == FULL_DISK:
                disk = plant.disk = SmallDisk(plant)
                await plant.until(lambda: disk.is_there)
            plant.lay_out()
            plant.begin("reader", "uplink")
            await plant.until(lambda: server.received.entries > 10)
            async with fault(plant):
                await plant.served(10)
                plant.kill(*VICTIMS[victim])
                plant.begin(*VICTIMS[victim])
                if plant.disk:
                    await asyncio.to_thread(plant.disk.fill)
                    await plant.until(lambda: "readings wait in memory" in plant.log)
                await plant.served(20)
            if plant.disk:
                plant.disk.empty()
            await plant.settle()
            plant.reconcile()
        finally:
            plant.end()
    await server.stop()
