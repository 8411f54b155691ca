"""Octets of a register into a value, in the order in which a datasheet describes it."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.modbus.register_keys import parse_registers
from protocols.modbus.registers import Register, Table, octets_of
from protocols.toolkit.errors import Problem
from protocols.toolkit.layout import shortest_float32
from protocols.toolkit.scaling import Missing


def register(**entry: Any) -> Register:
    problems: list[Problem] = []
    found = parse_registers({"value": {"holding": 0} | entry}, (), problems)
    assert problems == []
    return found[0]


def value(octets: str, **entry: Any) -> Any:
    found = register(**entry)
    data = bytes.fromhex(octets)
    assert len(data) == 2 * found.words
    return found.value(data)


@pytest.mark.parametrize(
    ("octets", "entry", "expected"),
    [
        ("FFFE", {}, 65534),
        ("FFFE", {"type": "int16"}, -2),
        ("00010002", {"type": "uint32"}, 65538),
        ("FFFFFFFE", {"type": "int32"}, -2),
        ("0000000000000102", {"type": "uint64"}, 258),
        ("FFFFFFFFFFFFFFFE", {"type": "int64"}, -2),
        ("436533 33".replace(" ", ""), {"type": "float32"}, 229.2),
        ("4037666666666666", {"type": "float64"}, 23.4),
        ("1234", {"type": "bcd16"}, 1234),
        ("12345678", {"type": "bcd32"}, 12345678),
        ("534E3132", {"type": "string:4"}, "SN12"),
        ("534E3100", {"type": "string:4"}, "SN1"),
        ("534E3132", {"type": "string:3"}, "SN1"),
    ],
)
def test_each_type(octets: str, entry: dict[str, Any], expected: object) -> None:
    found = value(octets, **entry)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("order", "two_words", "four_words"),
    [
        ("ABCD", "12345678", "0102030405060708"),
        ("CDAB", "56781234", "0708050603040102"),
        ("BADC", "34127856", "0201040306050807"),
        ("DCBA", "78563412", "0807060504030201"),
    ],
)
def test_each_order(order: str, two_words: str, four_words: str) -> None:
    assert value(two_words, type="uint32", order=order) == 0x12345678
    assert value(four_words, type="uint64", order=order) == 0x0102030405060708


def test_octets_swapped_in_a_single_register() -> None:
    assert value("3412", order="BADC") == 0x1234
    assert value("3412", order="DCBA") == 0x1234
    assert value("1234", order="CDAB") == 0x1234
    assert value("4E53", type="string:2", order="BADC") == "SN"


@pytest.mark.parametrize(
    ("raw", "entry", "text"),
    [
        (303, {"multiply": 0.1}, "30.3"),
        (303, {"divide": 10}, "30.3"),
        (12345, {"multiply": 0.001}, "12.345"),
        (662, {"divide": 10, "offset": -40}, "26.2"),
        (139, {"multiply": 0.254}, "35.306"),
        (7, {"multiply": 10}, "70"),
        (7, {"divide": 3}, "2.3333333333333335"),
        (250, {"divide": 10}, "25.0"),
        (5, {"offset": 2}, "7"),
    ],
)
def test_scaled_integers_have_the_shortest_decimals(raw: int, entry: dict[str, Any], text: str) -> None:
    assert repr(value(f"{raw:04x}", **entry)) == text


@given(st.integers(0, 65535), st.sampled_from([10, 100, 1000]))
def test_no_decimal_scale_makes_a_long_text(raw: int, divide: int) -> None:
    shown = repr(value(f"{raw:04x}", multiply=1 / divide))
    assert len(shown.partition(".")[2]) <= 3
    assert shown == repr(raw / divide)


def test_a_large_counter_is_scaled_exactly() -> None:
    assert value(f"{123456789012345678:016x}", type="uint64", divide=1000) == 123456789012345.678


@pytest.mark.parametrize(
    ("number", "text"), [(23.4, "23.4"), (1e-5, "1e-05"), (3.4028234e38, "3.4028235e+38")]
)
def test_a_float32_has_its_shortest_text(number: float, text: str) -> None:
    assert repr(shortest_float32(struct.pack(">f", number))) == text


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_the_shortest_text_is_still_the_same_float32(number: float) -> None:
    octets = struct.pack(">f", number)
    assert struct.pack(">f", shortest_float32(octets)) == octets


def test_a_scaled_float32_stays_short() -> None:
    octets = struct.pack(">f", 1.2345).hex()
    assert repr(value(octets, type="float32", multiply=1000)) == "1234.5"
    assert repr(value(struct.pack(">f", 2301.0).hex(), type="float32", divide=10)) == "230.1"


@pytest.mark.parametrize(
    ("octets", "entry"),
    [
        ("7FC00000", {"type": "float32"}),
        ("FF800000", {"type": "float32"}),
        ("7FF8000000000000", {"type": "float64"}),
        ("12A4", {"type": "bcd16"}),
        ("8000", {"type": "int16", "invalid": 0x8000}),
        ("8000", {"type": "int16", "invalid": -32768}),
        ("FFFF", {"invalid": [0x7FFF, 0xFFFF], "divide": 10}),
        ("FFFF", {"invalid": 0xFFFF, "mask": 0xFF}),
        ("BF800000", {"type": "float32", "invalid": -1}),
        ("00002020", {"type": "string:4"}),
    ],
)
def test_what_means_no_value_is_none(octets: str, entry: dict[str, Any]) -> None:
    assert value(octets, **entry) is Missing.NO_VALUE


def test_limits_are_limits_of_the_value() -> None:
    limits = {"type": "int16", "divide": 10, "min": -40, "max": 80}
    assert value("0320", **limits) == 80.0
    assert value("0321", **limits) is Missing.OUT_OF_LIMITS
    assert value("FE6F", **limits) is Missing.OUT_OF_LIMITS


def test_bits_masks_and_enums() -> None:
    assert value("0100", bit=8) is True
    assert value("0100", bit=7) is False
    assert value("0A5F", mask=0x0F00) == 10
    assert value("0002", enum={"0": "off", "2": "fault"}) == "fault"
    assert value("0003", enum={"0": "off", "2": "fault"}) == 3
    assert value("0200", mask=0x0F00, enum={"0x2": "fault"}) == "fault"
    assert value("0001", bit=0, enum={"1": "open", "0": "closed"}) == "open"


def test_a_coil_is_true_or_false() -> None:
    problems: list[Problem] = []
    plain, named = parse_registers(
        {"a": {"coil": 3}, "b": {"discrete": 3, "enum": {"0": "closed", "1": "open"}}}, (), problems
    )
    assert problems == []
    data = bytes((0b00001000,))
    assert plain.value(octets_of(Table.COIL, data, 3, 1)) is True
    assert plain.value(octets_of(Table.COIL, data, 2, 1)) is False
    assert named.value(octets_of(Table.DISCRETE, data, 3, 1)) == "open"


@pytest.mark.parametrize(
    ("octets", "entry", "expected"),
    [
        ("12FE", {"type": "uint8"}, 254),
        ("12FE", {"type": "int8"}, -2),
        ("FE12", {"type": "int8", "order": "BADC"}, -2),
        ("12FE", {"type": "uint8", "mask": 0xF0}, 15),
        ("12FE", {"type": "int8", "divide": 10}, -0.2),
        ("1280", {"type": "int8", "invalid": 0x80}, Missing.NO_VALUE),
    ],
)
def test_a_value_of_one_octet(octets: str, entry: dict[str, Any], expected: object) -> None:
    assert value(octets, **entry) == expected


@pytest.mark.parametrize(
    ("octets", "entry", "expected"),
    [
        ("53 4E 31 FF FF FF", {}, "SN1"),
        ("53 4E 00 58 58 58", {}, "SN"),
        ("FF FF FF FF FF FF", {}, Missing.NO_VALUE),
        ("1B 5B 31 6D 41 07", {}, "[1mA"),
        ("47 65 72 E4 74 00", {}, "Gerät"),
        ("47 65 72 E4 74 00", {"encoding": "latin-1"}, "Gerät"),
        ("47 C3 A4 74 00 00", {}, "Gät"),
        ("47 C3 A4 74 00 00", {"encoding": "utf-8"}, "Gät"),
        ("47 E4 74 00 00 00", {"encoding": "utf-8"}, "Gt"),
        ("00 47 00 E4 FF FF", {"encoding": "utf-16", "type": "string:3"}, "Gä"),
        ("00 47 00 E4 00 00", {"encoding": "utf-16", "type": "string:3"}, "Gä"),
        ("E4 47 00 74 00 00", {"encoding": "latin-1", "order": "BADC"}, "Gät"),
    ],
)
def test_a_text_ends_at_its_padding_and_holds_no_control_character(
    octets: str, entry: dict[str, Any], expected: object
) -> None:
    assert value(octets.replace(" ", ""), **{"type": "string:6"} | entry) == expected


@pytest.mark.parametrize(
    ("factor", "raw", "entry", "expected"),
    [
        (-1, 2305, {}, 230.5),
        (0, 2305, {}, 2305),
        (2, 2305, {}, 230500),
        (-2, -150, {"type": "int16"}, -1.5),
        (-3, 5, {"divide": 2, "offset": 1}, 1.0025),
        (-32768, 2305, {}, None),
        (11, 2305, {}, None),
        (-11, 2305, {}, None),
    ],
)
def test_a_scale_register_holds_a_power_of_ten(
    factor: int, raw: int, entry: dict[str, Any], expected: object
) -> None:
    scaled = register(scale={"holding": 5}, **entry).scaled_by(factor.to_bytes(2, "big", signed=True))
    octets = raw.to_bytes(2, "big", signed=raw < 0)
    assert (scaled.value(octets) if scaled else None) == expected
