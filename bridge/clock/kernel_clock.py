"""The clocks of this machine, and what vouches for them.

`trust = "auto"` believes the wall clock if the kernel says that it is synchronized (NTP, PTP, GPS daemons
tell it so), or if a battery-backed clock set it at boot and it shows a time at which this software can be
running. It asks the kernel and no daemon: that works in a container and without privileges. A clock that
was only carried over from the last shutdown (fake-hwclock, systemd's clock file) looks plausible and is
hours wrong; nothing vouches for that one.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from bridge.clock import Clock, Told, is_plausible
from bridge.status.runtime import Runtime

_STA_UNSYNC, _TIME_ERROR = 0x0040, 5  # adjtimex(2)
_STATUS_OFFSET = 5 * ctypes.sizeof(
    ctypes.c_long
)  # struct timex: modes, offset, freq, maxerror, esterror, status
_TIMEX_BYTES = 512  # more than it takes on any architecture
_LOOK_EVERY_NS = 1_000_000_000

_HAS_CMOS_CLOCK = ("x86_64", "i386", "i686")  # the kernel reads it, or the hypervisor's, before anything runs
_RTCS = Path("/sys/class/rtc")


def system_clock(trust: Literal["auto", "system"], runtime: Runtime | None = None) -> Clock:
    """Return the clock of this machine.

    Args:
        trust: "system" believes the wall clock whatever it shows; "auto" by the rule at the head of this
            module and, if nothing vouches for the wall clock, by the server's time.
        runtime: where the uplink publishes the server's time; None for no such source.
    """
    return Clock(
        boot_id(),
        boottime_ns,
        time.time_ns,
        _auto() if trust == "auto" else lambda _: 'the system clock, as [clock] trust = "system" says',
        _server_time(runtime) if runtime is not None and trust == "auto" else lambda: None,
    )


def boot_id() -> str:
    """Return the identifier of this boot, as the kernel has it (random(4))."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def boottime_ns() -> int:
    """Return the nanoseconds since boot, suspend included (CLOCK_BOOTTIME)."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def is_synchronized() -> bool:
    """Return whether the kernel reports its clock as synchronized; False where adjtimex(2) is forbidden."""
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)  # modes = 0: only look
    state = _libc.adjtimex(timex)
    status = ctypes.c_int.from_buffer(timex, _STATUS_OFFSET).value
    return state not in (-1, _TIME_ERROR) and not status & _STA_UNSYNC


def has_set_clock_at_boot(rtcs: Path = _RTCS, machine: str | None = None) -> bool:
    """Return whether the kernel set its clock from a battery-backed clock, or from a host's.

    An RTC whose battery is flat counts from 1970 or 2000, which is not plausible: that is False.
    """
    devices = [*rtcs.glob("rtc*")]
    for rtc in devices:
        try:
            did_set = (rtc / "hctosys").read_text().strip() == "1"
            shows_s = int((rtc / "since_epoch").read_text())
        except (OSError, ValueError):
            continue
        if did_set and is_plausible(shows_s * 1_000_000_000):
            return True
    return not devices and (machine or os.uname().machine) in _HAS_CMOS_CLOCK


def _auto() -> Callable[[int], str | None]:
    has_rtc = has_set_clock_at_boot()

    def vouched(wall_ns: int) -> str | None:
        if is_synchronized():
            return "the system clock, which the kernel says is synchronized"
        if has_rtc and is_plausible(wall_ns):
            return "the system clock, set by an RTC at boot"
        return None

    return vouched


def _server_time(runtime: Runtime) -> Callable[[], Told | None]:
    """Return a callable for the server's time as the uplink published it, read at most once a second."""
    latest: Told | None = None
    looked_ns: int | None = None

    def published() -> Told | None:
        nonlocal latest, looked_ns
        now_ns = boottime_ns()
        if looked_ns is None or now_ns - looked_ns >= _LOOK_EVERY_NS:
            looked_ns = now_ns
            if (document := runtime.clock()) is not None:
                latest = Told(document["boot_id"], document["offset_ns"], document["source"])
        return latest

    return published


_libc = ctypes.CDLL(None)
