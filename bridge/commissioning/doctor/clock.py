"""Whether the readings get the right time, and go on getting it."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.clock import MISSING, Clock
from bridge.clock.kernel_clock import is_synchronized, system_clock
from bridge.commissioning.doctor.finding import Finding, Machine, Severity
from bridge.config import Site
from bridge.runtime import Runtime

AREA = "clock"
_FIX = "sudo timedatectl set-ntp true"


def check(site: Site, _machine: Machine) -> Iterator[Finding]:
    """Whether the kernel says that it is synchronized, and what else vouches for the time if it does not."""
    yield from judge(system_clock(site.clock.trust, Runtime(site.spool.path)), is_synchronized())


def judge(clock: Clock, is_synchronized: bool) -> Iterator[Finding]:
    """What is to be said of a clock."""
    if is_synchronized:
        return
    if clock.source is None:
        yield Finding(AREA, Severity.FAULT, f"the clock is not synchronized: {MISSING}", _FIX)
    elif clock.is_vouched:
        sentence = f"the clock is not synchronized and drifts: the time is that of {clock.source}"
        yield Finding(AREA, Severity.RISK, sentence, _FIX)
