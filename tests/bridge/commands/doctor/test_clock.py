"""What is said of a clock, by who vouches for it."""

from __future__ import annotations

import pytest

from bridge.clock import BUILD_DATE, MISSING, Clock, Told
from bridge.commands.doctor import clock
from bridge.commands.doctor.finding import Severity
from tests.bridge.commands.doctor.described import Described

NOW_NS = int(BUILD_DATE.timestamp() + 86400) * 10**9


def a_clock(vouched: str | None, told: str | None = None) -> Clock:
    by_server = Told("boot", NOW_NS, told) if told else None
    return Clock("boot", lambda: 10**12, lambda: NOW_NS, lambda _: vouched, lambda: by_server)


def test_a_synchronized_clock_is_nothing_to_say() -> None:
    assert not list(clock.judge(a_clock("the kernel"), True))


def test_a_clock_for_which_nobody_vouches_is_a_fault_with_what_is_missing() -> None:
    (found,) = clock.judge(a_clock(None), False)
    assert (found.severity, found.fix) == (Severity.FAULT, "sudo timedatectl set-ntp true")
    assert found.sentence == f"the clock is not synchronized: {MISSING}"


def test_a_clock_that_an_rtc_set_drifts() -> None:
    (found,) = clock.judge(a_clock("the system clock, set by an RTC at boot"), False)
    assert found.severity is Severity.RISK
    assert found.sentence.endswith("the time is that of the system clock, set by an RTC at boot")


def test_a_clock_that_the_server_told_is_nothing_to_say() -> None:
    assert not list(clock.judge(a_clock(None, told="the server's time"), False))


@pytest.mark.parametrize("trust", ["auto", "system"])
def test_this_machines_clock_is_looked_at(described: Described, trust: str) -> None:
    site = described.site(more=f'[clock]\ntrust = "{trust}"\n')
    assert all(found.area == "clock" for found in clock.check(site, described.machine()))
