"""Simulated sensors, asked through their pseudo terminal by this file and by foreign masters."""

from __future__ import annotations

import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import minimalmodbus
import pytest
import serial
from pymodbus.client import ModbusSerialClient

from bridge.config import Site, load_site
from bridge.simulator.field.sensors import LiveUnit, SimulatedBus, simulate
from protocols import load
from protocols.modbus.rtu import ModbusSettings, SimulatedUnit, adu
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import Device, LineSettings, PollResult, Request
from tests.support.site import site_head

LINE = LineSettings.parse("9600 8N1")
READ = adu(1, bytes.fromhex("03 0000 0002"))  # two holding registers of unit 1
REPLY = adu(1, bytes.fromhex("03 04 0909 002A"))
REPLY_WITHIN_S = 10.0
QUIET_S = 0.25


def meter(address: int = 1) -> SimulatedUnit:
    return SimulatedUnit(address, holding={0: 0x0909, 1: 42})


@pytest.fixture
def bus() -> Iterator[SimulatedBus]:
    with SimulatedBus({1: meter(1), 2: meter(2)}, LINE, seed=3) as simulated:
        yield simulated


@pytest.fixture
def quick() -> Iterator[SimulatedBus]:
    with SimulatedBus({1: meter(1), 2: meter(2)}, LINE, paced=False, seed=3) as simulated:
        yield simulated


@pytest.fixture
def opened() -> Iterator[Callable[[SimulatedBus], serial.Serial]]:
    ports: list[serial.Serial] = []

    def open_port(simulated: SimulatedBus) -> serial.Serial:
        ports.append(serial.Serial(str(simulated.path), LINE.baudrate, timeout=0))
        return ports[-1]

    yield open_port
    for port in ports:
        port.close()


Open = Callable[[SimulatedBus], serial.Serial]


def hear(port: serial.Serial, octets: int) -> bytes:
    """So many octets, however long they take; then what else comes until the line is quiet."""
    heard = b""
    deadline = time.monotonic() + REPLY_WITHIN_S
    while time.monotonic() < deadline:
        ready, _, _ = select.select([port], [], [], QUIET_S)
        if ready:
            heard += port.read(256)
        elif len(heard) >= octets:
            break
    return heard


def ask(port: serial.Serial, request: bytes = READ, *, octets: int = len(REPLY)) -> bytes:
    port.write(request)
    return hear(port, octets)


def test_a_unit_answers_what_it_holds(bus: SimulatedBus, opened: Open) -> None:
    before = time.monotonic()
    assert ask(opened(bus)) == REPLY
    (served,) = bus.served
    assert (served.unit, served.registers) == (1, {0: 0x0909, 1: 42})
    assert before < served.at < time.monotonic()
    assert bus.requests == {1: 1}


def test_a_reply_takes_the_time_of_the_wire(bus: SimulatedBus, opened: Open) -> None:
    port = opened(bus)
    started = time.monotonic()
    port.write(READ)
    heard = b""
    while heard != REPLY:
        assert select.select([port], [], [], REPLY_WITHIN_S)[0]
        heard += port.read(256)
    assert time.monotonic() - started >= LINE.duration_s(len(READ) + len(REPLY)) + bus.turn_around_s


def test_a_long_reply_trickles_in(opened: Open) -> None:
    with SimulatedBus({1: SimulatedUnit(1, holding=dict.fromkeys(range(60), 1))}, LINE) as bus:
        port = opened(bus)
        port.write(adu(1, bytes.fromhex("03 0000 003C")))
        pieces: list[bytes] = []
        while sum(map(len, pieces)) < 125:
            assert select.select([port], [], [], REPLY_WITHIN_S)[0]
            pieces.append(port.read(256))
    assert len(pieces) > 1


def test_nobody_answers_at_an_address_without_unit(quick: SimulatedBus, opened: Open) -> None:
    port = opened(quick)
    assert ask(port, adu(9, READ[1:-2]), octets=0) == b""
    assert quick.requests == {9: 1}
    assert quick.served == []


def test_a_broadcast_is_not_answered(quick: SimulatedBus, opened: Open) -> None:
    assert ask(opened(quick), adu(0, bytes.fromhex("06 0000 0001")), octets=0) == b""


