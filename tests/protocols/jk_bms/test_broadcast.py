"""JK BMS on the line that joins batteries: whose an answer is, and what it does not say."""

from __future__ import annotations

import pytest

from protocols.jk_bms.broadcast import (
    ABOUT,
    CELLS,
    KEYS,
    KINDS,
    BatteryListener,
    StreamFramer,
    build,
    describe,
    reply,
    request,
)
from protocols.toolkit.errors import SettingsError
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import Values
from tests.protocols.vectors import vectors

CAPTURED = {vector["id"]: bytes.fromhex(vector["hex"]) for vector in vectors("jk-bms-push")}
ANSWER, ANOTHER, DEVICE = (CAPTURED[f"jk_bms_push-000{number}"] for number in (1, 2, 3))


def told(stream: bytes) -> list[tuple[str, object]]:
    """Sender and voltage of each telegram in a stream."""
    listener = BatteryListener()
    frames = [event for event in StreamFramer().feed(stream) if isinstance(event, Frame)]
    return [
        (telegram.sender, telegram.values["voltage"])
        for frame in frames
        for telegram in listener.telegrams(frame)
    ]


def test_an_answer_is_of_the_battery_that_was_asked() -> None:
    stream = b"".join(
        request(address, KINDS[CELLS]) + answer + reply(address, KINDS[CELLS])
        for address, answer in ((1, ANSWER), (15, ANOTHER))
    )
    assert told(stream) == [("1", 49.526), ("15", 53.224)]


def test_an_answer_without_its_request_is_of_no_battery_in_particular() -> None:
    assert told(ANSWER + ANOTHER) == [("", 49.526), ("", 53.224)]
    assert told(request(1, KINDS[CELLS]) + reply(1, KINDS[CELLS]) + ANSWER) == [("", 49.526)]
    assert told(request(1, KINDS[CELLS]) + DEVICE + ANSWER) == [("", 49.526)]
    assert told(request(1, KINDS[ABOUT]) + ANSWER) == [("", 49.526)]


def test_a_battery_that_is_alone_needs_no_id() -> None:
    (frame,) = StreamFramer().feed(ANSWER)
    assert isinstance(frame, Frame)
    listener = BatteryListener()
    asked = Frame(request(3, KINDS[CELLS]))
    assert listener.telegrams(asked) == []
    (telegram,) = listener.telegrams(frame)
    assert telegram.ids == ("3", "")


def test_a_password_is_never_told() -> None:
    assert b"1234" in DEVICE
    (frame,) = StreamFramer().feed(DEVICE)
    assert isinstance(frame, Frame)
    assert describe(frame) == {
        "frame": "answer",
        "type": ABOUT,
        "counter": 0xA5,
        "model": "JK_PB2A16S15P",
        "hardware": "14.XA",
        "software": "14.20",
        "name": "JK_PB2A16S15P",
        "serial": "3092572134",
    }


def test_a_simulated_battery_is_read() -> None:
    answer = build(cell_voltages=[3300] * 32, enabled_cells=3, voltage=6600, current=-1500, cycles=7)
    (frame,) = StreamFramer().feed(answer)
    assert isinstance(frame, Frame)
    (telegram,) = BatteryListener().telegrams(frame)
    values: Values = {"voltage": 6.6, "current": -1.5, "cycles": 7, "cell_voltage_2": 3.3}
    assert telegram.values | values == telegram.values
    assert "cell_voltage_3" not in telegram.values


def test_an_address_beyond_the_switches_is_a_mistake() -> None:
    assert KEYS.parse({"id": "15"}).id == "15"
    with pytest.raises(SettingsError, match='"16" is not the battery'):
        KEYS.parse({"id": "16"})
