"""The worked examples of Modbus Application Protocol V1.1b3, both ways: bytes → fields, fields → bytes."""

from __future__ import annotations

from typing import Any

import pytest

from protocols.modbus import pdu
from protocols.toolkit.errors import FrameError

EXAMPLES: list[tuple[str, pdu.Layout, str, dict[str, Any]]] = [
    ("6.1 request", pdu.REQUESTS[1], "01 0013 0013", {"start": 0x13, "quantity": 0x13}),
    ("6.1 reply", pdu.REPLIES[1], "01 03 CD6B05", {"byte_count": 3, "data": bytes.fromhex("CD6B05")}),
    ("6.2 request", pdu.REQUESTS[2], "02 00C4 0016", {"start": 0xC4, "quantity": 0x16}),
    ("6.2 reply", pdu.REPLIES[2], "02 03 ACDB35", {"byte_count": 3, "data": bytes.fromhex("ACDB35")}),
    ("6.3 request", pdu.REQUESTS[3], "03 006B 0003", {"start": 0x6B, "quantity": 3}),
    ("6.3 reply", pdu.REPLIES[3], "03 06 022B00000064", {"data": bytes.fromhex("022B00000064")}),
    ("6.4 request", pdu.REQUESTS[4], "04 0008 0001", {"start": 8, "quantity": 1}),
    ("6.4 reply", pdu.REPLIES[4], "04 02 000A", {"data": b"\x00\x0a"}),
    ("6.5 request", pdu.REQUESTS[5], "05 00AC FF00", {"start": 0xAC, "value": 0xFF00}),
    ("6.6 request", pdu.REQUESTS[6], "06 0001 0003", {"start": 1, "value": 3}),
    ("6.7 request", pdu.REQUESTS[7], "07", {}),
    ("6.7 reply", pdu.REPLIES[7], "07 6D", {"status": 0x6D}),
    ("6.11 request", pdu.REQUESTS[15], "0F 0013 000A 02 CD01", {"start": 0x13, "quantity": 10}),
    ("6.11 reply", pdu.REPLIES[15], "0F 0013 000A", {"start": 0x13, "quantity": 10}),
    ("6.12 request", pdu.REQUESTS[16], "10 0001 0002 04 000A0102", {"start": 1, "quantity": 2}),
    ("6.12 reply", pdu.REPLIES[16], "10 0001 0002", {"start": 1, "quantity": 2}),
    (
        "6.16 request",
        pdu.REQUESTS[22],
        "16 0004 00F2 0025",
        {"start": 4, "and_mask": 0xF2, "or_mask": 0x25},
    ),
    ("6.16 reply", pdu.REPLIES[22], "16 0004 00F2 0025", {"start": 4, "or_mask": 0x25}),
    (
        "6.17 request",
        pdu.REQUESTS[23],
        "17 0003 0006 000E 0003 06 00FF00FF00FF",
        {"read_start": 3, "read_quantity": 6, "write_start": 14, "write_quantity": 3, "byte_count": 6},
    ),
    ("6.17 reply", pdu.REPLIES[23], "17 0C 00FE0ACD00010003000D00FF", {"byte_count": 12}),
    ("6.21 request", pdu.REQUESTS[43], "2B 0E 01 00", {"read_code": 1, "object_id": 0}),
    (
        "6.21 reply",
        pdu.REPLIES[43],
        "2B 0E 01 01 00 00 03 00 16"
        + b"Company identification".hex()
        + "01 0D"
        + b"Product code ".hex()
        + "02 05"
        + b"V2.11".hex(),
        {"conformity": 1, "number_of_objects": 3},
    ),
    ("7 refusal", pdu.EXCEPTION, "81 02", {"exception": 2}),
]


@pytest.mark.parametrize(("name", "layout", "example", "fields"), EXAMPLES, ids=[e[0] for e in EXAMPLES])
def test_an_example_of_the_specification(
    name: str, layout: pdu.Layout, example: str, fields: dict[str, Any]
) -> None:
    data = bytes.fromhex(example)
    parsed = layout.parse(data)
    assert parsed | fields == parsed
    assert layout.build(**parsed) == data
    assert layout.length(data) == len(data)
    assert layout.makes_sense(parsed)