def test_what_is_no_request_is_skipped(quick: SimulatedBus, opened: Open) -> None:
    port = opened(quick)
    assert ask(port, READ[:5], octets=0) == b""  # cut, and then the line is quiet
    assert ask(port, b"\x00\xff" + READ) == REPLY


def test_faults_spoil_the_replies_of_their_unit_alone(quick: SimulatedBus, opened: Open) -> None:
    port = opened(quick)
    quick.faults[2].silent = 1.0
    assert ask(port, adu(2, READ[1:-2]), octets=0) == b""
    assert ask(port) == REPLY


@pytest.mark.parametrize(
    ("fault", "heard"),
    [
        ({"bad_crc": 1.0}, REPLY[:-1] + bytes((REPLY[-1] ^ 0xFF,))),
        ({"truncate": 1.0}, REPLY[:4]),
        ({"wrong_unit": 1.0}, adu(2, REPLY[1:-2])),
        ({"refuse_with": 6}, adu(1, b"\x83\x06")),
        ({"split": 1.0}, REPLY),
        ({"late": 1.0, "late_s": 0.3}, REPLY),
    ],
)
def test_a_fault_does_what_it_says(
    fault: dict[str, float], heard: bytes, quick: SimulatedBus, opened: Open
) -> None:
    for name, value in fault.items():
        setattr(quick.faults[1], name, value)
    assert ask(opened(quick), octets=len(heard)) == heard
    assert len(quick.served) == (heard == REPLY or "refuse_with" in fault)


def test_noise_stands_before_and_behind(quick: SimulatedBus, opened: Open) -> None:
    port = opened(quick)
    quick.faults[1].noise_before = 1.0
    heard = ask(port, octets=len(REPLY) + 1)
    assert heard.endswith(REPLY)
    assert len(heard) > len(REPLY)
    quick.faults[1].noise_before, quick.faults[1].noise_after = 0.0, 1.0
    heard = ask(port, octets=len(REPLY) + 1)
    assert heard.startswith(REPLY)
    assert len(heard) > len(REPLY)
    assert len(quick.served) == 2


def test_a_late_reply_is_late(quick: SimulatedBus, opened: Open) -> None:
    port = opened(quick)
    quick.faults[1].late, quick.faults[1].late_s = 1.0, 0.3
    started = time.monotonic()
    port.write(READ)
    assert select.select([port], [], [], REPLY_WITHIN_S)[0]
    assert time.monotonic() - started >= 0.3


def test_a_late_unit_does_not_keep_another_from_answering(quick: SimulatedBus, opened: Open) -> None:
    port = opened(quick)
    quick.faults[1].late, quick.faults[1].late_s = 1.0, 1.0
    port.write(READ)
    assert ask(port, adu(2, READ[1:-2]), octets=2 * len(REPLY)) == adu(2, REPLY[1:-2]) + REPLY
    assert [served.unit for served in quick.served] == [2, 1]


def test_a_late_unit_answers_the_repeated_request_too(quick: SimulatedBus, opened: Open) -> None:
    port = opened(quick)
    quick.faults[1].late, quick.faults[1].late_s = 1.0, 0.3
    port.write(READ)
    port.write(READ)
    assert hear(port, 2 * len(REPLY)) == 2 * REPLY
    assert quick.early == 0


def test_the_same_seed_spoils_the_same_replies(opened: Open) -> None:
    def spoiled(seed: int) -> list[bool]:
        with SimulatedBus({1: meter()}, LINE, paced=False, seed=seed) as bus:
            port = opened(bus)
            bus.faults[1].bad_crc = 0.5
            found = []
            for _ in range(12):
                port.write(READ)
                heard = b""
                while len(heard) < len(REPLY):
                    assert select.select([port], [], [], REPLY_WITHIN_S)[0]
                    heard += port.read(256)
                found.append(heard != REPLY)
            return found

    first = spoiled(1)
    assert first == spoiled(1) != spoiled(2)
    assert 0 < sum(first) < 12


def test_an_echo_comes_before_the_reply(quick: SimulatedBus, opened: Open) -> None:
    quick.echo = True
    assert ask(opened(quick), octets=len(READ + REPLY)) == READ + REPLY


