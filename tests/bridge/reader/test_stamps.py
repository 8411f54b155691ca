"""Stamps of one sensor strictly increase, whichever way its readings take into the spool."""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.clock import BUILD_DATE, Clock, Instant
from bridge.reader.intake import AHEAD_MS, StampBudget
from bridge.spool import Reading, SpoolAdmin, SpoolWriter
from bridge.spool.steps import STEP_ROWS

MS = 1_000_000
S = 1000 * MS
NOON_NS = int((BUILD_DATE + timedelta(days=100)).timestamp()) * S
SENSORS = ("a", "b")


@dataclass
class Gateway:
    """A gateway on a clock that the test moves: what it takes goes through its clock into a real spool."""

    path: Path
    boot: int = 0
    boottime_ns: int = 5 * S
    wall_ns: int = 5 * S
    true_ns: int = NOON_NS
    is_trusted: bool = False
    delivered: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.spool = SpoolAdmin.open(self.path)
        self.start()

    def start(self) -> None:
        """Start the reader: its clock knows what the spool knows."""
        self.clock = Clock(
            f"boot {self.boot}",
            lambda: self.boottime_ns,
            lambda: self.wall_ns,
            lambda _: "NTP" if self.is_trusted else None,
        )
        self.clock.continue_after(self.spool.stamps())
        self.is_dated = False

    def reboot(self, off_s: float) -> None:
        self.boot += 1
        self.boottime_ns, self.is_trusted = 5 * S, False
        self.true_ns += round(off_s * S)
        self.wall_ns = 5 * S
        self.start()

    def pass_ns(self, ns: int) -> None:
        self.boottime_ns += ns
        self.wall_ns += ns
        self.true_ns += ns

    def learn_the_time(self, error_ns: int = 0) -> None:
        self.wall_ns, self.is_trusted = self.true_ns + error_ns, True

    def take(self, sensor: str) -> None:
        """Take a reading on the way that a writer takes: what waits for its date goes first."""
        taken = self.clock.now()
        stamp = self.clock.ts_ms(taken, sensor)
        if stamp is not None and not self.is_dated:
            self.date()
            self.is_dated = True
        self.spool.add([Reading(sensor, taken, stamp, b'{"v":1}', 1)])

    def date(self) -> None:
        known = self.clock.known
        if known is not None:
            self.spool.date(known.boot_id, known.offset_ns)

    def deliver(self) -> None:
        """Deliver as the uplink does, which dates for itself and takes what there is in order."""
        self.date()
        rows, after = [], -1
        while True:
            more, upto = self.spool.rows(max(after, 0), limit=STEP_ROWS)
            rows += more
            if upto == after or not more:
                break
            after = upto
        for row in rows:
            self.delivered[row.sensor].append(row.ts_ms)
        self.spool.confirm(row.id for row in rows)