@pytest.mark.parametrize(("name", "layout", "example", "fields"), EXAMPLES, ids=[e[0] for e in EXAMPLES])
def test_a_byte_too_few_or_too_many_is_no_frame(
    name: str, layout: pdu.Layout, example: str, fields: dict[str, Any]
) -> None:
    data = bytes.fromhex(example)
    for wrong in (data[:-1], data + b"\x00"):
        with pytest.raises(FrameError):
            layout.parse(wrong)


def test_a_length_is_told_as_soon_as_the_first_octets_tell_it() -> None:
    for _, layout, example, _ in EXAMPLES:
        data = bytes.fromhex(example)
        told = [layout.length(data[:seen]) for seen in range(1, len(data) + 1)]
        assert set(told) <= {None, len(data)}
        assert told[-1] == len(data)
        assert told == sorted(told, key=lambda length: length is not None)


def test_a_register_reply_with_an_odd_count_is_none() -> None:
    assert pdu.REPLIES[3].length(b"\x03\x03") == 0
    assert pdu.REPLIES[3].length(b"\x03\xfc") == 0
    assert pdu.REPLIES[3].length(b"\x03\xfa") == 252


def test_every_exception_code_has_its_name() -> None:
    assert pdu.exception_name(2) == "illegal data address"
    assert sorted(pdu.EXCEPTIONS) == [1, 2, 3, 4, 5, 6, 8, 10, 11]
    assert pdu.exception_name(0x20) == "exception 0x20, not in the specification"


def test_what_answers_a_request() -> None:
    read = bytes.fromhex("03 006B 0003")
    assert pdu.answers(read, bytes.fromhex("03 06 022B00000064"))
    assert pdu.answers(read, bytes.fromhex("83 02"))
    assert not pdu.answers(read, bytes.fromhex("03 04 022B0000"))
    assert not pdu.answers(read, bytes.fromhex("04 06 022B00000064"))
    assert not pdu.answers(read, bytes.fromhex("84 02"))
    write = bytes.fromhex("10 0001 0002 04 000A0102")
    assert pdu.answers(write, bytes.fromhex("10 0001 0002"))
    assert not pdu.answers(write, bytes.fromhex("10 0001 0001"))
    mask = bytes.fromhex("16 0004 00F2 0025")
    assert pdu.answers(mask, mask)
    assert not pdu.answers(mask, bytes.fromhex("16 0004 00F2 0024"))
    read_write = bytes.fromhex("17 0003 0002 000E 0001 02 00FF")
    assert pdu.answers(read_write, bytes.fromhex("17 04 00FE0ACD"))
    assert not pdu.answers(read_write, bytes.fromhex("17 02 00FE"))
    assert pdu.span_read(read_write) == (3, 2)
    assert pdu.span_read(mask) is pdu.span_read(write) is None


@pytest.mark.parametrize(
    ("request_pdu", "next_request"),
    [
        ("01 0013 0013", "01 0027 0013"),  # a reply to the first has five octets as well
        ("17 0003 0005 000E 0001 02 00FF", "17 0063 0005 000E 0001 02 00FF"),  # … twelve
    ],
)
def test_another_request_as_long_as_the_reply_is_no_answer(request_pdu: str, next_request: str) -> None:
    first, second = bytes.fromhex(request_pdu), bytes.fromhex(next_request)
    assert pdu.reply_length(first) == len(second)
    assert not pdu.answers(first, second)


@pytest.mark.parametrize(
    "request_pdu",
    [
        "17 0003 0000 000E 0001 02 00FF",  # reads nothing
        "17 0003 007E 000E 0001 02 00FF",  # reads more than 125
        "17 FFFF 0002 000E 0001 02 00FF",  # reads beyond the last register
        "17 0003 0002 FFFF 0002 04 00FF00FF",  # writes beyond it
        "17 0003 0002 000E 0002 02 00FF",  # counts octets that its quantity does not have
    ],
)
def test_a_read_and_write_that_makes_no_sense(request_pdu: str) -> None:
    layout, data = pdu.REQUESTS[23], bytes.fromhex(request_pdu)
    assert layout.length(data) == len(data)
    assert not layout.makes_sense(layout.parse(data))


def test_a_field_that_does_not_fit_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="read request"):
        pdu.REQUESTS[3].build(function=3, start=70000, quantity=1)
