"""What is said of a value that cannot be: the mistake in site.toml, and the value it would be without it."""

from __future__ import annotations

import struct
from functools import partial
from typing import Any

import pytest

from bridge.reader.doubt import all_zero, doubts, explained
from bridge.reader.standing import Standing
from protocols.modbus.device import ModbusDevice
from protocols.modbus.overhearing import ModbusOverhearer
from protocols.modbus.serial_line import StreamFramer, adu
from protocols.modbus.settings import parse_settings
from protocols.modbus.simulation import SimulatedUnit
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings, PollResult

LINE = LineSettings(9600)


def words(code: str, *numbers: float) -> list[int]:
    """Return the registers of numbers, as a device with the usual order holds them."""
    octets = struct.pack(f">{code}", *numbers)
    return [int.from_bytes(octets[at : at + 2], "big") for at in range(0, len(octets), 2)]


def swapped(code: str, *numbers: float) -> list[int]:
    """Return the same, each with its words the other way round."""
    return [word for number in numbers for word in reversed(words(code, number))]


def octets_swapped(value: int) -> list[int]:
    return [int.from_bytes(value.to_bytes(2, "little"), "big")]


def poll(registers: dict[str, Any], held: list[int]) -> tuple[PollResult, dict[str, str]]:
    """Poll a unit that holds these words from address 0 on; return what it brought, and the units."""
    settings = parse_settings({"address": 1, "registers": registers})
    device, unit = ModbusDevice([settings], LINE), SimulatedUnit(1, holding=dict(enumerate(held)))
    dialogue = device.poll(0.0)
    request = next(dialogue)
    try:
        while True:
            reply = unit.answer(Frame(request.data))
            request = dialogue.send(None if reply is None else Frame(reply))
    except StopIteration as over:
        return over.value, dict(settings.units)


def said(registers: dict[str, Any], held: list[int]) -> dict[str, str]:
    result, units = poll(registers, held)
    (values,) = result.values
    return doubts(values, units, partial(result.reread, 0))


FLOAT = {"holding": 0, "type": "float32", "unit": "V"}


@pytest.mark.parametrize(
    ("keys", "held", "sentence"),
    [
        (FLOAT, swapped("f", 230.1), '1.6e-23 V is implausible; with order = "CDAB" it would be 230.1'),
        (
            FLOAT | {"order": "CDAB"},
            words("f", 230.1),
            '1.6e-23 V is implausible; with order = "ABCD" it would be 230.1',
        ),
        (
            {"holding": 0, "type": "uint32", "divide": 10, "unit": "V"},
            words("f", 230.1),
            '1.1e+08 V is implausible; with type = "float32" it would be 23.01',
        ),
        (
            {"holding": 0, "divide": 10, "unit": "°C"},
            words("h", -13),
            '6552.3 °C is implausible; with type = "int16" it would be -1.3',
        ),
        (
            {"holding": 0, "divide": 10, "unit": "%"},
            octets_swapped(455),
            '5094.5 % is implausible; with order = "BADC" it would be 45.5',
        ),
        (
            {"holding": 0, "type": "uint32", "divide": 100, "unit": "Hz"},
            swapped("I", 5000),
            '3276800 Hz is implausible; with order = "CDAB" it would be 50',
        ),
    ],
)
def test_the_likely_mistake_and_the_other_reading_are_said(
    keys: dict[str, Any], held: list[int], sentence: str
) -> None:
    assert said({"x": keys}, held) == ({"x": f"x {sentence}"} if sentence else {})


def test_an_address_that_is_one_off_is_said_where_the_neighbour_was_read() -> None:
    registers = {
        "a": {"holding": 0, "type": "float32", "unit": "V"},
        "b": {"holding": 3, "type": "float32", "unit": "V"},
        "c": {"holding": 4, "type": "float32", "unit": "V"},
    }
    sentences = said(registers, [*words("fff", 230.1, 231.9, 229.4), 0])
    assert sentences.keys() == {"b"}
    assert "holding = 2 it would be 231.9" in sentences["b"]


