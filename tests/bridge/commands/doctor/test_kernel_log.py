"""What real kernels wrote when USB went wrong, and what is said of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bridge.commands.doctor import kernel_log
from bridge.commands.doctor.finding import Finding, Machine, Severity
from tests.bridge.commands.doctor.described import Described

# robyoung.digital/til/linux-usb-serial
BRLTTY = """\
[ 2898.744517] usb 3-8.3: new full-speed USB device number 12 using xhci_hcd
[ 2898.894344] usb 3-8.3: New USB device found, idVendor=1a86, idProduct=7523, bcdDevice= 2.63
[ 2898.903026] ch341 3-8.3:1.0: ch341-uart converter detected
[ 2898.904184] usb 3-8.3: ch341-uart converter now attached to ttyUSB0
[ 2899.502800] usb 3-8.3: usbfs: interface 0 claimed by ch341 while 'brltty' sets config #1
[ 2899.503336] ch341-uart ttyUSB0: ch341-uart converter now disconnected from ttyUSB0
"""
# github.com/GlasgowEmbedded/libfx2/issues/2
INTERFERENCE = """\
[264098.725829] cdc_acm 1-6:1.0: ttyACM0: USB ACM device
[264968.588502] usb usb1-port6: disabled by hub (EMI?), re-enabling...
[264968.588504] usb 1-6: USB disconnect, device number 37
"""
# github.com/raspberrypi/linux/issues/372: a reset when the driver attaches is how it was there
ATTACHED = """\
[   13.623021] cp210x 1-1.2.3.1.3:1.0: cp210x converter detected
[   13.728208] usb 1-1.2.3.1.3: reset full-speed USB device number 24 using dwc_otg
[   13.844977] usb 1-1.2.3.1.3: cp210x converter now attached to ttyUSB13
"""
# github.com/raspberrypi/linux/issues/897, as journalctl prints them
DISK = """\
[66640.136492] raspberrypi kernel: usb 1-1.2.3: reset high-speed USB device number 8 using dwc_otg
[66641.136492] raspberrypi kernel: usb 1-1.2.3: reset high-speed USB device number 8 using dwc_otg
[66642.136492] raspberrypi kernel: usb 1-1.2.3: reset high-speed USB device number 8 using dwc_otg
"""
# drivers/usb/core/hub.c
DEAF = """\
[   21.100000] usb 1-1.4: new full-speed USB device number 6 using xhci_hcd
[   26.500000] usb 1-1.4: device not accepting address 6, error -71
[   26.510000] usb 1-1-port4: unable to enumerate USB device
[   30.000000] usb usb1-port2: over-current condition
"""


def said(described: Described, log: str, now_s: float) -> list[Finding]:
    described.file("kmsg", log)
    return list(kernel_log.check(described.site(), described.machine(), now_s))


def test_a_program_that_took_the_adapter_is_named(described: Described) -> None:
    (found,) = said(described, BRLTTY, 2899.6)
    assert found.sentence == (
        "USB socket 3-8.3: brltty took the adapter from its driver once within a day, last 0 min ago"
    )
    assert found.fix == "sudo systemctl mask --now brltty.service"


def test_interference_is_told_by_the_socket_of_the_adapter(described: Described) -> None:
    (found,) = said(described, INTERFERENCE, 264968.588502 + 1800)
    assert found.severity is Severity.RISK
    assert found.sentence.startswith(
        "USB socket 1-6: its adapter was cut off by interference once within a day, last 30 min ago; if"
    )


def test_a_reset_at_the_start_and_those_of_a_disk_are_nothing_to_say(described: Described) -> None:
    assert said(described, ATTACHED + DISK, 66643) == []


def test_an_adapter_that_is_reset_again_and_again_is_told(described: Described) -> None:
    described.adapter("1-1.2.3", "0403", "6001", "ftdi_sio", tty="ttyUSB0", serial="AB0JPQ7X")
    (found,) = said(described, DISK, 66643 + 3 * 3600)
    assert found.sentence.startswith(
        "USB socket 1-1.2.3: its adapter was reset 3 times within a day, last 3 h"
    )


def test_an_adapter_that_goes_away_again_and_again_is_told(described: Described) -> None:
    # github.com/raspberrypi/linux/issues/257
    gone = "[  154.023059] usb 1-1: USB disconnect, device number 3\n"
    attached = "[   12.000000] usb 1-1: FTDI USB Serial Device converter now attached to ttyUSB0\n"
    assert said(described, attached + 2 * gone, 200) == []
    (found,) = said(described, attached + 3 * gone, 200)
    assert found.sentence.startswith("USB socket 1-1: its adapter went away 3 times")


def test_what_did_not_even_become_an_adapter_is_told(described: Described) -> None:
    found = said(described, DEAF, 60)
    assert [finding.sentence.partition(" once")[0] for finding in found] == [
        "USB socket 1-1.4: its adapter did not answer when plugged in",
        "USB socket 1-1.4: its adapter was given up by the kernel",
        "USB socket 1-2: its adapter drew too much current",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Under-voltage detected! (0x00050005)",  # github.com/raspberrypi/linux/issues/2512
        "hwmon hwmon1: Undervoltage detected!",  # drivers/hwmon/raspberrypi-hwmon.c
    ],
)
def test_undervoltage_is_told(described: Described, text: str) -> None:
    (found,) = said(
        described, f"[   30.514159] {text}\n[   34.600000] hwmon hwmon1: Voltage normalised\n", 90
    )
    assert found.sentence.startswith("the supply voltage was too low once within a day, last 1 min ago")
    assert found.fix == "vcgencmd get_throttled"


def test_what_was_mended_yesterday_is_no_finding(described: Described) -> None:
    assert said(described, BRLTTY + DEAF, 2899.6 + 25 * 3600) == []


def test_the_kernels_own_form_is_read(described: Described) -> None:
    records = (
        "6,339,5140900,-;NET: Registered PF_ALG protocol family\n"
        "3,1204,26500000,-;usb 1-1.4: device not accepting address 6, error -71\n SUBSYSTEM=usb\n"
    )
    (found,) = said(described, records, 27)
    assert "did not answer when plugged in" in found.sentence


def test_this_machines_own_log_is_read_to_its_end(described: Described) -> None:
    machine = described.machine()
    real = Machine(machine.sysfs, machine.procfs, machine.root, Path("/dev/kmsg"))
    try:
        os.close(os.open("/dev/kmsg", os.O_RDONLY))
    except OSError:
        is_open = False
    else:
        is_open = True
    found = list(kernel_log.check(described.site(), real))
    assert not (is_open and any(finding.severity is Severity.UNSEEN for finding in found))


def test_a_log_that_may_not_be_read_is_said_not_to_be_seen(
    described: Described, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")  # no journalctl there either
    (described.folder / "kmsg").unlink()
    (found,) = kernel_log.check(described.site(), described.machine())
    assert (found.severity, found.sentence) == (Severity.UNSEEN, "the kernel log")
