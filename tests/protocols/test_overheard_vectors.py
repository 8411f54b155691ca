"""Every vector and capture of a polled protocol, heard beside a foreign master: its values are `decode`'s.

A vector is mostly a reply alone; the request that it answers is put before it, as a master sends it. What
cannot be read so has its reason here, by name.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from protocols import load
from protocols.daly_bms import frame as daly
from protocols.daly_bms.device import KEYS as DALY_KEYS
from protocols.dlt645 import frame as dlt645
from protocols.dlt645.edition import DLT645_1997, DLT645_2007, Edition
from protocols.iec62056_21.frame import opening
from protocols.jbd_bms import frame as jbd
from protocols.jbd_bms.device import KEYS as JBD_KEYS
from protocols.mbus import link
from protocols.modbus import pdu
from protocols.modbus.ascii import ASCII
from protocols.modbus.carrier import Carrier
from protocols.modbus.serial_line import RTU
from protocols.toolkit.errors import ProtocolError
from protocols.toolkit.framing import Direction, Frame
from protocols.toolkit.overhearing import Overhearer
from protocols.toolkit.protocol import Fields, PolledProtocol
from protocols.toolkit.value_list import ValueKeys
from tests.protocols.vectors import SPOKEN, hear, vectors

LISTENING: Final = {
    name: entry
    for name in SPOKEN
    if isinstance(entry := load(name), PolledProtocol) and entry.overhearer is not None
}
CAPTURES: Final = json.loads(Path(__file__).with_name("captures.json").read_text())


class NotRead(Exception):
    """A reply that brings a listener nothing, with the reason."""


@dataclass(frozen=True)
class Exchange:
    """What a master and a sensor say, and what it tells.

    Attributes:
        keys: of the sensor, as site.toml has them.
        values: what `decode` says that the reply holds.
        before: what was said before the reply.
    """

    keys: dict[str, Any]
    values: Fields
    before: list[bytes]


class Told(NamedTuple):
    """The registers of which a reply tells, and the request that it answers.

    Attributes:
        table: the key of their table.
        start: the address of the first.
        values: of each.
        request: the PDU of the request.
    """

    table: str
    start: int
    values: list[int | bool]
    request: bytes


READ_TABLES = {1: "coil", 2: "discrete", 3: "holding", 4: "input", 23: "holding"}


def told_by_read(function: int, fields: Fields) -> Told:
    octets = bytes.fromhex(fields["data"])
    bits = [bool(octets[at // 8] >> at % 8 & 1) for at in range(8 * len(octets))]
    values = list(fields.get("registers", bits))
    asked: Fields = {"start": 0, "quantity": len(values)}
    if function == 23:
        asked = {"read_start": 0, "read_quantity": len(values), "write_start": 0, "write_quantity": 1}
        asked["data"] = b"\0\0"
    request = pdu.REQUESTS[function].build(function=function, **asked)
    return Told(READ_TABLES[function], 0, values, request)


def told_by_write(body: bytes, fields: Fields) -> Told:
    """A write of one is confirmed by its request."""
    if body[0] == 6:
        return Told("holding", fields["start"], [fields["value"]], body)
    if fields["value"] not in (0, 0xFF00):
        raise NotRead("no state of a coil")
    return Told("coil", fields["start"], [fields["value"] == 0xFF00], body)


def told_by_write_of_many(function: int, fields: Fields) -> Told:
    start, quantity = fields["start"], fields["quantity"]
    if not 1 <= quantity <= (123 if function == 16 else 1968):
        raise NotRead("confirms more than can be written")
    octets = bytes(2 * quantity if function == 16 else pdu.octets_of_bits(quantity))
    request = pdu.REQUESTS[function].build(function=function, start=start, quantity=quantity, data=octets)
    if function == 16:
        return Told("holding", start, [0] * quantity, request)
    return Told("coil", start, [False] * quantity, request)


def told_by(body: bytes, fields: Fields) -> Told:
    function = body[0]
    if function & pdu.REFUSED:
        raise NotRead("a refusal")
    if function in READ_TABLES:
        return told_by_read(function, fields)
    if function in (5, 6):
        return told_by_write(body, fields)
    if function in (15, 16):
        return told_by_write_of_many(function, fields)
    raise NotRead(f"function code {function} tells no register")


def modbus(carrier: Carrier) -> Callable[[Frame, Fields], Exchange]:
    def exchange(reply: Frame, fields: Fields) -> Exchange:
        unit = carrier.unit(reply)
        if not unit:
            raise NotRead("nobody answers a broadcast")
        told = told_by(carrier.body(reply), fields)
        keys: dict[str, Any] = {"address": unit} | ({"reserved_address": True} if unit > 247 else {})
        keys["registers"] = {f"r{at}": {told.table: told.start + at} for at in range(len(told.values))}
        values = {f"r{at}": value for at, value in enumerate(told.values)}
        return Exchange(keys, values, [carrier.adu(unit, told.request)])

    return exchange


def mbus(reply: Frame, fields: Fields) -> Exchange:
    if "error_text" in fields:
        raise NotRead("a refusal")
    if fields["frame"] == "single":
        raise NotRead("a confirmation")
    if fields.get("encryption") or "encrypted" in fields:
        raise NotRead("encrypted, and its key is nobody's")
    if not fields.get("values"):
        raise NotRead("no values of a meter")
    if "fault" in fields:
        raise NotRead("it breaks off within a record")
    if fields["a"] > 250:
        raise NotRead("asked by its secondary address")
    reset, request, next_request = (
        link.build(link.Message(c, fields["a"]))
        for c in (link.SND_NKE, link.REQ_UD2 | link.FCB, link.REQ_UD2)
    )
    before = [reset, link.ACKNOWLEDGEMENT, request]
    if fields["more_records_follow"]:  # a meter with one telegram that says so all the same: it comes again
        before += [reply.data, next_request]
    return Exchange({"address": fields["a"]}, fields["values"], before)


def dlt645_of(edition: Edition) -> Callable[[Frame, Fields], Exchange]:
    def exchange(reply: Frame, fields: Fields) -> Exchange:
        message = dlt645.parse(reply)
        if "name" not in fields or fields.get("value") is None:
            raise NotRead("no value, a refusal or a part of one")
        if message.control & dlt645.MORE_FOLLOW or message.function != edition.read:
            raise NotRead("a part of a value")
        if fields["name"] not in edition.items:
            raise NotRead("a value that has no name of ours")
        identifier = message.data[: edition.octets]
        request = dlt645.build(dlt645.Message(message.address, edition.read, identifier))
        keys = {"address": message.address, "values": [fields["name"]]}
        return Exchange(keys, {fields["name"]: fields["value"]}, [request])

    return exchange


def iec62056_21(reply: Frame, fields: Fields) -> Exchange:
    if "command" in fields:
        raise NotRead("an answer in programming mode")
    if "identification" in fields and not fields.get("values"):
        raise NotRead("an identification")
    values = fields.get("values") or {}
    if not values:
        raise NotRead("no value")
    before = [opening()]
    if "identification" not in fields:
        before += [b"/ABC5METER\r\n", b"\x06050\r\n"]
    return Exchange({"values": list(values)}, values, before)


def chosen(keys: ValueKeys, fields: Fields) -> tuple[dict[str, Any], Fields]:
    """Return the keys of a sensor that wants all that a reply has, and those values."""
    names = [name for name in keys.units if name in fields]
    if not names:
        raise NotRead("no value")
    return {"values": names}, keys.choose(fields, names)


def jbd_bms(reply: Frame, fields: Fields) -> Exchange:
    if fields["status"]:
        raise NotRead("a refusal")
    request = jbd.build(jbd.Request(jbd.READ, fields["register"]))
    return Exchange(*chosen(JBD_KEYS, fields), [request])


def daly_bms(reply: Frame, fields: Fields) -> Exchange:
    if "frame" in fields:
        raise NotRead("a part of a block")
    request = daly.build(0x40, fields["command"])
    return Exchange(*chosen(DALY_KEYS, fields), [request])


EXCHANGES: Final[dict[str, Callable[[Frame, Fields], Exchange]]] = {
    "modbus-rtu": modbus(RTU),
    "modbus-ascii": modbus(ASCII),
    "mbus": mbus,
    "dlt645": dlt645_of(DLT645_2007),
    "dlt645-1997": dlt645_of(DLT645_1997),
    "iec62056-21": iec62056_21,
    "jbd-bms": jbd_bms,
    "daly-bms": daly_bms,
}


def streams(name: str) -> Iterator[tuple[str, bytes]]:
    """Yield the octets of each vector and capture of a protocol, with its name."""
    for vector in vectors(name):
        yield vector["id"], bytes.fromhex(vector["hex"])
    for capture in CAPTURES:
        if capture["protocol"] == name:
            yield capture["device"], bytes.fromhex(capture["hex"])


def overheard(entry: PolledProtocol[Any], own: Overhearer, pieces: list[bytes]) -> Fields:
    """Return what is overheard of messages that come one after the other."""
    framer, values, now = entry.framer(), {}, 0.0
    for piece in pieces:
        for event in (*framer.feed(piece), *framer.silence()):
            try:
                for one in own.hear(event, now, now + 0.01):
                    values |= one.values
            except ProtocolError:
                continue  # well framed, without sense: the bus counts it and goes on
            now += 0.05
    return values


def replies(entry: PolledProtocol[Any], data: bytes) -> Iterator[tuple[Frame, Fields]]:
    describe = entry.describer()
    for event in hear(entry, [data]):
        if isinstance(event, Frame):
            try:
                fields = describe(event)
            except ProtocolError:
                continue
            if event.direction is not Direction.REQUEST:
                yield event, fields


ALL = [pytest.param(name, data, id=f"{name} {label}") for name in LISTENING for label, data in streams(name)]


def test_every_protocol_that_listens_is_walked() -> None:
    assert EXCHANGES.keys() == LISTENING.keys()


@pytest.mark.parametrize(("name", "data"), ALL)
def test_a_reply_behind_its_request_is_read_as_by_decode(name: str, data: bytes) -> None:
    entry = LISTENING[name]
    assert entry.overhearer is not None
    for reply, fields in replies(entry, data):
        try:
            exchange = EXCHANGES[name](reply, fields)
            settings = entry.settings(exchange.keys)
        except NotRead:
            continue
        values = overheard(entry, entry.overhearer([settings]), [*exchange.before, reply.data])
        known = {key: value for key, value in values.items() if key in exchange.values}
        assert known == {key: exchange.values[key] for key in known}
        assert known, f"{reply.data.hex()} brought nothing of {exchange.values}"


@pytest.mark.parametrize(("name", "data"), ALL)
def test_a_reply_without_its_request_brings_nothing(name: str, data: bytes) -> None:
    entry = LISTENING[name]
    assert entry.overhearer is not None
    for reply, fields in replies(entry, data):
        try:
            settings = entry.settings(EXCHANGES[name](reply, fields).keys)
        except NotRead:
            continue
        assert overheard(entry, entry.overhearer([settings]), [reply.data]) == {}


def test_what_is_not_read_has_its_reason_and_is_the_smaller_part() -> None:
    read: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for name, entry in LISTENING.items():
        for _, data in streams(name):
            for reply, fields in replies(entry, data):
                try:
                    EXCHANGES[name](reply, fields)
                    read[name] += 1
                except NotRead as reason:
                    reasons[f"{name}: {reason}"] += 1
    assert all(read[name] for name in LISTENING)
    assert read.total() > 2 * reasons.total(), reasons
