"""Every fault of a line with every victim: each value is what its source served then, each loss is booked.

`make test` runs some faults with nobody killed and each victim with one fault; `make faults` runs all.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from bridge.simulator.field.line_catalogue import FAULTS, during
from bridge.simulator.server.stand_in import StandIn
from tests.faults.line_plant import LinePlant
from tests.faults.played_bus import modbus_bus
from tests.faults.tagged_site import Sensor

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(240)]

FAULTY_S = 6.0
STOPPED_S = 0.8
STOPPED = "reader stopped"
VICTIMS: dict[str, tuple[str, ...]] = {
    "nobody killed": (),
    "reader killed": ("meters",),
    "uplink killed": ("uplink",),
    "both killed": ("meters", "uplink"),
    STOPPED: (),
}
ALWAYS = {("device stalls, four queued", victim) for victim in VICTIMS} | {
    (fault, "nobody killed") for fault in ("converter stalls", "two on one address", "unplugged")
}
METERS = modbus_bus(
    "meters",
    "115200 8N1",
    [
        Sensor(1, 0.1, ((0, 2), (10, 2), (201, 1), (402, 1))),
        Sensor(1, 0.17, ((603, 1), (804, 2))),
        Sensor(2, 0.1, ((0, 4), (8, 1))),
        Sensor(3, 0.3, ((0, 1), (201, 1))),
    ],
)
CELLS = [
    pytest.param(
        fault,
        victim,
        id=f"{fault} × {victim}",
        marks=() if (fault, victim) in ALWAYS else pytest.mark.long,
    )
    for fault in FAULTS
    for victim in VICTIMS
]


@pytest.mark.parametrize(("fault", "victim"), CELLS)
async def test_every_value_is_what_its_source_served_then(fault: str, victim: str, tmp_path: Path) -> None:
    server = StandIn(ack_timeout_s=1.0)
    await server.start()
    with METERS.play(1) as bus:
        plant = LinePlant(tmp_path, buses={"meters": METERS}, simulated={"meters": bus}, server=server)
        try:
            plant.lay_out()
            plant.begin(*plant.parts)
            await plant.until(lambda: server.received.entries > 30)
            began = time.monotonic()
            with during(FAULTS[fault], bus, (1, 2)):
                await asyncio.sleep(FAULTY_S / 2)
                if victim == STOPPED:
                    await plant.stop_for("meters", STOPPED_S)
                plant.kill(*VICTIMS[victim])
                plant.begin(*VICTIMS[victim])
                await asyncio.sleep(FAULTY_S / 2)
            if FAULTS[fault].is_unplugged:
                plant.lost_at["meters"].append((began, time.monotonic()))
            await plant.served("meters", 20)
            await plant.settle()
            findings, unaccounted = plant.reconcile()
        finally:
            plant.end()
            await server.stop()
    assert findings.values > 100
    assert findings.are_clean, "\n".join(plant.examples)
    assert unaccounted == 0
