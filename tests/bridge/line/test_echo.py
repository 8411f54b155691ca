from __future__ import annotations

from bridge.line.echo import Echo
from protocols.modbus.rtu import ReplyFramer
from protocols.toolkit.polling import Request

DATA = bytes.fromhex("01 03 00 00 00 02 C4 0B")
REPLY = bytes.fromhex("01 03 04 00 0B 00 0C BA 34")


def asking(data: bytes = DATA, *, is_answered_by_itself: bool = False) -> Request:
    return Request(data, lambda: ReplyFramer(DATA), lambda frame: is_answered_by_itself, 9, "")


def test_an_echo_is_found_however_it_is_cut_up() -> None:
    for cut in range(len(DATA) + 1):
        echo = Echo(asking(), is_usual=False)
        assert echo.strip(DATA[:cut]) + echo.strip(DATA[cut:] + REPLY) == REPLY
        assert echo.is_found


def test_a_reply_without_echo_passes_at_once() -> None:
    echo = Echo(asking(), is_usual=False)
    assert echo.strip(REPLY[:3]) == REPLY[:3]
    assert not echo.is_found


def test_a_reply_that_begins_like_the_echo_is_held_and_released() -> None:
    echo = Echo(asking(), is_usual=False)
    assert echo.strip(DATA[:2]) == b""
    assert echo.is_waiting
    assert echo.release() == DATA[:2]
    assert not echo.is_waiting


def test_stray_octets_before_a_usual_echo_stay() -> None:
    echo = Echo(asking(), is_usual=True)
    assert echo.strip(b"\x00\x00") + echo.strip(DATA + REPLY) == b"\x00\x00" + REPLY
    assert echo.is_found


def test_a_usual_echo_that_does_not_come_costs_no_reply() -> None:
    echo = Echo(asking(), is_usual=True)
    assert echo.strip(REPLY) == REPLY
    assert not echo.is_found


def test_a_reply_that_equals_its_request_is_no_echo_unless_the_line_has_one() -> None:
    assert Echo(asking(is_answered_by_itself=True), is_usual=False).strip(DATA) == DATA
    assert Echo(asking(is_answered_by_itself=True), is_usual=True).strip(DATA + DATA) == DATA


def test_nothing_said_has_no_echo() -> None:
    for is_usual in (False, True):
        echo = Echo(asking(b""), is_usual=is_usual)
        assert echo.strip(REPLY[:3]) + echo.strip(REPLY[3:]) == REPLY
        assert not echo.is_found
