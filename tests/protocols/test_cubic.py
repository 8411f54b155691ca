"""Cubic: a sensor of either model asked, and its keys."""

from __future__ import annotations

import pytest

from protocols.cubic import MODELS, Sensor, SimulatedSensor, StreamFramer, parse_settings
from protocols.dialogue import LineSettings
from protocols.errors import SettingsError
from protocols.framing import Frame

LINE = LineSettings(9600)


def heard(data: bytes) -> Frame:
    (frame,) = StreamFramer().feed(data)
    assert isinstance(frame, Frame)
    return frame


@pytest.mark.parametrize(
    ("model", "asked", "value"), [("cm1106", "110101ed", "co2"), ("pm1006", "11020b01e1", "pm2_5")]
)
def test_a_sensor_is_asked_and_answers(model: str, asked: str, value: str) -> None:
    poll = Sensor([parse_settings({"model": model})], LINE).poll()
    request = next(poll)
    assert request.data.hex() == asked
    reply = SimulatedSensor(MODELS[model], 612).answer(heard(request.data))
    assert reply is not None
    assert len(reply) == request.reply_length
    assert request.accepts(heard(reply))
    assert not request.accepts(heard(request.data))
    with pytest.raises(StopIteration) as over:
        poll.send(heard(reply))
    assert over.value.value.values == ({value: 612},)


def test_a_mistake_in_the_keys_is_named() -> None:
    with pytest.raises(SettingsError, match="model: is missing, use one of: cm1106, pm1006"):
        parse_settings({})
    with pytest.raises(SettingsError, match="model: 'mhz19' is no sensor known here"):
        parse_settings({"model": "mhz19"})
