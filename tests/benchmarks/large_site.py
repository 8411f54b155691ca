"""A site of 500 sensors on 16 buses of 9600 baud in one `run`: start, memory, CPU, lateness, disk, commands.

    python -m tests.benchmarks.large_site [--seconds 20]

Each sensor is asked every 10 s, then every 60 s. A status document is that of one bus with its 31 or 32
sensors; the day of a line is its file of 24 hours, written every five minutes.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bridge.status.line_history import BUCKET_S, BUCKETS, Bucket, LineHistory
from bridge.status.publishing import bus_publisher
from bridge.status.runtime import Runtime
from tests.benchmarks import table
from tests.benchmarks.many import Run, all_asked, lateness, observe, percentiles_ms, services_on
from tests.benchmarks.services import Services, cpu_s, until
from tests.benchmarks.wires import Wires, wires

BUSES, SENSORS = 16, 500
UNITS = {f"bus{at}": SENSORS // BUSES + (at < SENSORS % BUSES) for at in range(BUSES)}
EVERY_S = (10.0, 60.0)
ROUNDS = 5  # of a command, or of what is written


def main(*, seconds: float = 20.0) -> list[table.Row]:
    """Print the figures, and return them as rows of a table."""
    rows = [
        table.Row(f"{SENSORS} sensors on {BUSES} buses, one `run`", *(f"every {s:.0f} s" for s in EVERY_S))
    ]
    columns = [_figures(every_s, seconds) for every_s in EVERY_S]
    for name in columns[0]:
        cells = [column.get(name, "") for column in columns]
        print(f"  {name}: {', '.join(filter(None, cells))}")
        rows.append(table.Row(name, *cells))
    return rows


def _figures(every_s: float, seconds: float) -> dict[str, str]:
    """Return the figures of a site with that rhythm, by what they are of."""
    with (
        tempfile.TemporaryDirectory() as name,
        wires(UNITS) as lines,
        services_on(Path(name), lines, UNITS, every_s) as services,
    ):
        pid, figures = _start(services, lines)
        seconds = max(seconds, every_s + 2)  # each sensor at least once
        written = _written(pid)
        run = observe(lines, [pid], seconds)
        figures |= _of_run(run, every_s) | {
            "written to the disk": f"{(_written(pid) - written) / seconds / 1024:.1f} KiB/s"
        }
        for command in ("check",), ("status",), ("status", "--json"):
            figures[f"`{' '.join(command)}`"] = _command(services, *command)
        with _runtime(services):
            figures["a status document"] = _document(Path(name) / "spool.db")
        figures["the day of a line"] = _day()
    return figures


def _start(services: Services, lines: Wires) -> tuple[int, dict[str, str]]:
    services.start("run")  # the first one compiles
    all_asked(lines, SENSORS)
    services.stop()
    lines.start(is_anew=True)
    began_at = time.monotonic()
    pid = services.start("run")
    until(lambda: bool(lines.heard().asked), look_every_s=0.005)
    first_s, first_cpu_s = time.monotonic() - began_at, cpu_s(pid)
    all_asked(lines, SENSORS)
    last_s = time.monotonic() - began_at
    return pid, {
        "start until the first request": f"{first_s:.2f} s, {first_cpu_s:.2f} s of CPU",
        "… until each sensor was asked": f"{last_s:.1f} s",
    }


def _of_run(run: Run, every_s: float) -> dict[str, str]:
    figures = {"CPU": f"{run.cpu:.1%}", "RSS": f"{run.rss_mb:.1f} MB"}
    missed, late_s = lateness(run.heard, every_s)
    p50_ms, p99_ms = percentiles_ms(late_s)
    figures["missed slots"] = f"{missed} of {len(late_s) + missed}"
    figures["late"] = f"{p50_ms:.1f} ms, p99 {p99_ms:.1f} ms"
    return figures


def _command(services: Services, *arguments: str) -> str:
    """Return the median of what a command takes: time, and CPU."""
    times_s, cpus_s = [], []
    for _ in range(ROUNDS):
        began_at, began = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "bridge", *arguments]
        subprocess.run(command, env=services.environment, stdout=subprocess.DEVNULL, check=True, timeout=60)
        times_s.append(time.monotonic() - began_at)
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpus_s.append(ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime)
    return f"{median(times_s):.2f} s, {median(cpus_s):.2f} s of CPU"


@contextmanager
def _runtime(services: Services) -> Iterator[None]:
    """Read and publish in this process what the services of a site do."""
    before = dict(os.environ)
    os.environ.update(services.environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _document(spool: Path) -> str:
    """Return the size of the largest status document of a bus, and what its encoding and writing take."""
    runtime = Runtime(spool)
    bus, document = max(runtime.buses().items(), key=lambda item: len(item[1]["sensors"]))
    publish = bus_publisher(runtime, f"{bus}-again", "same", lambda: None)
    times_s = []
    for _ in range(10 * ROUNDS):
        began_s = time.process_time()
        publish(document)
        times_s.append(time.process_time() - began_s)
    octets = len(str(runtime.buses()[f"{bus}-again"]))
    return f"{octets / 1024:.0f} KiB, {1000 * median(times_s):.2f} ms of CPU"


def _day() -> str:
    """Return the size of the file of a day of one line, and what its making takes, once in five minutes."""
    ring = [Bucket(number, 30, 0, 7.5, 9.25, 12.5) for number in range(BUCKETS)]
    history = LineHistory({f"sensor-{at}": ring for at in range(max(UNITS.values()))})
    times_s, text = [], ""
    for _ in range(ROUNDS):
        began_s = time.process_time()
        text = history.text("boot")
        times_s.append(time.process_time() - began_s)
    return f"{len(text) / 1024:.0f} KiB, {1000 * median(times_s):.1f} ms of CPU every {BUCKET_S} s"


def _written(pid: int) -> int:
    """Return the bytes that a process sent to the disk so far."""
    text = Path(f"/proc/{pid}/io").read_text()
    return int(text.partition("\nwrite_bytes:")[2].split()[0])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each run")
    print(table.markdown(main(seconds=parser.parse_args().seconds)))
