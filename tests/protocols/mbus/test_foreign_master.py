"""pyMeterBus as the master of a line, and we beside it: what it reads is overheard, however it calls."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from protocols.mbus.link import StreamFramer
from protocols.mbus.overhearing import MeterOverhearer
from protocols.mbus.records import Record
from protocols.mbus.secondary import Secondary
from protocols.mbus.settings import parse_settings
from protocols.mbus.simulation import SimulatedMeter
from protocols.toolkit.framing import Direction, Frame
from protocols.toolkit.polling import Values

SECONDARY = {number: Secondary(f"1000000{number}", "KAM", 1, 4) for number in (1, 2, 3)}


@pytest.fixture(scope="module")
def meterbus() -> Any:
    """Return the library; its import sets up logging for a whole process, which is undone."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    import meterbus as library

    root.handlers[:] = before
    root.setLevel(level)
    return library


class Wire:
    """The serial port of the master: meters answer, and we listen.

    Attributes:
        values: what each of our sensors heard, reading by reading.
    """

    def __init__(self, meters: list[SimulatedMeter], *keys: dict[str, Any]) -> None:
        self.values: list[list[Values]] = [[] for _ in keys]
        self._meters = meters
        self._own = MeterOverhearer([parse_settings(each) for each in keys])
        self._heard, self._framer = StreamFramer(), StreamFramer()
        self._replies = b""
        self._now = 0.0

    def write(self, data: bytes) -> None:
        self._replies = b""
        self._hear(bytes(data))
        for event in self._framer.feed(bytes(data)):
            assert isinstance(event, Frame), f"the master sent noise: {event}"
            assert event.direction is Direction.REQUEST
            for meter in self._meters:
                self._replies += meter.answer(event) or b""
        if self._replies:
            self._hear(self._replies)

    def read(self, length: int) -> bytes:
        octets, self._replies = self._replies[:length], self._replies[length:]
        return octets

    def _hear(self, data: bytes) -> None:
        self._now += 0.1
        for event in (*self._heard.feed(data), *self._heard.silence()):
            for one in self._own.hear(event, self._now, self._now):
                self.values[one.sensor].append(one.values)


def volume(number: int) -> Record:
    return Record((0x13,), 4, bytes((number, 0, 0, 0)))


def energy(number: int) -> Record:
    return Record((0x06,), 4, bytes((number, 1, 0, 0)))


def meters(*telegrams: str) -> list[SimulatedMeter]:
    """Three meters, each with one telegram or with two."""
    records = {"volume": volume, "energy": energy}
    return [
        SimulatedMeter(number, [[records[name](number)] for name in telegrams], secondary=SECONDARY[number])
        for number in SECONDARY
    ]


def read_one(library: Any, wire: Wire, address: int) -> None:
    """Read a meter as its example program does: a reset, its confirmation, a request, a telegram."""
    library.send_ping_frame(wire, address)
    assert library.load(library.recv_frame(wire, 1))
    library.send_request_frame(wire, address)
    assert library.load(library.recv_frame(wire, library.FRAME_DATA_LENGTH))


def read_all(library: Any, wire: Wire, address: int) -> int:
    """Read all telegrams of a meter as its example program does; return how many there were."""
    library.send_ping_frame(wire, address)
    library.load(library.recv_frame(wire, 1))
    frame, telegrams = None, 0
    request = library.send_request_frame_multi(wire, address)
    while True:
        frame = library.load(library.recv_frame(wire, library.FRAME_DATA_LENGTH))
        telegrams += 1
        if not frame.more_records_follow:
            return telegrams
        request.header.cField.parts[0] ^= library.CONTROL_MASK_FCB
        request = library.send_request_frame_multi(wire, address, request)


def test_single_telegrams_that_it_reads_by_address_are_overheard(meterbus: Any) -> None:
    wire = Wire(meters("volume"), *({"address": number} for number in SECONDARY))
    for _ in range(3):
        for number in SECONDARY:
            read_one(meterbus, wire, number)
    for number, readings in zip(SECONDARY, wire.values, strict=True):
        assert readings
        assert all(values == {"volume": number / 1000} for values in readings)


def test_all_telegrams_that_it_reads_make_one_reading(meterbus: Any) -> None:
    wire = Wire(meters("volume", "energy"), *({"address": number} for number in SECONDARY))
    for _ in range(3):
        for number in SECONDARY:
            assert read_all(meterbus, wire, number) == 2
    for number, readings in zip(SECONDARY, wire.values, strict=True):
        assert readings == [{"volume": number / 1000, "energy": 1000 * (256 + number)}] * 3


@pytest.mark.parametrize("is_reset", [True, False], ids=["after a reset", "without a reset"])
def test_meters_that_it_selects_are_told_apart(meterbus: Any, is_reset: bool) -> None:
    wire, rounds = Wire(meters("volume"), *({"id": f"1000000{number}"} for number in SECONDARY)), 20
    for _ in range(rounds):
        for number in SECONDARY:
            if is_reset:
                meterbus.send_ping_frame(wire, meterbus.ADDRESS_NETWORK_LAYER)
            meterbus.send_select_frame(wire, f"1000000{number}2D2C0104")
            assert meterbus.load(meterbus.recv_frame(wire, 1))
            meterbus.send_request_frame(wire, meterbus.ADDRESS_NETWORK_LAYER)
            assert meterbus.load(meterbus.recv_frame(wire, meterbus.FRAME_DATA_LENGTH))
    for number, readings in zip(SECONDARY, wire.values, strict=True):
        assert len(readings) >= rounds - 10  # until it is known that each has one telegram
        assert all(values == {"volume": number / 1000} for values in readings)
