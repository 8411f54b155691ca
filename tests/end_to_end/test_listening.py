"""A line that belongs to a foreign master: the bridge listens, sends nothing, and delivers what is read."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
import termios
import threading
import time
import tty
from pathlib import Path
from typing import Self

import pytest
from pymodbus.client import AsyncModbusSerialClient

from bridge.simulator.field.pty import Pty
from bridge.simulator.server.stand_in import StandIn
from protocols.mbus import link
from protocols.mbus.link import Message, StreamFramer
from protocols.mbus.records import Record
from protocols.mbus.secondary import Secondary
from protocols.mbus.simulation import SimulatedMeter
from protocols.toolkit.framing import Direction, Frame
from tests.end_to_end.conftest import World
from tests.end_to_end.lateness import Lateness
from tests.support.foreign import pymodbus_sensor

pytestmark = pytest.mark.end_to_end

COUNTER = 6  # the holding register that the master writes before each round
ROUNDS = 40
SETTLED_S = 1.0  # what has passed on the line has long reached who listens
SITE = """\
site = "test"

[thingsboard]
url = "coap://127.0.0.1:{port}"

[spool]
path = "{{folder}}/spool.db"
commit_every = "200ms"

[bus.foreign]
adapter = "{adapter}"
protocol = "modbus-rtu"
line = "19200 8N1"
listen = true

[[bus.foreign.sensor]]
name = "meter"
address = 1
every = "0s"
[bus.foreign.sensor.registers]
count = {{ holding = 6 }}
temperature = {{ holding = 0, type = "float32" }}
voltage = {{ input = 0, divide = 10 }}
never = {{ input = 40 }}
"""


class SharedLine:
    """A line with a master, a sensor and a listener: each hears what the others send.

    Attributes:
        sent_by_listener: octets that came from the listener.
        moments: when octets passed, in seconds since 1970, each with the octets.
    """

    def __init__(self) -> None:
        self.master, self.sensor, self.listener = (Pty() for _ in range(3))
        self.sent_by_listener = b""
        self.moments: list[tuple[float, bytes]] = []
        self._is_over = False
        self._thread = threading.Thread(target=self._carry)

    def __enter__(self) -> Self:
        for end in (self.master, self.sensor, self.listener):
            end.plug()
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._is_over = True
        self._thread.join()
        for end in (self.master, self.sensor, self.listener):
            end.close()

    def is_listened_to(self) -> bool:
        """Return whether the listener has set its end to the speed of the line."""
        return self.listener.fd is not None and termios.tcgetattr(self.listener.fd)[5] == termios.B19200

    def _carry(self) -> None:
        ends = {end.fd: end for end in (self.master, self.sensor, self.listener)}
        while not self._is_over:
            ready, _, _ = select.select(list(ends), [], [], 0.05)
            for fd in ready:
                data = os.read(fd, 4096)
                self.moments.append((time.time(), data))
                if ends[fd] is self.listener:
                    self.sent_by_listener += data
                for end in ends.values():
                    if end is not ends[fd]:
                        end.write(data)


async def polled(port: str) -> None:
    """Write a counter and read registers in two parts, again and again, as a foreign master does."""
    client = AsyncModbusSerialClient(port, baudrate=19200)
    assert await client.connect()
    try:
        for number in range(ROUNDS):
            await client.write_register(COUNTER, number, device_id=1)
            await client.read_holding_registers(0, count=8, device_id=1)
            await client.read_input_registers(0, count=2, device_id=1)
            await asyncio.sleep(0.1)
    finally:
        client.close()


async def test_what_a_foreign_master_reads_is_delivered_with_its_time(world: World, server: StandIn) -> None:
    server.tokens.add("T1")
    with SharedLine() as line, pymodbus_sensor(line.sensor.path, 19200, "rtu"):
        world.write(SITE.format(port=server.port, adapter=line.listener.path), {"meter": "T1"})
        process = world.start("run")
        await world.until(line.is_listened_to)
        await polled(str(line.master.path))
        await world.until(lambda: len(server.stored.get("T1", {}).get("voltage", {})) >= ROUNDS)
        await world.until(lambda: world.status()["sensors"]["meter"]["queued"] == 0)
        status = world.status()
        assert world.stop(process) == 0
    assert line.sent_by_listener == b""
    stored = server.stored["T1"]
    assert set(stored["count"].values()) == set(range(ROUNDS))
    assert set(stored["temperature"].values()) == {23.4}
    assert set(stored["voltage"].values()) == {230.1}
    assert len(stored["voltage"]) == ROUNDS
    replies = [at for at, data in line.moments if data[:3] == bytes((1, 4, 4))]
    late_ms = [ts - 1000 * at for ts, at in zip(sorted(stored["voltage"]), replies, strict=True)]
    assert sum(abs(late) >= 50 for late in late_ms) <= ROUNDS // 10, "a loaded machine is late now and then"
    assert status["sensors"]["meter"]["never_read"] == {"never": "input 40"}
    assert status["buses"]["foreign"]["line"]["unpaired"] == {}


def test_nothing_is_asked_on_a_bus_that_only_listens(world: World) -> None:
    with SharedLine() as line:
        world.write(SITE.format(port=9, adapter=line.listener.path), {"meter": "T1"})
        done = world.command("try", "meter")
        assert done.returncode == 2
        assert "only listens" in done.stderr
        time.sleep(0.2)
    assert line.sent_by_listener == b""


async def test_a_line_is_sniffed_and_kept_and_nothing_is_sent(world: World, server: StandIn) -> None:
    kept = world.folder / "line.pcapng"
    with SharedLine() as line, pymodbus_sensor(line.sensor.path, 19200, "rtu"):
        world.write(SITE.format(port=server.port, adapter=line.listener.path), {"meter": "T1"})
        options = ("--protocol", "modbus-rtu", "--line", "19200 8N1", "--learn", "--seconds", "600")
        process = world.start("sniff", str(line.listener.path), *options, "--write", str(kept))
        await world.until(line.is_listened_to)
        await polled(str(line.master.path))
        await world.until(lambda: octets_of(world, kept) == b"".join(data for _, data in line.moments))
        process.send_signal(signal.SIGINT)
        await world.until(lambda: process.poll() is not None)
    assert process.returncode == 0, world.log
    assert line.sent_by_listener == b""
    assert "holding_6 = { holding = 6 }" in world.log


def octets_of(world: World, capture: Path) -> bytes:
    """Return what was captured so far."""
    shown = world.command("decode", "modbus-rtu", "--capture", str(capture), "--json")
    rows = map(json.loads, shown.stdout.splitlines())
    return b"".join(bytes.fromhex(row.get("frame") or row["noise"]) for row in rows)


MBUS_SITE = """\
site = "test"

