"""What holds for the requests of every polled protocol, asked of each without knowing it."""

from __future__ import annotations

from typing import Any

import pytest

from protocols import CATALOGUE, Protocol, protocol
from protocols.dialogue import LineSettings
from protocols.framing import Frame
from tests.protocols.vectors import good_frames

SENSORS: dict[str, dict[str, Any]] = {
    "modbus-rtu": {"address": 1, "model": "eastron-sdm120"},
    "modbus-ascii": {"address": 1, "model": "eastron-sdm120"},
    "mbus": {"id": "12345678"},
    "dlt645": {"address": "002311905387", "values": ["voltage_a"]},
    "iec62056-21": {"values": ["import_energy"]},
    "vedirect-hex": {"values": ["panel_power"]},
    "shdlc": {"model": "sps30"},
    "winsen": {},
    "jbd-bms": {},
    "daly-bms": {},
}
POLLED = [protocol(name) for name in CATALOGUE if protocol(name).device and not protocol(name).declared_by]
every_polled = pytest.mark.parametrize("entry", POLLED, ids=lambda entry: entry.name)


@every_polled
def test_no_frame_makes_a_request_raise(entry: Protocol) -> None:
    """The line asks of every frame it hears whether it is the reply; of its own request too, for the echo."""
    assert entry.device is not None
    settings = entry.settings(SENSORS[entry.name])
    device = entry.device([settings], entry.line or LineSettings(9600))
    requests = device.planned()
    assert requests
    for request in requests:
        assert request.accepts(Frame(request.data)) in (True, False)
        for data in good_frames(entry.name):
            (frame,) = (event for event in _heard(entry, data) if event.data == data)
            assert request.accepts(frame) in (True, False)


def _heard(entry: Protocol, data: bytes) -> list[Frame]:
    framer = entry.framer()
    return [event for event in framer.feed(data) + framer.silence() if isinstance(event, Frame)]
