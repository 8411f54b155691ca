"""The whole way in one dialogue: from an empty folder to readings at the server."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import tomllib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.config import load
from bridge.simulator.field.bus import SimulatedBus
from bridge.simulator.field.sensors import LiveUnit
from bridge.simulator.server.stand_in import StandIn
from protocols.modbus.models import SHIPPED
from protocols.modbus.sunspec.simulation import chain_of
from protocols.toolkit.polling import LineSettings
from tests.support.programs import program
from tests.support.provisioning import KEY, SECRET
from tests.support.typing_person import Person
from tests.udev.engine import usb

pytestmark = pytest.mark.end_to_end

LINE = LineSettings.parse("115200 8N1")


def sunspec_unit(address: int) -> LiveUnit:
    chain, points = chain_of([103])
    unit = LiveUnit(address, list(points), f"unit {address}")
    unit.holding.update(chain)
    return unit


@pytest.fixture
def bus() -> Iterator[SimulatedBus]:
    units = {
        3: sunspec_unit(3),
        4: sunspec_unit(4),
        7: LiveUnit(7, SHIPPED.model("eastron-sdm630").registers, "seed"),
    }
    with SimulatedBus(units, LINE, heeds_speed=True) as line:
        yield line


@pytest.fixture
async def server() -> AsyncIterator[StandIn]:
    found = StandIn(provisioning=(KEY, SECRET))
    await found.start()
    yield found
    await found.stop()


def arguments(bus: SimulatedBus) -> list[str]:
    known = ["--line", str(LINE), "--protocol", "modbus-rtu", "--addresses", "1-8"]
    return ["setup", "--site", "site.toml", "--adapter", str(bus.path), *known]


def environment(folder: Path) -> dict[str, str]:
    return {"RUNTIME_DIRECTORY": str(folder / "run"), "PYTHONPATH": str(Path(__file__).parents[2])}


def values_at(server: StandIn) -> dict[str, int]:
    """Return how many keys each device has at the server."""
    return {token: len(keys) for token, keys in server.stored.items()}


def entries(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "audit.jsonl").read_text().splitlines()]


def lead(person: Person, server: StandIn) -> int:
    """Answer as an installer who knows the server alone, and what is printed on the meter."""
    person.sees("2/6 Sensors")
    person.sees("sunspec-3]: ")
    person.types()
    person.sees("sunspec-4]: ")
    person.types()
    person.sees("Enter = none of them]: ")
    person.types()
    person.sees("server: ")
    person.types(f"127.0.0.1:{server.port} {KEY} {SECRET}")
    return person.ends(60)


async def test_from_an_empty_folder_to_readings_with_one_typed_line(
    tmp_path: Path, bus: SimulatedBus, server: StandIn
) -> None:
    begun = time.monotonic()
    with Person(*arguments(bus), folder=tmp_path, environment=environment(tmp_path)) as person:
        assert await asyncio.to_thread(lead, person, server) == 0, person.text
        assert person.typed == [f"127.0.0.1:{server.port} {KEY} {SECRET}"]
        shown = person.text
    assert time.monotonic() - begun < 60
    site, credentials = load(tmp_path / "site.toml", tmp_path / "credentials.toml")
    assert list(site.sensors) == ["sunspec-3", "sunspec-4"]
    assert (tmp_path / "credentials.toml").stat().st_mode & 0o777 == 0o600
    assert set(server.stored) == {credentials.sensors[name].value for name in site.sensors}  # type: ignore[union-attr]
    assert all(count > 20 for count in values_at(server).values())
    assert shown.count("ThingsBoard took") == 2
    assert "next: " in shown
    assert all(len(line) <= 80 for line in shown.splitlines() if str(tmp_path) not in line), shown
    written = (tmp_path / "audit.jsonl").read_text()
    assert {entry["command"] for entry in entries(tmp_path)} == {
        "setup, adapter",
        "setup, scan",
        "setup, server",
        "setup, tokens",
    }
    tokens = [credential.value for credential in credentials.sensors.values()]  # type: ignore[union-attr]
    assert not [secret for secret in [*tokens, KEY, SECRET] if secret in written]


async def test_interrupted_it_keeps_what_was_decided_and_goes_on_there(
    tmp_path: Path, bus: SimulatedBus, server: StandIn
) -> None:
    def until_the_server(person: Person) -> int:
        person.sees("sunspec-3]: ")
        person.types("inverter, left")
        person.sees("sunspec-4]: ")
        person.types("n")
        person.sees("Enter = none of them]: ")
        person.types("eastron-sdm63")
        person.sees("eastron-sdm630")
        person.types("eastron-sdm630")
        person.sees("sdm630-7]: ")
        person.types()
        person.sees("server: ")
        person.interrupts()
        return person.ends()

    with Person(*arguments(bus), folder=tmp_path, environment=environment(tmp_path)) as person:
        assert await asyncio.to_thread(until_the_server, person) == 1
        assert "\ninterrupted; what was decided is kept" in person.text
    site = tmp_path / "site.toml"
    site.write_text(site.read_text().replace("address = 7", "address = 7    # ground floor"))

    def go_on(person: Person) -> int:
        person.sees("3/6 Server")
        person.sees("server: ")
        person.types("coap://127.0.0.1:1/path")
        person.sees("must have no path")
        person.types("b")
        person.sees("2/6 Sensors")
        person.sees("is inverter, left already")
        person.sees("sunspec-4]: ")
        person.types("n")
        person.sees("is sdm630-7 already")
        person.sees("server: ")
        person.types(f"coap://127.0.0.1:{server.port}")
        person.sees("access token of inverter, left")
        person.types("TokenOfInverter")
        person.sees("access token of sdm630-7")
        person.types()
        person.sees("sdm630-7 has no token yet")
        person.sees("does not know its access token (4.01)")
        return person.ends()

    words = ["setup", "--site", "site.toml", "--addresses", "1-8"]
    with Person(*words, folder=tmp_path, environment=environment(tmp_path)) as person:
        assert await asyncio.to_thread(go_on, person) == 1, person.text
        assert "setup --from tokens" in person.text.replace("\n", " ")
        assert "TokenOfInverter" not in person.text
    assert "address = 7    # ground floor" in site.read_text()
    server.tokens.add("TokenOfInverter")
    server.tokens.add("TokenOfMeter")
    again = await asyncio.to_thread(
        run, tmp_path, "setup", "--site", "site.toml", "--token", "sdm630-7=TokenOfMeter", "--yes"
    )
    assert again.returncode == 0, again.stdout + again.stderr
    assert set(values_at(server)) == {"TokenOfInverter", "TokenOfMeter"}


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bridge", *words],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", **environment(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_without_a_terminal_the_options_are_the_answers(
    tmp_path: Path, bus: SimulatedBus, server: StandIn
) -> None:
    words = [*arguments(bus), "--model", "7=eastron-sdm630", "--every", "30s"]
    refused = await asyncio.to_thread(run, tmp_path, *words)
    assert refused.returncode == 1
    assert "there is no terminal to ask on" in refused.stderr
    assert not (tmp_path / "site.toml").exists()
    lacking = await asyncio.to_thread(run, tmp_path, *words, "--yes")
    assert lacking.returncode == 1
    assert "say it with --url" in lacking.stderr
    blocks = tomllib.loads((tmp_path / "site.toml").read_text())["bus"]["meters"]["sensor"]
    assert [(block["name"], block["address"], block["every"]) for block in blocks] == [
        ("sunspec-3", 3, "30s"),
        ("sunspec-4", 4, "30s"),
        ("sdm630-7", 7, "30s"),
    ], "what was found is kept"
    rest = ["--url", f"coap://127.0.0.1:{server.port}", "--device-key", KEY, "--device-secret", SECRET]
    done = await asyncio.to_thread(run, tmp_path, "setup", "--site", "site.toml", *rest, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2/6" not in done.stdout, "the bus is not scanned again"
    assert len(server.stored) == 3


async def test_a_scan_that_is_interrupted_goes_on_with_who_answered(
    tmp_path: Path, bus: SimulatedBus, server: StandIn
) -> None:
    def stop_early(person: Person) -> int:
        person.sees("address 3 answers: modbus-rtu")
        person.interrupts()
        person.sees("none of them]: ")
        person.types("sunspec")
        person.sees("sunspec-3]: ")
        person.types()
        person.sees("server: ")
        person.interrupts()
        return person.ends()

    words = ["setup", "--site", "site.toml", "--adapter", str(bus.path), "--line", str(LINE)]
    with Person(*words, folder=tmp_path, environment=environment(tmp_path)) as person:
        assert await asyncio.to_thread(stop_early, person) == 1, person.text
    (block,) = tomllib.loads((tmp_path / "site.toml").read_text())["bus"]["meters"]["sensor"]
    assert (block["name"], block["model"]) == ("sunspec-3", "sunspec")


@pytest.mark.parametrize("is_plugged_in", [True, False])
def test_the_only_adapter_that_is_free_is_taken(tmp_path: Path, *, is_plugged_in: bool) -> None:
    machine = tmp_path / "machine.umockdev"
    machine.write_text(usb("ttyUSB0", "1", "AB0JPQ7X").description if is_plugged_in else "")
    command = [sys.executable, "-m", "bridge", "setup", "--site", "site.toml", "--yes"]
    done = subprocess.run(
        [program("umockdev-run"), "-d", str(machine), "--", *command],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", **environment(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, "there is no line behind it"
    bus = tomllib.loads((tmp_path / "site.toml").read_text()).get("bus", {}).get("meters", {})
    assert bus.get("adapter") == ("serial:AB0JPQ7X" if is_plugged_in else None)
    assert ("say which with --adapter" in done.stderr) is not is_plugged_in
