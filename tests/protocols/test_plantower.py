"""Plantower: what the words of a report mean in each model, commands beside reports, keys."""

from __future__ import annotations

import pytest

from protocols.plantower import MODELS, PROTOCOL, Describer, ReportListener, StreamFramer, parse_settings
from protocols.toolkit.errors import SettingsError
from protocols.toolkit.framing import Direction, Frame
from tests.protocols.vectors import good_frames

# Captured reports in the documentation of PyPMS (avaldebe/PyPMS docs/sensors/Plantower.md).
PMS3003 = "424d00140001000100010001000100010000000000 5100fa"
PMS5003T = "424d001c00170027002900160023002910 0804a90116000c00d400e09a0004aa"
PMS5003 = "424d001c00000008000800000008000800d20046002d001e00000000970002c5"
# Made up: 61 µg/m³ of formaldehyde, −4.2 °C and 51.3 %.
ST_WORDS = [1, 2, 3, 4, 5, 6, 600, 500, 400, 300, 200, 100, 61, 0x10000 - 42, 513, 0, 0x9100]


def report(words: list[int]) -> str:
    head = b"\x42\x4d" + (2 * len(words) + 2).to_bytes(2, "big")
    octets = head + b"".join(word.to_bytes(2, "big") for word in words)
    return (octets + sum(octets).to_bytes(2, "big")).hex()


MASSES = {"pm1_0_cf1": 1, "pm2_5_cf1": 2, "pm10_cf1": 3, "pm1_0": 4, "pm2_5": 5, "pm10": 6}
COUNTS = {
    "particles_0_3": 600,
    "particles_0_5": 500,
    "particles_1_0": 400,
    "particles_2_5": 300,
    "particles_5_0": 200,
    "particles_10": 100,
}
READINGS = [
    ("pms3003", PMS3003, dict.fromkeys(MASSES, 1)),
    (
        "pms5003t",
        PMS5003T,
        {
            **dict(zip(MASSES, (23, 39, 41, 22, 35, 41), strict=True)),
            **dict(zip(COUNTS, (4104, 1193, 278, 12), strict=False)),
            "temperature": 21.2,
            "humidity": 22.4,
        },
    ),
    ("pms5003", report(ST_WORDS[:13]), MASSES | COUNTS),
    ("pmsa003", report(ST_WORDS[:13]), MASSES | COUNTS),
    ("pms5003s", report(ST_WORDS[:13]), MASSES | COUNTS | {"formaldehyde": 61}),
    (
        "pms5003st",
        report(ST_WORDS),
        MASSES | COUNTS | {"formaldehyde": 61, "temperature": -4.2, "humidity": 51.3},
    ),
]


def found(digits: str) -> Frame:
    (frame,) = StreamFramer().feed(bytes.fromhex(digits))
    assert isinstance(frame, Frame)
    return frame


@pytest.mark.parametrize(("model", "digits", "values"), READINGS, ids=[model for model, *_ in READINGS])
def test_a_report_says_what_its_model_means(model: str, digits: str, values: dict[str, float]) -> None:
    frame, settings = found(digits), parse_settings({"model": model})
    (telegram,) = ReportListener().telegrams(frame)
    assert (telegram.sender, settings.choose(telegram.values)) == ("", values)
    fields = Describer(model)(frame)
    assert {name: fields[name] for name in fields if name in settings.units} == values


def test_without_a_model_the_usual_one_of_that_length_is_meant() -> None:
    for model, digits, _ in READINGS:
        if model in ("pms3003", "pms5003", "pms5003st"):
            assert Describer(None)(found(digits)) == Describer(model)(found(digits))


def test_every_value_of_every_model_is_told_and_has_a_unit() -> None:
    told = {
        length: {*ReportListener().telegrams(found(report([0] * (length // 2 - 1))))[0].values}
        for length in (20, 28, 36)
    }
    for model, names in MODELS.items():
        assert any(set(names) <= values for values in told.values())
        assert list(parse_settings({"model": model}).units) == list(names)


def test_every_model_can_be_named_to_the_decoder() -> None:
    for model in PROTOCOL.model_names:
        assert PROTOCOL.describer(model)(found(PMS5003))["pm2_5"] == 8


def test_the_default_is_a_pms5003() -> None:
    assert parse_settings({}) == parse_settings({"model": "pms5003"})
    (telegram,) = ReportListener().telegrams(found(PMS5003))
    assert parse_settings({"only": ["pm2_5"]}).choose(telegram.values) == {"pm2_5": 8}


@pytest.mark.parametrize(
    ("digits", "direction", "fields"),
    [
        ("424de100010171", Direction.REQUEST, {"command": 0xE1, "data": 1}),
        ("424d0004e1000174", Direction.REPLY, {"length": 4, "words": [0xE100]}),
    ],
)
def test_a_command_and_its_answer_bring_no_values(
    digits: str, direction: Direction, fields: dict[str, object]
) -> None:
    answer = digits if direction is Direction.REQUEST else "424d0004e1000174"
    frame = found(answer)
    assert frame.direction is direction
    assert Describer(None)(frame) == fields
    assert ReportListener().telegrams(frame) == []


def test_a_length_no_report_has_does_not_hold_up_the_one_behind_it() -> None:
    events = StreamFramer().feed(bytes.fromhex("424d00ff" + PMS5003))
    assert events[-1] == found(PMS5003)


def test_reports_that_say_nothing_are_reported_as_they_are() -> None:
    (telegram,) = ReportListener().telegrams(found(report([0] * 13)))
    assert telegram.values["pm2_5"] == 0


def test_every_vector_is_heard_as_it_is_described() -> None:
    settings = parse_settings({})
    for data in good_frames("plantower"):
        frame = found(data.hex())
        for telegram in ReportListener().telegrams(frame):
            assert settings.choose(telegram.values).items() <= Describer(None)(frame).items()


def test_the_one_sensor_of_a_line_is_not_of_two_models() -> None:
    sensors = [
        parse_settings({"model": "pms5003t", "only": ["temperature"]}),
        parse_settings({"only": ["pm2_5"]}),
        parse_settings({"model": "pms5003t", "only": ["humidity"]}),
    ]
    assert PROTOCOL.conflicts(sensors) == [
        (
            (1, "model"),
            "pms5003 contradicts pms5003t of sensor[1]: on such a line is one sensor, write the same model "
            "in all or give each a bus of its own",
        )
    ]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"model": "PMS503"}, 'model: "PMS503" is not a Plantower sensor known here, use pms5003 or'),
        ({"model": 5003}, "model: 5003 is not a Plantower sensor"),
        ({"only": ["temperature"]}, 'only.0: unknown value "temperature"; use "pm1_0_cf1", '),
        ({"model": "pms3003", "only": []}, "only: the list is empty, write for example"),
    ],
)
def test_a_mistake_is_named(keys: dict[str, object], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        parse_settings(keys)
