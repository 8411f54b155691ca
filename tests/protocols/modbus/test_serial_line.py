"""Request and reply share one line and look alike: which is which, and what noise does to them."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from protocols import load
from protocols.modbus import pdu
from protocols.modbus.ascii import ASCII
from protocols.modbus.carrier import Carrier
from protocols.modbus.serial_line import (
    RTU,
    ReplyFramer,
    RequestFramer,
    StreamFramer,
    adu,
)
from protocols.toolkit.framing import Direction, Event, Frame, Noise
from tests.protocols.vectors import frames, hear, merge_noise, octets, single

MODBUS = load("modbus-rtu")


def read(start: int, quantity: int, function: int = 3, unit: int = 1) -> bytes:
    return adu(unit, bytes((function,)) + start.to_bytes(2, "big") + quantity.to_bytes(2, "big"))


def reply(data: bytes, function: int = 3, unit: int = 1) -> bytes:
    return adu(unit, bytes((function, len(data))) + data)


def told(*pieces: bytes) -> list[tuple[bytes, Direction | None]]:
    events = hear(MODBUS, pieces)
    assert hear(MODBUS, single(b"".join(pieces))) == events
    return [(event.data, event.direction) for event in events if isinstance(event, Frame)]


def a_reply_that_ends_in_00() -> bytes:
    """Four data octets; without its last octet also a request for registers 0x04xx."""
    for number in range(0x10000):
        found = reply(bytes((number >> 8, 0, 7, number & 0xFF)))
        if found.endswith(b"\0"):
            return found
    raise AssertionError


def a_request_that_ends_in_00() -> bytes:
    """For a register 0x02xx; without its last octet also a reply with one register."""
    found = (read(start, quantity, unit=4) for start in range(0x200, 0x300) for quantity in range(1, 126))
    return next(request for request in found if request[-1] == 0)


def test_a_reply_alone_is_not_cut_to_the_request_it_holds() -> None:
    found = a_reply_that_ends_in_00()
    assert told(found) == [(found, Direction.REPLY)]


def test_a_reply_after_its_request_is_not_cut_to_the_request_it_holds() -> None:
    asked, found = read(0, 2), a_reply_that_ends_in_00()
    assert told(asked, found) == [(asked, Direction.REQUEST), (found, Direction.REPLY)]


def test_the_request_that_a_cut_reply_holds_is_found_at_the_end() -> None:
    cut = a_reply_that_ends_in_00()[:-1]
    assert told(cut) == [(cut, Direction.REQUEST)]


def test_a_request_is_not_cut_to_the_reply_it_holds() -> None:
    found = a_request_that_ends_in_00()
    assert told(found) == [(found, Direction.REQUEST)]


def test_a_short_reply_after_its_request_is_taken_without_waiting() -> None:
    asked = read(7, 1)
    framer = StreamFramer()
    framer.feed(asked)
    assert frames(framer.feed(reply(b"\x01\x00"))) == [reply(b"\x01\x00")]


def test_three_octets_of_bits_are_the_reply_if_they_were_asked_for_and_else_a_request() -> None:
    asked, both = read(0, 20, function=1), reply(b"\x00\x00\x05", function=1)
    assert told(both) == [(both, Direction.REQUEST)]
    assert told(asked, both)[-1] == (both, Direction.REPLY)
    assert told(read(0, 40, function=1), both)[-1] == (both, Direction.REQUEST)


def test_three_octets_of_bits_that_make_no_request_are_a_reply() -> None:
    found = reply(bytes.fromhex("CD6B05"), function=1)
    assert told(found) == [(found, Direction.REPLY)]


def test_a_request_heard_twice_is_twice_a_request() -> None:
    asked = read(0x300, 20, function=1)  # its reply would be as long
    assert told(asked, asked) == [(asked, Direction.REQUEST)] * 2


def test_an_echoed_write_is_request_and_reply() -> None:
    written = adu(1, bytes.fromhex("05 00AC FF00"))
    assert told(written, written) == [(written, Direction.REQUEST), (written, Direction.REPLY)]


def test_a_refusal_is_a_reply_of_five_octets() -> None:
    refusal = adu(1, b"\x83\x02")
    assert told(read(0, 2), refusal)[-1] == (refusal, Direction.REPLY)


@pytest.mark.parametrize("data", [b"\x09", b"\x00\x00\x09"])
def test_a_byte_count_that_does_not_fit_is_no_frame(data: bytes) -> None:
    wrong = adu(1, b"\x03\x02" + data)
    assert [event for event in told(wrong) if event[1] is Direction.REPLY] == []


def test_an_unfinished_start_does_not_hide_the_frame_behind_it() -> None:
    asked = read(0, 2)
    framer = StreamFramer()
    assert framer.feed(b"\x01\x03\xfa" + asked) == []
    assert framer.silence() == [Noise(b"\x01\x03\xfa", "cut"), Frame(asked, Direction.REQUEST)]


def test_the_reasons_tell_what_went_wrong() -> None:
    broken = read(0, 2)[:-1] + b"\x00"
    events = hear(MODBUS, [broken])
    assert [(event.data, event.reason) for event in events if isinstance(event, Noise)] == [
        (broken, "checksum")
    ]
    framer = StreamFramer()
    assert framer.feed(b"\xff\xff\xff") + framer.silence() == [
        Noise(b"\xff\xff", "noise"),
        Noise(b"\xff", "cut"),
    ]


def replies(request: bytes, *pieces: bytes) -> list[Event]:
    framer = ReplyFramer(request)
    return [event for piece in pieces for event in framer.feed(piece)]


@pytest.mark.parametrize(
    "stray", [b"", b"\x00", b"\xff", b"\x01", b"\x01\x03", b"\x00\x01\x03\x02", b"\x01\x83"]
)
def test_the_awaited_reply_is_cut_at_its_last_octet_whatever_stands_before(stray: bytes) -> None:
    found = reply(b"\x12\x34\x56\x78")
    events = replies(read(0, 2), stray + found)
    assert events[-1] == Frame(found, Direction.REPLY)
    assert octets(events) == stray + found
    assert frames(replies(read(0, 2), *single(stray + found))) == [found]


def test_the_echo_of_the_request_is_a_frame_before_the_reply() -> None:
    asked, found = read(0x400, 2), reply(b"\x00\x01\x00\x02")
    assert replies(asked, asked + found) == [Frame(asked, Direction.REQUEST), Frame(found, Direction.REPLY)]


def test_a_late_reply_of_another_length_is_told_apart() -> None:
    late, found = reply(b"\x00\x01"), reply(b"\x00\x01\x00\x02")
    assert frames(replies(read(0, 2), late + found)) == [late, found]


def test_a_refusal_is_cut_as_one() -> None:
    refusal = adu(1, b"\x83\x02")
    assert replies(read(0, 125), refusal) == [Frame(refusal, Direction.REPLY)]


def test_silence_settles_an_unfinished_reply() -> None:
    framer = ReplyFramer(read(0, 2))
    assert framer.feed(b"\x01\x03\x04\x00") == []
    assert framer.pending == b"\x01\x03\x04\x00"
    assert framer.silence() == [Noise(b"\x01\x03\x04\x00", "cut")]
    assert framer.pending == b""


@given(
    st.lists(st.sampled_from([read(0, 2), reply(b"\0\1\0\2"), adu(1, b"\x83\x02"), b"\0", b"\x01\x03\x04"]))
)
def test_no_octet_is_lost_while_waiting_for_a_reply(pieces: list[bytes]) -> None:
    framer = ReplyFramer(read(0, 2))
    events = [event for piece in pieces for event in framer.feed(piece)]
    assert octets(events) + framer.pending == b"".join(pieces)
    assert octets(events + framer.silence()) == b"".join(pieces)
    assert len(framer.pending) < 512


@given(
    st.sampled_from([read(0, 2), read(9, 40, function=1), adu(1, b"\x05\0\x07\xff\0"), adu(1, b"\x07")]),
    st.lists(
        st.sampled_from(
            [
                read(0, 2),
                reply(b"\0\1\0\2"),
                reply(b"\0\1\0\2")[:-1],
                reply(b"\0\1\0\2", unit=2),
                reply(bytes(5), function=1),
                adu(1, b"\x05\0\x07\xff\0"),
                adu(1, b"\x07\x2a"),
                adu(1, b"\x83\x02"),
                b"\0",
            ]
        )
    ),
)
def test_a_reply_in_one_piece_and_octet_by_octet_is_the_same(request: bytes, pieces: list[bytes]) -> None:
    in_pieces, in_octets = ReplyFramer(request), ReplyFramer(request)
    events = [event for piece in pieces for event in in_pieces.feed(piece)] + in_pieces.silence()
    singly = [event for octet in b"".join(pieces) for event in in_octets.feed(bytes((octet,)))]
    assert merge_noise(events) == merge_noise(singly + in_octets.silence())


UNITS = st.integers(1, 3)
REQUESTS = st.one_of(
    st.builds(
        lambda function, start, quantity: (
            bytes((function,)) + start.to_bytes(2, "big") + bytes((0, quantity))
        ),
        st.integers(1, 6),
        st.integers(0, 0xFFFF),
        st.integers(1, 125),
    ),
    st.sampled_from([b"\x07", b"\x11"]),
)


@pytest.mark.parametrize("carrier", [RTU, ASCII])
@given(st.data())
def test_a_frame_answers_by_its_unit_function_and_length(carrier: Carrier, data: st.DataObject) -> None:
    asked, answering = data.draw(UNITS), data.draw(UNITS)
    request = data.draw(REQUESTS)
    length = pdu.reply_length(request) or 12
    body = data.draw(
        st.one_of(
            st.just(request),
            st.binary(min_size=length - 2, max_size=length - 2).map(
                lambda octets: bytes((request[0], length - 2)) + octets
            ),
            st.just(bytes((request[0] | 0x80, 2))),
            st.binary(min_size=2, max_size=12),
        )
    )
    assume(body[0] & 0x7F in pdu.REPLIES)
    answers = carrier.answered_by(carrier.adu(asked, request))
    assert answers(Frame(carrier.adu(answering, body))) is (asked == answering and pdu.answers(request, body))


def test_a_sensor_hears_requests_only() -> None:
    framer = RequestFramer()
    asked = read(0x400, 2)
    assert framer.feed(reply(b"\0\1\0\2") + asked + asked)[-2:] == [Frame(asked, Direction.REQUEST)] * 2


@given(st.binary(min_size=1, max_size=253))
def test_whatever_is_found_can_be_described(body: bytes) -> None:
    describe = MODBUS.describer_for("eastron-sdm630")
    for event in hear(MODBUS, [read(0, 2, 4), adu(1, body)]):
        if isinstance(event, Frame):
            assert describe(event)["address"] == event.data[0]


@given(st.sampled_from([1, 2, 3, 4, 7, 16, 17, 43, 131, 145]), st.binary(max_size=60))
def test_whatever_has_a_known_function_and_a_good_crc_can_be_described(function: int, rest: bytes) -> None:
    describe = MODBUS.describer_for("eastron-sdm630")
    for event in hear(MODBUS, [read(0, 2, 4), adu(1, bytes((function,)) + rest)]):
        if isinstance(event, Frame):
            assert describe(event)


@pytest.mark.parametrize(
    "counted_later",
    ["0F 0013 000A 02 CD01", "10 0001 0002 04 000A0102", "2B 0E 01 01 00 00 01 00 05 68656C6C6F"],
)
def test_a_frame_that_tells_its_length_late_is_found_however_much_follows(counted_later: str) -> None:
    first = adu(1, bytes.fromhex(counted_later))
    following = adu(2, bytes.fromhex("03 0000 0001")) * 50
    events = StreamFramer().feed(first + following)
    assert events[0].data == first
    assert all(isinstance(event, Frame) for event in events)
    assert len(events) == 51
