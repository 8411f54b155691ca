"""DSMR P1: the check of each version, what a telegram says of each meter, and identifiers in both forms."""

from __future__ import annotations

import pytest

from protocols import load
from protocols.dsmr import MAX_LENGTH, identifier, meters
from protocols.toolkit.checksum import CHECKSUMS
from protocols.toolkit.errors import SettingsError
from protocols.toolkit.framing import Frame, Noise
from protocols.toolkit.polling import Values
from protocols.toolkit.pushing import Telegram
from tests.protocols.vectors import described, frames, hear, vectors

ENTRY = load("dsmr")
BY_DEVICE = {v["device"]: bytes.fromhex(v["hex"]) for v in vectors("dsmr") if v["valid"]}
MAIN = "0-0:96.1.1(4B384547303034303436333935353037)"


def telegram(
    *lines: str, first_line: str = "ISk5\\2MT382-1000", check: str = "{:04X}", crc: str = "crc16-arc"
) -> bytes:
    body = f"/{first_line}\r\n\r\n".encode() + "".join(f"{line}\r\n" for line in lines).encode() + b"!"
    return body + check.format(CHECKSUMS[crc].of(body)).encode() + b"\r\n"


def said(data: bytes) -> dict[str, Values]:
    (event,) = hear(ENTRY, [data])
    assert isinstance(event, Frame)
    return {told.sender: told.values for told in ENTRY.listener().telegrams(event)}


def test_a_telegram_speaks_of_the_electricity_meter_and_of_each_meter_on_its_m_bus() -> None:
    told = said(BY_DEVICE["FLUVIUS_V171"])
    assert list(told) == ["1SAG3101021605", "7FLO2119033733", "8SAG1234567890"]
    assert told["7FLO2119033733"] == {
        "valve": 1,
        "volume": 112.384,
        "measured_at": "2020-05-12T13:45:58+02:00",
    }
    assert told["8SAG1234567890"] == {"volume": 872.234, "measured_at": "2020-05-12T13:45:58+02:00"}
    electricity = told["1SAG3101021605"]
    assert {
        name: electricity[name] for name in ("import_energy_t2", "import_demand_max", "current_limit")
    } == {
        "import_energy_t2": 15.758,
        "import_demand_max": 2589,
        "current_limit": 999,
    }
    assert "volume" not in electricity


def test_gas_of_version_2_stands_in_two_lines() -> None:
    told = said(BY_DEVICE["V2_2"])
    assert told["000000000000"] == {"volume": 1.001, "measured_at": "2016-11-07T19:00:00", "valve": 1}
    assert told["00000000000000"]["power_limit"] == 999000


def test_a_channel_without_a_meter_is_none() -> None:
    assert list(said(BY_DEVICE["V5"])) == ["K8EG004046395507", "2222ABCD123456789"]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        (
            "0-1:24.2.1(170102161005W)(00000.107*m3)",
            {"volume": 0.107, "measured_at": "2017-01-02T16:10:05+01:00"},
        ),
        (
            "0-1:24.2.1(170702161005S)(12.500*GJ)",
            {"energy": 12.5, "measured_at": "2017-07-02T16:10:05+02:00"},
        ),
        (
            "0-1:24.2.1(170102161005W)(00012345*MJ)",
            {"energy": 12.345, "measured_at": "2017-01-02T16:10:05+01:00"},
        ),
        (
            "0-1:24.2.1(170102161005W)(0012.345*MWh)",
            {"import_energy": 12345, "measured_at": "2017-01-02T16:10:05+01:00"},
        ),
        ("0-1:24.2.1(632525252525W)(00000.000*m3)", {}),  # never heard
        ("0-1:24.2.1()(00000.000*m3)", {}),
        ("0-1:24.2.1(170102161005W)()", {}),
        ("0-1:24.2.1(170102161005W)", {}),
        ("0-1:24.2.1(170102161005W)(1*bushel)", {}),
        ("0-1:24.3.0(161107190000)(00)(60)(1)(0-1:24.2.1)(m3)", {}),
    ],
)
def test_what_an_m_bus_meter_said_is_told_with_its_time_or_not_at_all(line: str, values: Values) -> None:
    sent = "3232323241424344313233343536373839"
    lines = (MAIN, f"0-1:96.1.0({sent})", line)
    found = {meter.id: meter.values for meter in meters(telegram(*lines))}
    assert found == {"K8EG004046395507": {}, "2222ABCD123456789": values}
    heard = ENTRY.listener().telegrams(Frame(telegram(*lines)))
    assert heard == ([Telegram("2222ABCD123456789", values, (sent,))] if values else [])


