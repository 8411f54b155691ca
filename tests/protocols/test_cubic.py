"""Cubic: a sensor of either model asked, and its keys."""

from __future__ import annotations

import pytest

from protocols.cubic import MODELS, Sensor, SimulatedSensor, StreamFramer, parse_settings
from protocols.toolkit.errors import SettingsError
from protocols.toolkit.framing import Frame
from protocols.toolkit.polling import LineSettings

LINE = LineSettings(9600)


def heard(data: bytes) -> Frame:
    (frame,) = StreamFramer().feed(data)
    assert isinstance(frame, Frame)
    return frame


PM2008 = [
    *("pm1_0", "pm2_5", "pm10", "pm1_0_tsi", "pm2_5_tsi", "pm10_tsi"),
    *("particles_0_3", "particles_0_5", "particles_1_0", "particles_2_5", "particles_5_0", "particles_10"),
]


@pytest.mark.parametrize(
    ("model", "asked", "names"),
    [
        ("cm1106", "110101ed", ["co2"]),
        ("pm1006", "11020b01e1", ["pm2_5"]),
        ("pm1006k", "11020b01e1", ["pm2_5", "pm1_0", "pm10"]),
        ("pm2008", "11020b07db", PM2008),
    ],
)
def test_a_sensor_is_asked_and_answers(model: str, asked: str, names: list[str]) -> None:
    poll = Sensor([parse_settings({"model": model})], LINE).poll()
    request = next(poll)
    assert request.data.hex() == asked
    values = {name: 612 + number for number, name in enumerate(names)}
    reply = SimulatedSensor(MODELS[model], values).answer(heard(request.data))
    assert reply is not None
    assert len(reply) == request.reply_length
    assert request.accepts(heard(reply))
    assert not request.accepts(heard(request.data))
    with pytest.raises(StopIteration) as over:
        poll.send(heard(reply))
    assert over.value.value.values == (values,)


def test_a_reply_of_another_model_is_not_taken() -> None:
    (request,) = Sensor([parse_settings({"model": "pm2008"})], LINE).planned()
    asked = heard(bytes.fromhex("11020b01e1"))
    reply = SimulatedSensor(MODELS["pm1006"], {"pm2_5": 5}).answer(asked)
    assert reply is not None
    assert not request.accepts(heard(reply))


def test_a_mistake_in_the_keys_is_named() -> None:
    with pytest.raises(SettingsError, match="model: is missing, use one of: cm1106, pm1006, pm1006k, pm2008"):
        parse_settings({})
    with pytest.raises(SettingsError, match='model: "mhz19" is not a sensor known here'):
        parse_settings({"model": "mhz19"})
