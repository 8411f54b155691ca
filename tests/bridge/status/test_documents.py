"""What the processes publish is what the types of the documents say: no key more, no key less."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from bridge.commands.status.snapshot import collect
from bridge.config import load_site
from bridge.simulator.field.bus import SimulatedBus
from bridge.simulator.field.free_running import FreeRunningLine
from bridge.status.documents import BusDocument, LineDocument, SensorDocument, Status, UplinkDocument
from bridge.status.runtime import Runtime
from tests.bridge.reader.talker import telegram
from tests.bridge.reader.test_push_reader import line, talkers
from tests.bridge.reader.test_reader import Bench, bench, bus_of, sensor, simulated
from tests.bridge.uplink.test_service import Bench as UplinkBench
from tests.bridge.uplink.test_service import bench as uplink_bench
from tests.bridge.uplink.test_service import readings, until

__all__ = ["bench", "line", "simulated", "uplink_bench"]

ADDED_ON_THE_WAY = {"pid", "updated", "running", "fingerprint", "started", "spool", "history"}
OF_PUSHING = {"telegrams", "thinned"}
OF_LISTENING = {"never_read", "unpaired"}  # on a line of another master
OF_A_PUSHING_LINE = {"frames", "nonsense", "no_key", "wrong_key", "replayed", "not_configured"}
OF_ANY_SENSOR = {
    "state",
    "trouble",
    "left_out",
    "doubts",
    "last_ts",
    "last_values",
    "empty",
    "unchanged",
    "unstorable",
    "uncertain_stamps",
}
OF_ANY_LINE = {"settings", "crc_errors", "foreign_frames", "stray_octets"}
NOT_EVERYWHERE = {"uart"}  # a pseudo terminal has none


def mismatches(document: object, kind: Any, where: str = "document") -> list[str]:
    """Return the places of a document that are not as its type says; a key that is not required may miss."""
    if get_origin(kind) in (Union, UnionType):
        return min((mismatches(document, member, where) for member in get_args(kind)), key=len)
    if is_typeddict(kind) or get_origin(kind) is dict:
        if not isinstance(document, Mapping):
            return [f"{where}: {document!r} is no {kind}"]
        kinds = get_type_hints(kind) if is_typeddict(kind) else dict.fromkeys(document, get_args(kind)[1])
        required = kind.__required_keys__ if is_typeddict(kind) else set()
        return [
            *(f"{where}: {key} is not in {kind}" for key in document.keys() - kinds.keys()),
            *(f"{where}: {key} is missing" for key in required - document.keys()),
            *(
                mismatch
                for key in document.keys() & kinds.keys()
                for mismatch in mismatches(document[key], kinds[key], f"{where}.{key}")
            ),
        ]
    if get_origin(kind) is list:
        items = document if isinstance(document, list) else [None]
        return [mismatch for item in items for mismatch in mismatches(item, get_args(kind)[0], where)]
    return [] if isinstance(document, (float, int) if kind is float else kind) else [f"{where}: {document!r}"]


def keys(kind: Any) -> set[str]:
    return set(get_type_hints(kind))


async def test_a_polled_bus_publishes_every_key_of_its_kind(
    bench: Bench, simulated: SimulatedBus, tmp_path: Path
) -> None:
    bus = bus_of(tmp_path, simulated.path, sensor("a", 1), sensor("dead", 9))
    async with bench.reading(bus):
        await bench.status(lambda status: status["sensors"]["dead"]["state"] == "silent")
        document = await bench.status(lambda status: status["sensors"]["a"]["state"] == "ok")
    assert mismatches(document, BusDocument) == []
    assert document.keys() == keys(BusDocument) - ADDED_ON_THE_WAY
    for row in document["sensors"].values():
        assert row.keys() == keys(SensorDocument) - OF_PUSHING - OF_LISTENING - ADDED_ON_THE_WAY
    assert (
        document["line"].keys() - NOT_EVERYWHERE
        == keys(LineDocument) - OF_A_PUSHING_LINE - OF_LISTENING - NOT_EVERYWHERE
    )


async def test_a_pushing_bus_publishes_every_key_of_its_kind(
    bench: Bench, line: FreeRunningLine, tmp_path: Path
) -> None:
    async with bench.reading(talkers(tmp_path, line, hall="0A")):
        await bench.status(lambda status: status["state"] == "ready")
        await asyncio.to_thread(line.say, telegram(0x77, 7) + telegram(0x0A, 1))
        document = await bench.status(lambda status: status["sensors"]["hall"]["telegrams"])
    assert mismatches(document, BusDocument) == []
    assert document["line"]["not_configured"].keys() == {"77"}
    assert document["sensors"]["hall"].keys() == OF_ANY_SENSOR | OF_PUSHING
    encrypted = {"no_key", "wrong_key", "replayed"}
    assert document["line"].keys() - NOT_EVERYWHERE == (OF_ANY_LINE | OF_A_PUSHING_LINE) - encrypted


async def test_the_uplink_publishes_every_key(uplink_bench: UplinkBench) -> None:
    uplink_bench.spool.add(readings("a", range(5)))
    uplink_bench.spool.add(readings("nobody", range(5)))
    async with uplink_bench.uplink("a", "nobody"):
        await until(lambda: uplink_bench.stored("A") == set(range(5)))
        await until(lambda: uplink_bench.status.get("state") in ("up", "holding"))
    assert mismatches(uplink_bench.status, UplinkDocument) == []
    assert uplink_bench.status.keys() == keys(UplinkDocument) - ADDED_ON_THE_WAY


async def test_status_is_as_its_type_says_while_a_bus_runs_and_after(
    bench: Bench, simulated: SimulatedBus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    bus = bus_of(tmp_path, simulated.path, sensor("a", 1))
    site = load_site(tmp_path / "site.toml")
    site = replace(site, spool=replace(site.spool, path=tmp_path / "spool.db"))
    assert mismatches(collect(site), Status) == []
    async with bench.reading(bus):
        document = await bench.status(lambda status: status["sensors"]["a"]["last_values"])
    Runtime(site.spool.path).publish("bus-meters", document)
    status = collect(site)
    assert status["buses"]["meters"]["running"]
    assert mismatches(status, Status) == []
