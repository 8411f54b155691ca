"""pyMeterBus as a peer: it reads what we build, asks as it does, and finds in telegrams what we find."""

from __future__ import annotations

import logging
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocols.mbus import application, link
from protocols.mbus.items import item
from protocols.mbus.link import Message, StreamFramer
from protocols.mbus.records import Record
from protocols.mbus.secondary import Secondary
from protocols.mbus.simulation import SimulatedMeter
from protocols.mbus.vif import FD, PRIMARY, Kind
from protocols.toolkit.framing import Frame
from tests.protocols.vectors import vectors

FUNCTIONS = ("INSTANTANEOUS_VALUE", "MAXIMUM_VALUE", "MINIMUM_VALUE", "ERROR_STATE_VALUE")
FACTORS = {"MeasureUnit.M3_MIN": 60, "MeasureUnit.M3_S": 3600}  # it leaves these as they are
NUMBERS = [(code,) for code, quantity in PRIMARY.items() if quantity.kind is Kind.NUMBER] + [
    (0x7D, code) for code in range(0x40, 0x60) if code in FD
]
INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 6: 6, 7: 8}
DIGITS = {9: 1, 10: 2, 11: 3, 12: 4, 14: 6}
KAMSTRUP = Secondary("06855817", "KAM", 8, 4)


@pytest.fixture(scope="module")
def meterbus() -> Any:
    """Return the library; its import sets up logging for a whole process, which is undone."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    import meterbus as library

    root.handlers[:] = before
    root.setLevel(level)
    return library


@st.composite
def records(draw: st.DrawFn) -> Record:
    data_field = draw(st.sampled_from([5, *INTEGERS, *DIGITS]))
    if data_field in DIGITS:
        length = DIGITS[data_field]
        digits = draw(st.text("0123456789", min_size=2 * length - 1, max_size=2 * length - 1))
        data = bytes.fromhex(draw(st.sampled_from("0123456789f")) + digits)[::-1]
    else:
        length = INTEGERS.get(data_field, 4)
        data = draw(st.binary(min_size=length, max_size=length))
    return Record(
        draw(st.sampled_from(NUMBERS)),
        data_field,
        data,
        draw(st.integers(0, 3)),
        draw(st.integers(0, 2**41 - 1)),
        draw(st.integers(0, 2**20 - 1)),
        draw(st.integers(0, 2**10 - 1)),
    )


def read(meterbus: Any, frame: bytes) -> Any:
    """Return what it makes of a long frame; its `load` takes one of 105 octets for a wireless one."""
    return meterbus.TelegramLong.parse(list(frame))


def telegram(*records: Record) -> bytes:
    """A meter's whole frame with these records."""
    meter = SimulatedMeter(5, [list(records)], KAMSTRUP)
    reply = meter.answer(Frame(link.build(Message(link.REQ_UD2, 5))))
    assert reply is not None
    return reply


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(many=st.lists(records(), min_size=1, max_size=5))
def test_it_reads_the_records_that_we_build_as_we_do(meterbus: Any, many: list[Record]) -> None:
    found = read(meterbus, telegram(*many)).records
    for record, theirs in zip(many, (one.interpreted for one in found), strict=True):
        assert theirs["function"] == f"FunctionType.{FUNCTIONS[record.function]}"
        numbers = theirs["storage_number"], theirs.get("tariff", 0), theirs.get("device", 0)
        assert numbers == (record.storage, record.tariff, record.subunit)
        ours = item(record).value
        if ours is not None:  # it has no idea of what is no value
            value = float(theirs["value"]) * FACTORS.get(theirs["unit"], 1)
            assert value == pytest.approx(ours, rel=1e-7)  # which is what a real of 32 bits can tell
        else:
            assert record.data_field == 5 or record.data.endswith(b"\x80")


