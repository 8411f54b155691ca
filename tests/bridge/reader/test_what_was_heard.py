"""What is heard instead of a reply: each cause as a fault of the wire; log, status and `try` agree."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.causes import Cause, diagnosis
from bridge.clock import Clock
from bridge.commands.try_.polled import PolledAttempt
from bridge.config import load_site
from bridge.errors import NoReply
from bridge.port.driver import UartErrors
from bridge.simulator.field.device_faults import Stall
from protocols.modbus.rtu import adu
from protocols.toolkit.framing import Frame
from protocols.toolkit.protocol import PolledProtocol
from tests.faults.simulated_reader import Sensor, SimulatedReader
from tests.support.lines import SimulatedLine
from tests.support.loop import on_jumping_clock

SECONDS = 60.0
FOREIGN_REQUEST, FOREIGN_REPLY = (
    adu(9, bytes.fromhex("03 0000 0002")),
    adu(9, bytes.fromhex("03 04 00010002")),
)

Provoke = Callable[[SimulatedLine], None]


class TooMuch:
    """A unit that answers with a register more than it is asked for."""

    def answer(self, request: Frame) -> bytes | None:
        return adu(1, b"\x03\x06" + bytes(6))


def faults(**settings: object) -> Provoke:
    """A fault of unit 1."""

    def provoke(line: SimulatedLine) -> None:
        for name, value in settings.items():
            setattr(line.wire.faults[1], name, value)

    return provoke


def noisy(line: SimulatedLine) -> None:
    faults(silent=1.0)(line)
    line.wire.line_faults.noise = 1.0


def counted_by_uart(**errors: int) -> Provoke:
    """Noise of which the UART counts something."""

    def provoke(line: SimulatedLine) -> None:
        noisy(line)
        line.uart = UartErrors(0, 0, 0, 0, 0)

        def count() -> None:
            assert line.uart is not None
            counted = {name: getattr(line.uart, name) + more for name, more in errors.items()}
            line.uart = replace(line.uart, **counted)

        line.heard = count

    return provoke


def hears_itself(line: SimulatedLine) -> None:
    faults(silent=1.0)(line)
    line.wire.echo = True


def too_much(line: SimulatedLine) -> None:
    line.wire.units[1] = TooMuch()


def another_master(line: SimulatedLine) -> None:
    faults(silent=1.0)(line)
    loop = asyncio.get_running_loop()

    def ask() -> None:
        line.interject(FOREIGN_REQUEST)
        loop.call_later(0.03, line.interject, FOREIGN_REPLY)
        loop.call_later(0.71, ask)

    loop.call_later(0.3, ask)


def babble(line: SimulatedLine) -> None:
    loop = asyncio.get_running_loop()

    def say() -> None:
        line.interject(b"\x55\x55\x55")
        loop.call_later(0.004, say)

    say()


LINE: dict[str, tuple[Provoke, Cause]] = {
    "nothing": (faults(silent=1.0), Cause.SILENT),
    "octets that make no frame": (noisy, Cause.NOISE),
    "framing errors": (counted_by_uart(framing=1), Cause.FRAMING),
    "parity errors": (counted_by_uart(parity=1), Cause.PARITY),
    "a wrong checksum": (faults(bad_crc=1.0), Cause.DAMAGED),
    "half of a reply": (faults(truncate=1.0), Cause.CUT),
    "another address": (faults(wrong_unit=1.0), Cause.OTHER_ADDRESS),
    "more than was asked for": (too_much, Cause.OTHER_REPLY),
    "only the echo": (hears_itself, Cause.ECHO),
    "two replies at once": (faults(twin_s=0.003), Cause.TWO_DEVICES),
    "another master": (another_master, Cause.OTHER_MASTER),
    "no silence": (babble, Cause.LOUD),
    "illegal function": (faults(refuse_with=1), Cause.NO_FUNCTION),
    "illegal data address": (faults(refuse_with=2), Cause.NO_ADDRESS),
    "illegal data value": (faults(refuse_with=3), Cause.NO_VALUE),
    "device failure": (faults(refuse_with=4), Cause.FAILURE),
    "busy": (faults(refuse_with=6), Cause.BUSY),
    "behind a gateway": (faults(refuse_with=0x0B), Cause.UNREACHABLE),
}


def simulated(folder: Path, sensors: list[Sensor] | None = None) -> SimulatedReader:
    return SimulatedReader(folder, "9600 8N1", sensors or [Sensor(1, 1.0, ((0, 2),))])


async def tried(reader: SimulatedReader, folder: Path) -> str:
    """Return what `try` says of the first sensor on this line."""
    bus = load_site(folder / "site.toml").buses["meters"]
    sensor = bus.sensors[0]
    assert isinstance(bus.protocol, PolledProtocol)
    device = bus.protocol.device([sensor.settings], bus.line)
    now = asyncio.get_running_loop().time
    clock = Clock("boot", lambda: round(now() * 1e9), lambda: 0, lambda wall_ns: None)
    await reader.line.open()
    try:
        answer = await PolledAttempt(bus, sensor, device, reader.line, reader.line.path, clock).run()
    except NoReply as silence:
        return str(silence)
    return "\n".join([*answer["refusals"], *answer["remarks"], *answer["doubts"].values()])


@pytest.mark.parametrize("fault", LINE)
def test_log_status_and_try_say_the_same_sentence(
    fault: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    provoke, cause = LINE[fault]
    told: list[str] = []

    @on_jumping_clock
    async def run() -> None:
        reader = simulated(tmp_path)
        provoke(reader.line)
        await reader.run(SECONDS)
        sensor = reader.status["sensors"]["s0"]
        assert sensor["state"] in ("silent", "refusing")
        told.append(sensor["trouble"])

    @on_jumping_clock
    async def attempt() -> None:
        reader = simulated(tmp_path)
        provoke(reader.line)
        told.append(await tried(reader, tmp_path))

    with caplog.at_level(logging.WARNING):
        run()
    attempt()
    status, said_by_try = told
    reason = cause.value if cause is not Cause.FAILURE else "server device failure"
    detail = status.removeprefix("refuses ").split(": ")
    said = str(diagnosis(cause, ": ".join(detail[:2])))
    assert status == said, f"{reason}: {status}"
    warnings = [record.getMessage() for record in caplog.records]
    of_sensor = [warning for warning in warnings if warning.startswith("s0")]
    assert of_sensor[-1] == f"s0 (address 1) {said}"
    assert len(of_sensor) <= 2
    assert said in said_by_try


@on_jumping_clock
async def _slow(folder: Path, seconds: float) -> None:
    reader = simulated(folder)
    reader.wire.faults[1].stall = Stall(1.0, seconds, seconds, depth=3)
    told = await tried(reader, folder)
    assert f"answers slowly (after {seconds:.1f} s, where reply_timeout says 0.5 s)" in told


@pytest.mark.parametrize("seconds", [0.7, 1.3, 2.0, 4.5])
def test_try_reads_a_slow_meter_and_says_how_slow_it_is(seconds: float, tmp_path: Path) -> None:
    _slow(tmp_path, seconds)


@on_jumping_clock
async def _twins(folder: Path) -> None:
    reader = simulated(folder)
    reader.wire.faults[1].twin_s = 0.05
    assert str(diagnosis(Cause.TWO_DEVICES)) in await tried(reader, folder)
    await reader.run(SECONDS)
    assert reader.status["sensors"]["s0"]["trouble"] == str(diagnosis(Cause.TWO_DEVICES))


def test_two_devices_that_answer_one_after_the_other_are_said(tmp_path: Path) -> None:
    _twins(tmp_path)


@on_jumping_clock
async def _healthy_beside_a_master(folder: Path) -> None:
    reader = simulated(folder)
    another_master(reader.line)
    reader.wire.faults[1].silent = 0.0
    await reader.run(SECONDS)
    assert reader.status["line"]["trouble"] == str(diagnosis(Cause.OTHER_MASTER))


def test_another_master_is_said_of_a_bus_whose_sensors_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        _healthy_beside_a_master(tmp_path)
    said = [record.getMessage() for record in caplog.records]
    assert said.count(f"bus meters {diagnosis(Cause.OTHER_MASTER)}") == 1


@on_jumping_clock
async def _dead_beside_noise(folder: Path) -> None:
    """A burst now and then, as on any line, says nothing of a sensor that is dead."""
    reader = simulated(folder, [Sensor(1, 1.0, ((0, 2),)), Sensor(2, 1.0, ((0, 2),))])
    reader.wire.faults[1].silent = 1.0
    reader.wire.line_faults.noise = 0.1
    for _ in range(6):
        await reader.run(SECONDS)
        assert reader.status["sensors"]["s0"]["trouble"] == str(diagnosis(Cause.SILENT))


def test_a_burst_of_noise_does_not_change_the_cause(tmp_path: Path) -> None:
    _dead_beside_noise(tmp_path)


def blocks(choice: random.Random) -> tuple[tuple[int, int], ...]:
    """Up to six values, near together or far apart."""
    starts = choice.sample(range(0, 300, 10), choice.randint(1, 6))
    return tuple((start, choice.choice([1, 2, 4])) for start in sorted(starts))


@on_jumping_clock
async def _healthy(folder: Path, seed: int) -> None:
    choice = random.Random(seed)
    units = choice.sample(range(1, 248), choice.randint(1, 8))
    line = choice.choice(["9600 8N1", "19200 8E1", "38400 8N1", "115200 8N1"])
    sensors = [Sensor(unit, choice.choice([1.0, 2.0, 5.0]), blocks(choice)) for unit in units]
    reader = SimulatedReader(folder, line, sensors, turn_around_s=choice.uniform(0.002, 0.06), seed=seed)
    reader.wire.echo = choice.random() < 0.3
    for unit in units:
        seconds = choice.choice([0.0, 0.0, 0.0, 0.1, 0.3])
        reader.wire.faults[unit].stall = Stall(float(seconds > 0), seconds, seconds, depth=3)
    await reader.run(30.0)
    for row in reader.status["sensors"].values():
        assert (row["state"], row["trouble"], row["left_out"], row["doubts"]) == ("ok", None, {}, {})
    assert reader.status["line"]["trouble"] is None


@pytest.mark.parametrize("seed", range(100))
def test_of_a_healthy_bus_nothing_is_said(
    seed: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        _healthy(tmp_path, seed)
    assert caplog.records == []
