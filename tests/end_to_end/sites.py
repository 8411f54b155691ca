"""The site the end-to-end tests run: three units on one line, one of them nobody has given a credential."""

from __future__ import annotations

from bridge.simulator.field.sensors import SimulatedBus
from protocols.modbus.rtu import SimulatedUnit
from protocols.toolkit.polling import LineSettings

LINE = LineSettings(115200)

METERS = """\
site = "test"

[thingsboard]
url = "coap://127.0.0.1:{port}"

[spool]
path = "{folder}/spool.db"
commit_every = "{commit_every}"

[bus.meters]
adapter = "{adapter}"
protocol = "modbus-rtu"
line = "115200 8N1"
reply_timeout = "100ms"
retries = 0

[[bus.meters.sensor]]
name = "counter"
address = 1
every = "{every}"
[bus.meters.sensor.registers]
count = {{ holding = 0, type = "uint32" }}
zero = {{ holding = 2, type = "uint16" }}
temperature = {{ holding = 3, type = "float32" }}
nothing = {{ holding = 5, type = "float32" }}

[[bus.meters.sensor]]
name = "room"
address = 2
every = "{every}"
[bus.meters.sensor.registers]
temperature = {{ input = 0, type = "int16", divide = 10, unit = "°C" }}
window = {{ discrete = 4 }}
"""


class CountingUnit(SimulatedUnit):
    """Counts its answers in registers 0–1, so that every reading is one of a kind."""

    count = 0

    def answer(self, request):  # type: ignore[no-untyped-def]
        """Count, then answers as any unit."""
        self.count += 1
        self.holding[0], self.holding[1] = divmod(self.count, 0x10000)
        return super().answer(request)


def units() -> dict[int, SimulatedUnit]:
    """Return the units of the site, with a float32 of 23.4, a zero, and a NaN."""
    counter = CountingUnit(1)
    counter.holding.update({2: 0, 3: 0x41BB, 4: 0x3333, 5: 0x7FC0, 6: 0})
    room = SimulatedUnit(2)
    room.input[0] = 0xFFF6  # -10 → -1.0 °C
    room.discretes[4] = True
    return {1: counter, 2: room}


def site_text(bus: SimulatedBus, port: int, *, every: str = "100ms", commit_every: str = "200ms") -> str:
    """Return the site file for this line and this server."""
    return METERS.format(
        port=port, adapter=bus.path, every=every, commit_every=commit_every, folder="{folder}"
    )
