"""Line statistics: counted, and kept across a restart."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bridge.simulator.field.bus import SimulatedBus
from bridge.status.line_statistics import Memory
from tests.bridge.reader.test_reader import Bench, bench, bus_of, sensor, simulated

__all__ = ["bench", "simulated"]

DOCUMENT: dict[str, Any] = {
    "bus": "meters",
    "sensors": {
        "a": {"state": "ok", "requests": 10, "timeouts": 1, "exception_codes": {"2": 1}, "wire_share": 0.2}
    },
    "line": {"requests": 10, "echoes": 3, "has_echo": True},
}


def save(path: Path, document: Any) -> None:
    memory = Memory(path)
    memory.save(memory.text(document))


def test_what_was_counted_before_is_added(tmp_path: Path) -> None:
    path = tmp_path / "meters.json"
    save(path, DOCUMENT)
    total = Memory(path).total(DOCUMENT)
    assert total["sensors"]["a"] == {
        "state": "ok",
        "requests": 20,
        "timeouts": 2,
        "exception_codes": {"2": 2},
        "wire_share": 0.2,
    }
    assert total["line"] == {"requests": 20, "echoes": 6, "has_echo": True}


def test_a_damaged_file_means_a_fresh_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "meters.json"
    path.write_text('{"sensors": ')
    assert Memory(path).total(DOCUMENT) == DOCUMENT
    assert "begin afresh" in caplog.text


def test_a_sensor_that_is_new_begins_at_its_own_count(tmp_path: Path) -> None:
    path = tmp_path / "meters.json"
    save(path, {"sensors": {}, "line": {}})
    assert Memory(path).total(DOCUMENT) == DOCUMENT


async def test_a_reader_counts_on_where_it_stopped(
    bench: Bench, simulated: SimulatedBus, tmp_path: Path
) -> None:
    bus = bus_of(tmp_path, simulated.path, sensor("a", 1))
    path = tmp_path / "meters.json"
    replies = 0
    for _ in range(2):
        async with bench.reading(bus, memory=Memory(path)):
            enough = partial(_has_more_replies, than=replies + 5)
            found = await bench.status(enough)
        counts = found["sensors"]["a"]
        assert counts["replies"] == found["line"]["replies"] > replies
        assert counts["turn_around_p50_ms"] > 0
        assert counts["lateness_p99_ms"] >= 0
        assert 0 < counts["wire_share"] <= 1
        replies = bench.documents[-1]["line"]["replies"]
    assert Memory(path).total(DOCUMENT)["line"]["requests"] >= 10 + replies


def _has_more_replies(document: Mapping[str, Any], *, than: int) -> bool:
    return bool(document["line"]["replies"] > than)
