"""What was learned of a sensor, in sentences."""

from __future__ import annotations

from bridge.line.reply_timeout import KNOWN_AFTER, ReplyTimeout
from bridge.reader.learning import lessons
from protocols.modbus.device import ModbusDevice
from protocols.modbus.settings import parse_settings
from protocols.modbus.simulation import SimulatedUnit
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings

LIMIT_S = 0.5


def seen(seconds: float) -> ReplyTimeout:
    timeout = ReplyTimeout()
    for _ in range(KNOWN_AFTER):
        timeout.answered_at_once()
        timeout.learn(seconds)
    return timeout


def test_of_a_new_sensor_nothing_is_said() -> None:
    assert list(lessons(ReplyTimeout(), LIMIT_S, {}, (), is_retried=True)) == []


def test_a_time_out_is_said_upwards_and_downwards() -> None:
    (slow,) = lessons(seen(2.0), LIMIT_S, {}, (), is_retried=True)
    assert slow == (
        "answers slowly, after 2.0 s at the slowest: waited for up to 3.0 s, where reply_timeout says 0.5 s"
    )
    (quick,) = lessons(seen(0.08), LIMIT_S, {}, (), is_retried=True)
    assert quick == "answers within 80 ms: waited for 120 ms, where reply_timeout says 0.5 s"


def test_what_is_left_out_is_said_by_its_reason() -> None:
    left_out = {"a": "illegal data address", "b": "no reply", "c": "illegal data address"}
    assert list(lessons(ReplyTimeout(), LIMIT_S, left_out, ("and more",), is_retried=False)) == [
        "left its last request unanswered: asked once a poll until it answers",
        "not asked for a, c (illegal data address), but again at growing distances, up to an hour",
        "not asked for b (no reply), but again at growing distances, up to an hour",
        "and more",
    ]


def test_a_unit_that_does_not_stand_a_hole_says_where_reads_are_cut() -> None:
    settings = parse_settings({"address": 1, "registers": {"a": {"holding": 0}, "b": {"holding": 3}}})
    device, unit = ModbusDevice([settings], LineSettings(9600)), SimulatedUnit(1, holding={0: 1, 3: 2})
    assert device.lessons() == []
    for now in range(3):
        dialogue = device.poll(float(now))
        request = next(dialogue)
        try:
            while True:
                reply = unit.answer(Frame(request.data))
                request = dialogue.send(None if reply is None else Frame(reply))
        except StopIteration:
            pass
    assert device.lessons() == [
        "not read along: holding registers 1–2, which it does not stand",
        "not read along: holding registers 4, which it does not stand",
    ]