def test_an_unplugged_adapter_hangs_up_and_its_path_goes(quick: SimulatedBus, opened: Open) -> None:
    port = opened(quick)
    assert ask(port) == REPLY
    path = quick.path
    quick.unplug()
    quick.unplug()
    assert not path.is_symlink()
    select.select([port], [], [], REPLY_WITHIN_S)
    with pytest.raises(serial.SerialException):
        port.read(1)
    quick.replug()
    assert quick.path == path
    assert ask(opened(quick)) == REPLY


def test_an_adapter_pulled_in_the_middle_of_a_reply_cuts_it(bus: SimulatedBus, opened: Open) -> None:
    bus.faults[1].late, bus.faults[1].late_s = 1.0, 60.0
    port = opened(bus)
    port.write(READ)
    while not bus.requests:
        time.sleep(0.005)
    bus.unplug()
    bus.replug()
    bus.faults[1].late = 0.0
    assert ask(opened(bus)) == REPLY
    assert len(bus.served) == 1


def test_the_adapter_stands_where_it_was_asked_to(tmp_path: Path, opened: Open) -> None:
    with SimulatedBus({1: meter()}, LINE, link=tmp_path / "meters", paced=False) as bus:
        assert bus.path == tmp_path / "meters"
        assert ask(opened(bus)) == REPLY
    assert list(tmp_path.iterdir()) == []


def test_minimalmodbus_reads_it(bus: SimulatedBus) -> None:
    master = minimalmodbus.Instrument(str(bus.path), 1, close_port_after_each_call=True)
    master.serial.baudrate = LINE.baudrate
    master.serial.timeout = 2.0  # it waits so long for the rest of a reply that is a refusal
    assert master.read_registers(0, 2) == [0x0909, 42]
    bus.faults[1].refuse_with = 2
    with pytest.raises(minimalmodbus.IllegalRequestError):
        master.read_registers(0, 2)
    assert bus.early == 0


def test_pymodbus_reads_it(bus: SimulatedBus) -> None:
    master = ModbusSerialClient(str(bus.path), baudrate=LINE.baudrate, timeout=REPLY_WITHIN_S)
    try:
        assert master.connect()
        for unit in (1, 2):
            assert master.read_holding_registers(0, count=2, device_id=unit).registers == [0x0909, 42]
    finally:
        master.close()
    assert [served.unit for served in bus.served] == [1, 2]


SITE = (
    site_head(site="cabinet", adapter="/dev/null", line="115200 8N1")
    + """\
[[bus.meters.sensor]]
name = "meter"
address = 1
every = "1s"
[bus.meters.sensor.registers]
voltage = { input = 0, type = "float32", unit = "V", order = "CDAB" }
energy = { input = 10, type = "uint32", divide = 100, unit = "kWh" }
state = { holding = 0, mask = 0xF0, enum = { 1 = "off", 2 = "on" } }
fault = { holding = 0, bit = 0 }
door = { discrete = 3, enum = { 0 = "shut", 1 = "open" } }
[[bus.meters.sensor]]
name = "room"
address = 1
every = "1s"
[bus.meters.sensor.registers]
temperature = { holding = 5, type = "int16", divide = 10, unit = "°C" }
[[bus.meters.sensor]]
name = "roof"
address = 2
every = "1s"
[bus.meters.sensor.registers]
wind = { holding = 0, min = 0, max = 30 }
"""
)


@pytest.fixture(params=["modbus-rtu", "modbus-ascii"])
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Site:
    path = tmp_path / "site.toml"
    path.write_text(SITE.replace("modbus-rtu", request.param))
    return load_site(path)


def reply_to(port: serial.Serial, request: Request) -> Frame:
    """The whole reply to a request, which may be a refusal, and shorter than the one that is asked for."""
    port.write(request.data)
    framer = request.framer()
    while select.select([port], [], [], REPLY_WITHIN_S)[0]:
        for event in framer.feed(port.read(256)):
            assert isinstance(event, Frame)
            return event
    raise AssertionError(f"no reply to {request.summary}")


def polled(bus: SimulatedBus, port: serial.Serial, device: Device) -> PollResult:
    """Return one poll of a device, as the bridge runs it."""
    poll = device.poll(0.0)
    request: Request | None = next(poll)
    result: object = None
    while request is not None:
        reply = reply_to(port, request)
        assert request.accepts(reply)
        try:
            request = poll.send(reply)
        except StopIteration as stop:
            request, result = None, stop.value
    assert isinstance(result, PollResult)
    return result


