"""The time of readings: right now, and likely to stay right."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.clock import MISSING, Clock
from bridge.clock.kernel_clock import is_synchronized, system_clock
from bridge.commands.doctor.finding import Finding, Machine, Severity
from bridge.config import Site
from bridge.status.runtime import Runtime

AREA = "clock"
_FIX = "sudo timedatectl set-ntp true"


def check(site: Site, _machine: Machine) -> Iterator[Finding]:
    """Check whether the kernel's clock is synchronized, and if not, what else vouches for the time."""
    yield from judge(system_clock(site.clock.trust, Runtime(site.spool.path)), is_synchronized())


def judge(clock: Clock, is_synchronized: bool) -> Iterator[Finding]:
    """Yield what is wrong with a clock."""
    if is_synchronized:
        return
    if clock.source is None:
        yield Finding(AREA, Severity.FAULT, f"the clock is not synchronized: {MISSING}", _FIX)
    elif clock.is_vouched:
        sentence = f"the clock is not synchronized and drifts: the time is that of {clock.source}"
        yield Finding(AREA, Severity.RISK, sentence, _FIX)
