"""Instants and their dates, on clocks that the test moves."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.clock import BUILD_DATE, Clock, Instant, system_clock

NS = 1_000_000_000
NOON_NS = int((BUILD_DATE + timedelta(days=100)).timestamp()) * NS
NOON_MS = NOON_NS // 1_000_000


@dataclass
class Machine:
    """A machine booted `boottime_ns` ago, whose wall clock shows `wall_ns`."""

    boottime_ns: int = 50 * NS
    wall_ns: int = NOON_NS
    trusted: bool = True

    def clock(self) -> Clock:
        return Clock("this-boot", lambda: self.boottime_ns, lambda: self.wall_ns, lambda _: self.trusted)

    def pass_s(self, seconds: float) -> None:
        self.boottime_ns += round(seconds * NS)
        self.wall_ns += round(seconds * NS)

    def step_s(self, seconds: float) -> None:
        self.wall_ns += round(seconds * NS)


def test_a_reading_is_stamped_with_when_it_was_taken() -> None:
    machine = Machine()
    clock = machine.clock()
    taken = clock.now()
    machine.pass_s(3)
    assert taken == Instant("this-boot", 50 * NS)
    assert clock.ts_ms(taken, "meter") == NOON_MS


def test_without_trust_there_is_no_stamp() -> None:
    machine = Machine(wall_ns=0, trusted=False)
    clock = machine.clock()
    assert clock.ts_ms(clock.now(), "meter") is None
    assert clock.state == "waiting for the time: the system clock shows 1970-01-01 00:00:00 UTC"


def test_a_time_learned_later_dates_what_was_taken_before() -> None:
    machine = Machine(wall_ns=0, trusted=False)
    clock = machine.clock()
    taken = clock.now()
    machine.pass_s(10)
    machine.wall_ns, machine.trusted = NOON_NS, True
    assert clock.ts_ms(taken, "meter") == NOON_MS - 10_000
    assert clock.state == "system clock"


def test_an_instant_of_another_boot_has_no_stamp() -> None:
    assert Machine().clock().ts_ms(Instant("the boot before", 0), "meter") is None


def test_a_step_does_not_move_what_was_taken_before_it() -> None:
    machine = Machine()
    clock = machine.clock()
    taken = clock.now()
    machine.pass_s(1)
    machine.step_s(3600)
    assert clock.ts_ms(clock.now(), "meter") == NOON_MS + 3_601_000
    assert clock.ts_ms(taken, "soil") == NOON_MS


def test_after_a_small_step_back_stamps_go_on_by_one_until_time_catches_up() -> None:
    machine = Machine()
    clock = machine.clock()
    assert clock.ts_ms(clock.now(), "meter") == NOON_MS
    machine.step_s(-30)
    stamps = []
    for _ in range(4):
        machine.pass_s(10)
        stamps.append(clock.ts_ms(clock.now(), "meter"))
    assert stamps == [NOON_MS + 1, NOON_MS + 2, NOON_MS + 3, NOON_MS + 10_000]


def test_a_small_step_back_does_not_touch_a_sensor_it_does_not_concern() -> None:
    machine = Machine()
    clock = machine.clock()
    clock.ts_ms(clock.now(), "meter")
    machine.step_s(-30)
    assert clock.ts_ms(clock.now(), "soil") == NOON_MS - 30_000


def test_a_large_step_back_is_believed_and_said(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    clock = machine.clock()
    clock.ts_ms(clock.now(), "meter")
    machine.step_s(-7200)
    assert clock.ts_ms(clock.now(), "meter") == NOON_MS - 7_200_000
    assert "meter: the clock went back 7200 s; believed" in caplog.text


def test_a_clock_that_loses_its_trust_goes_on_from_the_last_it_had() -> None:
    machine = Machine()
    clock = machine.clock()
    clock.now()
    machine.pass_s(5)
    machine.wall_ns, machine.trusted = 0, False
    assert clock.ts_ms(clock.now(), "meter") == NOON_MS + 5000
    assert clock.state.startswith("going on from the last trusted time")


def test_slewing_is_followed_to_the_millisecond() -> None:
    machine = Machine()
    clock = machine.clock()
    for _ in range(1000):
        machine.boottime_ns += NS
        machine.wall_ns += NS + 500_000  # 500 ppm, the most the kernel slews
        stamp = clock.ts_ms(clock.now(), "meter")
        assert stamp is not None
        assert abs(stamp - machine.wall_ns // 1_000_000) <= 1


def test_a_clock_read_across_a_pause_is_read_again() -> None:
    boottimes = iter([0, 5 * NS, 5 * NS + 10, 5 * NS + 20])
    walls = iter([NOON_NS, NOON_NS + 5 * NS])
    clock = Clock("this-boot", lambda: next(boottimes, 6 * NS), lambda: next(walls, 0), lambda ns: ns > 0)
    clock.now()
    assert clock.ts_ms(Instant("this-boot", 5 * NS + 10), "meter") == NOON_MS + 5000


def test_stamps_go_on_above_those_of_the_process_before() -> None:
    machine = Machine()
    clock = machine.clock()
    clock.continue_after({"meter": NOON_MS + 5000, "soil": NOON_MS - 5000})
    assert clock.ts_ms(clock.now(), "meter") == NOON_MS + 5001
    assert clock.ts_ms(clock.now(), "soil") == NOON_MS


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(-1, 20)), max_size=50))
def test_stamps_of_a_sensor_strictly_increase_over_small_steps(moves: list[tuple[float, float]]) -> None:
    machine = Machine()
    clock = machine.clock()
    newest = 0
    for passed, step in moves:
        machine.pass_s(passed)
        machine.step_s(step)
        stamp = clock.ts_ms(clock.now(), "meter")
        assert stamp is not None
        assert stamp > newest
        newest = stamp


class TestSystemClock:
    def test_it_tells_this_boot_and_this_time(self) -> None:
        clock = system_clock("system")
        now = clock.now()
        assert len(now.boot_id) == 36
        stamp = clock.ts_ms(now, "meter")
        assert stamp is not None
        assert abs(stamp - time.time() * 1000) < 60_000

    @pytest.mark.parametrize(
        ("shown", "expected"),
        [
            (timedelta(days=-1), False),
            (timedelta(days=1), True),
            (timedelta(days=19 * 365), True),
            (timedelta(days=21 * 365), False),
        ],
    )
    def test_auto_believes_what_is_plausible(
        self, monkeypatch: pytest.MonkeyPatch, shown: timedelta, expected: bool
    ) -> None:
        shown_ns = int((BUILD_DATE + shown).timestamp()) * NS
        monkeypatch.setattr(time, "time_ns", lambda: shown_ns)
        clock = system_clock("auto")
        assert (clock.ts_ms(clock.now(), "meter") is not None) is expected

    def test_system_believes_anything(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(time, "time_ns", lambda: 1000 * NS)
        clock = system_clock("system")
        assert clock.ts_ms(clock.now(), "meter") == 1_000_000


def test_what_happens_to_the_clock_is_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    machine = Machine()
    clock = machine.clock()
    clock.now()
    machine.step_s(-1800)
    clock.now()
    assert [record.getMessage().split(",")[0] for record in caplog.records] == [
        "time is trusted: the system clock shows 2027-03-02 00:00:00 UTC",
        "the system clock was set -1800.0 s",
    ]
