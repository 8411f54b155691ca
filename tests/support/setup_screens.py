"""What a person sees of `setup`, from a real run: three simulated devices, and a stand-in server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bridge.simulator.field.bus import SimulatedBus
from bridge.simulator.field.sensors import LiveUnit
from bridge.simulator.server.stand_in import StandIn
from protocols.modbus.models import SHIPPED
from protocols.modbus.sunspec.simulation import chain_of
from protocols.toolkit.polling import LineSettings
from tests.support.typing_person import ROWS, Person

_KEY, _SECRET = "key-7f3a91bc", "secret-5d20"
_LINE = LineSettings.parse("115200 8N1")


def setup_screens() -> dict[str, Sequence[str]]:
    """Return the lines of the terminal while the sensors are named, and at the end."""
    return asyncio.run(_screens())


async def _screens() -> dict[str, Sequence[str]]:
    server = StandIn(provisioning=(_KEY, _SECRET))
    await server.start()
    try:
        with TemporaryDirectory() as folder, SimulatedBus(_units(), _LINE, heeds_speed=True) as bus:
            return await asyncio.to_thread(_lead, Path(folder), bus.path, server.port)
    finally:
        await server.stop()


def _units() -> dict[int, LiveUnit]:
    units = {7: LiveUnit(7, SHIPPED.model("eastron-sdm630").registers, "meter")}
    for address in (3, 4):
        chain, points = chain_of([103])
        units[address] = LiveUnit(address, list(points), f"unit {address}")
        units[address].holding.update(chain)
    return units


def _lead(folder: Path, adapter: Path, port: int) -> dict[str, Sequence[str]]:
    narrow = ["--line", str(_LINE), "--protocol", "modbus-rtu", "--addresses", "1-8"]
    words = ["setup", "--site", "site.toml", "--adapter", str(adapter), *narrow]
    environment = {"RUNTIME_DIRECTORY": str(folder / "run"), "PYTHONPATH": str(Path(__file__).parents[2])}
    with Person(*words, folder=folder, environment=environment) as person:
        person.sees("sunspec-3]: ")
        person.types()
        person.sees("sunspec-4]: ")
        person.types("roof")
        person.sees("none of them]: ")
        person.types("eastron-sdm630")
        person.sees("sdm630-7]: ")
        sensors = person.text.split("\n")[-ROWS:]
        person.types()
        person.sees("server: ")
        person.types(f"127.0.0.1:{port} {_KEY} {_SECRET}")
        person.ends(60)
        return {"sensors": sensors, "delivery": person.text.rstrip().split("\n")[-ROWS:]}
