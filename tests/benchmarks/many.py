"""How many buses one process carries: 9600 baud, four sensors each, saturated and on a grid.

    python -m tests.benchmarks.many [--seconds 6] [--buses 1 8 16 32 64]

Saturated, each bus is polled as fast as its wire carries, and the figure is its share of what one bus alone
gets from the same process: the worst, the median and the best bus. On a grid, the figures are the slots that
nobody asked in, and how long after its slot a request came, both as the sensors saw it. Beside `run`, the
same with a `read` for each bus and an `uplink`, as udev and systemd start them. Nobody answers as the server,
so every reading stays in the spool. The simulated wires are one process; its share of a core is told, since
they and the bridge share the machine.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.benchmarks import table
from tests.benchmarks.services import Services, cpu_s, private_mb, rss_mb, until, write_site
from tests.benchmarks.wires import LIMIT, LINE, Heard, Wires, wires

SENSORS = 4
SATURATED, EVERY_S = 0.0, (1.0, 10.0)
SETTLE_S = 2.0  # after each sensor was asked: the first second is that of the imports
READERS = (8, 64)  # with a process for each bus
GRID_BUSES = 64
LARGEST_MB_A_READER = 40


@dataclass(frozen=True)
class Run:
    """What one run was like.

    Attributes:
        heard: by the sensors.
        cpu: of the bridge's processes together, in cores.
        rss_mb: of the largest of them.
        private_mb: what they do not share, together.
    """

    heard: Heard
    cpu: float
    rss_mb: float
    private_mb: float

    @property
    def rates(self) -> list[float]:
        """Return the polls a second of each wire, ascending."""
        return sorted(self.heard.polls_per_s.values())

    @property
    def poll_us(self) -> float:
        """Return the CPU of a poll, in microseconds, with all that is done beside it."""
        return 1e6 * self.cpu / sum(self.rates) if any(self.rates) else 0.0


HEAD = table.Row(
    "buses of 4 sensors, 9600 baud",
    "share of one alone, median",
    "worst bus",
    "missed slots",
    "late p50",
    "late p99",
    "CPU",
    "CPU a poll",
    "RSS",
    "private",
)


def main(*, seconds: float = 6.0, buses: Sequence[int] = (1, 4, 8, 16, 32, 64)) -> list[table.Row]:
    """Print the figures, and return them as rows of a table."""
    rows = [HEAD]
    alone = measure(1, SATURATED, seconds)
    for count in buses:
        run = alone if count == 1 else measure(count, SATURATED, seconds)
        rows.append(_saturated(f"{count} saturated, one `run`", run, alone))
    for count in READERS:
        if count * LARGEST_MB_A_READER < _free_mb():
            run = measure(count, SATURATED, seconds, is_split=True)
            rows.append(_saturated(f"{count} saturated, {count} × `read`, `uplink`", run, alone))
    for every_s in EVERY_S:
        run = measure(GRID_BUSES, every_s, max(seconds, 2 * every_s))
        rows.append(_on_grid(f"{GRID_BUSES} every {every_s:.0f} s, one `run`", run, every_s))
    return rows


def measure(buses: int, every_s: float, seconds: float, *, is_split: bool = False) -> Run:
    """Run so many buses for some seconds.

    Args:
        buses: how many.
        every_s: how often each sensor is polled; 0: as fast as the wire carries.
        seconds: so long it is measured.
        is_split: a process for each bus and one for the uplink, not one for all.
    """
    units = {f"bus{number}": SENSORS for number in range(buses)}
    with (
        tempfile.TemporaryDirectory() as name,
        wires(units) as lines,
        services_on(Path(name), lines, units, every_s) as services,
    ):
        if is_split:
            pids = [services.start("read", bus) for bus in units]
            pids.append(services.start("uplink"))
        else:
            pids = [services.start("run")]
        all_asked(lines, buses * SENSORS)
        time.sleep(SETTLE_S)
        return observe(lines, pids, seconds)


@contextmanager
def services_on(folder: Path, lines: Wires, units: dict[str, int], every_s: float) -> Iterator[Services]:
    """Write a site for these wires, and yield what starts services on it; they are stopped at the end."""
    write_site(
        folder,
        {bus: (lines.paths[bus], count) for bus, count in units.items()},
        every=f"{every_s:g}s",
        line=LINE,
    )
    services = Services(folder, {})
    try:
        yield services
    finally:
        services.stop()


def all_asked(lines: Wires, sensors: int) -> None:
    """Wait until each sensor was asked.

    Raises:
        TimeoutError: not all of them within a minute.
    """
    until(lambda: len(lines.heard().asked) == sensors, within_s=60.0, look_every_s=0.1)


def observe(lines: Wires, pids: Sequence[int], seconds: float) -> Run:
    """Return what the sensors heard and the processes took in so many seconds from now."""
    lines.start()
    began_at, began_cpu_s = time.monotonic(), sum(map(cpu_s, pids))
    time.sleep(seconds)
    cpu = (sum(map(cpu_s, pids)) - began_cpu_s) / (time.monotonic() - began_at)
    return Run(lines.heard(), cpu, max(map(rss_mb, pids)), sum(map(private_mb, pids)))


def lateness(heard: Heard, every_s: float) -> tuple[int, list[float]]:
    """Return the slots between two requests without one, and how late each request was, in seconds, sorted.

    The grid of a sensor begins with its first request, which waited for the line as all others do.

    Args:
        heard: by the sensors.
        every_s: from slot to slot.
    """
    missed, late_s = 0, []
    for sensor, times in heard.asked.items():
        since_first = [at - heard.first[sensor] for at in times]
        slots = [round(passed_s / every_s) for passed_s in since_first]
        missed += slots[-1] - slots[0] + 1 - len(slots)
        late_s += [max(0.0, passed - slot * every_s) for passed, slot in zip(since_first, slots, strict=True)]
    return missed, sorted(late_s)


def percentiles_ms(late_s: Sequence[float]) -> tuple[float, float]:
    """Return median and 99th percentile of sorted times, in milliseconds."""
    p50, p99 = (1000 * late_s[int(len(late_s) * share)] for share in (0.5, 0.99))
    return p50, p99


def _saturated(name: str, run: Run, alone: Run) -> table.Row:
    (rate,) = alone.rates
    middle, worst, best = median(run.rates) / rate, run.rates[0] / rate, run.rates[-1] / rate
    print(
        f"  {name}: {middle:.3f} of what one alone gets ({worst:.3f}–{best:.3f}; alone {rate / LIMIT:.3f} "
        f"of the wire), {sum(run.rates):.0f} polls/s, {_cost(run)}"
    )
    return table.Row(name, f"{middle:.3f}", f"{worst:.3f}", "", "", "", *cells(run))


def _on_grid(name: str, run: Run, every_s: float) -> table.Row:
    missed, late_s = lateness(run.heard, every_s)
    p50_ms, p99_ms = percentiles_ms(late_s)
    print(
        f"  {name}: {missed} of {len(late_s) + missed} slots missed, {p50_ms:.1f} ms late "
        f"(p99 {p99_ms:.1f} ms), {_cost(run)}"
    )
    return table.Row(name, "", "", str(missed), f"{p50_ms:.1f} ms", f"{p99_ms:.1f} ms", *cells(run))


def cells(run: Run) -> tuple[str, ...]:
    """Return what a run costs as the last cells of a row: CPU, CPU a poll, RSS, private memory."""
    return f"{run.cpu:.1%}", f"{run.poll_us:.0f} µs", f"{run.rss_mb:.0f} MB", f"{run.private_mb:.0f} MB"


def _cost(run: Run) -> str:
    early = f"; {run.heard.early} of {run.heard.polls} early" if run.heard.early else ""
    return (
        f"{run.cpu:.1%} of a core, {run.poll_us:.0f} µs a poll, RSS {run.rss_mb:.1f} MB, "
        f"private {run.private_mb:.0f} MB; simulator {run.heard.cpu:.1%}{early}"
    )


def _free_mb() -> float:
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0, help="length of each saturated run")
    parser.add_argument("--buses", type=int, nargs="+", default=[1, 4, 8, 16, 32, 64])
    options = parser.parse_args()
    print(table.markdown(main(seconds=options.seconds, buses=options.buses)))
