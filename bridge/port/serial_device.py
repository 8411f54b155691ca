"""Opening a serial device for this process alone; a failure is one sentence with the next step.

pyserial has traps here. Unless asked for a lock, it lets two programs read one device and steal
each other's replies. A failure may be a SerialException, an OSError, a termios.error or a ValueError: here
each is a PortLost. A feature that a driver lacks (low latency, RS-485) is no failure: the log says so. A
pseudo terminal carries 8 bits and no parity: it is opened as 8N1, and the log says so.

Everything here blocks: call it in a thread.
"""

from __future__ import annotations

import errno
import logging
import os
import struct
import termios
from fcntl import ioctl
from pathlib import Path
from typing import TYPE_CHECKING

import serial

from bridge.causes import Cause
from bridge.errors import PortLost, port_lost
from bridge.port.driver import compare_latency, compare_settings
from bridge.port.holders import holders
from protocols.toolkit.polling import LineSettings

if TYPE_CHECKING:
    from bridge.config import RS485

_log = logging.getLogger(__name__)

_PTY_MAJORS = range(136, 144)  # Linux devices.txt: Unix98 PTY slaves

# linux/serial.h, struct serial_rs485: flags, two delays in ms, five words of padding
_RS485 = struct.Struct("8I")
_TIOCGRS485, _TIOCSRS485 = 0x542E, 0x542F
_RS485_ENABLED, _RS485_RTS_ON_SEND, _RS485_RTS_AFTER_SEND = 1 << 0, 1 << 1, 1 << 2


class SerialDevice(serial.Serial):
    """A pyserial port that never waits: its user, an event loop, says when there is something to read.

    pyserial reads through `select`, which takes no descriptor above 1023. And the transport flushes when it
    closes, in the event loop: draining there would stop every bus for as long as the device refuses output.
    """

    def read(self, size: int = 1) -> bytes:
        """Return the octets that have come, at most `size`, perhaps none.

        Raises:
            SerialException: the device is gone.
        """
        try:
            data = os.read(self.fileno(), size)
        except (BlockingIOError, InterruptedError):
            return b""
        except OSError as error:
            raise serial.SerialException(f"read failed: {error}") from error
        if not data:  # a terminal that was hung up is always ready, with nothing
            raise serial.SerialException("the device hung up")
        return data

    def flush(self) -> None:
        """Discard the octets that were not sent yet."""
        termios.tcflush(self.fileno(), termios.TCOFLUSH)


def open_device(
    path: str, settings: LineSettings, rs485: RS485 | None, is_read_only: bool = False
) -> SerialDevice:
    """Open the device and set it up.

    Args:
        path: the device file.
        settings: speed and character format.
        rs485: how its driver is switched, if the kernel must do that.
        is_read_only: keep RTS and DTR low, which may switch the driver of the line.

    Raises:
        PortLost: missing, busy, forbidden or not a serial device; the message says which, and what to do.
    """
    try:
        is_pty = _is_pty(path)
        if is_pty and (settings.bytesize, settings.parity) != (8, "N"):
            _log.info("%s is a pseudo terminal: opened as 8N1, not as %s", path, settings)
            settings = LineSettings(settings.baudrate)
        device = SerialDevice(
            baudrate=settings.baudrate,
            bytesize=settings.bytesize,
            parity=settings.parity,
            stopbits=settings.stopbits,
            timeout=0,
            write_timeout=0,
            exclusive=True,
        )
        device.port = path
        device.rts = device.dtr = not is_read_only
        device.open()
    except (OSError, termios.error, ValueError) as error:
        raise _lost(path, error) from error
    try:
        compare_settings(device.fileno(), path, settings)
        if not is_pty:
            _lower_latency(device)
            compare_latency(device.fileno(), path)
        if rs485 is not None:
            _drive_rs485(device, rs485)
    except (OSError, termios.error, ValueError) as error:  # pulled out meanwhile
        device.close()
        raise _lost(path, error) from error
    return device


