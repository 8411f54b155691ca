"""The reader on real pseudo terminals, from the wire into a real spool."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice

from bridge.causes import Cause, diagnosis
from bridge.clock import Clock
from bridge.clock.kernel_clock import boottime_ns, system_clock
from bridge.config import Bus, load_site
from bridge.reader import Reader
from bridge.reader.grouping import groups
from bridge.reader.intake import STAMP_ERROR
from bridge.simulator.field.bus import SimulatedBus
from bridge.spool import Row, SpoolAdmin, SpoolWriter
from protocols.modbus.rtu import SimulatedUnit
from protocols.toolkit.polling import LineSettings, PollResult
from tests.support.lines import PtyPump
from tests.support.site import site_head

LINE = LineSettings(115200)
WITHIN_S = 20.0  # long enough for a loaded machine; nothing here waits so long

SITE = site_head(adapter="{adapter}", line="115200 8N1", reply_timeout="300ms") + "{sensors}\n"

SENSOR = """
[[bus.meters.sensor]]
name = "{name}"
address = {address}
every = "{every}"
[bus.meters.sensor.registers]
{registers}
"""


def sensor(
    name: str, address: int, every: str = "50ms", registers: str = "x = {{ holding = 0 }}", **keys: str
) -> str:
    block = SENSOR.format(name=name, address=address, every=every, registers=registers.format())
    more = "\n".join(f"{key} = {value}" for key, value in keys.items())
    return block.replace("\n[bus", f"\n{more}\n[bus", 1)


def bus_of(folder: Path, adapter: Path | str, *sensors: str) -> Bus:
    """Return the bus that a site file describes."""
    path = folder / "site.toml"
    path.write_text(SITE.format(adapter=adapter, sensors="".join(sensors)))
    return load_site(path).buses["meters"]


class Bench:
    """A reader at work on a spool of its own."""

    def __init__(self, spool_path: Path) -> None:
        self.spool = SpoolAdmin.open(spool_path)
        self.writer = SpoolWriter(SpoolAdmin.open(spool_path), commit_every_s=0.05)
        self.documents: list[Mapping[str, Any]] = []
        self.published = asyncio.Event()

    @asynccontextmanager
    async def reading(self, bus: Bus, clock: Clock | None = None, **more: Any) -> AsyncIterator[Reader]:
        reader = Reader(bus, self.writer, clock or system_clock("system"), self.publish, **more)
        task = asyncio.create_task(reader.run())
        try:
            yield reader
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def publish(self, document: Mapping[str, Any]) -> None:
        json.dumps(document)
        self.documents.append(document)
        self.published.set()

    async def status(self, claim: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any]:
        """Return the first status published from now on, or the last one, of which the claim holds."""
        async with asyncio.timeout(WITHIN_S):
            while not self.documents or not claim(self.documents[-1]):
                self.published.clear()
                await self.published.wait()
        return self.documents[-1]

    async def rows(self, count: int, after: int = 0) -> list[Row]:
        """Return the readings in the spool, once there are so many."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                await self.writer.flush()
                found, _ = self.spool.rows(after, limit=1000)
                if len(found) >= count:
                    return found
                await asyncio.sleep(0.01)

    async def close(self) -> None:
        await self.writer.close()
        self.spool.close()


