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


def test_a_field_that_does_not_fit_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="read request"):
        pdu.REQUESTS[3].build(function=3, start=70000, quantity=1)