def change_settings(device: SerialDevice, settings: LineSettings) -> None:
    """Change the line settings of an open device; octets written before are sent with the old ones.

    Raises:
        PortLost: the device does not take the settings, or is gone.
    """
    path = str(device.port)
    try:
        termios.tcdrain(device.fileno())
        if _is_pty(path):
            settings = LineSettings(settings.baudrate)
        device.apply_settings(
            {
                "baudrate": settings.baudrate,
                "bytesize": settings.bytesize,
                "parity": settings.parity,
                "stopbits": settings.stopbits,
            }
        )
        compare_settings(device.fileno(), path, settings)
    except (OSError, termios.error, ValueError) as error:  # a device that was closed meanwhile too
        raise _lost(path, error) from error


def _is_pty(path: str) -> bool:
    return os.major(Path(path).stat().st_rdev) in _PTY_MAJORS


def _lower_latency(device: SerialDevice) -> None:
    """Ask the driver not to hold bytes back (FTDI: 16 ms otherwise); log a driver that cannot."""
    try:
        device.set_low_latency_mode(True)
    except (ValueError, OSError) as error:
        _log.info("%s: no low-latency mode; bytes may come in chunks (%s)", device.port, error)


def _drive_rs485(device: SerialDevice, rs485: RS485) -> None:
    """Have the kernel switch the direction of an RS-485 driver, and read back the settings it took.

    Not by pyserial's `rs485_mode`: where the driver refuses, that setting stays and fails every later one.
    """
    flags = _RS485_ENABLED
    flags |= _RS485_RTS_ON_SEND if rs485.rts_on_send else 0
    flags |= _RS485_RTS_AFTER_SEND if rs485.rts_after_send else 0
    delays_ms = (round(rs485.delay_before_send_s * 1000), round(rs485.delay_after_send_s * 1000))
    request = _RS485.pack(flags, *delays_ms, *(0,) * 5)
    try:
        ioctl(device.fileno(), _TIOCSRS485, request)
        actual = _RS485.unpack(ioctl(device.fileno(), _TIOCGRS485, bytes(_RS485.size)))
    except OSError as error:
        _log.info(
            "%s: its driver has no RS-485 mode; the adapter must switch direction by itself (%s)",
            device.port,
            error,
        )
        return
    if actual[:3] != (flags, *delays_ms):
        _log.warning(
            "%s: RS-485 mode differs from site.toml: the driver took flags %#x, delays %d and %d ms",
            device.port,
            *actual[:3],
        )


def _lost(path: str, error: Exception) -> PortLost:
    """Return what is wrong with the device, with the next step."""
    code = _errno(error)
    if code in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return port_lost(path, Cause.PORT_GONE)
    if code in (errno.EWOULDBLOCK, errno.EBUSY):
        return port_lost(path, Cause.PORT_HELD, _holders(path))
    if code in (errno.EACCES, errno.EPERM):
        return port_lost(path, Cause.PORT_FORBIDDEN, next_step=f"add the user to group {_group(path)}")
    if code in (errno.ENOTTY, errno.EISDIR):
        return port_lost(
            path, Cause.PORT_FAILED, "it is not a serial device", "compare the adapter of the bus"
        )
    return port_lost(path, Cause.PORT_FAILED, str(error))


def _errno(error: BaseException | None) -> int | None:
    """Return the errno of the system's error, which pyserial may have wrapped in an error without one."""
    while error is not None:
        if isinstance(error, (OSError, termios.error)) and error.args and isinstance(error.args[0], int):
            return error.args[0]
        error = error.__context__
    return None


def _holders(path: str) -> str:
    """Return "process 4711 ttylog" with the processes that have the device open; "" if none is visible."""
    processes = [f"{process.pid} {process.command}" for process in holders(Path(path).resolve())]
    return f"process {', '.join(processes)}" if processes else ""


def _group(path: str) -> str:
    try:
        return Path(path).group()
    except (OSError, KeyError):
        return "dialout"
