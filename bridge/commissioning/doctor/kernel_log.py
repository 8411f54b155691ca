"""What the kernel saw of the USB sockets: adapters that go and come or do not answer, and undervoltage.

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

from bridge.commissioning.doctor.finding import Finding, Machine, Severity
from bridge.config import Site
from bridge.port.adapter import adapters

AREA = "kernel log"

_WINDOW_S = 24 * 3600.0  # what was mended yesterday is no finding
_OFTEN = 3  # a driver resets its adapter once when it attaches, and people do pull plugs
_CHUNK = 8192  # of /dev/kmsg at least one record, which is shorter
_JOURNAL = ("journalctl", "--dmesg", "--boot", "--output=short-monotonic", "--no-pager", "--quiet")
_JOURNAL_TIMEOUT_S = 20.0

_KMSG = re.compile(r"\d+,\d+,(?P<us>\d+),[^;]*;(?P<text>.*)")
_PRINTED = re.compile(r"\[ *(?P<s>\d+\.\d+)\] (?:\S+ kernel: )?(?P<text>.*)")

_ATTACHED = re.compile(r"usb (\S+): .+ now attached to tty|cdc_acm ([^:]+):\S+ tty\w+: USB ACM device")
_TAKEN = re.compile(r"usb (\S+): usbfs: interface \d+ claimed by \w+ while '(.+)' sets config")
_UNDERVOLTAGE = re.compile(r"[Uu]nder-?voltage detected!")
_WATCH = "sudo dmesg --follow | grep -i usb"


@dataclass(frozen=True, slots=True)
class _Event:
    """Something that happens to a USB socket.

    Attributes:
        what: completes "USB socket 1-1.2: its adapter …".
        often: so many times before it counts.
        anyones: it counts in sockets, too, of which no serial adapter is known.
    """

    pattern: re.Pattern[str]
    what: str
    often: int
    anyones: bool


_EVENTS = (
    _Event(re.compile(r"usb (\S+): reset \S+ USB device"), "was reset", _OFTEN, False),
    _Event(re.compile(r"usb (\S+): USB disconnect, "), "went away", _OFTEN, False),
    _Event(re.compile(r"usb (\S+): disabled by hub \(EMI\?\)"), "was cut off by interference", 1, False),
    _Event(re.compile(r"usb (\S+): device not accepting address"), "did not answer when plugged in", 1, True),
    _Event(re.compile(r"usb (\S+): unable to enumerate USB device"), "was given up by the kernel", 1, True),
    _Event(re.compile(r"usb (\S+): over-current condition"), "drew too much current", 1, True),
)


def check(_site: Site, machine: Machine, now_s: float | None = None) -> Iterator[Finding]:
    """What went wrong within a day. `now_s`: seconds since boot."""
    lines = _read(machine.kernel_log)
    if lines is None:
        yield Finding(AREA, Severity.UNSEEN, "the kernel log", "")
        return
    now_s = time.monotonic() if now_s is None else now_s
    recent = [(at_s, text) for at_s, text in _entries(lines) if at_s >= now_s - _WINDOW_S]
    serial = {adapter.usb for adapter in adapters(machine.sysfs)} | set(_attached(_entries(lines)))
    yield from _sockets(recent, serial, now_s)
    yield from _taken(recent, now_s)
    if dips := [at_s for at_s, text in recent if _UNDERVOLTAGE.search(text)]:
        sentence = f"the supply voltage was too low {_times(dips, now_s)}: USB adapters fail first"
        fix = "vcgencmd get_throttled"
        yield Finding(AREA, Severity.RISK, f"{sentence}; use the maker's power supply", fix)


def _sockets(recent: Iterable[tuple[float, str]], serial: set[str], now_s: float) -> Iterator[Finding]:
    seen: dict[tuple[str, _Event], list[float]] = defaultdict(list)
    for at_s, text in recent:
        for event in _EVENTS:
            if found := event.pattern.match(text):
                seen[_socket(found[1]), event].append(at_s)
    for (socket, event), when in seen.items():
        if len(when) >= event.often and (event.anyones or socket in serial):
            sentence = f"USB socket {socket}: its adapter {event.what} {_times(when, now_s)}"
            advice = "if nobody pulled it, try another cable, a powered hub, more distance from power lines"
            yield Finding(AREA, Severity.RISK, f"{sentence}; {advice}", _WATCH)


def _taken(recent: Iterable[tuple[float, str]], now_s: float) -> Iterator[Finding]:
    seen: dict[tuple[str, str], list[float]] = defaultdict(list)
    for at_s, text in recent:
        if found := _TAKEN.match(text):
            seen[found[1], found[2]].append(at_s)
    for (socket, program), when in seen.items():
        sentence = f"USB socket {socket}: {program} took the adapter from its driver {_times(when, now_s)}"
        yield Finding(AREA, Severity.FAULT, sentence, f"sudo systemctl mask --now {_service(program)}")


def _service(program: str) -> str:
    """The service of a program, for a command; the kernel has its name from whoever started it."""
    name = quote(f"{program}.service")
    return f"-- {name}" if program.startswith("-") else name


def _socket(name: str) -> str:
    """A hub's port as the device in it is called: "usb1-port6" is "1-6", "1-1.5-port1" is "1-1.5.1"."""
    hub, _, port = name.partition("-port")
    if not port:
        return name
    return f"{hub.removeprefix('usb')}-{port}" if hub.startswith("usb") else f"{hub}.{port}"


def _times(when: list[float], now_s: float) -> str:
    minutes = max(0, round((now_s - when[-1]) / 60))
    ago = f"{minutes} min" if minutes < 90 else f"{minutes / 60:.0f} h"
    times = "once" if len(when) == 1 else f"{len(when)} times"
    return f"{times} within a day, last {ago} ago"


def _attached(entries: Iterable[tuple[float, str]]) -> Iterator[str]:
    """The sockets in which serial adapters were."""
    for _, text in entries:
        if found := _ATTACHED.match(text):
            yield found[1] or found[2]


def _entries(lines: Iterable[str]) -> Iterator[tuple[float, str]]:
    """Seconds since boot, and the text."""
    for line in lines:
        if found := _KMSG.match(line):
            yield int(found["us"]) / 1e6, found["text"]
        elif found := _PRINTED.match(line):
            yield float(found["s"]), found["text"]


def _read(log: Path) -> list[str] | None:
    """What /dev/kmsg holds, else what the journal kept of it; None if neither may be read."""
    try:
        return _kmsg(log).splitlines()
    except OSError:
        pass
    try:
        done = subprocess.run(  # noqa: S603
            _JOURNAL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_JOURNAL_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.splitlines() or None


def _kmsg(log: Path) -> str:
    """Everything up to now; reading goes on without waiting where records were overwritten meanwhile."""
    descriptor = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    found = b""
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
            found += record
    finally:
        os.close(descriptor)
    return found.decode(errors="replace")
