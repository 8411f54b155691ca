"""Battery management systems on pseudo terminals at 9600 baud, read by the real command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from bridge.simulator.field.bus import SimulatedBus, Unit
from bridge.simulator.server.stand_in import StandIn
from protocols import load
from protocols.daly_bms.device import SimulatedBms as Daly
from protocols.jbd_bms.device import SimulatedBms as Jbd
from protocols.modbus import models
from protocols.modbus.rtu import SimulatedUnit as ModbusUnit
from protocols.toolkit.framing import Framer
from protocols.toolkit.polling import LineSettings
from protocols.toolkit.simulation import Dialect
from tests.end_to_end.conftest import World, newest
from tests.protocols.daly_bms.test_device import CELLS as DALY_CELLS
from tests.protocols.daly_bms.test_device import PACK as DALY_PACK
from tests.protocols.daly_bms.test_device import simulated as daly
from tests.protocols.jbd_bms.test_device import CELLS as JBD_CELLS
from tests.protocols.jbd_bms.test_device import PACK as JBD_PACK
from tests.protocols.jbd_bms.test_device import REGISTERS

pytestmark = pytest.mark.end_to_end

SITE = """\
site = "test"

[thingsboard]
url = "coap://127.0.0.1:{port}"

[spool]
path = "{{folder}}/spool.db"
commit_every = "200ms"

[bus.battery]
adapter = "{adapter}"
protocol = "{protocol}"

[[bus.battery.sensor]]
name = "pack"
every = "0s"
"""


def alone(framer: Callable[[], Framer]) -> Dialect:
    """Return the dialect of what stands alone on its line: it has no address, and nothing to refuse with."""
    return Dialect(
        framer=framer,
        address=lambda frame: "bms",
        concerns=lambda frame, address: True,
        message=lambda frame: frame.data,
        refused=lambda frame, code: b"",
        misaddressed=lambda reply: b"",
        damaged=lambda reply: reply[:-1],
    )


@contextmanager
def on_a_line(name: str, unit: Unit) -> Iterator[SimulatedBus]:
    entry = load(name)
    assert entry.line is not None
    with SimulatedBus({"bms": unit}, entry.line, dialect=alone(entry.framer)) as bus:
        yield bus


async def delivered(
    world: World, server: StandIn, name: str, bus: SimulatedBus, expected: dict[str, object]
) -> dict[str, object]:
    """Return what the server has of the pack after a few polls, one right behind the other."""
    server.tokens.add("T1")
    world.write(SITE.format(port=server.port, adapter=bus.path, protocol=name), {"pack": "T1"})
    process = world.start("run")
    await world.until(lambda: all(len(server.stored.get("T1", {}).get(key, ())) > 2 for key in expected))
    assert world.stop(process) == 0, world.log
    return newest(server, "T1")


async def test_a_daly_that_sends_more_frames_than_it_has_cells_is_read(world: World, server: StandIn) -> None:
    unit: Daly = daly()
    assert len(unit.replies[0x95]) == 16
    with on_a_line("daly-bms", unit) as bus:
        expected = DALY_PACK | DALY_CELLS
        assert await delivered(world, server, "daly-bms", bus, expected) == expected


async def test_a_daly_of_the_modbus_variant_is_read_at_its_address(world: World, server: StandIn) -> None:
    vector = models.load("daly-bms").vectors[0]
    unit = ModbusUnit(210)
    words = vector.reply[3:-2]
    unit.holding.update({at: int.from_bytes(words[2 * at : 2 * at + 2], "big") for at in range(62)})
    with SimulatedBus({210: unit}, LineSettings(9600)) as bus:
        server.tokens.add("T1")
        site = SITE.format(port=server.port, adapter=bus.path, protocol="modbus-rtu")
        own = '[[bus.battery.sensor]]\nname = "pack"\nevery = "0s"\naddress = 210\nmodel = "daly-bms"\n'
        head, _, _ = site.partition("[[bus.battery.sensor]]")
        world.write(f'{head}line = "9600 8N1"\n\n{own}', {"pack": "T1"})
        process = world.start("run")
        await world.until(lambda: len(server.stored.get("T1", {}).get("voltage", ())) > 2)
        assert world.stop(process) == 0, world.log
    stored = newest(server, "T1")
    assert stored == vector.values


async def test_a_jbd_is_read(world: World, server: StandIn) -> None:
    with on_a_line("jbd-bms", Jbd(REGISTERS)) as bus:
        expected = JBD_PACK | JBD_CELLS
        assert await delivered(world, server, "jbd-bms", bus, expected) == expected
