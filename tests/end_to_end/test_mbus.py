"""M-Bus meters on a pseudo terminal, read by the real command and delivered to the stand-in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bridge.simulator.field.bus import SimulatedBus
from bridge.simulator.server.stand_in import StandIn
from protocols.mbus import link
from protocols.mbus.records import Record
from protocols.mbus.secondary import Secondary
from protocols.mbus.simulation import DIALECT, SimulatedMeter
from protocols.toolkit.meter_keys import MeterKey
from protocols.toolkit.polling import LineSettings
from tests.end_to_end.conftest import World, newest
from tests.protocols.mbus.test_security import MODE_5, MODE_7

pytestmark = pytest.mark.end_to_end

HEAT, COLD, HOT = 5, 1, 0  # primary addresses; nobody gave the last one any
SITE = """\
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

[[bus.cellar.sensor]]
name = "heat"
address = 5
every = "1s"

[[bus.cellar.sensor]]
name = "cold-water"
id = "11490378"
every = "1s"

[[bus.cellar.sensor]]
name = "hot-water"
id = "08021382"
manufacturer = "LSE"
every = "1s"
[bus.cellar.sensor.values]
hot_water = "volume"
"""


def water(litres: int) -> list[Record]:
    return [Record((0x13,), 4, litres.to_bytes(4, "little")), Record((0x3B,), 2, b"\x0a\x00")]


@pytest.fixture
def bus() -> Iterator[SimulatedBus]:
    energy = Record((0x06,), 0xC, bytes.fromhex("91370000"))
    flow = Record((0x5A,), 2, bytes.fromhex("ea00"))
    heat = SimulatedMeter(HEAT, [[energy], [flow]], Secondary("06855817", "KAM", 8, 4))
    cold = SimulatedMeter(COLD, [water(1500)], Secondary("11490378", "ACW", 14, 7))
    hot = SimulatedMeter(HOT, [water(255)], Secondary("08021382", "LSE", 153, 6))
    units = {HEAT: heat, COLD: cold, HOT: hot}
    with SimulatedBus(units, LineSettings(9600, 8, "E"), dialect=DIALECT) as found:
        yield found


def site_text(bus: SimulatedBus, port: int, world: World) -> str:
    return SITE.format(port=port, adapter=bus.path).format(folder=world.folder)


async def test_meters_by_address_and_by_id_on_one_line_are_delivered_each_to_its_device(
    world: World, server: StandIn, bus: SimulatedBus
) -> None:
    server.tokens.update({"T1", "T2", "T3"})
    tokens = {"heat": "T1", "cold-water": "T2", "hot-water": "T3"}
    world.write(site_text(bus, server.port, world), tokens)
    process = world.start("run")
    for token, last in ("T1", "flow_temperature"), ("T2", "volume"), ("T3", "hot_water"):
        await world.until(lambda token=token, last=last: len(server.stored.get(token, {}).get(last, ())) > 2)
    sensors = world.status()["sensors"]
    assert world.stop(process) == 0, world.log
    assert {token: newest(server, token) for token in server.stored} == {
        "T1": {"energy": 3_791_000, "flow_temperature": 23.4},
        "T2": {"volume": 1.5, "volume_flow": 0.01},
        "T3": {"hot_water": 0.255},
    }
    for sensor in sensors.values():
        assert (sensor["crc_errors"], sensor["exceptions"]) == (0, 0)


async def test_a_meter_that_was_cut_off_in_the_middle_is_read_again_from_its_first_telegram(
    world: World, server: StandIn, bus: SimulatedBus
) -> None:
    server.tokens.add("T1")
    text = site_text(bus, server.port, world).partition('\n[[bus.cellar.sensor]]\nname = "cold')[0]
    world.write(text.replace('"1s"', '"200ms"'), {"heat": "T1"})
    bus.faults[HEAT].bad_crc = 0.3
    process = world.start("run")

    def together() -> int:
        stored = server.stored.get("T1", {})
        return len(stored.get("energy", {}).keys() & stored.get("flow_temperature", {}).keys())

    await world.until(lambda: bus.requests[HEAT] > len(bus.served) + 3 and together() > 3)
    assert world.stop(process) == 0, world.log
    stored = server.stored["T1"]
    assert set(newest(server, "T1")) == {"energy", "flow_temperature"}
    assert {*stored["energy"].values()} == {3_791_000}
    assert {*stored["flow_temperature"].values()} == {23.4}


def test_try_shows_the_units_of_all_that_a_meter_tells(world: World, bus: SimulatedBus) -> None:
    world.write(site_text(bus, 5683, world), {})
    done = world.command("try", "heat")
    assert done.returncode == 0, done.stderr
    assert "3791000 Wh" in done.stdout
    assert "23.4 °C" in done.stdout
    assert "meter 5: telegram 2" in done.stdout


def test_the_telegram_of_another_meter_than_the_selected_one_is_not_believed(
    world: World, bus: SimulatedBus
) -> None:
    world.write(site_text(bus, 5683, world), {})
    assert "0.255 m³" in world.command("try", "hot-water").stdout
    bus.faults[HOT].wrong_unit = 1.0
    done = world.command("try", "hot-water")
    assert "no usable value" in done.stdout
    assert "data: no reply" in done.stdout


def test_stray_octets_before_a_reply_cost_nothing(world: World, bus: SimulatedBus) -> None:
    world.write(site_text(bus, 5683, world), {})
    for sensor, address in ("heat", HEAT), ("hot-water", HOT):
        bus.faults[address].noise_before = 1.0
        done = world.command("try", sensor)
        assert done.returncode == 0, done.stderr
        assert "no reply" not in done.stdout


def test_check_needs_no_line_and_names_every_mistake(world: World, bus: SimulatedBus) -> None:
    good = site_text(bus, 5683, world)
    world.write(good, {})
    checked = world.command("check")
    assert checked.returncode == 0, checked.stderr
    assert "mbus at 9600 8E1" in checked.stdout
    world.write(good.replace('"volume"', '"volumen"').replace("address = 5", "address = 253"), {})
    done = world.command("check")
    assert done.returncode == 2
    assert "address: 253 is not a primary address, use 0–250" in done.stderr
    assert 'values.hot_water: unknown value "volumen"' in done.stderr
    world.write(good.replace("address = 5", "address = 254"), {})
    done = world.command("check")
    assert done.returncode == 2
    assert "bus.cellar.sensor[1].address: 254 calls every meter of the line" in done.stderr


ENCRYPTED = """\
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

