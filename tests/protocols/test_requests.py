"""What holds for the requests of every polled protocol, asked of each without knowing it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest

from protocols import CATALOGUE, load
from protocols.modbus.knowledge import Knowledge
from protocols.toolkit.framing import Frame
from protocols.toolkit.lessons import LEARN_AFTER, Lessons
from protocols.toolkit.polling import Dialogue, LineSettings, NotAsked, PollResult, twin_of
from protocols.toolkit.protocol import PolledProtocol, Settings
from tests.protocols.vectors import good_frames

SENSORS: dict[str, dict[str, Any]] = {
    "modbus-rtu": {"address": 1, "model": "eastron-sdm120"},
    "modbus-ascii": {"address": 1, "model": "eastron-sdm120"},
    "mbus": {"id": "12345678"},
    "dlt645": {"address": "002311905387", "values": ["voltage_a", "voltage_b"]},
    "dlt645-1997": {"address": "002311905387", "values": ["voltage_a"]},
    "iec62056-21": {"values": ["import_energy"]},
    "kamstrup-kmp": {},
    "vedirect-hex": {"values": ["panel_power", "panel_voltage"]},
    "shdlc": {"model": "sps30"},
    "winsen": {},
    "jbd-bms": {},
    "daly-bms": {},
    "jk-bms": {},
    "cubic": {"model": "cm1106"},
    "pylontech": {},
    "voltronic-pi30": {},
}
POLLED = [entry for name in CATALOGUE if isinstance(entry := load(name), PolledProtocol)]
every_polled = pytest.mark.parametrize("entry", POLLED, ids=lambda entry: entry.name)


@every_polled
def test_no_frame_makes_a_request_raise(entry: PolledProtocol[Settings]) -> None:
    """The line asks of every frame it hears whether it is the reply; of its own request too, for the echo."""
    settings = entry.settings(SENSORS[entry.name])
    device = entry.device([settings], entry.line or LineSettings(9600))
    requests = device.planned()
    assert requests
    for request in requests:
        assert request.accepts(Frame(request.data)) in (True, False)
        for data in good_frames(entry.name):
            (frame,) = (event for event in _heard(entry, data) if event.data == data)
            assert request.accepts(frame) in (True, False)


@every_polled
def test_behind_a_silence_the_other_requests_of_a_poll_have_replies_of_their_own(
    entry: PolledProtocol[Settings],
) -> None:
    """One that has not is not asked for many seconds after a reply was lost: the wake-up of a sensor, say."""
    device = entry.device([entry.settings(SENSORS[entry.name])], entry.line or LineSettings(9600))
    asked = {request.data: request for request in device.planned()}
    dialogue = device.poll(0.0)
    try:
        request = next(dialogue)
        while True:
            asked[request.data] = request
            request = dialogue.send(None)
    except StopIteration:
        pass
    answered = [request for request in asked.values() if request.is_answered]
    if len(answered) > 1:
        shapes = [request.shape for request in answered]
        assert None not in shapes
        assert len(set(shapes)) == len(shapes)


@every_polled
def test_what_was_not_asked_teaches_nothing(entry: PolledProtocol[Settings]) -> None:
    device = entry.device([entry.settings(SENSORS[entry.name])], entry.line or LineSettings(9600))
    planned = [request.data for request in device.planned()]
    for _ in range(LEARN_AFTER + 1):
        result = _not_asked(device.poll(0.0))
        assert not result.complete
        assert not any(result.left_out)
    assert [request.data for request in device.planned()] == planned


@every_polled
def test_a_twin_knows_the_same_and_learns_apart(entry: PolledProtocol[Settings]) -> None:
    device = entry.device([entry.settings(SENSORS[entry.name])], entry.line or LineSettings(9600))
    _unanswered(device.poll(0.0))
    twin = twin_of(device)
    before = _frozen(device)
    assert _frozen(twin) == before
    assert [request.data for request in twin.planned()] == [request.data for request in device.planned()]
    for number in range(LEARN_AFTER + 1):
        _unanswered(twin.poll(float(number)))
    assert _frozen(device) == before


def _unanswered(dialogue: Dialogue) -> None:
    with suppress(StopIteration):
        next(dialogue)
        while True:
            dialogue.send(None)


def _frozen(thing: object) -> object:
    """Return all that a device refers to and a poll may change, as values."""
    if isinstance(thing, Mapping):
        return tuple((_frozen(key), _frozen(value)) for key, value in thing.items())
    if isinstance(thing, list | tuple):
        return tuple(map(_frozen, thing))
    if isinstance(thing, set):
        return frozenset(map(_frozen, thing))
    if isinstance(thing, Lessons | Knowledge) or hasattr(thing, "planned"):
        return _frozen(vars(thing))
    return repr(thing)


def _not_asked(dialogue: Dialogue) -> PollResult:
    """Return what a poll brings of which nothing is asked."""
    try:
        request = next(dialogue)
        while True:
            request = dialogue.send(None) if request.shape is None else dialogue.throw(NotAsked())
    except StopIteration as over:
        result: PollResult = over.value
        return result


def _heard(entry: PolledProtocol[Settings], data: bytes) -> list[Frame]:
    framer = entry.framer()
    return [event for event in framer.feed(data) + framer.silence() if isinstance(event, Frame)]