@given(st.integers(1, 31), st.integers(1, 12), st.integers(0, 99), st.integers(0, 23), st.integers(0, 59))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_reads_the_dates_that_we_read(
    meterbus: Any, day: int, month: int, year: int, hour: int, minute: int
) -> None:
    low, high = day | (year & 7) << 5, month | year >> 3 << 4
    date = Record((0x6C,), 2, bytes((low, high)))
    time = Record((0x6D,), 4, bytes((minute, hour, low, high)))
    for record in (date, time):
        (theirs,) = read(meterbus, telegram(record)).records
        ours = item(record).value
        assert ours in (None, theirs.value)
        if day <= 28:
            assert ours is not None


class Serial:
    """What it takes for a serial port: a line with one of our simulated meters at its end."""

    def __init__(self, *meters: SimulatedMeter) -> None:
        self.meters = meters
        self.asked: list[Message] = []
        self._replies = b""

    def write(self, data: bytes) -> None:
        """Let the meters answer."""
        (heard,) = StreamFramer().feed(bytes(data))
        assert isinstance(heard, Frame)
        message = link.parse(heard)
        assert message is not None
        self.asked.append(message)
        self._replies = b"".join(reply for one in self.meters if (reply := one.answer(heard)))

    def read(self, count: int) -> bytes:
        """Return what they said."""
        data, self._replies = self._replies[:count], self._replies[count:]
        return data


def test_it_selects_our_meter_and_reads_all_its_telegrams(meterbus: Any) -> None:
    energy, volume = Record((0x06,), 4, b"\x01\0\0\0"), Record((0x14,), 4, b"\x02\0\0\0")
    other = SimulatedMeter(0, [[volume]], Secondary("06855818", "KAM", 8, 4))
    port = Serial(other, SimulatedMeter(0, [[energy], [volume]], KAMSTRUP))
    meterbus.send_ping_frame(port, link.SELECTED)
    assert meterbus.recv_frame(port) is None, "nobody is selected"
    meterbus.send_select_frame(port, "06855817FFFFFFFF")
    assert meterbus.recv_frame(port) == link.ACKNOWLEDGEMENT
    request = meterbus.send_request_frame_multi(port, link.SELECTED)
    values = []
    while True:
        frame = read(meterbus, meterbus.recv_frame(port))
        assert frame.secondary_address == "068558172D2C0804"
        values += [int(100 * one.value) for one in frame.records if one.value is not None]
        if not frame.more_records_follow:
            break
        request.header.cField.parts[0] ^= meterbus.CONTROL_MASK_FCB
        meterbus.send_request_frame_multi(port, req=request)
    assert values == [100_000, 2]
    assert [message.c & link.FUNCTION for message in port.asked] == [
        link.SND_NKE,
        0x43,
        0x4B,
        0x4B,
    ]


def test_its_requests_are_ours(meterbus: Any) -> None:
    port = Serial()
    meterbus.send_ping_frame(port, 5)
    meterbus.send_request_frame_multi(port, 5)
    meterbus.send_select_frame(port, "06855817FFFFFFFF")
    reset, request, selection = port.asked
    assert (reset, request) == (Message(link.SND_NKE, 5), Message(link.REQ_UD2 | link.FCB, 5))
    octets = bytes.fromhex("17588506") + b"\xff" * 4
    assert (selection.a, selection.ci, selection.data) == (link.SELECTED, application.SELECT, octets)


@pytest.mark.parametrize(
    "vector",
    [
        pytest.param(vector, id=vector["id"])
        for vector in vectors("mbus")
        if vector["expected"].get("decoded") and vector["direction"] == "response"
    ],
)
def test_it_finds_in_a_telegram_the_numbers_that_we_find(meterbus: Any, vector: dict[str, Any]) -> None:
    frame = Frame(bytes.fromhex(vector["hex"]))
    message = link.parse(frame)
    assert message is not None
    ours = application.read(message)
    assert ours is not None
    theirs = [one.interpreted for one in read(meterbus, frame.data).records]
    compared = [
        math.isclose(one.value, float(other["value"]), rel_tol=1e-7)
        for one, other in zip(ours.items, theirs, strict=False)
        if isinstance(one.value, int | float) and not isinstance(other["value"], str | None)
    ]
    assert all(compared)
    assert compared or not any(isinstance(one.value, int | float) for one in ours.items)
