"""The kernel's messages about USB sockets: adapters that go and come or do not answer, and undervoltage.

Texts as the kernel writes them: drivers/usb/core/{hub.c,devio.c}, drivers/usb/serial/usb-serial.c,
drivers/hwmon/raspberrypi-hwmon.c; a Raspberry Pi's 4.14 kernels wrote "Under-voltage detected! (0x00050005)".
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from bridge.commands.doctor.finding import Finding, Machine, Severity
from bridge.config import Site
from bridge.port.adapter import adapters

AREA = "kernel log"

_WINDOW_S = 24 * 3600.0  # a fault mended yesterday is no finding
_OFTEN = 3  # a driver resets its adapter once when it attaches, and people do pull plugs
_CHUNK = 8192  # bytes: one read of /dev/kmsg returns one record, which is shorter
_JOURNAL = ("journalctl", "--dmesg", "--boot", "--output=short-monotonic", "--no-pager", "--quiet")
_JOURNAL_TIMEOUT_S = 20.0

_KMSG = re.compile(r"\d+,\d+,(?P<us>\d+),[^;]*;(?P<text>.*)")
_PRINTED = re.compile(r"\[ *(?P<s>\d+\.\d+)\] (?:\S+ kernel: )?(?P<text>.*)")

_ATTACHED = re.compile(r"usb (\S+): .+ now attached to tty|cdc_acm ([^:]+):\S+ tty\w+: USB ACM device")
_CLAIMED = re.compile(r"usb (\S+): usbfs: interface \d+ claimed by \w+ while '(.+)' sets config")
_UNDERVOLTAGE = re.compile(r"[Uu]nder-?voltage detected!")
_WATCH = "sudo dmesg --follow | grep -i usb"


@dataclass(frozen=True, slots=True)
class _Event:
    """A kernel message about a USB socket.

    Attributes:
        predicate: completes "USB socket 1-1.2: its adapter …".
        least_count: how often it must occur within a day to count.
        in_any_socket: it counts in sockets, too, of which no serial adapter is known.
    """

    pattern: re.Pattern[str]
    predicate: str
    least_count: int
    in_any_socket: bool


_EVENTS = (
    _Event(re.compile(r"usb (\S+): reset \S+ USB device"), "was reset", _OFTEN, False),
    _Event(re.compile(r"usb (\S+): USB disconnect, "), "went away", _OFTEN, False),
    _Event(re.compile(r"usb (\S+): disabled by hub \(EMI\?\)"), "was cut off by interference", 1, False),
    _Event(re.compile(r"usb (\S+): device not accepting address"), "did not answer when plugged in", 1, True),
    _Event(re.compile(r"usb (\S+): unable to enumerate USB device"), "was given up by the kernel", 1, True),
    _Event(re.compile(r"usb (\S+): over-current condition"), "drew too much current", 1, True),
)


def check(_site: Site, machine: Machine, now_s: float | None = None) -> Iterator[Finding]:
    """Yield what went wrong within a day.

    Args:
        now_s: seconds since boot; None: the machine's own.
    """
    lines = _read(machine.kernel_log)
    if lines is None:
        yield Finding(AREA, Severity.UNSEEN, "the kernel log", "")
        return
    now_s = time.monotonic() if now_s is None else now_s
    recent = [(at_s, text) for at_s, text in _entries(lines) if at_s >= now_s - _WINDOW_S]
    serial = {adapter.usb for adapter in adapters(machine.sysfs)} | set(_attached(_entries(lines)))
    yield from _sockets(recent, serial, now_s)
    yield from _claimed(recent, now_s)
    if dips := [at_s for at_s, text in recent if _UNDERVOLTAGE.search(text)]:
        sentence = (
            f"the supply voltage was too low {_times(dips, now_s)}: USB adapters fail first; "
            "use the maker's power supply"
        )
        yield Finding(AREA, Severity.RISK, sentence, "vcgencmd get_throttled")


def _sockets(recent: Iterable[tuple[float, str]], serial: set[str], now_s: float) -> Iterator[Finding]:
    times: dict[tuple[str, _Event], list[float]] = defaultdict(list)
    for at_s, text in recent:
        for event in _EVENTS:
            if match := event.pattern.match(text):
                times[_socket(match[1]), event].append(at_s)
    for (socket, event), times_s in times.items():
        if len(times_s) >= event.least_count and (event.in_any_socket or socket in serial):
            sentence = (
                f"USB socket {socket}: its adapter {event.predicate} {_times(times_s, now_s)}; "
                "if nobody pulled it, try another cable, a powered hub, more distance from power lines"
            )
            yield Finding(AREA, Severity.RISK, sentence, _WATCH)


def _claimed(recent: Iterable[tuple[float, str]], now_s: float) -> Iterator[Finding]:
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for at_s, text in recent:
        if match := _CLAIMED.match(text):
            times[match[1], match[2]].append(at_s)
    for (socket, program), times_s in times.items():
        sentence = f"USB socket {socket}: {program} took the adapter from its driver {_times(times_s, now_s)}"
        yield Finding(AREA, Severity.FAULT, sentence, f"sudo systemctl mask --now {_service(program)}")


def _service(program: str) -> str:
    """Return the service of a program, quoted for a command: the program chose its own name in the kernel."""
    name = quote(f"{program}.service")
    return f"-- {name}" if program.startswith("-") else name


def _socket(name: str) -> str:
    """Return a hub's port under the name of the device in it.

    For example "usb1-port6" is "1-6", and "1-1.5-port1" is "1-1.5.1".
    """
    hub, _, port = name.partition("-port")
    if not port:
        return name
    return f"{hub.removeprefix('usb')}-{port}" if hub.startswith("usb") else f"{hub}.{port}"


def _times(times_s: list[float], now_s: float) -> str:
    minutes = max(0, round((now_s - times_s[-1]) / 60))
    ago = f"{minutes} min" if minutes < 90 else f"{minutes / 60:.0f} h"
    count = "once" if len(times_s) == 1 else f"{len(times_s)} times"
    return f"{count} within a day, last {ago} ago"


def _attached(entries: Iterable[tuple[float, str]]) -> Iterator[str]:
    """Yield the sockets in which serial adapters were."""
    for _, text in entries:
        if match := _ATTACHED.match(text):
            yield match[1] or match[2]


def _entries(lines: Iterable[str]) -> Iterator[tuple[float, str]]:
    """Yield the time, in seconds since boot, and the text of each line."""
    for line in lines:
        if match := _KMSG.match(line):
            yield int(match["us"]) / 1e6, match["text"]
        elif match := _PRINTED.match(line):
            yield float(match["s"]), match["text"]


def _read(log: Path) -> list[str] | None:
    """Return the lines of /dev/kmsg, else those of the journal; None if neither may be read."""
    try:
        return _kmsg(log).splitlines()
    except OSError:
        pass
    try:
        journal = subprocess.run(  # noqa: S603
            _JOURNAL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_JOURNAL_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return journal.stdout.splitlines() or None


def _kmsg(log: Path) -> str:
    """Return all records up to now, without waiting; skip those that were overwritten meanwhile."""
    descriptor = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    records = b""
    try:
        while True:
            try:
                record = os.read(descriptor, _CHUNK)
            except BrokenPipeError:
                continue
            except BlockingIOError:
                break
            if not record:
                break
            records += record
    finally:
        os.close(descriptor)
    return records.decode(errors="replace")
