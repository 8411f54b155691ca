"""A smart meter's customer interface: plain and encrypted pushes, read by the real command and delivered."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator

import pytest
from fastcrc.crc16 import arc

from bridge.simulator.field.free_running import FreeRunningLine
from bridge.simulator.server.stand_in import StandIn
from protocols.toolkit.polling import LineSettings
from tests.end_to_end.conftest import World
from tests.protocols.dlms.building import (
    KEY,
    ciphered,
    code,
    frames,
    notification,
    scale,
    structure,
    text,
    u32,
)

pytestmark = pytest.mark.end_to_end

SITE = """\
site = "test"

[thingsboard]
url = "coap://127.0.0.1:{port}"

[spool]
path = "{{folder}}/spool.db"
commit_every = "200ms"

[bus.hall]
adapter = "{adapter}"
protocol = "{protocol}"
line = "115200 8N1"

[[bus.hall.sensor]]
name = "house"
every = "0s"
{own}
"""
METER = "7359992890941742"
KEYS = f"""
[decryption]
house = {{ key = "{KEY.encryption.hex()}", authentication_key = "{(KEY.authentication or b"").hex()}" }}
"""


P1_METER = "E0043007052870318"


def site_text(server: StandIn, line: FreeRunningLine, own: str, protocol: str = "dlms-push") -> str:
    return SITE.format(port=server.port, adapter=line.path, own=own, protocol=protocol)


def telegram(kilowatts: float, counter: int) -> bytes:
    """Return what an encrypted P1 port says."""
    lines = (
        "/KFM5KAIFA-METER",
        "",
        "1-3:0.2.8(42)",
        f"0-0:96.1.1({P1_METER.encode().hex().upper()})",
        f"1-0:1.7.0({kilowatts:06.3f}*kW)",
        "!",
    )
    text = "\r\n".join(lines).encode()
    return ciphered(text + f"{arc(text):04X}\r\n".encode(), counter)


def push(watts: int, counter: int | None = None) -> bytes:
    """Return what the meter says, encrypted if it has a counter."""
    body = structure(
        structure(code("0.0.96.1.0.255"), text(METER)),
        structure(code("1.0.1.7.0.255"), u32(watts), scale(0, 27)),
    )
    apdu = notification(body)
    return b"".join(frames(apdu if counter is None else ciphered(apdu, counter), size=50))


@pytest.fixture
def line() -> Iterator[FreeRunningLine]:
    with FreeRunningLine(LineSettings(115200)) as found:
        yield found


def add_keys(world: World, keys: str) -> None:
    with world.credentials.open("a") as file:
        file.write(keys)


async def test_a_push_is_delivered_without_an_id(
    world: World, server: StandIn, line: FreeRunningLine
) -> None:
    server.tokens.add("T1")
    world.write(site_text(server, line, own=""), {"house": "T1"})
    process = world.start("run")
    await world.until(lambda: world.status()["buses"]["hall"]["state"] == "ready")
    for watts in (1000, 1001, 1002):
        await asyncio.to_thread(line.say, push(watts))
    await world.until(lambda: len(server.stored.get("T1", {}).get("import_power", ())) == 3)
    assert world.stop(process) == 0, world.log
    assert sorted(server.stored["T1"]["import_power"].values()) == [1000, 1001, 1002]


async def test_an_encrypted_push_is_delivered_once_and_a_repeated_one_never(
    world: World, server: StandIn, line: FreeRunningLine
) -> None:
    server.tokens.add("T1")
    site = site_text(server, line, own=f'id = "{METER}"')
    world.write(site, {"house": "T1"})
    add_keys(world, KEYS)
    process = world.start("run")
    await world.until(lambda: world.status()["buses"]["hall"]["state"] == "ready")
    for watts, counter in ((500, 5), (600, 6), (501, 5), (601, 6), (700, 7)):
        await asyncio.to_thread(line.say, push(watts, counter))
    await world.until(lambda: len(server.stored.get("T1", {}).get("import_power", ())) == 3)
    await world.until(lambda: world.status()["buses"]["hall"]["line"].get("replayed") == 2)  # once a second
    assert world.stop(process) == 0, world.log
    assert sorted(server.stored["T1"]["import_power"].values()) == [500, 600, 700]
    assert world.log.count("sends counter 5 again, its last was 6") == 1
    assert KEY.encryption.hex() not in world.log


async def test_a_wrong_key_is_said_once_and_gives_nothing(
    world: World, server: StandIn, line: FreeRunningLine
) -> None:
    server.tokens.add("T1")
    world.write(site_text(server, line, own=""), {"house": "T1"})
    add_keys(world, f'\n[decryption]\nhouse = "{bytes(16).hex()}"\n')
    process = world.start("run")
    await world.until(lambda: world.status()["buses"]["hall"]["state"] == "ready")
    for counter in range(3):
        await asyncio.to_thread(line.say, push(500, counter))
    await world.until(lambda: world.status()["buses"]["hall"]["line"].get("wrong_key") == 3)
    assert world.stop(process) == 0, world.log
    assert world.log.count("the key does not decrypt what meter 4C475A6770000001 sends") == 1
    assert not server.stored


async def test_a_reader_takes_the_keys_from_their_own_file(
    world: World, server: StandIn, line: FreeRunningLine
) -> None:
    world.write(site_text(server, line, own=""), {"house": "T1"})
    own_file = world.credentials.with_name("decryption.toml")
    own_file.write_text(KEYS)
    own_file.chmod(0o600)
    world.credentials.unlink()
    process = world.start("read", "hall")
    await world.until(lambda: world.status()["buses"]["hall"]["state"] == "ready")
    await asyncio.to_thread(line.say, push(500, 1))
    await world.until(lambda: world.status()["ledger"]["read"] == 1)
    assert world.stop(process) == 0, world.log


async def test_try_hears_an_encrypted_meter(world: World, server: StandIn, line: FreeRunningLine) -> None:
    world.write(site_text(server, line, own=""), {"house": "T1"})
    add_keys(world, KEYS)
    trying = asyncio.create_task(asyncio.to_thread(world.command, "try", "house"))
    counter = 0
    while not trying.done():
        counter += 1
        await asyncio.to_thread(line.say, push(1362, counter))
    assert (await trying).stdout == "house speaks on bus hall\n  import_power  1362 W\n"


Says = Callable[[int, int], bytes]
EACH_PORT = pytest.mark.parametrize(
    ("protocol", "meter", "says"),
    [
        ("dlms-push", METER, lambda tens, counter: push(10 * tens, counter)),
        ("dsmr-encrypted", P1_METER, lambda tens, counter: telegram(tens / 100, counter)),
    ],
)


@EACH_PORT
@pytest.mark.parametrize("ends_with", [signal.SIGTERM, signal.SIGKILL])
async def test_what_was_heard_before_a_restart_is_refused_after_it(
    world: World,
    server: StandIn,
    line: FreeRunningLine,
    protocol: str,
    meter: str,
    says: Says,
    ends_with: signal.Signals,
) -> None:
    server.tokens.add("T1")
    world.write(site_text(server, line, f'id = "{meter}"', protocol), {"house": "T1"})
    add_keys(world, KEYS)
    recorded = [says(50, 5), says(60, 6)]
    process = world.start("run")
    await world.until(lambda: world.status()["buses"]["hall"]["state"] == "ready")
    for data in recorded:
        await asyncio.to_thread(line.say, data)
    await world.until(lambda: len(server.stored.get("T1", {}).get("import_power", ())) == 2)
    process.send_signal(ends_with)
    await asyncio.to_thread(process.wait, 30)
    process = world.start("run")
    await world.until(lambda: world.status()["buses"]["hall"]["state"] == "ready")
    for data in (*recorded, says(70, 7)):
        await asyncio.to_thread(line.say, data)
    await world.until(lambda: len(server.stored["T1"]["import_power"]) == 3)
    await world.until(lambda: world.status()["buses"]["hall"]["line"].get("replayed") == 2)  # once a second
    assert world.stop(process) == 0, world.log
    assert sorted(server.stored["T1"]["import_power"].values()) == [500, 600, 700]
    assert world.log.count("sends counter 5 again, its last was 6") == 1


async def test_a_wrong_key_of_an_encrypted_p1_port_is_said_once_and_gives_nothing(
    world: World, server: StandIn, line: FreeRunningLine
) -> None:
    server.tokens.add("T1")
    world.write(site_text(server, line, f'id = "{P1_METER}"', "dsmr-encrypted"), {"house": "T1"})
    add_keys(world, f'\n[decryption]\nhouse = "{bytes(16).hex()}"\n')
    process = world.start("run")
    await world.until(lambda: world.status()["buses"]["hall"]["state"] == "ready")
    for counter in range(3):
        await asyncio.to_thread(line.say, telegram(0.5, counter))
    await world.until(lambda: world.status()["buses"]["hall"]["line"].get("wrong_key") == 3)
    assert world.stop(process) == 0, world.log
    assert world.log.count("the key does not decrypt what meter 4C475A6770000001 sends") == 1
    assert not server.stored