def test_a_meter_without_an_identifier_goes_by_its_first_line() -> None:
    assert said(telegram("1-0:1.7.0(0000.5*kW)", first_line="ELL5\\253833635_A")) == {
        "ELL5\\253833635_A": {"import_power": 500.0}
    }


def test_reactive_energy_and_power_are_told_whatever_way_their_unit_is_written() -> None:
    lines = ("1-0:3.8.0(00000005.151*kVArh)", "1-0:4.8.0(00000355.420*kvarh)", "1-0:3.7.0(0000.100*kVAr)")
    assert said(telegram(MAIN, *lines)) == {
        "K8EG004046395507": {
            "reactive_import_energy": 5.151,
            "reactive_export_energy": 355.42,
            "reactive_import_power": 100,
        }
    }


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("4B384547303034303436333935353037", "K8EG004046395507"),
        ("K8EG004046395507", "K8EG004046395507"),
        ("3960221976967177082151037881335713", "3960221976967177082151037881335713"),  # no characters
        ("00000000000000", "00000000000000"),
        ("34363437343834393530353135323533", "4647484950515253"),  # digits that could be meant so again
        ("37333236", "7326"),
        ("7326", "s&"),
        ("204B413655303031353835353735303131", "KA6U001585575011"),  # behind a blank, as Kamstrup sends it
        ("2020", "2020"),
        ("ELL5\\253833635_A", "ELL5\\253833635_A"),
        ("", ""),
    ],
)
def test_an_identifier_is_what_its_digits_stand_for_once(sent: str, kept: str) -> None:
    assert identifier(sent) == kept


@pytest.mark.parametrize(
    ("sent", "label"),
    [
        ("3232323241424344313233343536373839", "2222ABCD123456789"),
        ("34363437343834393530353135323533", "4647484950515253"),
        ("37333236", "7326"),
        ("00000000000000", "00000000000000"),
    ],
)
def test_a_meter_is_known_as_on_its_label_and_as_sent(sent: str, label: str) -> None:
    whole = telegram(f"0-0:96.1.1({sent})", "1-0:1.7.0(0000.5*kW)")
    (heard,) = ENTRY.listener().telegrams(Frame(whole))
    assert heard.sender == label
    for written in (label, sent, f" {label} "):
        assert ENTRY.settings({"id": written}).address in heard.ids


def test_the_keys_of_a_meter() -> None:
    label = ENTRY.settings({"id": "K8EG004046395507", "only": ["import_power", "import_energy_t3"]})
    sent = ENTRY.settings({"id": "4B384547303034303436333935353037"})
    assert label.address == "K8EG004046395507"
    assert label.units == {"import_power": "W", "import_energy_t3": "kWh"}
    assert {"volume": "m³", "energy": "GJ", "measured_at": ""}.items() <= sent.units.items()
    with pytest.raises(SettingsError, match="equipment identifier"):
        ENTRY.settings({"id": ""})


def test_a_check_may_be_printed_without_leading_zeros() -> None:
    whole = [telegram(MAIN, f"0-0:96.14.0({number:04})", check="{:X}") for number in range(100)]
    short = min(whole, key=len)
    assert len(short) < max(map(len, whole))
    assert frames(hear(ENTRY, [short])) == [short]


def test_version_4_and_up_are_nothing_without_their_check() -> None:
    old = telegram(MAIN, check="")
    assert frames(hear(ENTRY, [old])) == [old]
    for version in ("1-3:0.2.8(50)", "0-0:96.1.4(50217)"):
        new = telegram(version, MAIN, check="")
        assert hear(ENTRY, [new]) == [Noise(new, "checksum")]


def test_a_telegram_that_breaks_off_or_is_damaged_does_not_hide_the_next_one() -> None:
    good = BY_DEVICE["V5"]
    for begun in (good[:3], good[:400], good[:-1], good[:-9], good.replace(b"4B38", b"4B39")):
        assert frames(hear(ENTRY, [begun + good])) == [good]


def test_bytes_behind_the_end_belong_to_no_telegram() -> None:
    whole = BY_DEVICE["ESY5Q3DA1004_V304"]
    events = hear(ENTRY, [whole])
    assert [type(event) for event in events] == [Frame, Noise]
    assert events[0].data.endswith(b"!\r\n")
    (fields,) = described(ENTRY, events)
    (vector,) = (v for v in vectors("dsmr") if "optional" in v)
    assert fields | vector["expected"] == fields