MOVES = st.one_of(
    st.tuples(
        st.just("take"), st.sampled_from(SENSORS), st.integers(1, 12), st.sampled_from([0, 1000, MS, S])
    ),
    st.tuples(st.just("pass"), st.integers(0, 90 * S)),
    st.tuples(st.just("step"), st.integers(-59 * S, 20 * S)),
    st.tuples(st.just("time"), st.integers(-500 * MS, 500 * MS)),
    st.tuples(st.just("deliver")),
    st.tuples(st.just("restart")),
    st.tuples(st.just("reboot"), st.floats(61, 600)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(MOVES, max_size=40))
def test_stamps_strictly_increase_over_restarts_steps_boots_and_late_dates(
    moves: list[tuple[object, ...]],
) -> None:
    with TemporaryDirectory() as folder:
        gateway = Gateway(Path(folder) / "spool.db")
        set_back_s = 0.0  # since the last restart: together no more than one step, of which a restart knows
        for move in moves:
            match move:
                case ("take", str(sensor), int(count), int(apart_ns)):
                    for _ in range(count):
                        gateway.take(sensor)
                        gateway.pass_ns(apart_ns)
                case ("pass", int(ns)):
                    gateway.pass_ns(ns)
                case ("step", int(step_ns)) if step_ns > 0 or set_back_s - step_ns / S < 59:
                    set_back_s -= min(0, step_ns) / S
                    gateway.wall_ns += step_ns
                case ("time", int(error_ns)) if not gateway.is_trusted:
                    gateway.learn_the_time(error_ns)
                case ("deliver",):
                    gateway.deliver()
                case ("restart",):
                    gateway.start()
                case ("reboot", float(off_s)):
                    gateway.reboot(off_s)
                    set_back_s = 0.0
        gateway.learn_the_time()
        gateway.take("a")
        gateway.deliver()
        assert gateway.spool.audit() == []
        for sensor, stamps in gateway.delivered.items():
            assert all(before < after for before, after in pairwise(stamps)), (sensor, stamps)
        newest = gateway.spool.stamps()
        assert {sensor: stamps[-1] for sensor, stamps in gateway.delivered.items()} == newest
        gateway.spool.close()


def test_many_readings_of_a_millisecond_are_dated_one_after_the_other_across_every_step(
    tmp_path: Path,
) -> None:
    gateway = Gateway(tmp_path / "spool.db")
    taken = gateway.clock.now()
    count = STEP_ROWS + 100
    gateway.spool.add([Reading("a", taken, None, b'{"v":1}', 1) for _ in range(count)])
    gateway.learn_the_time()
    gateway.take("a")
    gateway.deliver()
    first = (taken.boottime_ns + NOON_NS - 5 * S) // MS
    assert gateway.delivered["a"] == list(range(first, first + count + 1))
    assert gateway.spool.stamps() == {"a": first + count}
    gateway.spool.close()


async def test_a_writer_has_what_waits_dated_before_the_first_that_comes_with_a_date(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path / "spool.db")
    writer = SpoolWriter(
        SpoolAdmin.open(gateway.path), commit_every_s=3600.0, known=lambda: gateway.clock.known
    )
    for number in range(10):
        if number == 6:
            gateway.learn_the_time()
        taken = gateway.clock.now()
        writer.put(Reading("a", taken, gateway.clock.ts_ms(taken, "a"), b'{"v":%d}' % number, 1))
    await writer.close()
    rows, _ = gateway.spool.rows(0, limit=100)
    assert [row.body for row in rows] == [b'{"v":%d}' % number for number in range(10)]
    assert [row.ts_ms for row in rows] == list(range(rows[0].ts_ms, rows[0].ts_ms + 10))
    gateway.spool.close()


def test_undated_readings_that_come_while_others_are_dated_are_not_forgotten(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path / "spool.db")
    for _ in range(3):
        gateway.take("a")
        gateway.pass_ns(S)
    late = SpoolAdmin.open(gateway.path)
    reading = Reading("a", gateway.clock.now(), None, b'{"v":2}', 1)
    database = gateway.spool._database
    write = type(database).write

    class Meanwhile(type(database)):  # type: ignore[misc]
        """Has another reader add one as soon as the first step of dating is over."""

        steps = 0

        def write(self):  # type: ignore[no-untyped-def]
            self.steps += 1
            if self.steps == 2:
                late.add([reading])
            return write(self)

    database.__class__ = Meanwhile
    gateway.spool.date("boot 0", NOON_NS - 5 * S)
    database.__class__ = Meanwhile.__bases__[0]
    gateway.spool.date("boot 0", NOON_NS - 5 * S)
    rows, _ = gateway.spool.rows(0, limit=10)
    assert [row.ts_ms - NOON_NS // MS for row in rows] == [0, 1000, 2000, 3000]
    late.close()
    gateway.spool.close()


def test_a_fast_sensor_is_thinned_to_one_a_millisecond_and_its_stamps_stay_near_their_time() -> None:
    """6000 readings a second for a minute, as a line of 12 Mbaud could bring them."""
    now_ns = 50 * S
    clock = Clock("boot", lambda: now_ns, lambda: NOON_NS + now_ns, lambda _: "NTP", lambda: None)
    budget = StampBudget()
    stamps, thinned = [], 0
    for number in range(360_000):
        now_ns = 50 * S + number * S // 6000
        if not budget.grants(now_ns):
            thinned += 1
            continue
        stamp = clock.ts_ms(clock.now(), "a")
        assert stamp is not None
        assert 0 <= stamp - (NOON_NS + now_ns) // MS <= AHEAD_MS
        stamps.append(stamp)
    assert len(stamps) + thinned == 360_000
    assert len(stamps) == len(set(stamps))
    assert stamps == sorted(stamps)
    assert 60_000 <= len(stamps) <= 60_000 + AHEAD_MS


def test_stamps_that_ran_ahead_are_no_step_of_the_clock(caplog: pytest.LogCaptureFixture) -> None:
    now_ns = 50 * S
    clock = Clock("boot", lambda: now_ns, lambda: NOON_NS + now_ns, lambda _: "NTP")
    stamps = []
    for number in range(200_000):
        now_ns = 50 * S + number * S // 6000
        stamps.append(clock.ts_ms(clock.now(), "a"))
    assert len(set(stamps)) == len(stamps)
    assert "went back" not in caplog.text


def test_a_dated_reading_goes_behind_what_another_process_gave_its_sensor(tmp_path: Path) -> None:
    taken = Instant("boot", 5 * S)
    with closing(SpoolAdmin.open(tmp_path / "spool.db")) as spool:
        for stamp in (1_000_000, 1_000_000, 999_000, 940_003, 900_000):
            spool.add([Reading("a", taken, stamp, b"{}", 0)])
        rows, _ = spool.rows(0, limit=10)
        assert spool.stamps() == {"a": 900_000}
    assert [row.ts_ms for row in rows] == [1_000_000, 1_000_001, 1_000_002, 1_000_003, 900_000]