def values_of(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The values of readings, without how wrong a stamp may be: that is told when this machine was late."""
    return [{key: value for key, value in json.loads(row.body).items() if key != STAMP_ERROR} for row in rows]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path / "spool.db")
    yield bench
    await bench.close()


@pytest.fixture
def simulated() -> Iterator[SimulatedBus]:
    units = {address: SimulatedUnit(address, holding={0: 100 + address, 1: 5}) for address in (1, 2, 3)}
    with SimulatedBus(units, LINE) as bus:
        yield bus


async def test_what_was_served_is_in_the_spool(bench: Bench, simulated: SimulatedBus, tmp_path: Path) -> None:
    bus = bus_of(tmp_path, simulated.path, sensor("a", 1), sensor("b", 2))
    async with bench.reading(bus):
        await bench.rows(20)
    await bench.writer.flush()
    rows, _ = bench.spool.rows(0, limit=1000)
    for name, unit in (("a", 1), ("b", 2)):
        served = [one for one in simulated.served if one.unit == unit]
        mine = [row for row in rows if row.sensor == name]
        assert all(values == {"x": 100 + unit} for values in values_of(mine))
        assert len(served) - len(mine) in (0, 1), "a request under way when the reader stopped"
        assert [row.ts_ms for row in mine] == sorted({row.ts_ms for row in mine})
    assert simulated.early == 0
    assert bench.spool.audit() == []


async def test_sensors_of_one_address_share_its_polls(
    bench: Bench, simulated: SimulatedBus, tmp_path: Path
) -> None:
    bus = bus_of(
        tmp_path,
        simulated.path,
        sensor("first", 1, every="1h"),
        sensor("second", 1, every="1h", registers="y = {{ holding = 1 }}"),
    )
    async with bench.reading(bus):
        rows = await bench.rows(2)
    assert [row.sensor for row in rows] == ["first", "second"]
    assert values_of(rows) == [{"x": 101}, {"y": 5}]
    assert rows[0].ts_ms == rows[1].ts_ms
    assert simulated.requests[1] == 1


async def test_a_dead_sensor_is_said_once_and_the_living_keep_their_rate(
    bench: Bench, simulated: SimulatedBus, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bus = bus_of(tmp_path, simulated.path, sensor("alive", 1), sensor("dead", 9, every="100ms"))
    async with bench.reading(bus):
        document = await bench.status(lambda status: status["sensors"]["dead"]["state"] == "silent")
        rows = await bench.rows(30)
    assert {row.sensor for row in rows} == {"alive"}
    assert document["sensors"]["alive"]["state"] == "ok"
    assert document["sensors"]["dead"]["timeouts"] == 4, "one retry after the first miss, none after"
    assert document["sensors"]["dead"]["last_ts"] is None
    assert [record.levelname for record in caplog.records if "dead" in record.getMessage()] == ["WARNING"]


async def test_a_sensor_that_comes_back_is_read_again(
    bench: Bench, simulated: SimulatedBus, tmp_path: Path
) -> None:
    simulated.faults[2].silent = 1.0
    bus = bus_of(tmp_path, simulated.path, sensor("a", 1), sensor("back", 2, reply_timeout='"20ms"'))
    async with bench.reading(bus):
        await bench.status(lambda status: status["sensors"]["back"]["state"] == "silent")
        simulated.faults[2].silent = 0.0
        document = await bench.status(lambda status: status["sensors"]["back"]["state"] == "ok")
    assert document["sensors"]["back"]["last_values"] == {"x": 102}


async def test_a_refusing_sensor_is_told_from_a_silent_one(
    bench: Bench, simulated: SimulatedBus, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bus = bus_of(
        tmp_path, simulated.path, sensor("a", 1), sensor("no", 2, registers="z = {{ holding = 70 }}")
    )
    async with bench.reading(bus):
        document = await bench.status(lambda status: status["sensors"]["no"]["exceptions"] > 3)
        await bench.rows(10)
    told = document["sensors"]["no"]
    assert told["state"] == "refusing"
    assert told["empty"] == told["incomplete"] == told["exceptions"]
    assert told["timeouts"] == 0
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == [
        f"no (address 2) {diagnosis(Cause.NO_ADDRESS, 'holding registers 70: illegal data address')}"
    ]
    assert f"no (address 2) {told['trouble']}" == warnings[0]


async def test_a_poll_without_a_usable_value_is_no_reading(
    bench: Bench, simulated: SimulatedBus, tmp_path: Path
) -> None:
    bus = bus_of(
        tmp_path,
        simulated.path,
        sensor("a", 1),
        sensor("none", 2, registers="x = {{ holding = 0, invalid = [102] }}"),
        sensor("beyond", 3, registers="x = {{ holding = 0, max = 50 }}"),
    )
    async with bench.reading(bus):
        document = await bench.status(lambda status: status["sensors"]["beyond"]["empty"] > 2)
        rows = await bench.rows(10)
    assert {row.sensor for row in rows} == {"a"}
    assert document["sensors"]["none"]["state"] == "partly"
    assert document["sensors"]["none"]["left_out"] == {"x": "the device has none (raw 0066)"}
    assert document["sensors"]["none"]["out_of_limits"] == 0
    assert document["sensors"]["beyond"]["state"] == "partly"
    assert document["sensors"]["beyond"]["left_out"] == {"x": "103 is above max = 50"}
    assert document["sensors"]["beyond"]["out_of_limits"] == document["sensors"]["beyond"]["empty"]


async def test_damaged_replies_are_counted_and_asked_again(
    bench: Bench, simulated: SimulatedBus, tmp_path: Path
) -> None:
    simulated.faults[1].bad_crc = 0.3
    simulated.faults[1].noise_before = 0.3
    bus = bus_of(tmp_path, simulated.path, sensor("a", 1))
    async with bench.reading(bus):
        document = await bench.status(lambda status: status["sensors"]["a"]["crc_errors"] > 3)
        rows = await bench.rows(5)
    assert all(values == {"x": 101} for values in values_of(rows))
    assert document["line"]["stray_octets"] > 0


async def test_an_unplugged_adapter_is_said_once_and_read_again_when_it_is_back(
    bench: Bench, simulated: SimulatedBus, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bus = bus_of(tmp_path, simulated.path, sensor("a", 1))
    async with bench.reading(bus):
        await bench.rows(3)
        simulated.unplug()
        document = await bench.status(lambda status: status["state"] == "lost")
        assert "unplugged" in document["error"]
        before = bench.spool.last_id()
        simulated.replug()
        await bench.rows(3, after=before)
        document = await bench.status(lambda status: status["state"] == "ready")
        assert document["error"] is None
    assert sum(record.levelname == "WARNING" for record in caplog.records) == 1


async def test_a_bus_without_its_adapter_waits_for_it(
    bench: Bench, simulated: SimulatedBus, tmp_path: Path
) -> None:
    link = tmp_path / "later"
    async with bench.reading(bus_of(tmp_path, link, sensor("a", 1))):
        document = await bench.status(lambda status: status["state"] == "lost")
        assert document["error"] == f"{link} is not there: plug in the adapter"
        link.symlink_to(simulated.path)
        await bench.rows(1)


async def test_a_busy_port_is_named_and_opened_when_it_is_free(
    bench: Bench, simulated: SimulatedBus, tmp_path: Path
) -> None:
    bus = bus_of(tmp_path, simulated.path, sensor("a", 1))
    async with bench.reading(bus):
        await bench.rows(1)
        other = Bench(tmp_path / "other.db")
        async with other.reading(bus):
            document = await other.status(lambda status: status["state"] == "lost")
            assert "is used by another program" in document["error"]
            assert {row.sensor for row in await bench.rows(10)} == {"a"}
        await other.close()


async def test_an_idle_port_that_is_unplugged_is_noticed_at_once(
    bench: Bench, simulated: SimulatedBus, tmp_path: Path
) -> None:
    async with bench.reading(bus_of(tmp_path, simulated.path, sensor("a", 1, every="1h"))):
        await bench.rows(1)
        simulated.unplug()
        await bench.status(lambda status: status["state"] == "lost")


async def test_stopping_closes_the_port_publishes_the_end_and_loses_no_reading(
    bench: Bench, simulated: SimulatedBus, tmp_path: Path
) -> None:
    bus = bus_of(tmp_path, simulated.path, sensor("a", 1, every="0s"))
    async with bench.reading(bus):
        await bench.rows(20)
    assert bench.documents[-1]["state"] == "closed"
    assert bench.documents[-1]["line"]["replies"] == len(await bench.rows(20))


async def test_status_is_published_at_most_once_a_second(
    bench: Bench, simulated: SimulatedBus, tmp_path: Path
) -> None:
    loop = asyncio.get_running_loop()
    async with bench.reading(bus_of(tmp_path, simulated.path, sensor("a", 1, every="0s"))):
        begun = loop.time()
        await bench.status(lambda status: status["line"]["replies"] > 20)
        assert len(bench.documents) <= 1 + (loop.time() - begun)


async def test_an_idle_bus_wakes_nobody(
    bench: Bench, simulated: SimulatedBus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    async with bench.reading(bus_of(tmp_path, simulated.path, sensor("a", 1, every="1h"))) as reader:
        await bench.status(lambda status: status["line"]["replies"] == 1)
        await bench.writer.flush()
        reads = 0
        read = reader._port.read

        async def counting(deadline: float | None = None) -> bytes:
            nonlocal reads
            reads += 1
            return await read(deadline)

        monkeypatch.setattr(reader._port, "read", counting)
        timers = [handle for handle in loop._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]
        assert min(handle.when() for handle in timers) > loop.time() + 3000
        assert reads == 0


def test_what_a_forgotten_device_does_not_give_is_left_out_no_more(tmp_path: Path) -> None:
    (group,) = groups(bus_of(tmp_path, "serial:A1", sensor("a", 1)))
    group.answered(PollResult(({"x": 1},), left_out=({"y": "refused"},)))
    assert group.left_out(group.sensors[0]) == {"y": "refused"}
    group.forget()
    assert group.left_out(group.sensors[0]) == {}


async def test_what_is_read_before_the_clock_is_set_arrives_with_the_right_time(
    bench: Bench, simulated: SimulatedBus, tmp_path: Path
) -> None:
    """The wall clock begins in 1970 with the boot, and is set and synchronized in the middle."""
    is_set = False

    def wall_ns() -> int:
        return time.time_ns() if is_set else boottime_ns()

    clock = Clock("this-boot", boottime_ns, wall_ns, lambda _: "NTP" if is_set else None)
    async with bench.reading(bus_of(tmp_path, simulated.path, sensor("a", 1)), clock):
        document = await bench.status(lambda status: status["line"]["replies"] > 5)
        assert document["sensors"]["a"]["last_ts"] is None, "never shown as 1970"
        assert document["sensors"]["a"]["last_values"] == {"x": 101}
        await bench.writer.flush()
        assert bench.spool.rows(0, limit=10)[0] == [], "held, not sent"
        is_set = True
        document = await bench.status(lambda status: status["sensors"]["a"]["last_ts"] is not None)
    await bench.writer.flush()
    known = clock.known
    assert known is not None
    bench.spool.date(known.boot_id, known.offset_ns)
    rows, _ = bench.spool.rows(0, limit=1000)
    stamps = [row.ts_ms for row in rows]
    wall_ms = (time.time() - time.monotonic()) * 1000
    served_ms = [wall_ms + one.at * 1000 for one in simulated.served if one.unit == 1]
    late_ms = [min(abs(stamp - served) for served in served_ms) for stamp in stamps]
    assert len(set(stamps)) == len(stamps) > 5
    assert min(late_ms) < 100, "what is more is this machine's load, not the clock's error"
    assert bench.spool.audit() == []


@asynccontextmanager
async def foreign_sensor(path: str) -> AsyncIterator[None]:
    """Unit 7 as pymodbus plays it."""
    registers = [2301, 65436, *(1, 34464)]
    device = SimDevice(7, simdata=[SimData(0, values=registers, datatype=DataType.REGISTERS)])
    server = ModbusSerialServer(device, port=path, baudrate=LINE.baudrate)
    await server.serve_forever(background=True)
    try:
        yield
    finally:
        await server.shutdown()


async def test_a_foreign_sensor_is_read_right(bench: Bench, tmp_path: Path) -> None:
    registers = """
voltage = {{ holding = 0, type = "uint16", divide = 10 }}
power = {{ input = 1, type = "int16" }}
energy = {{ holding = 2, type = "uint32", divide = 100 }}
"""
    with PtyPump() as pump:
        bus = bus_of(tmp_path, pump.near, sensor("meter", 7, registers=registers))
        async with foreign_sensor(pump.far), bench.reading(bus):
            rows = await bench.rows(5)
            document = await bench.status(lambda status: status["line"]["replies"] > 5)
    assert all(values == {"voltage": 230.1, "power": -100, "energy": 1000.0} for values in values_of(rows))
    assert document["line"]["crc_errors"] == document["line"]["foreign_frames"] == 0


async def test_a_value_beyond_64_bits_is_left_out_and_counted(
    bench: Bench, simulated: SimulatedBus, tmp_path: Path
) -> None:
    simulated.units[1].holding.update(dict.fromkeys(range(100, 104), 0xFFFF))
    registers = 'x = {{ holding = 0 }}\ntotal = {{ holding = 100, type = "uint64" }}'
    async with bench.reading(bus_of(tmp_path, simulated.path, sensor("big", 1, registers=registers))):
        rows = await bench.rows(2)
        document = await bench.status(lambda status: status["sensors"]["big"]["unstorable"] > 1)
    assert all(values == {"x": 101} for values in values_of(rows))
    assert document["sensors"]["big"]["state"] == "ok"


async def test_unchanged_values_are_shown_and_counted_but_no_readings(
    bench: Bench, simulated: SimulatedBus, tmp_path: Path
) -> None:
    still = sensor("still", 1, publish='"change"', deadband="2")
    async with bench.reading(bus_of(tmp_path, simulated.path, still)):
        await bench.status(lambda status: status["sensors"]["still"]["unchanged"] > 3)
        simulated.units[1].holding[0] += 3
        rows = await bench.rows(2)
        document = await bench.status(lambda status: status["sensors"]["still"]["last_values"] == {"x": 104})
        seen = document["sensors"]["still"]["unchanged"]
        document = await bench.status(lambda status: status["sensors"]["still"]["unchanged"] > seen + 1)
    assert values_of(rows) == [{"x": 101}, {"x": 104}]
    told = document["sensors"]["still"]
    assert told["last_values"] == {"x": 104}
    assert told["last_ts"] > rows[1].ts_ms, "the last measurement is shown, not the last one kept"
    assert bench.spool.ledger()["still"].read == 2
