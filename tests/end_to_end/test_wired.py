"""What is asked on a wire of its own, simulated at its own speed and read by the real command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from bridge.simulator.field.bus import SimulatedBus, Unit
from bridge.simulator.server.stand_in import StandIn
from protocols import load
from protocols.cubic import MODELS
from protocols.cubic import SimulatedSensor as SimulatedCubic
from protocols.dlt645 import simulation as dlt645
from protocols.dlt645.edition import DLT645_1997
from protocols.jk_bms.polled import SimulatedBms as SimulatedJk
from protocols.kamstrup_kmp.meter import SimulatedMeter as SimulatedKamstrup
from protocols.pylontech.battery import SimulatedBattery
from protocols.toolkit.polling import Values
from protocols.toolkit.simulation import Dialect
from protocols.voltronic_pi30 import SimulatedInverter
from tests.end_to_end.conftest import World, newest
from tests.end_to_end.test_batteries import alone
from tests.protocols.jk_bms.test_polled import DATA as JK_DATA
from tests.protocols.jk_bms.test_polled import PACK as JK_PACK
from tests.protocols.kamstrup_kmp.test_meter import REGISTERS as KMP_REGISTERS
from tests.protocols.kamstrup_kmp.test_meter import VALUES as KMP_VALUES
from tests.protocols.pylontech.test_battery import ALARMS as PYLONTECH_ALARMS
from tests.protocols.pylontech.test_battery import INFO as PYLONTECH_INFO
from tests.protocols.test_voltronic_pi30 import STATUS as PI30_STATUS
from tests.protocols.test_voltronic_pi30 import VALUES as PI30_VALUES

pytestmark = pytest.mark.end_to_end

SITE = """\
site = "test"

[thingsboard]
url = "coap://127.0.0.1:{port}"

[spool]
path = "{{folder}}/spool.db"
commit_every = "200ms"

[bus.wire]
adapter = "{adapter}"
protocol = "{protocol}"

[[bus.wire.sensor]]
name = "device"
every = "0s"
{keys}
"""
METER = "002311905387"


@dataclass(frozen=True, slots=True)
class Wire:
    """One device on a line of its own: how it is played, its keys in site.toml, and what it tells."""

    protocol: str
    unit: Callable[[], Unit]
    dialect: Dialect
    address: str
    keys: str
    told: Values


def _meter_of_1997() -> Unit:
    meter = dlt645.SimulatedMeter(METER, edition=DLT645_1997)
    for name, value in _METER_OF_1997.items():
        meter.put(name, value)
    return meter


_METER_OF_1997: Values = {"energy_import": 1426.79, "voltage_a": 223, "active_power": 1.2345}
_DUST = {quantity.name: 70000 + at for at, quantity in enumerate(MODELS["pm2008"].quantities)}
WIRES = [
    Wire(
        "dlt645-1997",
        _meter_of_1997,
        dlt645.DIALECT,
        METER,
        f'address = "{METER}"\nvalues = {list(_METER_OF_1997)}'.replace("'", '"'),
        _METER_OF_1997,
    ),
    Wire(
        "pylontech",
        lambda: SimulatedBattery(2, PYLONTECH_INFO, PYLONTECH_ALARMS),
        alone(load("pylontech").framer),
        "bms",
        'values = ["voltage", "current", "cycles", "cell_alarms", "voltage_alarm", "discharge_enabled"]',
        {
            "voltage": 48.39,
            "current": -2.6,
            "cycles": 132,
            "cell_alarms": 0,
            "voltage_alarm": "normal",
            "discharge_enabled": True,
        },
    ),
    Wire(
        "cubic",
        lambda: SimulatedCubic(MODELS["pm1006"], {"pm2_5": 12}),
        alone(load("cubic").framer),
        "bms",
        'model = "pm1006"',
        {"pm2_5": 12},
    ),
    Wire(
        "cubic",
        lambda: SimulatedCubic(MODELS["pm2008"], _DUST),
        alone(load("cubic").framer),
        "bms",
        'model = "pm2008"',
        {**_DUST},
    ),
    Wire(
        "kamstrup-kmp",
        lambda: SimulatedKamstrup(KMP_REGISTERS),
        alone(load("kamstrup-kmp").framer),
        "bms",
        "",
        KMP_VALUES,
    ),
    Wire(
        "voltronic-pi30",
        lambda: SimulatedInverter(PI30_STATUS),
        alone(load("voltronic-pi30").framer),
        "bms",
        "",
        PI30_VALUES,
    ),
    Wire("jk-bms", lambda: SimulatedJk(JK_DATA), alone(load("jk-bms").framer), "bms", "", JK_PACK),
]


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.protocol)
async def test_a_device_is_read_and_delivered(world: World, server: StandIn, wire: Wire) -> None:
    line = load(wire.protocol).line
    assert line is not None
    server.tokens.add("T1")
    with SimulatedBus({wire.address: wire.unit()}, line, dialect=wire.dialect) as bus:
        site = SITE.format(port=server.port, adapter=bus.path, protocol=wire.protocol, keys=wire.keys)
        world.write(site, {"device": "T1"})
        process = world.start("run")
        await world.until(lambda: all(len(server.stored.get("T1", {}).get(key, ())) > 1 for key in wire.told))
        assert world.stop(process) == 0, world.log
    assert newest(server, "T1") == wire.told
