"""A meter of IEC 62056-21 behind an optical head, which hears and speaks at one rate at a time."""

from __future__ import annotations

import contextlib
import select
import termios
import threading
import time
from collections.abc import Iterator
from typing import Self

import pytest

from bridge.simulator.field.pty import Pty
from bridge.simulator.server.stand_in import StandIn
from protocols.iec62056_21.frame import Identification, StreamFramer
from protocols.iec62056_21.simulation import INITIAL_BAUDRATE, SimulatedMeter
from protocols.toolkit.framing import Frame
from tests.end_to_end.conftest import World, newest
from tests.end_to_end.lateness import Lateness

pytestmark = pytest.mark.end_to_end

REACTION_S = 0.25  # the standard wants 0.2 s at least
HEARD_WITHIN_S = 1.5
SPEEDS = {termios.B300: 300, termios.B2400: 2400, termios.B9600: 9600}
DATA = {"C.1.0": "00045678903", "1.8.0": "012345.67*kWh", "1.7.0": "02.027*kW", "32.7.0": "230.5*V"}
SITE = """\
site = "test"

[thingsboard]
url = "coap://127.0.0.1:{port}"

[spool]
path = "{{folder}}/spool.db"
commit_every = "200ms"

[bus.cellar]
adapter = "{adapter}"
protocol = "iec62056-21"

[[bus.cellar.sensor]]
name = "house"
{keys}
every = "1s"
values = ["import_energy", "import_power", "C.1.0"]
"""


class OpticalMeter:
    """A meter on a pseudo terminal. What is said to it, or by it, at a rate the other has not set is lost.

    Attributes:
        rates: those it spoke at, in order, and was understood.
        missed: messages of its own that nobody listened for.
    """

    def __init__(self, meter: SimulatedMeter) -> None:
        self.rates: list[int] = []
        self.missed = 0
        self._meter = meter
        self._pty = Pty()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="optical meter", daemon=True)

    @property
    def path(self) -> object:
        return self._pty.path

    def __enter__(self) -> Self:
        self._pty.plug()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._pty.close()

    def _run(self) -> None:
        framer = StreamFramer()
        while not self._over.is_set():
            if not select.select([self._pty.fd], [], [], 0.05)[0]:
                continue
            data = self._pty.read()
            if self._rate() != INITIAL_BAUDRATE:
                continue
            for event in framer.feed(data):
                for rate, message in self._meter.answer(event) if isinstance(event, Frame) else ():
                    self._say(rate, message)

    def _say(self, rate: int, message: bytes) -> None:
        time.sleep(REACTION_S)
        until = time.monotonic() + HEARD_WITHIN_S
        while self._rate() != rate and time.monotonic() < until:
            time.sleep(0.01)
        if self._rate() == rate:
            self.rates.append(rate)
            self._pty.write(message)
        else:
            self.missed += 1

    def _rate(self) -> int:
        assert self._pty.fd is not None
        with contextlib.suppress(termios.error):
            return SPEEDS.get(termios.tcgetattr(self._pty.fd)[5], 0)
        return 0


@pytest.fixture(params=["5", "C", "#"], ids=["mode C", "mode B", "mode A"])
def optical(request: pytest.FixtureRequest) -> Iterator[OpticalMeter]:
    meter = SimulatedMeter(Identification("ESY", request.param, "Q3DA1004"), DATA, address="45678903")
    with OpticalMeter(meter) as found:
        yield found


async def test_a_meter_is_read_at_the_rate_it_names_and_delivered(
    world: World, server: StandIn, optical: OpticalMeter
) -> None:
    server.tokens.add("T1")
    keys = 'address = "45678903"'
    world.write(SITE.format(port=server.port, adapter=optical.path, keys=keys), {"house": "T1"})
    with Lateness().watched() as lateness:
        process = world.start("run")
        await world.until(lambda: len(server.stored.get("T1", {}).get("import_energy", ())) > 1)
        sensor = world.status()["sensors"]["house"]
        assert world.stop(process) == 0, world.log
    assert newest(server, "T1") == {"import_energy": 12345.67, "import_power": 2027, "C.1.0": 45678903}
    lost = sensor["timeouts"] + sensor["crc_errors"] + sensor["late_replies"] + optical.missed
    assert lost <= lateness.excuses()


async def test_a_meter_that_cannot_be_read_at_the_rate_it_names_is_read_at_the_next_poll(
    world: World, server: StandIn
) -> None:
    meter = SimulatedMeter(Identification("LGZ", "4", "ZMD120"), DATA, fastest=INITIAL_BAUDRATE)
    server.tokens.add("T1")
    with OpticalMeter(meter) as optical:
        world.write(SITE.format(port=server.port, adapter=optical.path, keys="retries = 0"), {"house": "T1"})
        process = world.start("run")
        await world.until(lambda: len(server.stored.get("T1", {}).get("import_energy", ())) > 1)
        assert world.stop(process) == 0, world.log
    assert set(optical.rates) == {INITIAL_BAUDRATE}


def test_try_reads_the_only_meter_of_a_line_without_its_address(world: World) -> None:
    with OpticalMeter(SimulatedMeter(Identification("ESY", "5", "Q3D"), DATA, address="45678903")) as optical:
        world.write(SITE.format(port=5683, adapter=optical.path, keys=""), {})
        done = world.command("try", "house")
        assert done.returncode == 0, done.stderr
        assert "12345.67 kWh" in done.stdout
        assert optical.rates == [300, 9600]
        world.write(SITE.format(port=5683, adapter=optical.path, keys='address = "1"'), {})
        assert world.command("try", "house").returncode == 1, "another meter answered"
