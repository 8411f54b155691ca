"""A site whose processes are played: their documents are there as if published, with a day of history."""

from __future__ import annotations

import json
import math
import time
from contextlib import closing
from pathlib import Path

from bridge.causes import Cause, diagnosis
from bridge.clock import Instant
from bridge.clock.kernel_clock import boot_id, boottime_ns
from bridge.config import Site, load_site
from bridge.reader.doubt import doubts
from bridge.spool import Reading, Spool
from bridge.status.line_history import BUCKET_S, BUCKETS, Bucket, LineHistory
from bridge.status.runtime import Runtime
from bridge.status.value_history import ValueHistory
from tests.support.site import site_head

HOSTILE = "</style><script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202e\x1b[31m{{7*7}}"
"""What a name, a value or a text off a wire may look like."""

SENSORS = """
[[bus.meters.sensor]]
name = "main-meter"
address = 1
model = "eastron-sdm120"
every = "1s"

[[bus.meters.sensor]]
name = "cold-room"
address = 2
model = "xy-md02"
every = "1s"

[[bus.meters.sensor]]
name = {third}
address = 3
every = "1s"
[bus.meters.sensor.registers]
temperature = {{ holding = 0, type = "int16", divide = 10, unit = "°C" }}
"""


def write_site(folder: Path, *, third: str = "boiler", more: str = "") -> Site:
    """Write the site file of three sensors; `more` are tables that go before the bus."""
    head = site_head(site="demo", spool=f"{folder}/spool.db", adapter="/dev/ttyUSB0")
    before, bus, after = head.partition("[bus.meters]")
    sensors = SENSORS.format(third=json.dumps(third))
    (folder / "site.toml").write_text(f"{before}{more}{bus}{after}{sensors}")
    return load_site(folder / "site.toml")


def play(
    site: Site, *, value: float | str = 21.5, trouble: str | None = None, updated_ms: int | None = None
) -> None:
    """Publishes what reader and uplink of the site would: two sensors well, the third one silent."""
    runtime, now_ms = Runtime(site.spool.path), updated_ms or time.time_ns() // 1_000_000
    counters = {"requests": 5000, "replies": 4990, "timeouts": 10, "crc_errors": 2, "exceptions": 0}
    times = {"turn_around_p50_ms": 18.4, "turn_around_p99_ms": 41.0, "late_replies": 0}
    well = {"state": "ok", "trouble": None, "last_ts": now_ms - 1000, "doubts": {}, "left_out": {}}
    rows = {}
    for name in site.sensors:
        rows[name] = {**well, **counters, **times, "last_values": {"temperature": value, "humidity": 48.0}}
    third = list(site.sensors)[2]
    rows[third] |= {
        "state": "silent",
        "trouble": trouble or str(diagnosis(Cause.SILENT)),
        "last_cause": "silent",
        "last_values": {"temperature": value},
        "doubts": doubts({"temperature": 9999.0}, {"temperature": "°C"}),
    }
    line = {"settings": "9600 8N1", "requests": 15000, "replies": 14970, "wire_share": 0.31, "trouble": None}
    runtime.publish(
        "bus-meters",
        {
            "bus": "meters",
            "protocol": "modbus-rtu",
            "state": "ready",
            "port": "/dev/ttyUSB0",
            "error": None,
            "sensors": rows,
            "line": line,
            "spool": None,
        },
    )
    runtime.publish(
        "uplink",
        {"state": "up", "server": "tb.example.com:5683", "last_success": now_ms - 900, "last_error": None},
    )
    number = int(boottime_ns() / 1e9 // BUCKET_S)
    rings = {
        name: [
            Bucket(number - BUCKETS + place, 300, errors(place), 18 + wave(place), 36 + 3 * wave(place), 9.5)
            for place in range(1, BUCKETS)
            if not 90 < place < 102
        ]
        for name in site.sensors
    }
    minute = int(boottime_ns() / 60e9)
    hour = [(minute - 60 + place, {"temperature": 21 + wave(4 * place) / 8}) for place in range(1, 61)]
    values = ValueHistory(dict.fromkeys(site.sensors, hour))
    values.observe(60 * minute, {name: {} for name in site.sensors})
    runtime.publish_past("meters", f"{LineHistory(rings).text(boot_id())},{values.text()}")


def spool_readings(site: Site, count: int = 5) -> None:
    """Put readings of the first sensor into the spool, so that its books have figures."""
    with closing(Spool.open(site.spool.path)) as spool:
        name = next(iter(site.sensors))
        stamps = [
            Reading(name, Instant("boot", n), 1_800_000_000_000 + n, b'{"x":1}', 1) for n in range(count)
        ]
        spool.add(stamps)


def wave(place: int) -> float:
    return round(4 + 4 * math.sin(place / 25), 1)


def errors(place: int) -> int:
    return 12 if 180 < place < 190 else place % 7 == 0
