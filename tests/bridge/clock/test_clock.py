"""Instants and their dates, on clocks that the test moves."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.clock import BUILD_DATE, MISSING, Clock, Instant, Told

NS = 1_000_000_000
NOON_NS = int((BUILD_DATE + timedelta(days=100)).timestamp()) * NS
NOON_MS = NOON_NS // 1_000_000


@dataclass
class Machine:
    """A machine booted `boottime_ns` ago, whose wall clock shows `wall_ns`."""

    boottime_ns: int = 50 * NS
    wall_ns: int = NOON_NS
    trusted: bool = True
    told: Told | None = None
    asked: int = 0  # how often it was asked whether its clock is to be trusted

    def clock(self) -> Clock:
        return Clock(
            "this-boot",
            lambda: self.boottime_ns,
            lambda: self.wall_ns,
            self.vouched,
            lambda: self.told,
        )

    def vouched(self, wall_ns: int) -> str | None:
        self.asked += 1
        return "NTP" if self.trusted else None

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


def test_a_clock_that_goes_on_is_asked_about_once_a_second() -> None:
    machine = Machine()
    clock = machine.clock()
    for _ in range(1000):
        clock.ts_ms(clock.now(), "meter")
        machine.pass_s(0.005)
    assert machine.asked == 5


def test_a_clock_that_was_set_is_asked_about_at_once() -> None:
    machine = Machine()
    clock = machine.clock()
    clock.now()
    machine.step_s(3600)
    machine.trusted = False
    assert clock.ts_ms(clock.now(), "meter") == NOON_MS, "the hour that nobody vouches for is not believed"
    assert clock.source is None


def test_a_clock_that_nobody_vouches_for_is_asked_about_each_time() -> None:
    machine = Machine(wall_ns=0, trusted=False)
    clock = machine.clock()
    assert clock.ts_ms(clock.now(), "meter") is None
    machine.wall_ns, machine.trusted = NOON_NS, True
    assert clock.ts_ms(clock.now(), "meter") == NOON_MS


def test_trust_that_ends_is_noticed_within_a_second() -> None:
    machine = Machine()
    clock = machine.clock()
    assert clock.source == "NTP"
    machine.trusted = False
    machine.pass_s(1)
    assert clock.source is None


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
    assert clock.state == "NTP"


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
    assert "meter: the clock was set back 7200 s; stamps follow it" in caplog.text


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
    clock = Clock(
        "this-boot",
        lambda: next(boottimes, 6 * NS),
        lambda: next(walls, 0),
        lambda ns: "NTP" if ns > 0 else None,
    )
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


def test_a_boot_in_1970_and_a_sync_minutes_later_dates_all_to_100_ms() -> None:
    """The crystal runs 50 ppm fast until NTP, which slews the last of the error away, knows better."""
    machine = Machine(boottime_ns=8 * NS, wall_ns=8 * NS, trusted=False)
    clock = machine.clock()
    began_ns = NOON_NS - 8 * NS
    taken = []
    for second in range(10, 610, 10):
        machine.boottime_ns = machine.wall_ns = round(second * NS * 1.00005)
        taken.append((clock.now(), began_ns + second * NS))
        assert clock.ts_ms(taken[-1][0], "meter") is None
    machine.wall_ns, machine.trusted = began_ns + 600 * NS + 20_000_000, True
    known = clock.known
    assert known is not None
    for instant, truth_ns in taken:
        assert abs(instant.boottime_ns + known.offset_ns - truth_ns) < 100_000_000
    stamps = [clock.ts_ms(instant, "meter") for instant, _ in taken]
    assert stamps == sorted({stamp for stamp in stamps if stamp is not None})


@pytest.mark.parametrize("years", [-7, 3])
def test_a_step_of_years_moves_what_comes_after_it_and_nothing_before(years: int) -> None:
    machine = Machine()
    clock = machine.clock()
    before = clock.now()
    machine.pass_s(1)
    machine.step_s(years * 365 * 86_400)
    assert clock.ts_ms(before, "meter") == NOON_MS
    assert clock.ts_ms(clock.now(), "meter") == NOON_MS + 1000 + years * 365 * 86_400_000


def test_suspend_is_counted() -> None:
    machine = Machine()
    clock = machine.clock()
    before = clock.now()
    machine.pass_s(
        8 * 3600
    )  # boottime goes on while the machine sleeps, and so does the RTC behind the clock
    assert clock.ts_ms(clock.now(), "meter") == NOON_MS + 8 * 3_600_000
    assert clock.ts_ms(before, "soil") == NOON_MS


def test_a_suspend_that_the_wall_clock_slept_through_is_a_step_once_it_is_set() -> None:
    machine = Machine()
    clock = machine.clock()
    clock.now()
    machine.boottime_ns += 3600 * NS
    machine.trusted = False
    assert clock.ts_ms(clock.now(), "meter") == NOON_MS + 3_600_000, "by the last trusted offset"
    machine.wall_ns, machine.trusted = NOON_NS + 3600 * NS, True
    assert clock.ts_ms(clock.now(), "meter") == NOON_MS + 3_600_001


class TestTold:
    """What the server says counts as long as nothing here knows better."""

    def test_dates_what_was_taken_and_what_comes(self) -> None:
        machine = Machine(wall_ns=0, trusted=False)
        clock = machine.clock()
        taken = clock.now()
        machine.pass_s(4)
        machine.told = Told("this-boot", NOON_NS - 50 * NS, "the clock of tb")
        assert clock.ts_ms(taken, "meter") == NOON_MS
        assert clock.ts_ms(clock.now(), "meter") == NOON_MS + 4000
        assert clock.state == clock.source == "the clock of tb"
        assert clock.known == Told("this-boot", NOON_NS - 50 * NS, "the clock of tb")
        assert not clock.is_vouched

    def test_gives_way_to_a_clock_that_is_synchronized(self) -> None:
        machine = Machine(wall_ns=0, trusted=False, told=Told("this-boot", NOON_NS - 50 * NS, "tb"))
        clock = machine.clock()
        assert clock.ts_ms(clock.now(), "meter") == NOON_MS
        machine.wall_ns, machine.trusted = NOON_NS + 40_000_000, True
        assert clock.ts_ms(clock.now(), "meter") == NOON_MS + 40
        assert clock.state == "NTP"

    def test_of_another_boot_says_nothing(self) -> None:
        machine = Machine(wall_ns=0, trusted=False, told=Told("the boot before", NOON_NS, "tb"))
        assert machine.clock().known is None


def test_after_ten_minutes_without_a_time_the_state_says_what_is_missing() -> None:
    machine = Machine(boottime_ns=599 * NS, wall_ns=0, trusted=False)
    clock = machine.clock()
    assert clock.state == "waiting for the time: the system clock shows 1970-01-01 00:00:00 UTC"
    machine.boottime_ns = 600 * NS
    assert clock.state.endswith(f"; {MISSING}")
    machine.trusted = True
    assert MISSING not in clock.state


def test_what_happens_to_the_clock_is_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    machine = Machine()
    clock = machine.clock()
    clock.now()
    machine.step_s(-1800)
    clock.now()
    assert [record.getMessage().split(",")[0] for record in caplog.records] == [
        "the time is trusted (NTP): 2027-03-02 00:00:00 UTC",
        "the clock was set -1800.0 s",
    ]