def test_a_site_is_played_with_a_plausible_value_for_every_register(
    site: Site, tmp_path: Path, opened: Open
) -> None:
    folder = tmp_path / "devices"
    configured = site.buses["meters"]
    with simulate(site, folder) as buses:
        assert buses["meters"].path == folder / "meters"
        port = opened(buses["meters"])
        meter_and_room = [sensor.settings for sensor in configured.sensors[:2]]
        found = polled(buses["meters"], port, configured.protocol.device(meter_and_room, configured.line))
        assert found.complete
        meter, room = found.values
        assert set(meter) == {"voltage", "energy", "state", "fault", "door"}
        assert 220 < float(meter["voltage"]) < 240
        assert 4821 <= float(meter["energy"]) < 4822
        assert meter["state"] in ("off", "on")
        assert isinstance(meter["fault"], bool)
        assert meter["door"] in ("shut", "open")
        assert 15 < float(room["temperature"]) < 27
        roof = configured.protocol.device([configured.sensors[2].settings], configured.line)
        assert 0 <= float(polled(buses["meters"], port, roof).values[0]["wind"]) <= 30
    assert not (folder / "meters").is_symlink()


SUNSPEC = """
[[bus.meters.sensor]]
name = "inverter"
address = 9
model = "sunspec"
models = [103, 160]
every = "1s"
"""


def test_a_sunspec_device_is_played_with_the_chain_of_its_models(tmp_path: Path, opened: Open) -> None:
    path = tmp_path / "site.toml"
    path.write_text(SITE + SUNSPEC)
    bus = load_site(path).buses["meters"]
    with simulate(load_site(path), tmp_path / "devices") as buses:
        port = opened(buses["meters"])
        result = polled(buses["meters"], port, bus.protocol.device([bus.sensors[-1].settings], bus.line))
    (values,) = result.values
    assert result.complete
    assert 400 < float(values["inverter_three_phase_W"]) < 2000
    assert 220 < float(values["inverter_three_phase_PhVphA"]) < 240
    assert "mppt_module_2_DCV" in values


@pytest.mark.parametrize("model", load("modbus-rtu").model_names)
def test_every_model_that_ships_can_be_played(model: str, opened: Open) -> None:
    modbus = load("modbus-rtu")
    settings = modbus.settings({"address": 1, "model": model})
    unit = LiveUnit(1, settings.registers, "seed")
    with SimulatedBus({1: unit}, LINE, paced=False) as bus:
        found = polled(bus, opened(bus), modbus.device([settings], LINE))
    assert found.complete
    assert set(found.values[0]) == {register.name for register in settings.registers}


def test_a_unit_says_the_same_at_the_same_age_and_something_new_later(site: Site) -> None:
    settings = site.buses["meters"].sensors[0].settings
    assert isinstance(settings, ModbusSettings)
    one, same, other = (LiveUnit(1, settings.registers, seed) for seed in ("a", "a", "b"))
    assert one.input == same.input != other.input
    before = dict(one.input)
    one.refresh(60.0)
    assert one.input != before


def test_the_command_plays_until_it_is_stopped(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "devices"
    with site.path.open("a") as written:
        written.write('[bus.cellar]\nadapter = "/dev/zero"\nprotocol = "mbus"\n')
        written.write('[[bus.cellar.sensor]]\nname = "heat"\naddress = 5\nevery = "1h"\n')
    play = (
        "import sys; from pathlib import Path; from bridge.config import load_site;"
        "from bridge.simulator.field.sensors import simulate_until_stopped as play;"
        "play(load_site(Path(sys.argv[1])), Path(sys.argv[2]), lambda text: print(text, flush=True))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", play, str(site.path), str(folder)], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == f"{folder}/meters: meters, 115200 8N1, units 1, 2\n"
            assert process.stdout.readline().startswith(
                "cellar is not played: it speaks mbus, only modbus-rtu"
            )
            assert (folder / "meters").is_char_device()
            process.terminate()
            assert process.wait(REPLY_WITHIN_S) == 0
        finally:
            process.kill()
    assert not (folder / "meters").is_symlink()
