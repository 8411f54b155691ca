"""Mask write (22) and read/write multiple (23) of another master: framed, described and overheard."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.modbus import pdu
from protocols.modbus.ascii import ASCII
from protocols.modbus.ascii import StreamFramer as AsciiFramer
from protocols.modbus.carrier import Carrier
from protocols.modbus.description import Describer
from protocols.modbus.overhearing import ModbusOverhearer
from protocols.modbus.registers import Table
from protocols.modbus.serial_line import RTU
from protocols.modbus.serial_line import StreamFramer as RtuFramer
from protocols.modbus.settings import parse_settings
from protocols.toolkit.framing import Event, Frame
from protocols.toolkit.overhearing import Overheard

CARRIERS = pytest.mark.parametrize(
    ("carrier", "framer"), [(RTU, RtuFramer), (ASCII, AsciiFramer)], ids=["rtu", "ascii"]
)
words = st.integers(0, 0xFFFF)


@dataclass(frozen=True)
class Exchange:
    """A request of the master, with its reply."""

    unit: int
    request: bytes
    reply: bytes


@st.composite
def exchanges(draw: st.DrawFn) -> Exchange:
    unit = draw(st.integers(1, 247))
    start, quantity = draw(st.integers(0, 60_000)), draw(st.integers(1, pdu.MAX_REGISTERS))
    if draw(st.booleans()):
        body = pdu.REQUESTS[22].build(function=22, start=start, and_mask=draw(words), or_mask=draw(words))
        return Exchange(unit, body, body)
    written = draw(st.integers(1, pdu.MAX_WRITTEN_WITH_READ))
    octets = st.binary(min_size=2 * written, max_size=2 * written)
    request = pdu.REQUESTS[23].build(
        function=23,
        read_start=start,
        read_quantity=quantity,
        write_start=draw(st.integers(0, 60_000)),
        write_quantity=written,
        data=draw(octets),
    )
    data = draw(st.binary(min_size=2 * quantity, max_size=2 * quantity))
    return Exchange(unit, request, pdu.REPLIES[23].build(function=23, data=data))


def octets_of(carrier: Carrier, exchange: Exchange) -> tuple[bytes, bytes]:
    return carrier.adu(exchange.unit, exchange.request), carrier.adu(exchange.unit, exchange.reply)


@CARRIERS
@given(pairs=st.lists(exchanges(), min_size=1, max_size=4), size=st.integers(1, 700))
def test_both_directions_are_found_however_they_are_cut(
    carrier: Carrier, framer: type[RtuFramer], pairs: list[Exchange], size: int
) -> None:
    sent = [data for pair in pairs for data in octets_of(carrier, pair)]
    stream, found = b"".join(sent), framer()
    events: list[Event] = []
    for at in range(0, len(stream), size):
        events += found.feed(stream[at : at + size])
    events += found.silence()
    assert [event.data for event in events if isinstance(event, Frame)] == sent


@CARRIERS
@given(exchange=exchanges(), first=words)
def test_what_is_read_while_writing_is_a_value_and_a_mask_is_none(
    carrier: Carrier, framer: type[RtuFramer], exchange: Exchange, first: int
) -> None:
    span = pdu.span_read(exchange.request)
    at = span[0] if span else int.from_bytes(exchange.request[1:3], "big")
    settings = parse_settings({"address": exchange.unit, "registers": {"value": {"holding": at}}})
    own, found = ModbusOverhearer([settings], carrier), framer()
    overheard: list[Overheard] = []
    for at_s, data in zip((0.0, 0.5), octets_of(carrier, exchange), strict=True):
        for event in (*found.feed(data), *found.silence()):
            overheard += own.hear(event, at_s, at_s)
    value = int.from_bytes(exchange.reply[2:4], "big")
    assert overheard == ([Overheard(0, {"value": value})] if span else [])
    assert own.pairing.of_unit[exchange.unit].writes == own.pairing.pairs == 1
    assert own.unread() == [{} if span else {"value": f"holding {at}"}]


def test_the_read_part_of_a_reply_is_named_by_a_model() -> None:
    settings = parse_settings({"address": 1, "registers": {"speed": {"holding": 4, "type": "int16"}}})
    describe, framer = Describer(settings.registers), RtuFramer()
    request = RTU.adu(1, bytes.fromhex("17 0003 0002 000E 0001 02 00FF"))
    reply = RTU.adu(1, bytes.fromhex("17 04 00FE FFFF"))
    asked, answered = (describe(event) for event in framer.feed(request + reply) if isinstance(event, Frame))
    assert (asked["read_start"], asked["write_start"], asked["registers"]) == (3, 14, [0xFF])
    assert (answered["registers"], answered["values"]) == ([0xFE, 0xFFFF], {"speed": -1})


def test_a_reply_to_another_read_of_its_length_is_not_taken() -> None:
    settings = parse_settings({"address": 1, "registers": {"value": {"holding": 3}}})
    own, framer = ModbusOverhearer([settings]), RtuFramer()
    here = RTU.adu(1, bytes.fromhex("17 0003 0001 000E 0001 02 00FF"))
    there = RTU.adu(1, bytes.fromhex("17 0063 0001 000E 0001 02 00FF"))
    reply = RTU.adu(1, bytes.fromhex("17 02 1234"))
    overheard: list[Overheard] = []
    for at_s, data in ((0.0, here), (1.0, there), (1.3, reply), (1.4, reply)):
        for event in (*framer.feed(data), *framer.silence()):
            overheard += own.hear(event, at_s, at_s)
    assert overheard == []
    assert own.pairing.unpaired["may be another's"] == 1


def test_what_is_read_while_writing_is_learned_as_a_place() -> None:
    own, framer = ModbusOverhearer([]), RtuFramer()
    stream = RTU.adu(9, bytes.fromhex("17 0003 0001 000E 0001 02 00FF")) + RTU.adu(9, b"\x17\x02\x12\x34")
    for event in framer.feed(stream):
        own.hear(event, 0.0, 0.0)
    assert list(own.reads) == [(9, Table.HOLDING, 3, 1)]