[[bus.cellar.sensor]]
name = "gas"
address = 5
every = "500ms"

[[bus.cellar.sensor]]
name = "heat"
address = 6
every = "500ms"
"""


class EncryptedMeter(SimulatedMeter):
    """A meter that sends an example of the standards, encrypted."""

    example: tuple[int, str, MeterKey]

    def _telegram(self) -> bytes:
        ci, data, _ = self.example
        return link.build(link.Message(link.RSP_UD, self.address, ci, bytes.fromhex(data)))


def encrypted(address: int, example: tuple[int, str, MeterKey]) -> EncryptedMeter:
    meter = EncryptedMeter(address, [[]])
    meter.example = example
    return meter


@pytest.fixture
def encrypted_bus() -> Iterator[SimulatedBus]:
    units = {5: encrypted(5, MODE_5), 6: encrypted(6, MODE_7)}
    with SimulatedBus(units, LineSettings(9600, 8, "E"), dialect=DIALECT) as found:
        yield found


async def test_meters_that_encrypt_in_modes_5_and_7_are_read_with_their_keys(
    world: World, server: StandIn, encrypted_bus: SimulatedBus
) -> None:
    server.tokens.update({"T1", "T2"})
    world.write(ENCRYPTED.format(port=server.port, adapter=encrypted_bus.path), {"gas": "T1", "heat": "T2"})
    keys = "".join(
        f'{name} = "{example[2].encryption.hex()}"\n' for name, example in (("gas", MODE_5), ("heat", MODE_7))
    )
    with world.credentials.open("a") as file:
        file.write(f"\n[decryption]\n{keys}")
    process = world.start("run")
    await world.until(
        lambda: all(len(server.stored.get(token, {}).get("volume", ())) > 1 for token in ("T1", "T2"))
    )
    assert world.stop(process) == 0, world.log
    for token in ("T1", "T2"):
        assert set(server.stored[token]["volume"].values()) == {28504.27}


async def test_a_wrong_key_of_an_m_bus_meter_is_one_sentence_and_no_value(
    world: World, server: StandIn, encrypted_bus: SimulatedBus
) -> None:
    server.tokens.update({"T1", "T2"})
    world.write(ENCRYPTED.format(port=server.port, adapter=encrypted_bus.path), {"gas": "T1", "heat": "T2"})
    with world.credentials.open("a") as file:
        file.write(f'\n[decryption]\ngas = "{bytes(16).hex()}"\nheat = "{MODE_7[2].encryption.hex()}"\n')
    process = world.start("run")
    await world.until(lambda: len(server.stored.get("T2", {}).get("volume", ())) > 3)
    assert world.stop(process) == 0, world.log
    assert "T1" not in server.stored
    sentences = [line for line in world.log.splitlines() if "the key does not decrypt" in line]
    assert len(sentences) == 1
    assert "gas" in sentences[0]