def test_the_longest_telegram_is_found() -> None:
    around = len(telegram(MAIN, "0-0:96.13.0()"))
    for length, is_found in ((MAX_LENGTH, True), (MAX_LENGTH + 40, False)):
        whole = telegram(MAIN, f"0-0:96.13.0({'3' * (length - around)})")
        assert len(whole) == length
        assert (frames(hear(ENTRY, [whole])) == [whole]) is is_found


NUMBER = "0-0:96.1.1(4B384547303034303436333935353037)"


def main_meter(*lines: str, **options: str) -> Values:
    """Return what the electricity meter of a telegram with these lines says."""
    return said(telegram(NUMBER, *lines, **options))["K8EG004046395507"]


@pytest.mark.parametrize("crc", ["crc16-arc", "crc16-x25"])
@pytest.mark.parametrize("first_line", ["ISk5\x02MIE5T-200", "HLY5/123 \x7f", "KFM5KAIFA-METER"])
def test_a_check_that_fits_decides_whatever_the_first_line_holds(first_line: str, crc: str) -> None:
    assert main_meter("1-0:1.7.0(0000.182*kW)", first_line=first_line, crc=crc) == {"import_power": 182}


@pytest.mark.parametrize("first_line", ["ISk5\x02MIE5T-200", "HLY5/123"])
def test_without_a_check_the_first_line_must_be_plain(first_line: str) -> None:
    events = hear(ENTRY, [telegram("1-0:1.7.0(0000.182*kW)", first_line=first_line, check="")])
    assert not [event for event in events if isinstance(event, Frame)]


def test_a_blank_in_a_unit_drops_no_value() -> None:
    assert main_meter("1-0:1.8.0(000424.413*kWh )", "1-0:32.7.0( 230.7* V)") == {
        "import_energy": 424.413,
        "voltage_l1": 230.7,
    }


def test_31_4_0_is_a_limit_alone_and_a_mean_beside_the_other_phases() -> None:
    assert main_meter("1-0:31.4.0(999*A)") == {"current_limit": 999}
    assert main_meter("1-0:31.4.0(1.5*A)", "1-0:51.4.0(2.5*A)", "1-0:71.4.0(3.5*A)") == {
        "current_mean_l1": 1.5,
        "current_mean_l2": 2.5,
        "current_mean_l3": 3.5,
    }


def test_states_in_words_are_told_as_they_are() -> None:
    lines = ("0-0:96.14.0(TARIFF 1)", "0-0:96.3.10(ON)", "0-0:17.0.0(ON)")
    assert main_meter(*lines) == {"tariff": "TARIFF 1", "breaker": "ON"}
    assert main_meter("0-0:96.14.0(0001)", "0-0:96.3.10()") == {"tariff": 1}


def test_a_maximum_is_told_with_the_time_when_it_was() -> None:
    assert main_meter("1-0:1.6.0(200509134558S)(02.589*kW)") == {
        "import_demand_max": 2589,
        "import_demand_max_at": "2020-05-09T13:45:58+02:00",
    }


def test_the_peaks_of_the_months_past_are_numbered_back_from_the_newest() -> None:
    history = (
        "0-0:98.1.0(2)(1-0:1.6.0)(1-0:1.6.0)(200501000000S)(200423192538S)(03.695*kW)"
        "(200601000000S)(200517113000S)(05.980*kW)"
    )
    assert main_meter(history) == {
        "import_demand_max_month1": 5980,
        "import_demand_max_month1_at": "2020-05-17T11:30:00+02:00",
        "import_demand_max_month2": 3695,
        "import_demand_max_month2_at": "2020-04-23T19:25:38+02:00",
    }
    never = "0-0:98.1.0(1)(1-0:1.6.0)(1-0:1.6.0)(632525252525W)(632525252525W)(00.000*kW)"
    assert said(telegram(NUMBER, "0-0:98.1.0(0)(1-0:1.6.0)(1-0:1.6.0)")) == {}
    assert said(telegram(NUMBER, never)) == {}


def test_means_and_sums_have_names() -> None:
    assert main_meter("1-0:32.24.0(229.9*V)", "1-0:90.7.0(012.3*A)") == {
        "voltage_mean_l1": 229.9,
        "total_current": 12.3,
    }
