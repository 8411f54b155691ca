"""Memory of each service, its CPU while idle, and what a start costs until the first request is on the wire.

    python -m tests.benchmarks.footprint [--seconds 60]

Eight readers with four sensors each, and the uplink, run side by side as on a gateway with eight buses; then
everything in one process. Private memory is what one more of them costs: the rest is shared. Idle is
measured with a server that answers, and with none: the uplink then looks every 1.5 s whether it is back.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median

from bridge.simulator.server.dtls import Secure
from tests.benchmarks import table
from tests.benchmarks.services import (
    Services,
    answering_server,
    cpu_s,
    private_mb,
    rss_mb,
    site,
    threads,
    until,
)
from tests.support.certificates import Authority

READERS, STARTS, SETTLE_S = 8, 7, 6.0
TOKENS = [f"bus{bus}-{unit}" for bus in range(READERS) for unit in range(1, 5)]
AWAY = ", server away"
MOST_RSS_MB = {
    "read": 32,
    "uplink": 34,
    f"uplink{AWAY}": 34,
    "run": 36,
    f"run{AWAY}": 36,
    "uplink (coaps)": 48,
    f"uplink (coaps){AWAY}": 48,
}
MOST_PRIVATE_MB = 170
MOST_IDLE = 0.002
MOST_START_S = 0.15


def main(seconds: float = 60.0) -> list[table.Row]:
    """Print the figures, and return them as rows of a table."""
    rows = [table.Row("service", "RSS", "private", "threads", "idle CPU")]
    exceeded: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with site(folder) as services:
            starts = [_start(services) for _ in range(STARTS + 1)][1:]  # the first one compiles
        with answering_server(TOKENS) as url, site(folder, buses=READERS, every="1m", url=url) as services:
            pids = [services.start("read", bus) for bus in services.buses]
            pids.append(services.start("uplink"))
            time.sleep(SETTLE_S)
            rows.append(_row("read", pids[:-1], seconds, exceeded))
            rows.append(_row("uplink", pids[-1:], seconds, exceeded))
            private = sum(map(private_mb, pids))
        with answering_server(TOKENS) as url, site(folder, every="1m", url=url) as services:
            rows.append(_row_of("run", services, "run", seconds, exceeded))
        for name in ("uplink", "run"):
            with site(folder, every="1m") as services:
                rows.append(_row_of(name, services, f"{name}{AWAY}", seconds, exceeded))
        authority = Authority(folder)
        own, ca = authority.server(), f'ca = "{authority.path}"\n'
        secure = Secure(own.certificate, own.key, {})
        with (
            answering_server(TOKENS, secure) as url,
            site(folder, every="1m", url=url, keys=ca) as services,
        ):
            rows.append(_row_of("uplink", services, "uplink (coaps)", seconds, exceeded))
        with site(folder, every="1m", url="coaps://127.0.0.1:9", keys=ca) as services:
            rows.append(_row_of("uplink", services, f"uplink (coaps){AWAY}", seconds, exceeded))
    cpu, first_s = (median(figures) for figures in zip(*starts, strict=True))
    print(
        f"  private memory of {READERS} readers and the uplink: {private:.0f} MB (at most {MOST_PRIVATE_MB})"
    )
    print(f"  a reader's start: {1000 * cpu:.0f} ms of CPU until the first request (at most "
          f"{1000 * MOST_START_S:.0f}), first reading in the spool after {first_s:.2f} s")  # fmt: skip
    if private > MOST_PRIVATE_MB or cpu > MOST_START_S:
        exceeded.append("private memory or CPU of a start")
    print(f"  exceeded: {', '.join(exceeded) or 'nothing'}")
    rows.append(table.Row(f"{READERS} readers and the uplink", "", f"{private:.0f} MB", "", ""))
    rows.append(
        table.Row("a reader's start: CPU until its first request", "", "", "", f"{1000 * cpu:.0f} ms")
    )
    rows.append(table.Row("… until its first reading is in the spool", "", "", "", f"{first_s:.2f} s"))
    return rows


def _start(services: Services) -> tuple[float, float]:
    """CPU of a reader from its start to its first request; seconds until its first reading is kept."""
    (bus,) = services.buses.values()
    asked, kept = bus.requests.total(), _readings(services.folder)
    began = time.monotonic()
    pid = services.start("read", "bus0")
    until(lambda: bus.requests.total() > asked)
    cpu = cpu_s(pid)
    until(lambda: _readings(services.folder) > kept)
    first_s = time.monotonic() - began
    services.stop()
    return cpu, first_s


def _readings(folder: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{folder}/spool.db?mode=ro", uri=True)) as spool:
            count: int = spool.execute("SELECT count(*) FROM reading").fetchone()[0]
    except sqlite3.Error:
        return 0
    return count


def _row_of(command: str, services: Services, name: str, seconds: float, exceeded: list[str]) -> table.Row:
    """Return the figures of one service on a site of one bus; an uplink has a reader beside it."""
    if command == "uplink":
        services.start("read", "bus0")
    pid = services.start(command)
    time.sleep(SETTLE_S)
    return _row(name, [pid], seconds, exceeded)


def _row(name: str, pids: list[int], seconds: float, exceeded: list[str]) -> table.Row:
    """Return the largest figures of these processes, over so many seconds."""
    before = [cpu_s(pid) for pid in pids]
    time.sleep(seconds)
    idle = max((cpu_s(pid) - began) / seconds for pid, began in zip(pids, before, strict=True))
    rss, private = max(map(rss_mb, pids)), max(map(private_mb, pids))
    print(
        f"  {name}: RSS {rss:.1f} MB (at most {MOST_RSS_MB[name]}), private {private:.1f} MB, "
        f"{max(map(threads, pids))} threads, idle CPU {idle:.2%} (at most {MOST_IDLE:.1%})"
    )
    if rss > MOST_RSS_MB[name] or idle > MOST_IDLE:
        exceeded.append(name)
    return table.Row(
        f"`{name}`", f"{rss:.1f} MB", f"{private:.1f} MB", str(max(map(threads, pids))), f"{idle:.2%}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    sys.exit(0 if main(parser.parse_args().seconds) else 1)
