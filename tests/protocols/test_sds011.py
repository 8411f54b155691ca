"""Nova dust sensors: who says what, and what is no value."""

from __future__ import annotations

import pytest

from protocols.sds011 import KEYS, ReportListener, StreamFramer, describe
from protocols.toolkit.errors import SettingsError
from protocols.toolkit.framing import Direction, Frame
from protocols.toolkit.pushing import Telegram
from tests.protocols.vectors import good_frames


def found(digits: str) -> Frame:
    (frame,) = StreamFramer().feed(bytes.fromhex(digits))
    assert isinstance(frame, Frame)
    return frame


@pytest.mark.parametrize(
    ("digits", "telegram"),
    [
        ("aac0d4043a0aa1601dab", Telegram("a160", {"pm2_5": 123.6, "pm10": 261.8})),
        # An SDS198 captured in the documentation of PyPMS (docs/sensors/NovaFitness.md).
        ("aacf0e001000e9050cab", Telegram("e905", {"pm100": 16})),
        ("aacf06010100e905f6ab", Telegram("e905", {"pm100": 1})),
        ("aac000000000a16001ab", Telegram("a160", {})),  # it does not measure yet
        ("aac003000000a16004ab", Telegram("a160", {"pm2_5": 0.3, "pm10": 0.0})),
    ],
)
def test_a_report_is_told_of_its_sensor(digits: str, telegram: Telegram) -> None:
    assert ReportListener().telegrams(found(digits)) == [telegram]


def test_what_is_described_is_what_is_heard() -> None:
    for data in good_frames("sds011"):
        frame = found(data.hex())
        for telegram in ReportListener().telegrams(frame):
            assert {"id": telegram.sender, **telegram.values}.items() <= describe(frame).items()


@pytest.mark.parametrize(
    ("digits", "direction"),
    [
        ("aab404000000000000000000000000ffff02ab", Direction.REQUEST),
        ("aac506010000a16008ab", Direction.REPLY),
    ],
)
def test_a_command_and_its_answer_are_no_reading(digits: str, direction: Direction) -> None:
    frame = found(digits)
    assert frame.direction is direction
    assert ReportListener().telegrams(frame) == []


def test_an_id_is_kept_in_small_letters() -> None:
    settings = KEYS.parse({"id": " A160 ", "only": ["pm10"]})
    assert settings.id == "a160"
    assert settings.units == {"pm10": "µg/m³"}


@pytest.mark.parametrize("written", ["a16", "a160f", "g160", ""])
def test_a_wrong_id_is_named(written: str) -> None:
    with pytest.raises(SettingsError, match="is not the sensor's id, four hexadecimal digits"):
        KEYS.parse({"id": written})


def test_an_id_without_quotes_is_told_so() -> None:
    with pytest.raises(SettingsError, match='write it in quotes, for example id = "a160"'):
        KEYS.parse({"id": 160})
