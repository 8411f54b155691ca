"""The settings that the kernel's driver really uses, read back: line, latency; and its UART's error counters.

A driver may accept without a word what it cannot do: a parity it does not know, a latency timer that stays at
16 ms. So each setting is read back, and the log says where it differs. A driver that cannot tell is no fault.
"""

from __future__ import annotations

import logging
import re
import struct
import termios
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path

from protocols.toolkit.polling import LineSettings

_log = logging.getLogger(__name__)

SYSFS = Path("/sys")
LATENCY_MS = 1

# asm-generic/ioctls.h, linux/tty_flags.h, linux/serial.h
_TIOCGSERIAL, _TIOCGICOUNT = 0x541E, 0x545D
_LOW_LATENCY = 1 << 13
_SERIAL = struct.Struct(
    "4i i 108x"
)  # struct serial_struct: what precedes the flags, the flags, more than enough
_ICOUNT = struct.Struct("20i")  # struct serial_icounter_struct
_INT = struct.Struct("i")

_SPEEDS = {getattr(termios, name): int(name[1:]) for name in dir(termios) if re.fullmatch(r"B\d+", name)}
_SIZES = {termios.CS5: 5, termios.CS6: 6, termios.CS7: 7, termios.CS8: 8}


@dataclass(frozen=True, slots=True)
class UartErrors:
    """The errors that the UART itself counted since the driver was loaded.

    Attributes:
        framing: a stop bit was missing: noise, or another baud rate.
        parity: a parity bit was wrong: noise, or another parity.
        overrun: octets lost in the UART, buffer_overrun: in the kernel: this machine was too slow.
        breaks: the line was held low.
    """

    framing: int
    overrun: int
    parity: int
    breaks: int
    buffer_overrun: int


def settings_of(descriptor: int) -> LineSettings | None:
    """Return the settings a device really has; None where its baud rate is none that termios names."""
    _, _, flags, _, _, speed, _ = termios.tcgetattr(descriptor)
    if speed not in _SPEEDS:
        return None
    parity = "N" if not flags & termios.PARENB else "O" if flags & termios.PARODD else "E"
    stopbits = 2 if flags & termios.CSTOPB else 1
    return LineSettings(_SPEEDS[speed], _SIZES[flags & termios.CSIZE], parity, stopbits)


def compare_settings(descriptor: int, path: str, requested: LineSettings) -> None:
    """Log a warning if the driver runs the device at other line settings than those requested."""
    actual = settings_of(descriptor)
    if actual is not None and actual != requested:
        _log.warning(
            "%s: the driver runs it at %s, not at %s as asked: check whether the adapter supports that",
            path,
            actual,
            requested,
        )


def compare_latency(descriptor: int, path: str, sysfs: Path = SYSFS) -> None:
    """Set an FTDI's latency timer where that is allowed, and log for how long the driver holds bytes back."""
    timer = sysfs / "class/tty" / Path(path).resolve().name / "device/latency_timer"
    try:
        if int(timer.read_text()) > LATENCY_MS:
            timer.write_text(str(LATENCY_MS))
    except (OSError, ValueError):
        pass  # no FTDI, or no right to write; its present value counts
    try:
        latency_ms = int(timer.read_text())
    except (OSError, ValueError):
        latency_ms = LATENCY_MS
    if latency_ms > LATENCY_MS:
        _log.warning(
            "%s: its adapter holds bytes back for %d ms; replies come so much later: lower %s",
            path,
            latency_ms,
            timer,
        )
    try:
        *_, flags = _SERIAL.unpack(ioctl(descriptor, _TIOCGSERIAL, bytes(_SERIAL.size)))
    except OSError:
        return
    if not flags & _LOW_LATENCY:
        _log.info("%s: its driver has no low-latency mode; bytes may come in chunks", path)


def uart_errors(descriptor: int) -> UartErrors | None:
    """Return the UART's own error counters; None where the driver has none."""
    try:
        counters = _ICOUNT.unpack(ioctl(descriptor, _TIOCGICOUNT, bytes(_ICOUNT.size)))
    except OSError:
        return None
    framing, overrun, parity, breaks, buffer_overrun = counters[6:11]
    return UartErrors(framing, overrun, parity, breaks, buffer_overrun)


def holds_input(descriptor: int) -> bool:
    """Return whether the kernel holds octets that nobody has read; True too where it does not say."""
    try:
        (octets,) = _INT.unpack(ioctl(descriptor, termios.FIONREAD, bytes(_INT.size)))
    except OSError:
        return True
    return bool(octets)