[thingsboard]
url = "coap://127.0.0.1:{port}"

[spool]
path = "{{folder}}/spool.db"
commit_every = "200ms"

[bus.cellar]
adapter = "{adapter}"
protocol = "mbus"
line = "9600 8E1"
listen = true

[[bus.cellar.sensor]]
name = "heat"
id = "06855817"
every = "0s"

[[bus.cellar.sensor]]
name = "water"
address = 6
every = "0s"
values = ["volume", "power"]
"""


def water(litres: int) -> list[Record]:
    return [Record((0x13,), 4, litres.to_bytes(4, "little"))]


def opened(port: object) -> int:
    """A port without any line setting, as a pseudo terminal has none."""
    fd = os.open(str(port), os.O_RDWR | os.O_NOCTTY)
    tty.setraw(fd)
    return fd


class Meters:
    """Meters at the far end of a line; those who are asked answer."""

    def __init__(self, port: object, *meters: SimulatedMeter) -> None:
        self._fd, self._meters = opened(port), meters
        self._is_over = False
        self._thread = threading.Thread(target=self._answer)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._is_over = True
        self._thread.join()
        os.close(self._fd)

    def _answer(self) -> None:
        framer = StreamFramer()
        while not self._is_over:
            if not select.select([self._fd], [], [], 0.05)[0]:
                continue
            for event in framer.feed(os.read(self._fd, 4096)):
                if isinstance(event, Frame) and event.direction is Direction.REQUEST:
                    for meter in self._meters:
                        os.write(self._fd, meter.answer(event) or b"")


def read_meters(port: object, rounds: int) -> None:
    """Read both meters as another master does: a reset, then each telegram."""
    fd = opened(port)
    try:
        for _ in range(rounds):
            for a, telegrams in (5, 2), (6, 1):
                bits = [link.REQ_UD2 | (0 if number % 2 else link.FCB) for number in range(telegrams)]
                for c in (link.SND_NKE, *bits):
                    os.write(fd, link.build(Message(c, a)))
                    assert select.select([fd], [], [], 2.0)[0], "no reply"
                    time.sleep(0.1)
                    os.read(fd, 4096)
    finally:
        os.close(fd)


async def test_m_bus_meters_that_another_master_reads_are_delivered(world: World, server: StandIn) -> None:
    server.tokens.update({"T1", "T2"})
    energy, flow = Record((0x06,), 0xC, bytes.fromhex("91370000")), Record((0x5A,), 2, bytes.fromhex("ea00"))
    meters = (
        SimulatedMeter(5, [[energy], [flow]], Secondary("06855817", "KAM", 8, 4)),
        SimulatedMeter(6, [water(1500)], Secondary("11490378", "ACW", 14, 7)),
    )
    with SharedLine() as line, Meters(line.sensor.path, *meters):
        text = MBUS_SITE.format(port=server.port, adapter=line.listener.path)
        world.write(text, {"heat": "T1", "water": "T2"})
        process = world.start("run")
        await world.until(lambda: "reads 2 sensors" in world.log)
        await asyncio.to_thread(read_meters, line.master.path, 5)
        for token, name in ("T1", "flow_temperature"), ("T2", "volume"):
            await world.until(
                lambda token=token, name=name: len(server.stored.get(token, {}).get(name, ())) == 5
            )
        status = world.status()
        assert world.stop(process) == 0
    assert line.sent_by_listener == b""
    assert set(server.stored["T1"]["energy"].values()) == {3_791_000}
    assert set(server.stored["T1"]["flow_temperature"].values()) == {23.4}
    assert set(server.stored["T2"]["volume"].values()) == {1.5}
    assert status["sensors"]["water"]["never_read"] == {"power": "meter 6"}
    assert status["buses"]["cellar"]["line"]["unpaired"] == {}


POLLED_SITE = """\
site = "test"

