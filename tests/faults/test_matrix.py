"""Every fault of the uplink with every victim: whatever happens, the books of all sides agree at the end.

`make test` runs each fault with nobody killed and each victim with one fault; `make faults` runs all.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.sandbox.sensors import SimulatedBus
from bridge.sandbox.server import StandIn
from tests.faults.catalogue import FAULTS, Fault
from tests.faults.plant import LINE, Plant, units

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(180)]

VICTIMS: dict[str, tuple[str, ...]] = {
    "nobody": (),
    "reader": ("reader",),
    "uplink": ("uplink",),
    "both": ("reader", "uplink"),
}
SHORT = {(fault, "nobody") for fault in FAULTS} | {("silence", victim) for victim in VICTIMS}


CELLS = [
    pytest.param(
        FAULTS[fault],
        VICTIMS[victim],
        id=f"{fault} × {victim} killed",
        marks=() if (fault, victim) in SHORT else (pytest.mark.long,),
    )
    for fault in FAULTS
    for victim in VICTIMS
]


@pytest.mark.parametrize(("fault", "victims"), CELLS)
async def test_the_books_agree(fault: Fault, victims: tuple[str, ...], tmp_path: Path) -> None:
    server = StandIn(ack_timeout_s=1.0)
    await server.start()
    with SimulatedBus(units(), LINE) as bus:
        plant = Plant(tmp_path, bus=bus, server=server)
        try:
            plant.lay_out()
            plant.begin("reader", "uplink")
            await plant.until(lambda: server.received.entries > 10)
            async with fault(plant):
                await plant.served(10)
                plant.kill(*victims)
                plant.begin(*victims)
                await plant.served(20)
            await plant.settle()
        finally:
            plant.end()
    await server.stop()
    plant.reconcile()
