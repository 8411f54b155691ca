"""What is read back from a driver. A pty has no UART, no latency: those calls are tested to their bytes."""

from __future__ import annotations

import errno
import logging
import os
import struct
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from bridge.port import driver
from bridge.port.driver import UartErrors, compare_latency, compare_settings, settings_of, uart_errors
from protocols.toolkit.polling import LineSettings


@pytest.fixture
def pty() -> Iterator[int]:
    master, slave = os.openpty()
    tty.setraw(slave)
    yield slave
    os.close(master)
    os.close(slave)


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """Return the latency timer of an FTDI, as sysfs shows it."""
    timer = tmp_path / "class/tty/ttyUSB0/device/latency_timer"
    timer.parent.mkdir(parents=True)
    timer.write_text("16\n")
    return timer


@pytest.mark.parametrize("text", ["1200 8N1", "9600 8N1", "19200 8N2", "115200 8N1"])
def test_the_settings_of_an_open_device_are_read_back(pty: int, text: str) -> None:
    wanted = LineSettings.parse(text)
    with serial.Serial(os.ttyname(pty), wanted.baudrate, stopbits=wanted.stopbits) as port:
        assert settings_of(port.fileno()) == wanted


def test_a_driver_that_runs_it_otherwise_is_told(pty: int, caplog: pytest.LogCaptureFixture) -> None:
    with serial.Serial(os.ttyname(pty), 9600) as port:
        compare_settings(port.fileno(), "/dev/ttyUSB0", LineSettings(9600, 8, "E", 1))
    assert "/dev/ttyUSB0: the driver runs it at 9600 8N1, not at 9600 8E1 as asked" in caplog.text


def test_an_ftdi_is_asked_not_to_hold_bytes_back(pty: int, adapter: Path, tmp_path: Path) -> None:
    compare_latency(pty, "/dev/ttyUSB0", tmp_path)
    assert adapter.read_text() == "1"


def test_an_ftdi_that_still_holds_bytes_back_is_told(
    pty: int, adapter: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "write_text", lambda *_: (_ for _ in ()).throw(PermissionError()))
    compare_latency(pty, "/dev/ttyUSB0", tmp_path)
    assert "holds bytes back for 16 ms" in caplog.text


@pytest.mark.parametrize(("flags", "is_told"), [(1 << 13, False), (0, True)])
def test_low_latency_is_read_back_as_linux_serial_h_says(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, flags: int, is_told: bool
) -> None:
    caplog.set_level(logging.INFO, "bridge")

    def ioctl(descriptor: int, request: int, argument: bytes) -> bytes:
        assert (descriptor, request) == (7, 0x541E)  # TIOCGSERIAL
        assert len(argument) >= 72  # struct serial_struct where a long has eight octets
        return struct.pack("5i", 0, 0, 0, 0, flags) + bytes(len(argument) - 20)

    monkeypatch.setattr(driver, "ioctl", ioctl)
    compare_latency(7, "/dev/ttyS0")
    assert ("no low-latency mode" in caplog.text) is is_told


def test_uart_counters_are_read_as_linux_serial_h_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def ioctl(descriptor: int, request: int, argument: bytes) -> bytes:
        assert (descriptor, request, len(argument)) == (7, 0x545D, 80)  # TIOCGICOUNT
        counts = dict.fromkeys(("cts", "dsr", "rng", "dcd", "rx", "tx"), 99)
        counts |= {"frame": 1, "overrun": 2, "parity": 3, "brk": 4, "buf_overrun": 5}
        return struct.pack("11i9i", *counts.values(), *(0,) * 9)

    monkeypatch.setattr(driver, "ioctl", ioctl)
    assert uart_errors(7) == UartErrors(framing=1, overrun=2, parity=3, breaks=4, buffer_overrun=5)


def test_a_driver_that_does_not_count_has_no_counters(pty: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def ioctl(*_: object) -> bytes:
        raise OSError(errno.ENOTTY, "Inappropriate ioctl for device")

    monkeypatch.setattr(driver, "ioctl", ioctl)
    assert uart_errors(pty) is None