[thingsboard]
url = "coap://127.0.0.1:{port}"

[spool]
path = "{{folder}}/spool.db"
commit_every = "200ms"

[bus.own]
adapter = "{adapter}"
protocol = "modbus-rtu"
line = "19200 8N1"

[[bus.own.sensor]]
name = "meter"
address = 1
every = "200ms"
[bus.own.sensor.registers]
temperature = {{ holding = 0, type = "float32" }}
voltage = {{ input = 0, divide = 10 }}
"""


async def test_a_bus_in_service_is_sniffed_and_loses_no_reading(world: World, server: StandIn) -> None:
    server.tokens.add("T1")
    kept = world.folder / "own.jsonl"
    lateness = Lateness()
    with SharedLine() as line, pymodbus_sensor(line.sensor.path, 19200, "rtu"), lateness.watched():
        world.write(POLLED_SITE.format(port=server.port, adapter=line.master.path), {"meter": "T1"})
        process = world.start("run")
        await world.until(lambda: len(server.stored.get("T1", {}).get("voltage", {})) > 2)
        done = await asyncio.to_thread(
            world.command, "sniff", "own", "--seconds", "3", "--json", "--write", str(kept)
        )
        status = world.status()
        assert world.stop(process) == 0
    assert done.returncode == 0, done.stderr
    shown = [json.loads(row) for row in done.stdout.splitlines()]
    requests = [row for row in shown if row.get("direction") == "request"]
    replies = [row for row in shown if row.get("direction") == "reply"]
    assert len(requests) >= 20
    assert abs(len(requests) - len(replies)) <= 1
    directions = {json.loads(row)["dir"] for row in kept.read_text().splitlines()}
    assert directions == {"rx", "tx"}
    sensor = status["sensors"]["meter"]
    # a sniffer in the way would cost every other poll; a busy machine may cost a few by itself
    lost = sensor["timeouts"] + sensor["late_replies"] + sensor["missed_slots"]
    assert lost <= len(requests) // 5 + lateness.excuses()


def listeners(reader: subprocess.Popen[bytes]) -> int:
    """Return how many connections a reader has accepted."""
    own = {str(link.readlink()) for link in Path(f"/proc/{reader.pid}/fd").iterdir()}
    rows = [row.split() for row in Path("/proc/net/unix").read_text().splitlines()[1:]]
    return sum(len(row) == 8 and row[5] == "03" and f"socket:[{row[6]}]" in own for row in rows)


@pytest.mark.parametrize("is_in_service", [False, True])
async def test_a_foreign_master_is_compared_with_what_the_bridge_would_read(
    world: World, server: StandIn, is_in_service: bool
) -> None:
    server.tokens.add("T1")
    with SharedLine() as line, pymodbus_sensor(line.sensor.path, 19200, "rtu"):
        world.write(SITE.format(port=server.port, adapter=line.listener.path), {"meter": "T1"})
        if is_in_service:
            service = world.start("run")
            await world.until(lambda: "reads 1 sensors" in world.log)
        comparing = subprocess.Popen(  # noqa: ASYNC220 — it is ended in the middle
            [sys.executable, "-m", "bridge", "compare", "foreign", "--minutes", "10", "--json"],
            env=world.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        world.processes.append(comparing)
        await world.until((lambda: listeners(service) == 1) if is_in_service else line.is_listened_to)
        await polled(str(line.master.path))
        await asyncio.sleep(SETTLED_S)
        comparing.send_signal(signal.SIGINT)
        written, complaints = await asyncio.to_thread(comparing.communicate, timeout=30)
        if is_in_service:
            await world.until(lambda: set(server.stored["T1"]["count"].values()) == set(range(ROUNDS)))
            assert world.stop(service) == 0
    assert line.sent_by_listener == b""
    assert comparing.returncode == 0, complaints
    document = json.loads(written)
    meter = document["sensors"]["meter"]
    asked = meter["asked"]
    assert (asked["requests"], asked["writes"], asked["answered"]) == (3 * ROUNDS, ROUNDS, 3 * ROUNDS)
    assert meter["values"]["temperature"]["last"] == 23.4
    assert meter["values"]["voltage"]["reads"] == ROUNDS
    assert meter["values"]["never"]["never_read"] == "input 40"
    assert document["is_ready"] is True
    assert document["verdict"][-1].startswith("next: when the old master is unplugged")
