"""Why there was no reply, from the counts of one wait: what says most about it is the cause."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.causes import Cause
from bridge.line.overheard import Overheard
from bridge.port.driver import UartErrors
from protocols.toolkit.framing import Frame, Noise, NoiseReason
from protocols.toolkit.polling import Request
from protocols.toolkit.search import SearchFramer
from tests.bridge.reader.talker import SHAPE


def request(**more: Any) -> Request:
    return Request(b"\x01", lambda: SearchFramer(SHAPE), lambda frame: False, 9, "unit 1", **more)


@pytest.mark.parametrize(
    ("counts", "cause"),
    [
        ({}, Cause.SILENT),
        ({"has_echo": True}, Cause.ECHO),
        ({"has_echo": True, "noise_octets": 3, "data": bytes(3)}, Cause.NOISE),
        ({"cut_octets": 4, "data": bytes(4)}, Cause.CUT),
        ({"damaged_octets": 9, "data": bytes(9)}, Cause.DAMAGED),
        ({"damaged_octets": 9, "data": bytes(18)}, Cause.TWO_DEVICES),
        ({"noise_octets": 12, "data": bytes(12)}, Cause.NOISE),  # a burst beside a reply is not two replies
        ({"second_replies": 1}, Cause.TWO_DEVICES),
        ({"noise_octets": 3, "data": bytes(3), "framing_errors": 1}, Cause.FRAMING),
        ({"noise_octets": 3, "data": bytes(3), "parity_errors": 1}, Cause.PARITY),
        ({"noise_octets": 3, "data": bytes(3), "parity_errors": 1, "framing_errors": 1}, Cause.FRAMING),
        ({"framing_errors": 1}, Cause.SILENT),  # counted, and nothing was handed over
        ({"foreign_frames": 1, "noise_octets": 20, "data": bytes(29)}, Cause.OTHER_ADDRESS),
        ({"foreign_frames": 1, "other_replies": 1}, Cause.OTHER_REPLY),
        ({"late_replies": 1}, Cause.LATE),
        ({"has_other_master": True}, Cause.OTHER_MASTER),
    ],
)
def test_the_event_that_says_most_is_the_cause(counts: dict[str, Any], cause: Cause) -> None:
    assert Overheard(**counts).cause(request()) is cause


def test_events_are_counted_by_what_they_are() -> None:
    asked = request(is_own=lambda frame: frame.data[:1] == b"\x01")
    overheard = Overheard()
    overheard.add(asked, Noise(b"\x01\x03", NoiseReason.CUT))
    overheard.add(asked, Noise(b"\x55", NoiseReason.CUT))  # cannot be the beginning of its reply
    overheard.add(asked, Noise(b"\x01\x03\x02", NoiseReason.CHECKSUM))
    overheard.add(asked, Frame(b"\x01\x04"))
    overheard.add(asked, Frame(b"\x07\x04"))
    assert (overheard.cut_octets, overheard.noise_octets, overheard.damaged_octets) == (2, 1, 3)
    assert (overheard.other_replies, overheard.foreign_frames) == (1, 1)


def test_only_what_the_uart_counted_meanwhile_counts() -> None:
    overheard = Overheard()
    overheard.add_uart(UartErrors(7, 0, 5, 0, 0), UartErrors(9, 0, 5, 0, 0))
    overheard.add_uart(None, UartErrors(9, 0, 5, 0, 0))  # its driver was changed
    overheard.add_uart(UartErrors(9, 0, 5, 0, 0), UartErrors(0, 0, 0, 0, 0))  # and counts from 0 again
    assert (overheard.framing_errors, overheard.parity_errors) == (2, 0)