def test_where_no_other_reading_is_likely_the_manual_is_the_next_step() -> None:
    (sentence,) = said({"x": {"holding": 0, "unit": "°C"}}, [0x7F7F]).values()
    assert (
        sentence == "x 32639 °C is implausible; compare its register, type, order and scale with the manual"
    )


def test_a_doubt_changes_no_value() -> None:
    result, units = poll({"x": FLOAT}, swapped("f", 230.1))
    (values,) = result.values
    before = dict(values)
    assert doubts(values, units, partial(result.reread, 0))
    assert values == before


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        (swapped("f", 224.0), None),  # 0000 4360: a denormal, and so a doubt
        ([0x7FA0, 0x4366], 'not a number (raw 7FA04366); with order = "CDAB" it would be 230.4985'),
        ([0x7FC0, 0x0000], "the device has none (raw 7FC00000)"),
        ([0xFFFF, 0xFFFF], "the device has none (raw FFFFFFFF)"),
    ],
)
def test_octets_that_are_no_number_are_read_another_way(held: list[int], reason: str | None) -> None:
    result, units = poll({"x": FLOAT}, held)
    reread = partial(result.reread, 0)
    missing = explained(result.missing[0] if result.missing else {}, units, reread)
    assert missing.get("x") == reason
    assert bool(doubts(result.values[0], units, reread)) == (reason is None)


@pytest.mark.parametrize(
    ("held", "is_said"), [([0, 0], True), ([0, 1], False), ([1, 0], False)], ids=["all", "a", "b"]
)
def test_who_tries_a_sensor_is_told_that_it_says_nothing_but_zero(held: list[int], *, is_said: bool) -> None:
    result, _ = poll({"a": {"holding": 0}, "b": {"holding": 1}}, held)
    assert bool(all_zero(result.values[0], partial(result.reread, 0))) == is_said
    assert all_zero({"a": 0}, lambda key: ()) is None, "of a protocol whose values have no registers"


@pytest.mark.parametrize(
    ("keys", "held", "reason"),
    [
        ({"holding": 0, "max": 250, "unit": "V"}, [400], "400 is above max = 250"),
        ({"holding": 0, "type": "int16", "min": -20}, words("h", -21), "-21 is below min = -20"),
        ({"holding": 0, "invalid": [0xFFFF]}, [0xFFFF], "the device has none (raw FFFF)"),
        ({"holding": 0, "type": "float32"}, words("f", float("nan")), "the device has none (raw 7FC00000)"),
        ({"holding": 0, "type": "bcd16"}, [0x12AB], "the device has none (raw 12AB)"),
        ({"holding": 0, "scale": {"holding": 1}}, [5, 0x8000], "its scale is not implemented (raw 8000)"),
        ({"holding": 7}, [1, 2], "illegal data address"),
    ],
)
def test_what_a_poll_does_not_give_has_its_reason(keys: dict[str, Any], held: list[int], reason: str) -> None:
    result, _ = poll({"x": keys, "there": {"holding": 0}}, held)
    assert result.missing[0]["x"] == reason


def test_a_value_that_a_foreign_master_reads_is_doubted_with_the_likely_mistake() -> None:
    settings = parse_settings(
        {"address": 1, "registers": {"u": {"holding": 0, "type": "float32", "unit": "V"}}}
    )
    own, framer, standing = ModbusOverhearer([settings]), StreamFramer(), Standing("meter", {"u": "V"}, "")
    request = adu(1, bytes.fromhex("03 0000 0002"))
    data = b"".join(word.to_bytes(2, "big") for word in swapped("f", 230.1))
    for event in framer.feed(request + adu(1, b"\x03\x04" + data)):
        for one in own.hear(event, 0.0, 0.0):
            standing.heard(one.values, one.reread)
    document = standing.document()
    assert document["doubts"] == {"u": 'u 1.6e-23 V is implausible; with order = "CDAB" it would be 230.1'}
    assert document["state"] == "partly"
